#include "exact/convolution_lanes.h"

#include "exact/product_operands.h"

namespace cairn::exact {

template <typename Visit>
void PositionLanes::for_each_image(int64_t begin, int64_t end, Visit visit) const {
  auto item = std::upper_bound(items_.begin(), items_.end(), begin,
                               [](int64_t position, const auto& entry) { return position < entry.position; });
  if (item != items_.begin()) --item;
  for (; item != items_.end() && item->position < end; ++item) {
    const int64_t first = std::max(begin, item->position), last = std::min(end, item->position + steps_);
    if (first < last) visit(item->index, first - item->position, last - first, first - begin);
  }
}

void PositionLanes::pack(const Microkernels& kernels, int64_t begin, int64_t end, int64_t lane, int64_t lanes,
                         int width, int16_t* panels, int) const {
  const int64_t size = panel_pairs(begin, end) * width * 2;
  for (; lanes > 0; lanes -= width, lane += width, panels += size) {
    pack_panel(kernels, begin, end, lane, static_cast<int>(std::min<int64_t>(lanes, width)), width, panels);
  }
}

void PositionLanes::pack_panel(const Microkernels& kernels, int64_t begin, int64_t end, int64_t first_lane,
                               int held, int width, int16_t* panel) const {
  constexpr int64_t kPositions = 256;  // at a time: what a first-level cache holds of all lanes
  alignas(64) int16_t rows[kMostLanes * kPositions];
  const int16_t* sources[kMostLanes];
  for (int i = 0; i < held; ++i) sources[i] = rows + i * kPositions;
  for_each_image(begin, end, [&](int64_t image, int64_t first, int64_t count, int64_t) {
    const int64_t positions = count + 2 * pairs_behind();
    for (int64_t done = 0; done < positions; done += kPositions) {
      const int64_t now = std::min(kPositions, positions - done);
      for (int i = 0; i < held; ++i) {
        const PositionLane from = lane(first_lane + i);
        int16_t* row = rows + i * kPositions;
        if (exists(from)) {
          const int64_t position = first + done + from.shift;
          planes_.copy(image, from.channel, from.phase, position, position + now, row);
        } else {
          std::fill_n(row, now, int16_t{0});
        }
      }
      kernels.pack_lanes(sources, held, width, now, panel);
      panel += now * width;
    }
  });
}

PositionLane PatchLanes::lane(int64_t index) const {
  const int64_t taps = static_cast<int64_t>(taps_.size());
  PositionLane result = taps_[static_cast<size_t>(index % taps)];
  result.channel = index / taps;
  return result;
}

SharedLanes::SharedLanes(const Planes& planes, std::span<const ProductRuns::Item> items, int64_t steps,
                         int64_t channels, int64_t columns, std::span<const Tap> taps)
    : PositionLanes(planes, items, steps),
      channels_(channels),
      columns_(columns),
      taps_(taps),
      panels_(taps.back().panel + 1) {
  for (const Tap& tap : taps) most_shift_ = std::max(most_shift_, tap.shift);
}

int64_t SharedLanes::panel_of(int64_t tile) const {
  return tile / static_cast<int64_t>(taps_.size()) * panels_ + tap(tile).panel;
}

PositionLane SharedLanes::lane(int64_t index) const {
  const int64_t panel = index / columns_, block = panel / panels_;
  const Tap* found = taps_.data();
  while (found->panel != panel % panels_) ++found;
  return {block * columns_ + index % columns_, found->phase, found->shift % 2};
}

int64_t SharedLanes::panel_pairs(int64_t begin, int64_t end) const {
  int64_t pairs = 0;
  for_each_image(begin, end,
                 [&](int64_t, int64_t, int64_t count, int64_t) { pairs += count / 2 + pairs_behind(); });
  return pairs;
}

void SharedLanes::place_pairs(int64_t begin, int64_t end, int32_t* places) const {
  int32_t place = 0;
  for_each_image(begin, end, [&](int64_t, int64_t, int64_t count, int64_t) {
    for (int64_t i = 0; i < count / 2; ++i) *places++ = place++;
    place += static_cast<int32_t>(pairs_behind());
  });
}

}  // namespace cairn::exact
