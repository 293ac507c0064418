#include "ledger/policy.h"

namespace cairn::ledger {
namespace {

// Collects the first field that is out of range.
class RangeCheck {
 public:
  template <typename T>
  RangeCheck& within(const char* field, T value, uint64_t low, uint64_t high) {
    const auto number = static_cast<uint64_t>(value);
    if (number < low || number > high) {
      refuse(field, std::to_string(number) + " is not between " + std::to_string(low) + " and " +
                        std::to_string(high));
    }
    return *this;
  }

  void refuse(const char* field, const std::string& reason) {
    if (status_) status_ = Error{std::string(field) + ": " + reason};
  }

  Status status() const { return status_; }

 private:
  Status status_;
};

constexpr uint64_t kMillion = 1'000'000;

void check_reputation(const Policy& policy, RangeCheck& check) {
  check.within("minimum", policy.minimum, 1, kReputationOne - 1)
      .within("maximum", policy.maximum, policy.minimum, kReputationOne - 1)
      .within("growth", policy.growth, 0, static_cast<uint64_t>(Growth::exponential))
      .within("step", policy.step, 1, kReputationOne)
      .within("growth_ppm", policy.growth_ppm, 1, kMillion)
      .within("max_steps_per_round", policy.max_steps_per_round, 1, kMillion)
      .within("fate", policy.fate, 0, static_cast<uint64_t>(Fate::banned))
      .within("exam", policy.exam, 0, static_cast<uint64_t>(Exam::duplicates))
      .within("exam_entries", policy.exam_entries, 0, kMillion)
      .within("judge_votes", policy.judge_votes, 1, 256)
      .within("judges", policy.judges, 0, static_cast<uint64_t>(Judges::panel))
      .within("panel_size", policy.panel_size, 1, kMaxPanel)
      .within("panel_votes", policy.panel_votes, 1, policy.panel_size)
      .within("panel_reputation", policy.panel_reputation, 0, kReputationOne)
      .within("panel_hours", policy.panel_hours, 1, kMaxPanelHours)
      .within("join_work", policy.join_work, 0, kMaxJoinWork);
}

void check_rate(const Policy& policy, RangeCheck& check) {
  check.within("rate", policy.rate.size(), 1, kMaxRateKnots);
  for (size_t i = 0; i < policy.rate.size(); ++i) {
    check.within("rate", policy.rate[i].rate, 0, kMaxRate);
    if (i == 0 && policy.rate[0].round != 0) check.refuse("rate", "the first knot is not at round 0");
    if (i > 0 && policy.rate[i].round <= policy.rate[i - 1].round) {
      check.refuse("rate", "the rounds of the knots do not ascend");
    }
  }
}

void check_rounds(const Policy& policy, RangeCheck& check) {
  check.within("quorum", policy.quorum, 0, kMillion)
      .within("round_time", policy.round_time, 0, kMaxRoundTime)
      .within("staleness", policy.staleness, 0, kMaxStaleness);
}

void check_averaging(const Policy& policy, RangeCheck& check) {
  check.within("averaging", policy.averaging, 0, static_cast<uint64_t>(Averaging::at_acceptance));
  check_rate(policy, check);
  const bool fixed = policy.clip == Clip::fixed;
  check.within("round_size", policy.round_size, 1, UINT32_MAX)
      .within("clip", policy.clip, 0, static_cast<uint64_t>(Clip::median))
      .within("clip_norm", policy.clip_norm, fixed ? 1 : 0, uint64_t{1} << 62)
      .within("refresh_rounds", policy.refresh_rounds, 1, kMillion)
      .within("max_rise", policy.max_rise, 1, kReputationOne)
      .within("floor_rounds", policy.floor_rounds, 1, 4096)
      .within("horizon", policy.horizon, 0, kMaxHorizon);
}

}  // namespace

Status validate(const Policy& policy) {
  RangeCheck check;
  check_reputation(policy, check);
  check_rounds(policy, check);
  check_averaging(policy, check);
  return check.status();
}

}  // namespace cairn::ledger
