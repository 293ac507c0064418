#include "project/policy_settings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cairn::project {
namespace {

using testing::HasSubstr;

ledger::Policy parsed(const std::string& toml) {
  const auto policy = parse_policy(toml, "recipe.toml");
  EXPECT_TRUE(policy) << policy.error().message;
  return policy ? *policy : ledger::Policy{};
}

std::string refusal(const std::string& toml) {
  const auto policy = parse_policy(toml, "recipe.toml");
  return policy ? "accepted" : policy.error().message;
}

TEST(PolicySettings, TheWrittenDefaultsAreTheDefaults) {
  EXPECT_EQ(parsed(policy_toml(ledger::Policy{})), ledger::Policy{});
  EXPECT_EQ(parsed(""), ledger::Policy{});
}

TEST(PolicySettings, ReputationsAreExact) {
  const auto policy = parsed("[trust]\nminimum = 0.002\nmaximum = 0.5\nstep = 0.000000000001\n");
  EXPECT_EQ(policy.minimum, 2'000'000'000u);
  EXPECT_EQ(policy.maximum, 500'000'000'000u);
  EXPECT_EQ(policy.step, 1u);
}

TEST(PolicySettings, ExponentialGrowthStartsFarBelow) {
  const auto policy = parsed("[trust]\ngrowth = \"exponential\"\n");
  EXPECT_EQ(policy.growth, ledger::Growth::exponential);
  EXPECT_EQ(policy.minimum, 10'000u);  // 0.00000001
  EXPECT_EQ(policy.growth_ppm, 19'000u);
}

TEST(PolicySettings, PanelsOfUsers) {
  const auto policy = parsed("[trust]\njudges = \"panel\"\npanel_size = 7\npanel_reputation = 0.25\n");
  EXPECT_EQ(policy.judges, ledger::Judges::panel);
  EXPECT_EQ(policy.panel_size, 7u);
  EXPECT_EQ(policy.panel_votes, 3u);
  EXPECT_EQ(policy.panel_reputation, ledger::kReputationOne / 4);
  EXPECT_EQ(parsed("").judges, ledger::Judges::named);
}

TEST(PolicySettings, RulesOfAveraging) {
  EXPECT_EQ(parsed("[averaging]\nrule = \"plain\"\nround_size = 10\n").round_size, 10u);
  EXPECT_EQ(parsed("[averaging]\nrule = \"at_acceptance\"\n").averaging, ledger::Averaging::at_acceptance);
  EXPECT_EQ(parsed("[averaging]\nclip = \"fixed\"\nclip_norm = 1.0\n").clip_norm, uint64_t{1} << 48);
  EXPECT_EQ(parsed("[averaging]\nrate = [[0, 1.0], [100, 0.5]]\n").rate[1].rate, uint64_t{1} << 39);
}

TEST(PolicySettings, WhatIsWrittenReadsBackTheSame) {
  for (const char* toml :
       {"",
        "[trust]\ngrowth = \"exponential\"\ngrowth_rate = 0.000001\nconvicted = \"banned\"\njudge_votes = "
        "3\nquorum = 12\nround_minutes = 0.05\n",
        "[trust]\njudges = \"panel\"\npanel_size = 9\npanel_votes = 9\npanel_reputation = 0.05\npanel_hours "
        "= "
        "1\n",
        "[averaging]\nrate = [[0, 0.1], [7, 0.000000000001]]\nclip = \"fixed\"\nclip_norm = 0.1\n",
        "[averaging]\nrule = \"plain\"\nrate = 0.3\nclip = \"none\"\nround_size = 10\nmax_rise = 0.5\n",
        "[trust]\nminimum = 0.000000000001\nexam_entries = 0\n[averaging]\nrule = \"at_acceptance\"\n"}) {
    const ledger::Policy policy = parsed(toml);
    EXPECT_EQ(parsed(policy_toml(policy)), policy) << policy_toml(policy);
  }
}

TEST(PolicySettings, AChangeKeepsWhatItDoesNotName) {
  const ledger::Policy present = parsed(
      "[trust]\nminimum = 0.002\njudge_votes = 2\n[averaging]\nrate = [[0, 1.0], [9, 0.5]]\nclip = "
      "\"none\"\n");
  const auto changed = parse_policy_change("[trust]\ngrowth = \"exponential\"\n", "new.toml", present);
  ASSERT_TRUE(changed) << changed.error().message;
  ledger::Policy expected = present;
  expected.growth = ledger::Growth::exponential;
  EXPECT_EQ(*changed, expected);
  EXPECT_THAT(parse_policy_change("[training]\nbatch = 4\n", "new.toml", present).error().message,
              HasSubstr("new.toml: has neither"));
  EXPECT_THAT(parse_policy_change("[trust]\nmimimum = 0.1\n", "new.toml", present).error().message,
              HasSubstr("trust.mimimum: unknown key"));
}

TEST(PolicySettings, WhatIsWrongIsNamed) {
  EXPECT_THAT(refusal("[trust]\nmimimum = 0.1\n"), HasSubstr("trust.mimimum: unknown key"));
  EXPECT_THAT(refusal("[trust]\nminimum = \"low\"\n"), HasSubstr("trust.minimum"));
  EXPECT_THAT(refusal("[trust]\nminimum = 0.5\nmaximum = 0.4\n"), HasSubstr("recipe.toml"));
  EXPECT_THAT(refusal("[trust]\njudges = \"crowd\"\n"), HasSubstr("trust.judges"));
  EXPECT_THAT(refusal("[trust]\npanel_size = 2\n"), HasSubstr("panel_votes: 3 is not between 1 and 2"));
  EXPECT_THAT(refusal("[averaging]\nrule = \"median\"\n"), HasSubstr("averaging.rule"));
  EXPECT_THAT(refusal("[averaging]\nrate = -1.0\n"), HasSubstr("averaging.rate"));
  EXPECT_THAT(refusal("[trust\n"), HasSubstr("recipe.toml"));
}

}  // namespace
}  // namespace cairn::project
