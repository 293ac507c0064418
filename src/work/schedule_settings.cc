// Learning-rate schedules as a settings file writes them: everything becomes knots.
#include <algorithm>
#include <cmath>
#include <numbers>

#include "work/settings.h"

namespace cairn::work {
namespace {

constexpr uint32_t kCosineParts = 64;  // straight lines that follow the cosine within 0.03 % of the rate
constexpr uint64_t kMaxRounds = uint64_t{1} << 31;

uint64_t fixed(double rate) {
  return static_cast<uint64_t>(rate * 0x1p40 + 0.5);
}

void add(std::vector<RateKnot>& knots, uint64_t round, double rate) {
  if (!knots.empty() && round <= knots.back().round) return;
  knots.push_back({static_cast<uint32_t>(round), fixed(rate)});
}

// From a part of the rate in round 0 to all of it in round `rounds`, in equal steps.
std::vector<RateKnot> warm_up(uint64_t rounds, double rate) {
  std::vector<RateKnot> knots;
  add(knots, 0, rate / static_cast<double>(rounds + 1));
  add(knots, rounds, rate);
  return knots;
}

// Half a cosine from the last knot to `rounds` (Loshchilov and Hutter, "SGDR", ICLR 2017).
void add_cosine(std::vector<RateKnot>& knots, uint64_t rounds, double rate, double final_rate) {
  const uint64_t first = knots.back().round, length = rounds - first;
  for (uint64_t part = 1; part <= kCosineParts; ++part) {
    const uint64_t round = first + length * part / kCosineParts;
    const double phase = static_cast<double>(round - first) / static_cast<double>(length);
    add(knots, round, final_rate + (rate - final_rate) * (1 + std::cos(std::numbers::pi * phase)) / 2);
  }
}

// Multiplies the rate by `factor` at every milestone.
void add_steps(std::vector<RateKnot>& knots, const std::vector<double>& milestones, double rate,
               double factor) {
  for (const double milestone : milestones) {
    add(knots, static_cast<uint64_t>(milestone) - 1, rate);
    rate *= factor;
    add(knots, static_cast<uint64_t>(milestone), rate);
  }
}

}  // namespace

std::vector<RateKnot> SettingsReader::schedule(std::string_view key, double fallback, double low,
                                               double high) {
  const Setting* setting = find(key);
  const auto* list = setting == nullptr ? nullptr : std::get_if<std::vector<Setting>>(&setting->value);
  if (list != nullptr) return knots(key, *list, low, high);
  const double rate = setting == nullptr ? fallback : in_range(key, *setting, low, high);
  const std::string shape = choice("schedule", "constant", {"constant", "cosine", "steps"});
  if (shape == "constant") {
    if (!has("warmup_rounds")) return {{0, fixed(rate)}};
    return warm_up(integer("warmup_rounds", 0, 0, kMaxRounds), rate);
  }
  std::vector<RateKnot> knots = warm_up(integer("warmup_rounds", 0, 0, kMaxRounds), rate);
  if (shape == "cosine") {
    const uint64_t rounds = integer("rounds", 0, knots.back().round + 1, kMaxRounds);
    if (rounds == 0) fail("rounds", "is needed for a cosine: in how many rounds the rate falls");
    if (rounds > knots.back().round) add_cosine(knots, rounds, rate, number("final_rate", 0, low, high));
    return knots;
  }
  const std::vector<double> milestones = numbers("milestones", {}, knots.back().round + 1, kMaxRounds);
  if (milestones.empty()) fail("milestones", "are needed: the rounds in which the rate is multiplied");
  if (milestones.size() > 64 || !std::ranges::is_sorted(milestones, std::less_equal<>()) ||
      std::ranges::any_of(milestones, [](double m) { return m != std::floor(m); })) {
    fail("milestones", "must be at most 64 ascending rounds");
    return knots;
  }
  add_steps(knots, milestones, rate, number("factor", 0.1, 0, 1));
  return knots;
}

std::vector<RateKnot> SettingsReader::knots(std::string_view key, const std::vector<Setting>& list,
                                            double low, double high) {
  std::vector<RateKnot> knots;
  for (const Setting& item : list) {
    const auto* pair = std::get_if<std::vector<Setting>>(&item.value);
    const int64_t* round = pair && pair->size() == 2 ? std::get_if<int64_t>(&pair->front().value) : nullptr;
    if (round == nullptr || *round < 0 || *round > UINT32_MAX ||
        (!knots.empty() && *round <= static_cast<int64_t>(knots.back().round))) {
      fail(key, "must be a number or a list of [round, rate] with ascending rounds");
      break;
    }
    knots.push_back({static_cast<uint32_t>(*round), fixed(in_range(key, pair->back(), low, high))});
  }
  if (knots.empty()) fail(key, "must be a number or a list of [round, rate] with ascending rounds");
  return knots;
}

}  // namespace cairn::work
