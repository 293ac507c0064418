#include "ledger/merkle.h"

#include <gtest/gtest.h>

#include <random>

namespace cairn::ledger {
namespace {

// The eight leaves, their roots and proofs that implementations of Certificate Transparency (RFC 6962) share
// as known answers.
const char* const kLeaves[] = {
    "", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"};
const char* const kRoots[] = {"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
                              "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
                              "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
                              "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
                              "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
                              "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
                              "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
                              "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
                              "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"};

std::vector<std::string> hex_of(const std::vector<Digest>& proof) {
  std::vector<std::string> hex;
  for (const Digest& digest : proof) hex.push_back(digest.hex());
  return hex;
}

MerkleTree known_tree() {
  MerkleTree tree;
  for (const char* leaf : kLeaves) tree.append(leaf_hash(*from_hex(leaf)));
  return tree;
}

TEST(Merkle, RootsMatchThePublishedVectors) {
  MerkleTree tree;
  EXPECT_EQ(tree.root().hex(), kRoots[0]);
  for (size_t i = 0; i < 8; ++i) {
    tree.append(leaf_hash(*from_hex(kLeaves[i])));
    EXPECT_EQ(tree.root().hex(), kRoots[i + 1]);
  }
  for (size_t size = 0; size <= 8; ++size) EXPECT_EQ(tree.root_of(size).hex(), kRoots[size]);
}

TEST(Merkle, InclusionProofsMatchThePublishedVectors) {
  const MerkleTree tree = known_tree();
  using Proof = std::vector<std::string>;
  EXPECT_EQ(hex_of(tree.inclusion_proof(0, 1)), Proof{});
  EXPECT_EQ(hex_of(tree.inclusion_proof(0, 8)),
            (Proof{"96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
                   "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
                   "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4"}));
  EXPECT_EQ(hex_of(tree.inclusion_proof(5, 8)),
            (Proof{"bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
                   "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0", kRoots[4]}));
  EXPECT_EQ(hex_of(tree.inclusion_proof(2, 3)), Proof{kRoots[2]});
  EXPECT_EQ(hex_of(tree.inclusion_proof(1, 5)),
            (Proof{kRoots[1], "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
                   "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b"}));
}

TEST(Merkle, ConsistencyProofsMatchThePublishedVectors) {
  const MerkleTree tree = known_tree();
  using Proof = std::vector<std::string>;
  EXPECT_EQ(hex_of(tree.consistency_proof(1, 1)), Proof{});
  EXPECT_EQ(hex_of(tree.consistency_proof(1, 8)),
            (Proof{"96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
                   "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
                   "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4"}));
  EXPECT_EQ(hex_of(tree.consistency_proof(6, 8)),
            (Proof{"0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
                   "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0", kRoots[4]}));
  EXPECT_EQ(hex_of(tree.consistency_proof(2, 5)),
            (Proof{"5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
                   "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b"}));
}

std::vector<Digest> random_leaves(std::mt19937_64& random, size_t count) {
  std::vector<Digest> leaves(count);
  for (Digest& leaf : leaves) {
    for (uint8_t& byte : leaf.bytes) byte = static_cast<uint8_t>(random());
  }
  return leaves;
}

// The definition of RFC 6962, 2.1, word for word.
Digest root_by_definition(std::span<const Digest> leaves) {
  if (leaves.empty()) return sha256({});
  if (leaves.size() == 1) return leaves[0];
  size_t k = 1;
  while (2 * k < leaves.size()) k *= 2;
  return node_hash(root_by_definition(leaves.first(k)), root_by_definition(leaves.subspan(k)));
}

TEST(Merkle, EveryEarlierRootFollowsTheDefinition) {
  std::mt19937_64 random(1);
  const std::vector<Digest> leaves = random_leaves(random, 200);
  MerkleTree tree;
  for (const Digest& leaf : leaves) tree.append(leaf);
  for (size_t size = 0; size <= leaves.size(); ++size) {
    ASSERT_EQ(tree.root_of(size), root_by_definition(std::span(leaves).first(size))) << size;
  }
}

TEST(Merkle, TruncatingUndoesAppending) {
  std::mt19937_64 random(2);
  const std::vector<Digest> leaves = random_leaves(random, 300);
  MerkleTree tree;
  for (int i = 0; i < 200; ++i) {
    const size_t keep = random() % (tree.size() + 1);
    tree.truncate(keep);
    const size_t grow = keep + random() % (leaves.size() - keep + 1);
    for (size_t leaf = keep; leaf < grow; ++leaf) tree.append(leaves[leaf]);
    ASSERT_EQ(tree.root(), root_by_definition(std::span(leaves).first(grow)));
  }
}

class MerkleProofs : public ::testing::Test {
 protected:
  MerkleProofs() : leaves_(random_leaves(random_, 1100)) {
    for (const Digest& leaf : leaves_) tree_.append(leaf);
  }

  uint64_t draw(uint64_t low, uint64_t high) { return low + random_() % (high - low + 1); }

  // Another proof: a bit flipped, a hash more or less, or two exchanged.
  std::vector<Digest> mutated(std::vector<Digest> proof) {
    const uint64_t how = proof.empty() ? 1 : random_() % 4;
    if (how == 0) proof.pop_back();
    if (how == 1)
      proof.insert(proof.begin() + static_cast<long>(draw(0, proof.size())), leaves_[draw(0, 1099)]);
    if (how == 2)
      proof[draw(0, proof.size() - 1)].bytes[draw(0, 31)] ^= static_cast<uint8_t>(1 << draw(0, 7));
    if (how == 3) {
      const size_t at = draw(0, proof.size() - 1);
      std::swap(proof[at], proof[(at + 1) % proof.size()]);
      if (proof.size() == 1) proof.clear();
    }
    return proof;
  }

  std::mt19937_64 random_{3};
  std::vector<Digest> leaves_;
  MerkleTree tree_;
};

TEST_F(MerkleProofs, EveryInclusionOfSmallTreesVerifies) {
  for (uint64_t size = 1; size <= 70; ++size) {
    for (uint64_t index = 0; index < size; ++index) {
      const auto proof = tree_.inclusion_proof(index, size);
      ASSERT_TRUE(inclusion_valid(leaves_[index], index, size, tree_.root_of(size), proof));
    }
  }
}

TEST_F(MerkleProofs, EveryConsistencyOfSmallTreesVerifies) {
  for (uint64_t size = 0; size <= 70; ++size) {
    for (uint64_t old_size = 0; old_size <= size; ++old_size) {
      const auto proof = tree_.consistency_proof(old_size, size);
      ASSERT_TRUE(consistency_valid(old_size, tree_.root_of(old_size), size, tree_.root_of(size), proof));
    }
  }
}

TEST_F(MerkleProofs, OfRandomSizesHoldAndTheirMutationsDoNot) {
  for (int i = 0; i < 3000; ++i) {
    const uint64_t size = draw(2, leaves_.size());
    const uint64_t index = draw(0, size - 1);
    const Digest root = tree_.root_of(size);
    const auto proof = tree_.inclusion_proof(index, size);
    ASSERT_TRUE(inclusion_valid(leaves_[index], index, size, root, proof));
    ASSERT_FALSE(inclusion_valid(leaves_[index], index, size, root, mutated(proof)));
    ASSERT_FALSE(inclusion_valid(leaves_[(index + 1) % size], index, size, root, proof));
    ASSERT_FALSE(inclusion_valid(leaves_[index], (index + draw(1, size - 1)) % size, size, root, proof));
    ASSERT_FALSE(inclusion_valid(leaves_[index], index, size, tree_.root_of(size - 1), proof));

    const uint64_t old_size = draw(1, size - 1);
    const Digest old_root = tree_.root_of(old_size);
    const auto steps = tree_.consistency_proof(old_size, size);
    ASSERT_TRUE(consistency_valid(old_size, old_root, size, root, steps));
    ASSERT_FALSE(consistency_valid(old_size, old_root, size, root, mutated(steps)))
        << old_size << " " << size;
    ASSERT_FALSE(consistency_valid(old_size, tree_.root_of(old_size - 1), size, root, steps));
    ASSERT_FALSE(consistency_valid(old_size, old_root, size, tree_.root_of(size - 1), steps));
    ASSERT_FALSE(consistency_valid(size, root, old_size, old_root, steps));
  }
}

TEST_F(MerkleProofs, OutOfRangeIsRefused) {
  EXPECT_FALSE(inclusion_valid(leaves_[0], 1, 1, leaves_[0], {}));
  EXPECT_FALSE(inclusion_valid(leaves_[0], 0, 0, leaves_[0], {}));
  EXPECT_FALSE(consistency_valid(0, leaves_[0], 5, tree_.root_of(5), {}));
  EXPECT_FALSE(consistency_valid(4, tree_.root_of(4), 5, tree_.root_of(5), {}));
  EXPECT_FALSE(inclusion_valid(leaves_[0], 0, UINT64_MAX, leaves_[0], std::vector<Digest>(100)));
  EXPECT_FALSE(consistency_valid(1, leaves_[0], UINT64_MAX, leaves_[0], std::vector<Digest>(100)));
}

}  // namespace
}  // namespace cairn::ledger
