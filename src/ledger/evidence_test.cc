#include "ledger/evidence.h"

#include <gmock/gmock.h>

#include <random>

#include "ledger/random_event.h"

namespace cairn::ledger {
namespace {

using ::testing::HasSubstr;

// A coordinator with two logs that are the same up to their fifth event.
class Liars : public ::testing::Test {
 protected:
  Liars() {
    Genesis genesis;
    genesis.root = root_.public_key();
    genesis.coordinator = coordinator_.public_key();
    genesis.judges = {root_.public_key()};
    genesis_ = sign_statement(root_, Digest{}, LogHead{}, genesis);
    project_ = statement_digest(genesis_);
    for (int i = 0; i < 20; ++i) {
      const Digest leaf = leaf_hash(encode(random_event(random_)));
      log_.append(leaf);
      other_.append(i < 5 ? leaf : leaf_hash(encode(random_event(random_))));
    }
  }

  std::string note(const MerkleTree& log, uint64_t size) const {
    return sign_checkpoint(project_, {size, log.root_of(size)}, coordinator_);
  }
  // That the log of `larger` events is no continuation of the other one of `smaller`.
  Evidence split(uint64_t smaller, uint64_t larger) const {
    return {genesis_,
            {},
            SplitView{note(other_, smaller), note(log_, larger), log_.root_of(smaller),
                      log_.consistency_proof(smaller, larger)}};
  }
  Evidence broken_receipt(uint64_t index) const {
    const Receipt receipt = sign_receipt(coordinator_, project_, other_.subtree({0, index}), index, 7);
    return {
        genesis_,
        {},
        BrokenReceipt{receipt, note(log_, 20), log_.subtree({0, index}), log_.inclusion_proof(index, 20)}};
  }
  static std::string refusal(const Evidence& evidence) {
    const auto conviction = check_evidence(evidence);
    return conviction ? "" : conviction.error().message;
  }

  std::mt19937_64 random_{1};
  SigningKey root_ = SigningKey::from_seed({1}), coordinator_ = SigningKey::from_seed({2});
  Statement genesis_;
  Digest project_;
  MerkleTree log_, other_;
};

TEST_F(Liars, AreConvictedByTwoHistories) {
  for (uint64_t smaller = 6; smaller <= 20; ++smaller) {
    for (uint64_t larger = smaller; larger <= 20; ++larger) {
      const Evidence evidence = split(smaller, larger);
      EXPECT_EQ(decode_evidence(encode(evidence)).value(), evidence);
      const auto conviction = check_evidence(evidence);
      ASSERT_TRUE(conviction) << smaller << " " << larger << conviction.error().message;
      EXPECT_EQ(conviction->project, project_);
      EXPECT_EQ(conviction->coordinator, coordinator_.public_key());
      EXPECT_THAT(conviction->lie, HasSubstr("two histories: a log of " + std::to_string(smaller)));
    }
  }
}

TEST_F(Liars, AreConvictedByAReceiptThatTheirLogBreaks) {
  const Evidence evidence = broken_receipt(9);
  EXPECT_EQ(decode_evidence(encode(evidence)).value(), evidence);
  const auto conviction = check_evidence(evidence);
  ASSERT_TRUE(conviction) << conviction.error().message;
  EXPECT_THAT(conviction->lie, HasSubstr("receipt for event 9"));
}

TEST_F(Liars, AreConvictedUnderTheKeyThatTheRootMovedThemTo) {
  Evidence evidence = split(6, 20);
  const SigningKey old = coordinator_;
  coordinator_ = SigningKey::from_seed({3});
  Evidence moved = split(6, 20);
  EXPECT_THAT(refusal(moved), HasSubstr("smaller: "));
  moved.moved = sign_statement(root_, project_, {}, CoordinatorMoved{coordinator_.public_key()});
  EXPECT_EQ(refusal(moved), "");
  EXPECT_EQ(decode_evidence(encode(moved)).value(), moved);
  moved.moved = sign_statement(old, project_, {}, CoordinatorMoved{coordinator_.public_key()});
  EXPECT_THAT(refusal(moved), HasSubstr("moved: "));
}

TEST_F(Liars, AnHonestCoordinatorIsNotConvicted) {
  EXPECT_THAT(refusal(split(5, 20)), HasSubstr("do not contradict"));
  EXPECT_THAT(refusal(broken_receipt(4)), HasSubstr("keeps its word"));
  Evidence early = broken_receipt(9);
  std::get<BrokenReceipt>(early.lie).checkpoint = note(log_, 9);
  EXPECT_THAT(refusal(early), HasSubstr("ends before"));
  Evidence swapped = split(6, 20);
  auto& lie = std::get<SplitView>(swapped.lie);
  std::swap(lie.smaller, lie.larger);
  EXPECT_THAT(refusal(swapped), HasSubstr("smaller: "));
}

// Whoever changes anything in it, accuses nobody.
TEST_F(Liars, NoBitOfTheEvidenceMayChange) {
  for (const Evidence& evidence : {split(7, 19), broken_receipt(9)}) {
    const Bytes good = encode(evidence);
    for (size_t bit = 0; bit < good.size() * 8; bit += 13) {
      Bytes bytes = good;
      bytes[bit / 8] ^= static_cast<uint8_t>(1 << bit % 8);
      const auto decoded = decode_evidence(bytes);
      if (!decoded) continue;
      ASSERT_EQ(encode(*decoded), bytes);
      ASSERT_FALSE(check_evidence(*decoded)) << bit;
    }
    for (size_t size = 0; size < good.size(); size += 5)
      EXPECT_FALSE(decode_evidence(BytesView(good).first(size)));
  }
}

}  // namespace
}  // namespace cairn::ledger
