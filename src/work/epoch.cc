#include "work/epoch.h"

#include <algorithm>

#include "base/result.h"

namespace cairn::work {

Epoch::Epoch(uint64_t seed, RandomStream stream, uint32_t number, std::span<const uint32_t> groups)
    : seed_(seed), stream_(stream), number_(number), starts_{0} {
  std::vector<uint32_t> firsts;
  uint32_t images = 0;
  for (const uint32_t count : groups) {
    CAIRN_ASSERT(count > 0);
    firsts.push_back(images);
    images += count;
  }
  const Permutation order(seed, {stream, number, 0}, static_cast<uint32_t>(groups.size()));
  for (uint32_t i = 0; i < groups.size(); ++i) {
    const uint32_t group = order.at(i);
    places_.push_back({group, firsts[group]});
    starts_.push_back(starts_.back() + groups[group]);
  }
}

uint32_t Epoch::image_at(uint32_t position) const {
  return images(position, 1).front();
}

std::vector<uint32_t> Epoch::images(uint32_t first, uint32_t count) const {
  std::vector<uint32_t> images;
  images.reserve(count);
  for (size_t place = place_of(first); images.size() < count; ++place) {
    const Permutation order = order_within(place);
    const uint32_t begin = first + static_cast<uint32_t>(images.size());
    const uint32_t end = std::min(first + count, starts_[place + 1]);
    for (uint32_t position = begin; position < end; ++position)
      images.push_back(places_[place].first_image + order.at(position - starts_[place]));
  }
  return images;
}

Epoch::Range Epoch::positions_of(uint32_t group) const {
  const auto place = std::ranges::find(places_, group, &Place::group) - places_.begin();
  return {starts_[static_cast<size_t>(place)], starts_[static_cast<size_t>(place) + 1]};
}

size_t Epoch::place_of(uint32_t position) const {
  CAIRN_ASSERT(position < size());
  return static_cast<size_t>(std::ranges::upper_bound(starts_, position) - starts_.begin()) - 1;
}

Permutation Epoch::order_within(size_t place) const {
  return {seed_, {stream_, number_, places_[place].group + 1}, starts_[place + 1] - starts_[place]};
}

}  // namespace cairn::work
