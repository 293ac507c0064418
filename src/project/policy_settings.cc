#include "project/policy_settings.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "ledger/event.h"
#include "trust/reputation.h"
#include "work/settings.h"

namespace cairn::project {
namespace {

using ledger::Policy;
using work::SettingsReader;
using work::SettingsTable;

constexpr double kGrid = 0x1p48;        // clip_norm counts 2^-48
constexpr double kRateGrid = 0x1p40;    // rates count 2^-40
constexpr double kMinute = 60'000;      // round_time counts milliseconds
constexpr double kMillion = 1'000'000;  // growth_ppm counts 10^-6
constexpr auto kOne = static_cast<double>(ledger::kReputationOne);

// In the order of the enumerations.
constexpr std::array<std::string_view, 2> kGrowth = {"linear", "exponential"};
constexpr std::array<std::string_view, 2> kExam = {"entries", "duplicates"};
constexpr std::array<std::string_view, 2> kFate = {"newcomer", "banned"};
constexpr std::array<std::string_view, 2> kJudges = {"named", "panel"};
constexpr std::array<std::string_view, 3> kAveraging = {"normalized", "plain", "at_acceptance"};
constexpr std::array<std::string_view, 3> kClip = {"none", "fixed", "median"};

template <class Enum, size_t N>
std::string_view name_of(Enum value, const std::array<std::string_view, N>& names) {
  return names[static_cast<size_t>(value)];
}

template <class Enum, size_t N>
void choose(SettingsReader& reader, std::string_view key, const std::array<std::string_view, N>& names,
            Enum& value) {
  static_assert(N == 2 || N == 3);
  const std::string_view present = name_of(value, names);
  std::string chosen;
  if constexpr (N == 2) chosen = reader.choice(key, present, {names[0], names[1]});
  if constexpr (N == 3) chosen = reader.choice(key, present, {names[0], names[1], names[2]});
  value = static_cast<Enum>(std::ranges::find(names, chosen) - names.begin());
}

template <class Integer>
void scaled(SettingsReader& reader, std::string_view key, double high, double unit, Integer& value) {
  if (!reader.has(key)) return;
  value = static_cast<Integer>(std::llrint(reader.number(key, 0, 0, high) * unit));
}

void count(SettingsReader& reader, std::string_view key, uint32_t low, uint32_t high, uint32_t& value) {
  value = static_cast<uint32_t>(reader.integer(key, value, low, high));
}

Status read_trust(SettingsReader reader, Policy& policy) {
  choose(reader, "growth", kGrowth, policy.growth);
  scaled(reader, "minimum", 0.999, kOne, policy.minimum);
  scaled(reader, "maximum", 0.999, kOne, policy.maximum);
  scaled(reader, "step", 0.999, kOne, policy.step);
  scaled(reader, "growth_rate", 1, kMillion, policy.growth_ppm);
  count(reader, "max_steps_per_round", 1, 1'000'000, policy.max_steps_per_round);
  choose(reader, "exam", kExam, policy.exam);
  count(reader, "exam_entries", 0, 1'000'000, policy.exam_entries);
  count(reader, "judge_votes", 1, ledger::kMaxJudges, policy.judge_votes);
  choose(reader, "judges", kJudges, policy.judges);
  count(reader, "panel_size", 1, ledger::kMaxPanel, policy.panel_size);
  count(reader, "panel_votes", 1, ledger::kMaxPanel, policy.panel_votes);
  scaled(reader, "panel_reputation", 0.999, kOne, policy.panel_reputation);
  count(reader, "panel_hours", 1, ledger::kMaxPanelHours, policy.panel_hours);
  count(reader, "quorum", 0, 1'000'000, policy.quorum);
  scaled(reader, "round_minutes", static_cast<double>(ledger::kMaxRoundTime) / kMinute, kMinute,
         policy.round_time);
  count(reader, "staleness", 0, ledger::kMaxStaleness, policy.staleness);
  count(reader, "join_work", 0, ledger::kMaxJoinWork, policy.join_work);
  choose(reader, "convicted", kFate, policy.fate);
  return reader.finish();
}

Status read_averaging(SettingsReader reader, Policy& policy) {
  choose(reader, "rule", kAveraging, policy.averaging);
  if (reader.has("rate")) policy.rate = reader.schedule("rate", 1, 0, 4096);
  count(reader, "round_size", 1, 1'000'000, policy.round_size);
  choose(reader, "clip", kClip, policy.clip);
  scaled(reader, "clip_norm", 16'384, kGrid, policy.clip_norm);
  count(reader, "refresh_rounds", 1, 1'000'000, policy.refresh_rounds);
  scaled(reader, "max_rise", 0.999, kOne, policy.max_rise);
  count(reader, "floor_rounds", 1, 4096, policy.floor_rounds);
  count(reader, "horizon", 0, ledger::kMaxHorizon, policy.horizon);
  return reader.finish();
}

// What the tables say, over what `policy` says already.
Result<Policy> read_policy(SettingsReader& reader, std::string_view file_name, Policy policy) {
  Status status = read_trust(reader.table("trust"), policy);
  if (status) status = read_averaging(reader.table("averaging"), policy);
  if (status) status = ledger::validate(policy);
  if (!status) return status.error().within(std::string(file_name));
  return policy;
}

// Reputations that grow by a share start far below those that grow by steps.
Policy defaults_for(SettingsReader trust) {
  Policy policy;
  if (trust.choice("growth", kGrowth[0], {kGrowth[0], kGrowth[1]}) == kGrowth[1]) {
    policy.minimum = ledger::kReputationOne / 100'000'000;
  }
  return policy;
}

std::string quoted(std::string_view text) {
  return fmt::format("\"{}\"", text);
}

std::string rate_text(const std::vector<RateKnot>& knots) {
  const auto rate = [](const RateKnot& knot) { return static_cast<double>(knot.rate) / kRateGrid; };
  if (knots.size() == 1 && knots[0].round == 0) return fmt::format("{}", rate(knots[0]));
  std::string text;
  for (const RateKnot& knot : knots) {
    text += fmt::format("{}[{}, {}]", text.empty() ? "" : ", ", knot.round, rate(knot));
  }
  return "[" + text + "]";
}

}  // namespace

Result<Policy> parse_policy(std::string_view toml, std::string_view file_name) {
  CAIRN_TRY(const SettingsTable table, work::parse_settings(toml, file_name));
  SettingsReader reader(table, "");
  return read_policy(reader, file_name, defaults_for(reader.table("trust")));
}

Result<Policy> parse_policy_change(std::string_view toml, std::string_view file_name, const Policy& present) {
  CAIRN_TRY(const SettingsTable table, work::parse_settings(toml, file_name));
  SettingsReader reader(table, "");
  if (!reader.has("trust") && !reader.has("averaging")) {
    return Error{std::string(file_name) + ": has neither a [trust] nor an [averaging] table"};
  }
  return read_policy(reader, file_name, present);
}

std::vector<PolicySetting> policy_settings(const Policy& policy) {
  using trust::to_decimal;
  constexpr std::string_view kTrust = "trust", kAverage = "averaging";
  return {
      {kTrust, "minimum", to_decimal(policy.minimum), "where everybody starts and a convicted user falls to"},
      {kTrust, "maximum", to_decimal(policy.maximum), ""},
      {kTrust, "growth", quoted(name_of(policy.growth, kGrowth)), "\"linear\" or \"exponential\""},
      {kTrust, "step", to_decimal(policy.step), "linear: what each accepted file adds"},
      {kTrust, "growth_rate", fmt::format("{}", policy.growth_ppm / kMillion),
       "exponential: each accepted file adds this share"},
      {kTrust, "max_steps_per_round", std::to_string(policy.max_steps_per_round),
       "steps that one user can gain in one round"},
      {kTrust, "exam", quoted(name_of(policy.exam, kExam)),
       "what a newcomer shows: \"entries\", or \"duplicates\" of others' units that agree with theirs"},
      {kTrust, "exam_entries", std::to_string(policy.exam_entries),
       "how many, before a user may file claims"},
      {kTrust, "judge_votes", std::to_string(policy.judge_votes),
       "equal votes of named judges that make a verdict"},
      {kTrust, "judges", quoted(name_of(policy.judges, kJudges)),
       "who decides claims: the \"named\" judges, or a \"panel\" of users drawn by lot before them"},
      {kTrust, "panel_size", std::to_string(policy.panel_size), "users drawn to judge a claim"},
      {kTrust, "panel_votes", std::to_string(policy.panel_votes),
       "equal votes of theirs that make a verdict"},
      {kTrust, "panel_reputation", to_decimal(policy.panel_reputation), "that they have at least"},
      {kTrust, "panel_hours", std::to_string(policy.panel_hours),
       "after a claim; then the named judges may vote too"},
      {kTrust, "quorum", std::to_string(policy.quorum),
       "units with an entry that close a round; 0: no number does, the maintainer closes"},
      {kTrust, "round_minutes", fmt::format("{}", static_cast<double>(policy.round_time) / kMinute),
       "after which a round with an entry closes; 0: no time does"},
      {kTrust, "staleness", std::to_string(policy.staleness),
       "rounds after its own in which an entry of a slow machine is still taken"},
      {kTrust, "join_work", std::to_string(policy.join_work),
       "leading zero bits of a hash that joining takes: 24 are a few seconds"},
      {kTrust, "convicted", quoted(name_of(policy.fate, kFate)),
       "starts again as \"newcomer\", or is \"banned\""},
      {kAverage, "rule", quoted(name_of(policy.averaging, kAveraging)),
       "\"normalized\", \"plain\" or \"at_acceptance\""},
      {kAverage, "rate", rate_text(policy.rate), "the outer rate, or knots [[round, rate], ...]"},
      {kAverage, "round_size", std::to_string(policy.round_size),
       "plain: what the sum of a round is divided by"},
      {kAverage, "clip", quoted(name_of(policy.clip, kClip)),
       "scales down over twice the round's \"median\" norm, over a \"fixed\" one, or \"none\""},
      {kAverage, "clip_norm", fmt::format("{}", static_cast<double>(policy.clip_norm) / kGrid),
       "fixed: the largest norm"},
      {kAverage, "refresh_rounds", std::to_string(policy.refresh_rounds),
       "a reputation rises in the average every so many rounds"},
      {kAverage, "max_rise", to_decimal(policy.max_rise), "and at most by this much"},
      {kAverage, "floor_rounds", std::to_string(policy.floor_rounds),
       "normalized: rounds whose median weight sets the floor of the divisor"},
      {kAverage, "horizon", std::to_string(policy.horizon),
       "rounds in which weights follow reputations and entries may be claimed; 0: always"},
  };
}

std::string policy_toml(const Policy& policy) {
  std::string text;
  std::string_view table;
  for (const PolicySetting& setting : policy_settings(policy)) {
    if (setting.table != std::exchange(table, setting.table)) {
      const bool trust = table == "trust";
      text += fmt::format("{}{:<28} # {}\n", text.empty() ? "" : "\n", fmt::format("[{}]", table),
                          trust ? "who counts how much; see docs/internals/trust.md"
                                : "how gradients become the model; see docs/formats/averaging.md");
    }
    const std::string line = fmt::format("{} = {}", setting.key, setting.value);
    text += setting.comment.empty() ? line + "\n" : fmt::format("{:<28} # {}\n", line, setting.comment);
  }
  return text;
}

}  // namespace cairn::project
