#include "trust/reputation.h"

#include <gtest/gtest.h>

namespace cairn::trust {
namespace {

using ledger::kReputationOne;

TEST(Reputation, PrintsTheShortestExactDecimalWithThreeDigits) {
  EXPECT_EQ(to_decimal(0), "0.000");
  EXPECT_EQ(to_decimal(1), "0.000000000001");
  EXPECT_EQ(to_decimal(10'000), "0.00000001");
  EXPECT_EQ(to_decimal(kReputationOne / 1000 * 134), "0.134");
  EXPECT_EQ(to_decimal(kReputationOne / 1000 * 9), "0.009");
  EXPECT_EQ(to_decimal(kReputationOne / 2), "0.500");
  EXPECT_EQ(to_decimal(kReputationOne / 10'000 * 1345), "0.1345");
  EXPECT_EQ(to_decimal(kReputationOne), "1.000");
}

TEST(Reputation, GrowsByAStepUpToTheMaximum) {
  const Policy policy;
  EXPECT_EQ(grown(policy, policy.minimum), policy.minimum + policy.step);
  EXPECT_EQ(grown(policy, policy.maximum - 1), policy.maximum);
  EXPECT_EQ(grown(policy, policy.maximum), policy.maximum);
}

TEST(Reputation, GrowsExponentiallyByAtLeastOneUnit) {
  Policy policy;
  policy.growth = ledger::Growth::exponential;
  policy.minimum = 1;
  EXPECT_EQ(grown(policy, 1), 2u);
  EXPECT_EQ(grown(policy, 52), 53u);
  EXPECT_EQ(grown(policy, 1'000'000), 1'019'000u);
  policy.growth_ppm = 1'000'000;
  EXPECT_EQ(grown(policy, policy.maximum), policy.maximum);
}

TEST(Reputation, TheAveragingReputationFallsAtOnceAndRisesRarelyAndSlowly) {
  Policy policy;
  policy.refresh_rounds = 4;
  policy.max_rise = 10;
  EXPECT_EQ(refreshed(policy, 100, 50, 3), 50u);
  EXPECT_EQ(refreshed(policy, 100, 105, 3), 100u);
  EXPECT_EQ(refreshed(policy, 100, 105, 4), 105u);
  EXPECT_EQ(refreshed(policy, 100, 500, 8), 110u);
}

TEST(Reputation, DecimalsComeBackExactly) {
  for (const Reputation reputation : {uint64_t{0}, uint64_t{1}, uint64_t{10'000}, kReputationOne / 1000 * 134,
                                      kReputationOne - 1, kReputationOne}) {
    const auto parsed = from_decimal(to_decimal(reputation));
    ASSERT_TRUE(parsed) << to_decimal(reputation);
    EXPECT_EQ(*parsed, reputation);
  }
  EXPECT_EQ(from_decimal("1").value(), kReputationOne);
  EXPECT_EQ(from_decimal("0").value(), 0u);
  for (const char* text : {"", ".", "0.", ".5", "-0.1", "+0.1", "0.1 ", "1.1", "2", "00.1", "1e-3", "0,1",
                           "0.1.2", "0.0000000000001", "nan"}) {
    EXPECT_FALSE(from_decimal(text)) << text;
  }
}

TEST(Reputation, TheBountyIsHalfOfWhatIsAboveTheMinimum) {
  const Policy policy;
  EXPECT_EQ(bounty(policy, policy.minimum), 0u);
  EXPECT_EQ(bounty(policy, policy.minimum + 9), 4u);
}

TEST(Reputation, AllowsOneOpenClaimAndOneMoreForEachTenth) {
  EXPECT_EQ(open_claim_limit(kReputationOne / 1000), 1u);
  EXPECT_EQ(open_claim_limit(kReputationOne / 10 - 1), 1u);
  EXPECT_EQ(open_claim_limit(kReputationOne / 10), 2u);
  EXPECT_EQ(open_claim_limit(kReputationOne / 1000 * 999), 10u);
}

TEST(Reputation, TheFloorIsHalfTheLowerMedianOfTheLastWeights) {
  Policy policy;
  policy.floor_rounds = 3;
  EXPECT_EQ(floor_of(policy, {}), 0u);
  EXPECT_EQ(floor_of(policy, {10}), 5u);
  EXPECT_EQ(floor_of(policy, {30, 10}), 5u);
  EXPECT_EQ(floor_of(policy, {1000, 1000, 7, 2, 9}), 3u);
}

TEST(Established, IsTenStepsAboveTheMinimum) {
  Policy policy;
  EXPECT_EQ(to_decimal(established_reputation(policy)), "0.011");
  policy.maximum = 5 * policy.minimum;
  EXPECT_EQ(established_reputation(policy), policy.maximum);
  policy = {};
  policy.growth = ledger::Growth::exponential;
  policy.minimum = 10'000;
  Reputation expected = policy.minimum;
  for (int i = 0; i < 10; ++i) expected += expected * 19 / 1000;
  EXPECT_EQ(established_reputation(policy), expected);
}

}  // namespace
}  // namespace cairn::trust
