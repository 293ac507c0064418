#include "ledger/policy.h"

#include <gmock/gmock.h>

#include <functional>

namespace cairn::ledger {
namespace {

TEST(Policy, TheDefaultIsValid) {
  EXPECT_TRUE(validate(Policy{}).ok());
}

struct Change {
  const char* field;
  std::function<void(Policy&)> apply;
};

TEST(Policy, EachFieldHasItsRange) {
  const Change changes[] = {
      {"minimum", [](Policy& p) { p.minimum = 0; }},
      {"minimum", [](Policy& p) { p.minimum = kReputationOne; }},
      {"maximum", [](Policy& p) { p.maximum = p.minimum - 1; }},
      {"maximum", [](Policy& p) { p.maximum = kReputationOne; }},
      {"growth", [](Policy& p) { p.growth = Growth{2}; }},
      {"step", [](Policy& p) { p.step = 0; }},
      {"step", [](Policy& p) { p.step = kReputationOne + 1; }},
      {"growth_ppm", [](Policy& p) { p.growth_ppm = 0; }},
      {"growth_ppm", [](Policy& p) { p.growth_ppm = 1'000'001; }},
      {"max_steps_per_round", [](Policy& p) { p.max_steps_per_round = 0; }},
      {"fate", [](Policy& p) { p.fate = Fate{2}; }},
      {"exam", [](Policy& p) { p.exam = Exam{2}; }},
      {"exam_entries", [](Policy& p) { p.exam_entries = 1'000'001; }},
      {"judge_votes", [](Policy& p) { p.judge_votes = 0; }},
      {"judges", [](Policy& p) { p.judges = Judges{2}; }},
      {"panel_size", [](Policy& p) { p.panel_size = kMaxPanel + 1; }},
      {"panel_votes", [](Policy& p) { p.panel_votes = 0; }},
      {"panel_votes", [](Policy& p) { p.panel_votes = p.panel_size + 1; }},
      {"panel_reputation", [](Policy& p) { p.panel_reputation = kReputationOne + 1; }},
      {"panel_hours", [](Policy& p) { p.panel_hours = kMaxPanelHours + 1; }},
      {"join_work", [](Policy& p) { p.join_work = kMaxJoinWork + 1; }},
      {"averaging", [](Policy& p) { p.averaging = Averaging{3}; }},
      {"rate", [](Policy& p) { p.rate.clear(); }},
      {"rate",
       [](Policy& p) {
         p.rate = {{1, 5}};
       }},
      {"rate",
       [](Policy& p) {
         p.rate = {{0, kMaxRate + 1}};
       }},
      {"rate",
       [](Policy& p) {
         p.rate = {{0, 5}, {3, 4}, {3, 3}};
       }},
      {"rate",
       [](Policy& p) {
         p.rate = {{0, 5}, {4, 4}, {3, 3}};
       }},
      {"rate",
       [](Policy& p) {
         p.rate.assign(kMaxRateKnots + 1, {0, 0});
       }},
      {"round_size", [](Policy& p) { p.round_size = 0; }},
      {"clip", [](Policy& p) { p.clip = Clip{3}; }},
      {"clip_norm", [](Policy& p) { p.clip = Clip::fixed; }},
      {"clip_norm", [](Policy& p) { p.clip_norm = UINT64_MAX; }},
      {"refresh_rounds", [](Policy& p) { p.refresh_rounds = 0; }},
      {"max_rise", [](Policy& p) { p.max_rise = 0; }},
      {"floor_rounds", [](Policy& p) { p.floor_rounds = 0; }},
      {"horizon", [](Policy& p) { p.horizon = kMaxHorizon + 1; }},
      {"quorum", [](Policy& p) { p.quorum = 1'000'001; }},
      {"round_time", [](Policy& p) { p.round_time = kMaxRoundTime + 1; }},
      {"staleness", [](Policy& p) { p.staleness = kMaxStaleness + 1; }},
  };
  for (const Change& change : changes) {
    Policy policy;
    change.apply(policy);
    const Status status = validate(policy);
    ASSERT_FALSE(status.ok()) << change.field;
    EXPECT_THAT(status.error().message, ::testing::StartsWith(std::string(change.field) + ": "));
  }
}

TEST(Policy, TheLimitsThemselvesAreAllowed) {
  Policy policy;
  policy.minimum = policy.maximum = kReputationOne - 1;
  policy.rate = {{0, kMaxRate}, {1, 0}};
  policy.clip = Clip::fixed;
  policy.clip_norm = 1;
  policy.floor_rounds = 1;
  policy.exam_entries = 0;
  EXPECT_TRUE(validate(policy).ok());
}

}  // namespace
}  // namespace cairn::ledger
