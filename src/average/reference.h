// The definition of the average, written down once more and as slowly as it reads, to compare with.
#pragma once

#include <algorithm>
#include <set>

#include "average/average.h"
#include "base/schedule.h"

namespace cairn::average {

class Reference {
 public:
  Reference(const trust::State& state, const GradientSource& gradients)
      : state_(state), gradients_(gradients) {}

  std::vector<int64_t> parameters(const Snapshot& start) const {
    std::vector<Signed> sum(start.grid.begin(), start.grid.end());
    for (trust::EntryId id = 1; id <= state_.entries().size(); ++id) {
      if (counts(id)) subtract(id, sum);
    }
    return {sum.begin(), sum.end()};
  }

 private:
  __extension__ typedef __int128 Signed;

  bool counts(trust::EntryId id) const {
    if (!state_.entry(id).opened_in) return false;
    const trust::RoundRecord& round = state_.rounds()[counted_in(id)];
    if (!round.closed || round.rolled_back || place(id) == 0) return false;
    for (trust::EntryId other = 1; other <= state_.entries().size(); ++other) {
      const bool same_unit = state_.entry(other).round == state_.entry(id).round &&
                             state_.entry(other).unit == state_.entry(id).unit;
      if (!same_unit || other == id || place(other) == 0) continue;
      if (std::pair(place(other), other) < std::pair(place(id), id)) return false;
    }
    return true;
  }

  trust::Round counted_in(trust::EntryId id) const { return *state_.entry(id).opened_in; }

  // 1: of somebody who needed no exam, 2: of a newcomer, but confirmed, 0: out of the question.
  int place(trust::EntryId id) const {
    const trust::Entry& entry = state_.entry(id);
    if (entry.standing.status != trust::Entry::Status::opened) return 0;
    const auto& truths = state_.rounds()[entry.round].standing.truths;
    if (truths.contains(entry.unit) && truths.at(entry.unit) != *entry.gradient) return 0;
    const auto& lies = state_.rounds()[entry.round].standing.lies;
    if (lies.contains(entry.unit) && lies.at(entry.unit).contains(*entry.gradient)) return 0;
    return entry.standing.trusted ? 1 : entry.standing.confirmed ? 2 : 0;
  }

  std::vector<trust::EntryId> entries_of(trust::Round round) const {
    std::vector<trust::EntryId> ids;
    for (trust::EntryId id = 1; id <= state_.entries().size(); ++id) {
      if (counts(id) && counted_in(id) == round) ids.push_back(id);
    }
    return ids;
  }

  work::GradientFile gradient(trust::EntryId id) const {
    return gradients_.get(*state_.entry(id).gradient).value();
  }

  // The square of the norm in units of 2^-96. Test gradients have exponents from -48 to -10.
  Wide squared_norm(trust::EntryId id) const {
    const work::GradientFile file = gradient(id);
    Wide sum = 0;
    for (size_t i = 0; i < file.values.size(); ++i) {
      const Wide square = static_cast<uint64_t>(int64_t{file.values[i]} * file.values[i]);
      sum += square << (2 * file.exponents[i / file.block_size] + 96);
    }
    return sum;
  }

  static uint64_t root(Wide value) {  // floor
    Wide low = 0, high = Wide{1} << 64;
    while (high - low > 1) {
      const Wide middle = (low + high) / 2;
      (middle * middle <= value ? low : high) = middle;
    }
    return static_cast<uint64_t>(low);
  }

  // Twice the weighted median of the latest earlier round that has one.
  Wide squared_limit(trust::Round round) const {
    for (trust::Round earlier = round; earlier-- > 0;) {
      if (const Wide median = squared_median(entries_of(earlier)); median != 0) return 4 * median;
    }
    return 4 * squared_median(entries_of(round));
  }

  Wide squared_median(const std::vector<trust::EntryId>& ids) const {
    std::vector<std::pair<Wide, uint64_t>> norms;
    uint64_t total = 0;
    for (trust::EntryId id : ids) {
      norms.emplace_back(squared_norm(id), state_.weight(id));
      total += state_.weight(id);
    }
    std::sort(norms.begin(), norms.end());
    uint64_t up_to = 0;
    for (const auto& [norm, weight] : norms) {
      up_to += weight;
      if (up_to * 2 >= total) return norm;
    }
    return 0;
  }

  static int bits(Wide value) {
    int count = 0;
    for (; value != 0; value >>= 1) ++count;
    return count;
  }

  // sqrt(square) as a mantissa of 64 bits and the exponent that goes with it.
  static std::pair<uint64_t, int> norm(Wide square) {
    int exponent = -48;
    while (bits(square) < 127) {
      square <<= 2;
      --exponent;
    }
    return {root(square), exponent};
  }

  uint64_t clip(trust::EntryId id) const {
    const ledger::Policy& policy = state_.policy_for(counted_in(id));
    if (policy.clip == ledger::Clip::none) return uint64_t{1} << 30;
    const Wide square = policy.clip == ledger::Clip::fixed ? Wide{policy.clip_norm} * policy.clip_norm
                                                           : squared_limit(counted_in(id));
    const auto [limit, limit_exponent] = norm(square);
    const auto [own, own_exponent] = norm(squared_norm(id));
    if (limit_exponent > own_exponent || (limit_exponent == own_exponent && limit >= own)) return 1 << 30;
    return static_cast<uint64_t>((Wide{limit} << (30 + limit_exponent - own_exponent)) / own);
  }

  Wide divisor(trust::Round round) const {
    const ledger::Policy& policy = state_.policy_for(round);
    if (policy.averaging == ledger::Averaging::plain) return Wide{policy.round_size} * ledger::kReputationOne;
    Wide sum = 0;
    for (trust::EntryId id : entries_of(round)) sum += state_.weight(id);
    return std::max<Wide>(sum, state_.rounds()[round].floor);
  }

  void subtract(trust::EntryId id, std::vector<Signed>& sum) const {
    const trust::Round round = counted_in(id);
    const Wide product = Wide{rate_at(state_.policy_for(round).rate, round)} * clip(id) * state_.weight(id);
    if (product == 0) return;
    const Wide total = divisor(round);
    const int shift = 46 - bits(product) + bits(total);
    const Wide factor = shift > 0 ? (product << shift) / total : product / (total << -shift);
    const work::GradientFile file = gradient(id);
    for (size_t i = 0; i < file.values.size(); ++i) {
      const Signed value = static_cast<Signed>(factor) * file.values[i];
      const size_t parameter = file.positions.empty() ? i : file.positions[i];
      sum[parameter] -= scaled(value, 48 - 70 - shift + file.exponents[i / file.block_size]);
    }
  }

  static Signed scaled(Signed value, int exponent) {  // rne(value * 2^exponent)
    if (exponent >= 0) return value * (Signed{1} << exponent);
    if (exponent < -100) return 0;
    const Signed unit = Signed{1} << -exponent;
    Signed whole = value / unit;
    Signed rest = value % unit;
    if (rest < 0) {
      rest += unit;
      --whole;
    }
    const bool up = 2 * rest > unit || (2 * rest == unit && whole % 2 != 0);
    return whole + (up ? 1 : 0);
  }

  const trust::State& state_;
  const GradientSource& gradients_;
};

}  // namespace cairn::average
