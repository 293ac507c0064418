#include "ledger/merkle.h"

#include <algorithm>
#include <bit>

namespace cairn::ledger {
namespace {

constexpr uint8_t kLeafPrefix = 0;
constexpr uint8_t kNodePrefix = 1;

// The number of leaves to the left in a tree of n > 1 leaves: the largest power of two below n.
uint64_t split(uint64_t n) {
  return std::bit_floor(n - 1);
}

}  // namespace

Digest leaf_hash(BytesView bytes) {
  return Hasher().update({&kLeafPrefix, 1}).update(bytes).finish();
}

Digest node_hash(const Digest& left, const Digest& right) {
  return Hasher().update({&kNodePrefix, 1}).update(left.bytes).update(right.bytes).finish();
}

void MerkleTree::append(const Digest& leaf) {
  Digest node = leaf;
  for (size_t level = 0;; ++level) {
    if (level == levels_.size()) levels_.emplace_back();
    levels_[level].push_back(node);
    const size_t count = levels_[level].size();
    if (count % 2 != 0) return;
    node = node_hash(levels_[level][count - 2], levels_[level][count - 1]);
  }
}

void MerkleTree::truncate(uint64_t size) {
  CAIRN_ASSERT(size <= this->size());
  for (size_t level = 0; level < levels_.size(); ++level) levels_[level].resize(size >> level);
}

std::vector<LeafRange> inclusion_ranges(uint64_t index, uint64_t size) {
  CAIRN_ASSERT(index < size);
  std::vector<LeafRange> ranges;  // from the root downwards, turned round at the end
  uint64_t begin = 0;
  uint64_t end = size;
  while (end - begin > 1) {
    const uint64_t middle = begin + split(end - begin);
    const bool left = index < middle;
    ranges.push_back(left ? LeafRange{middle, end} : LeafRange{begin, middle});
    (left ? end : begin) = middle;
  }
  std::reverse(ranges.begin(), ranges.end());
  return ranges;
}

std::vector<LeafRange> consistency_ranges(uint64_t old_size, uint64_t new_size) {
  CAIRN_ASSERT(old_size <= new_size);
  std::vector<LeafRange> ranges;
  if (old_size == 0 || old_size == new_size) return ranges;
  uint64_t begin = 0;
  uint64_t end = new_size;
  while (end != old_size) {  // down to the subtree in which the old tree ends
    const uint64_t middle = begin + split(end - begin);
    const bool left = old_size <= middle;
    ranges.push_back(left ? LeafRange{middle, end} : LeafRange{begin, middle});
    (left ? end : begin) = middle;
  }
  if (begin != 0) ranges.push_back({begin, end});  // else it is the old root, which the verifier has
  std::reverse(ranges.begin(), ranges.end());
  return ranges;
}

std::vector<Subtree> complete_subtrees(const LeafRange& range) {
  CAIRN_ASSERT(range.begin < range.end);
  std::vector<Subtree> subtrees;
  for (uint64_t begin = range.begin; begin < range.end;) {
    const auto level = static_cast<unsigned>(std::bit_width(range.end - begin) - 1);
    subtrees.push_back({level, begin >> level});
    begin += uint64_t{1} << level;
  }
  return subtrees;
}

Digest hash_of_subtrees(const std::vector<Digest>& hashes) {
  CAIRN_ASSERT(!hashes.empty());
  Digest hash = hashes.back();
  for (size_t i = hashes.size() - 1; i > 0; --i) hash = node_hash(hashes[i - 1], hash);
  return hash;
}

Digest MerkleTree::range_hash(const LeafRange& range) const {
  std::vector<Digest> hashes;
  for (const Subtree& part : complete_subtrees(range)) hashes.push_back(subtree(part));
  return hash_of_subtrees(hashes);
}

std::vector<Digest> MerkleTree::range_hashes(const std::vector<LeafRange>& ranges) const {
  std::vector<Digest> hashes;
  for (const LeafRange& range : ranges) hashes.push_back(range_hash(range));
  return hashes;
}

Digest MerkleTree::root_of(uint64_t size) const {
  CAIRN_ASSERT(size <= this->size());
  return size == 0 ? sha256({}) : range_hash({0, size});
}

std::vector<Digest> MerkleTree::inclusion_proof(uint64_t index, uint64_t size) const {
  CAIRN_ASSERT(size <= this->size());
  return range_hashes(inclusion_ranges(index, size));
}

std::vector<Digest> MerkleTree::consistency_proof(uint64_t old_size, uint64_t new_size) const {
  CAIRN_ASSERT(new_size <= size());
  return range_hashes(consistency_ranges(old_size, new_size));
}

bool inclusion_valid(const Digest& leaf, uint64_t index, uint64_t size, const Digest& root,
                     const std::vector<Digest>& proof) {
  if (index >= size) return false;
  uint64_t node = index;
  uint64_t last = size - 1;
  Digest hash = leaf;
  for (const Digest& step : proof) {
    if (last == 0) return false;
    if (node % 2 == 1 || node == last) {
      hash = node_hash(step, hash);
      while (node % 2 == 0 && node != 0) {
        node /= 2;
        last /= 2;
      }
    } else {
      hash = node_hash(hash, step);
    }
    node /= 2;
    last /= 2;
  }
  return last == 0 && hash == root;
}

bool consistency_valid(uint64_t old_size, const Digest& old_root, uint64_t new_size, const Digest& new_root,
                       const std::vector<Digest>& proof) {
  if (old_size > new_size) return false;
  if (old_size == new_size) return proof.empty() && old_root == new_root;
  if (old_size == 0) return proof.empty() && old_root == sha256({});
  if (proof.empty()) return false;

  uint64_t node = old_size - 1;
  uint64_t last = new_size - 1;
  const int complete = std::countr_one(node);  // levels up to the subtree in which the old tree ends
  node >>= complete;
  last >>= complete;
  size_t next = node == 0 ? 0 : 1;  // an old size that is a power of two: its root starts the proof, unsent
  Digest old_hash = node == 0 ? old_root : proof[0];
  Digest new_hash = old_hash;
  for (; next < proof.size(); ++next) {
    if (last == 0) return false;
    if (node % 2 == 1 || node == last) {
      old_hash = node_hash(proof[next], old_hash);
      new_hash = node_hash(proof[next], new_hash);
      while (node % 2 == 0 && node != 0) {
        node /= 2;
        last /= 2;
      }
    } else {
      new_hash = node_hash(new_hash, proof[next]);
    }
    node /= 2;
    last /= 2;
  }
  return last == 0 && old_hash == old_root && new_hash == new_root;
}

}  // namespace cairn::ledger
