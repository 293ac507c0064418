#include "project/policy_settings.h"

#include <cmath>

#include "ledger/event.h"
#include "work/settings.h"

namespace cairn::project {
namespace {

using ledger::Policy;
using work::SettingsReader;
using work::SettingsTable;

constexpr double kGrid = 281474976710656.0;  // 2^48

uint64_t scaled(double value, double unit) {
  return static_cast<uint64_t>(std::llrint(value * unit));
}

ledger::Reputation reputation(SettingsReader& reader, std::string_view key, ledger::Reputation fallback) {
  const auto one = static_cast<double>(ledger::kReputationOne);
  return scaled(reader.number(key, static_cast<double>(fallback) / one, 0, 0.999), one);
}

uint32_t count(SettingsReader& reader, std::string_view key, uint32_t fallback, uint32_t low, uint32_t high) {
  return static_cast<uint32_t>(reader.integer(key, fallback, low, high));
}

Status read_trust(SettingsReader reader, Policy& policy) {
  const bool exponential = reader.choice("growth", "linear", {"linear", "exponential"}) == "exponential";
  policy.growth = exponential ? ledger::Growth::exponential : ledger::Growth::linear;
  policy.minimum =
      reputation(reader, "minimum", exponential ? ledger::kReputationOne / 100'000'000 : policy.minimum);
  policy.maximum = reputation(reader, "maximum", policy.maximum);
  policy.step = reputation(reader, "step", policy.step);
  policy.growth_ppm = static_cast<uint32_t>(scaled(reader.number("growth_rate", 0.019, 0, 1), 1e6));
  policy.max_steps_per_round = count(reader, "max_steps_per_round", policy.max_steps_per_round, 1, 1'000'000);
  policy.exam = reader.choice("exam", "entries", {"entries", "duplicates"}) == "duplicates"
                    ? ledger::Exam::duplicates
                    : ledger::Exam::entries;
  policy.exam_entries = count(reader, "exam_entries", policy.exam_entries, 0, 1'000'000);
  policy.judge_votes = count(reader, "judge_votes", policy.judge_votes, 1, ledger::kMaxJudges);
  policy.join_work = count(reader, "join_work", policy.join_work, 0, ledger::kMaxJoinWork);
  policy.fate = reader.choice("convicted", "newcomer", {"newcomer", "banned"}) == "banned"
                    ? ledger::Fate::banned
                    : ledger::Fate::newcomer;
  return reader.finish();
}

Status read_averaging(SettingsReader reader, Policy& policy) {
  const std::string rule = reader.choice("rule", "normalized", {"normalized", "plain", "at_acceptance"});
  policy.averaging = rule == "plain"           ? ledger::Averaging::plain
                     : rule == "at_acceptance" ? ledger::Averaging::at_acceptance
                                               : ledger::Averaging::normalized;
  policy.rate = reader.schedule("rate", 1, 0, 4096);
  policy.round_size = count(reader, "round_size", policy.round_size, 1, 1'000'000);
  const std::string clip = reader.choice("clip", "median", {"median", "fixed", "none"});
  policy.clip = clip == "fixed"  ? ledger::Clip::fixed
                : clip == "none" ? ledger::Clip::none
                                 : ledger::Clip::median;
  policy.clip_norm = scaled(reader.number("clip_norm", 0, 0, 32'768), kGrid);
  policy.refresh_rounds = count(reader, "refresh_rounds", policy.refresh_rounds, 1, 1'000'000);
  policy.max_rise = reputation(reader, "max_rise", policy.max_rise);
  policy.floor_rounds = count(reader, "floor_rounds", policy.floor_rounds, 1, 4096);
  return reader.finish();
}

}  // namespace

Result<Policy> parse_policy(std::string_view toml, std::string_view file_name) {
  CAIRN_TRY(const SettingsTable table, work::parse_settings(toml, file_name));
  SettingsReader reader(table, "");
  Policy policy;
  Status status = read_trust(reader.table("trust"), policy);
  if (status) status = read_averaging(reader.table("averaging"), policy);
  if (status) status = ledger::validate(policy);
  if (!status) return status.error().within(std::string(file_name));
  return policy;
}

std::string_view default_policy_settings() {
  return R"(
[trust]                      # who counts how much; see docs/internals/trust.md
minimum = 0.001              # where everybody starts, and where a convicted user falls to
maximum = 0.999
growth = "linear"            # or "exponential"
step = 0.001                 # linear: what each accepted file adds
growth_rate = 0.019          # exponential: each accepted file adds this share
max_steps_per_round = 4      # steps that one user can gain in one round
exam = "entries"             # what a newcomer shows: entries; or "duplicates" of others' units that agree with theirs
exam_entries = 3             # how many, before a user may file claims
judge_votes = 1              # equal votes of judges that make a verdict
join_work = 0                # leading zero bits of a hash that joining takes: 24 are a few seconds
convicted = "newcomer"       # a convicted user may start again, or is "banned"

[averaging]                  # how gradients become the model; see docs/formats/averaging.md
rule = "normalized"          # or "plain", or "at_acceptance"
rate = 1.0                   # the outer rate, or knots [[round, rate], ...]
round_size = 1               # plain: what the sum of a round is divided by
clip = "median"              # gradients over twice the round's median norm are scaled down; or "fixed", or "none"
clip_norm = 0.0              # fixed: the largest norm
refresh_rounds = 16          # a reputation rises in the average every so many rounds
max_rise = 0.02              # and at most by this much
floor_rounds = 64            # normalized: rounds whose median weight sets the floor of the divisor
)";
}

}  // namespace cairn::project
