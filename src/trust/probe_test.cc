#include "trust/probe.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/philox.h"
#include "trust/chronicle.h"

namespace cairn::trust {
namespace {

uint64_t word(uint32_t i) {
  const auto words = RandomSequence(1, RandomStream::probe).at(i);
  return uint64_t{words[0]} << 32 | words[1];
}

// One entry each of a user at 0.9 and of nine newcomers, averaged at those weights.
struct Probe : testing::Test {
  void SetUp() override {
    for (int i = 0; i < 10; ++i) log.join("user " + std::to_string(i));
    log.must(Chronicle::key("root"), ledger::Endowed{1, ledger::kReputationOne / 10 * 9});
    log.open_round();
    for (UserId user = 1; user <= 10; ++user) log.send_truth(user, user);
    log.close_round();
  }
  Chronicle log;
};

TEST_F(Probe, HalfTheDrawsAreUniformAndHalfByWeight) {
  constexpr int kDraws = 20'000;
  std::map<EntryId, int> drawn;
  for (int i = 0; i < kDraws; ++i) ++drawn[*pick_probe(log.state, word(static_cast<uint32_t>(i)))];
  // Entry 1: half of 1/10, and half of 0.9 / (0.9 + 9 * 0.001).
  EXPECT_NEAR(drawn[1], kDraws * 0.5451, 5 * std::sqrt(kDraws * 0.25));
  for (EntryId id = 2; id <= 10; ++id) {
    EXPECT_NEAR(drawn[id], kDraws * 0.0506, 5 * std::sqrt(kDraws * 0.05)) << "nobody is exempt: " << id;
  }
}

TEST_F(Probe, TheSameWordDrawsTheSameEntry) {
  for (uint32_t i = 0; i < 100; ++i) {
    EXPECT_EQ(pick_probe(log.state, word(i), 3), pick_probe(log.state, word(i), 3));
  }
}

TEST_F(Probe, ExtremeWordsDrawTheEnds) {
  EXPECT_EQ(pick_probe(log.state, 0), 1u);
  EXPECT_EQ(pick_probe(log.state, UINT64_MAX >> 1), 10u);
  EXPECT_EQ(pick_probe(log.state, uint64_t{1} << 63), 1u);
  EXPECT_EQ(pick_probe(log.state, UINT64_MAX), 10u);
}

TEST_F(Probe, NobodyProbesTheirOwnOrWhatWasJudged) {
  log.open_round();
  for (UnitId unit = 0; unit < 3; ++unit) log.send_truth(2, unit);
  log.close_round();
  log.judge_claim(log.claim(2, 5, Chronicle::digest("wrong")));
  for (uint32_t i = 0; i < 500; ++i) {
    const std::optional<EntryId> drawn = pick_probe(log.state, word(i), 1);
    ASSERT_TRUE(drawn);
    EXPECT_NE(*drawn, 5u) << "confirmed by the verdict";
    EXPECT_NE(log.state.entry(*drawn).user, 1u);
    EXPECT_NE(log.state.entry(*drawn).user, 2u) << "revoked with the false claimant";
  }
}

TEST_F(Probe, WhatADuplicateConfirmsIsDrawnByWeightOnly) {
  log.open_round();
  for (UserId user = 2; user <= 3; ++user) log.send_truth(user, 40);  // entries 11 and 12
  log.send_truth(4, 41);
  log.close_round();
  std::map<EntryId, int> uniform, weighted;
  for (uint32_t i = 0; i < 20'000; ++i) {
    ++uniform[*pick_probe(log.state, word(i) >> 1)];
    ++weighted[*pick_probe(log.state, word(i) | uint64_t{1} << 63)];
  }
  EXPECT_EQ(uniform[11] + uniform[12], 0);
  EXPECT_GT(uniform[13], 0);
  EXPECT_GT(weighted[11], 0) << "nobody is exempt";
  EXPECT_EQ(weighted[12], 0) << "in nobody's model";
}

TEST_F(Probe, BugNobodyHadToldAnAuditorWhatWasRecomputedAlready) {
  std::set<EntryId> found_true;
  for (uint32_t i = 0; found_true.size() < 10; ++i) {
    const auto drawn = pick_probe(log.state, word(i), 0, found_true);
    ASSERT_TRUE(drawn);
    EXPECT_TRUE(found_true.insert(*drawn).second) << "twice";
  }
  EXPECT_EQ(pick_probe(log.state, word(1), 0, found_true), std::nullopt);
}

TEST(ProbeOfNothing, IsNothing) {
  Chronicle log;
  EXPECT_EQ(pick_probe(log.state, 7), std::nullopt);
  EXPECT_EQ(pick_probe(log.state, UINT64_MAX), std::nullopt);
}

}  // namespace
}  // namespace cairn::trust
