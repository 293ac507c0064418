// The Merkle tree over the log's events: RFC 6962, section 2.1 (the same tree as RFC 9162).
//
// A leaf's hash is SHA-256(0x00 || bytes), an inner node's SHA-256(0x01 || left || right); the left subtree
// of n leaves has the largest power of two below n. The root of no leaves is SHA-256 of nothing.
#pragma once

#include <cstdint>
#include <vector>

#include "base/digest.h"

namespace cairn::ledger {

Digest leaf_hash(BytesView bytes);
Digest node_hash(const Digest& left, const Digest& right);

// Leaves begin .. end - 1.
struct LeafRange {
  uint64_t begin = 0;
  uint64_t end = 0;
};

// The leaves 2^level * index .. 2^level * (index + 1) - 1: a complete subtree.
struct Subtree {
  unsigned level = 0;
  uint64_t index = 0;
};

// What the hashes of a proof are of, in the order of the proof: RFC 6962, 2.1.1 and 2.1.2. Preconditions as
// for MerkleTree's proofs.
std::vector<LeafRange> inclusion_ranges(uint64_t index, uint64_t size);
std::vector<LeafRange> consistency_ranges(uint64_t old_size, uint64_t new_size);

// The complete subtrees of which such a range consists, from left to right, and its hash from theirs.
// Preconditions: the range is a subtree of some tree (it begins at a multiple of the largest power of two in
// it) and not empty; the hashes are not none.
std::vector<Subtree> complete_subtrees(const LeafRange& range);
Digest hash_of_subtrees(const std::vector<Digest>& hashes);

// Holds the hash of every complete subtree (64 bytes a leaf), so that a root of any earlier size and every
// proof takes O(log n) steps. Not thread-safe while it changes.
class MerkleTree {
 public:
  uint64_t size() const { return levels_.empty() ? 0 : levels_[0].size(); }
  void append(const Digest& leaf);
  void truncate(uint64_t size);  // keeps the first `size` leaves; precondition: size <= size()

  Digest root() const { return root_of(size()); }
  Digest root_of(uint64_t size) const;  // of the first `size` leaves; precondition: size <= size()

  // Precondition: its leaves are in the tree.
  const Digest& subtree(const Subtree& subtree) const { return levels_[subtree.level][subtree.index]; }

  // RFC 6962, 2.1.1: from the leaf's sibling upwards. Precondition: index < size <= size().
  std::vector<Digest> inclusion_proof(uint64_t index, uint64_t size) const;
  // RFC 6962, 2.1.2; empty for an old size of 0 or equal to the new one. Precondition: old_size <= new_size
  // <= size().
  std::vector<Digest> consistency_proof(uint64_t old_size, uint64_t new_size) const;

 private:
  Digest range_hash(const LeafRange& range) const;  // as for complete_subtrees()
  std::vector<Digest> range_hashes(const std::vector<LeafRange>& ranges) const;

  std::vector<std::vector<Digest>> levels_;  // levels_[k][i]: the subtree of leaves [i * 2^k, (i + 1) * 2^k)
};

// RFC 9162, 2.1.3.2: the leaf is at `index` in the tree of that size and root.
bool inclusion_valid(const Digest& leaf, uint64_t index, uint64_t size, const Digest& root,
                     const std::vector<Digest>& proof);

// RFC 9162, 2.1.4.2: the first `old_size` leaves of the new tree are the old tree. An old size of 0 is part
// of every tree if its root is that of no leaves.
bool consistency_valid(uint64_t old_size, const Digest& old_root, uint64_t new_size, const Digest& new_root,
                       const std::vector<Digest>& proof);

}  // namespace cairn::ledger
