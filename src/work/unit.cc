#include "work/unit.h"

#include <algorithm>
#include <numeric>

namespace cairn::work {

std::vector<uint32_t> unit_images(const Recipe& recipe, std::span<const uint32_t> groups, uint32_t unit) {
  const uint64_t size = recipe.unit_images();
  std::vector<uint32_t> images;
  images.reserve(size);
  const uint64_t per_epoch = std::accumulate(groups.begin(), groups.end(), uint64_t{0});
  for (uint64_t position = unit * size; images.size() < size;) {
    const Epoch epoch(recipe.seed, RandomStream::permutation, static_cast<uint32_t>(position / per_epoch),
                      groups);
    const uint64_t first = position % per_epoch;
    const uint64_t count = std::min(size - images.size(), per_epoch - first);
    const auto here = epoch.images(static_cast<uint32_t>(first), static_cast<uint32_t>(count));
    images.insert(images.end(), here.begin(), here.end());
    position += count;
  }
  return images;
}

UnitOrder::UnitOrder(const Recipe& recipe, std::vector<uint32_t> groups)
    : seed_(recipe.seed),
      size_(recipe.unit_images()),
      groups_(std::move(groups)),
      images_(std::accumulate(groups_.begin(), groups_.end(), uint64_t{0})) {}

std::vector<UnitOrder::Range> UnitOrder::units_of(uint32_t number) const {
  const Epoch order = epoch(number);
  const uint64_t before = number * images_;
  std::vector<Range> ranges;
  for (uint32_t group = 0; group < groups(); ++group) {
    const auto [begin, end] = order.positions_of(group);
    ranges.push_back(units_at(before + begin, before + end));
  }
  return ranges;
}

UnitOrder::Range UnitOrder::units_at(uint64_t begin, uint64_t end) const {
  const auto first_from = [this](uint64_t position) {
    return static_cast<uint32_t>(std::min<uint64_t>((position + size_ - 1) / size_, UINT32_MAX));
  };
  return {first_from(begin), first_from(end)};
}

}  // namespace cairn::work
