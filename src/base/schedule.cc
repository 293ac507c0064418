#include "base/schedule.h"

#include <algorithm>

#include "base/result.h"

namespace cairn {
namespace {

__extension__ typedef unsigned __int128 Wide;

}  // namespace

uint64_t rate_at(std::span<const RateKnot> knots, uint32_t round) {
  CAIRN_ASSERT(!knots.empty());
  const auto next = std::upper_bound(knots.begin(), knots.end(), round,
                                     [](uint32_t r, const RateKnot& knot) { return r < knot.round; });
  if (next == knots.begin()) return knots.front().rate;
  if (next == knots.end()) return knots.back().rate;
  const RateKnot& from = *(next - 1);
  const Wide weighted = Wide{from.rate} * (next->round - round) + Wide{next->rate} * (round - from.round);
  return static_cast<uint64_t>(weighted / (next->round - from.round));
}

}  // namespace cairn
