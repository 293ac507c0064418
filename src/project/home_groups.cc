#include "project/home_groups.h"

#include <algorithm>
#include <cstring>
#include <numeric>

#include "base/philox.h"

namespace cairn::project {

// Highest random weight (Thaler and Ravishankar, 1998): favourites are spread evenly and never change,
// whoever else comes and goes.
HomeGroups::HomeGroups(const work::UnitOrder& order, const PublicKey& who)
    : order_(order), ranked_(order.groups()), ranks_(order.groups()) {
  std::array<uint32_t, 2> key;
  std::memcpy(key.data(), who.bytes.data(), sizeof key);
  std::vector<uint64_t> weights;
  for (uint32_t group = 0; group < order.groups(); ++group) {
    const auto words = philox4x32({group, 0, 0, 0}, key);
    weights.push_back(uint64_t{words[0]} << 32 | words[1]);
  }
  std::iota(ranked_.begin(), ranked_.end(), 0u);
  std::ranges::sort(ranked_, std::greater<>(), [&](uint32_t group) { return weights[group]; });
  for (uint32_t rank = 0; rank < ranked_.size(); ++rank) ranks_[ranked_[rank]] = rank;
}

std::vector<work::UnitOrder::Range> HomeGroups::units(uint32_t epoch) const {
  const auto by_group = order_.units_of(epoch);
  std::vector<work::UnitOrder::Range> units;
  for (const uint32_t group : ranked_) units.push_back(by_group[group]);
  return units;
}

uint32_t HomeGroups::rank(trust::UnitId unit) {
  const uint32_t number = order_.epoch_of(unit);
  auto epoch = epochs_.find(number);
  if (epoch == epochs_.end()) epoch = epochs_.emplace(number, order_.epoch(number)).first;
  return ranks_[epoch->second.group_at(order_.position_of(unit))];
}

}  // namespace cairn::project
