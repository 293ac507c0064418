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
    if (first < last) visit(item->index, first - item->position, last - first);
  }
}

void PositionLanes::pack(const Microkernels& kernels, int64_t begin, int64_t end, int64_t lane, int64_t lanes,
                         int width, int16_t* panels) const {
  const int64_t size = panel_pairs(begin, end) * width * 2;
  for (; lanes > 0; lanes -= width, lane += width, panels += size) {
    pack_panel(kernels, begin, end, lane, static_cast<int>(std::min<int64_t>(lanes, width)), width, panels);
  }
}

// The integers of lanes at a few positions. Lanes of one channel and phase share what is copied from the
// image.
class PositionLanes::Rows {
 public:
  static constexpr int64_t kRoom = 512;  // integers of a row: what a first-level cache holds of all lanes
  static constexpr int64_t kMostReach = 384;

  Rows(const PositionLanes& lanes, const Planes& planes)
      : lanes_(lanes), planes_(planes), spare_(lanes.reach() <= kMostReach ? lanes.reach() : 0) {}

  int64_t most_positions() const { return kRoom - spare_; }

  void load(int64_t image, int64_t position, int64_t count, int64_t first_lane, int held,
            const int16_t** sources) {
    used_ = 0;
    for (int i = 0; i < held; ++i) {
      const PositionLane lane = lanes_.lane(first_lane + i);
      if (i + 1 < held) prefetch(image, position, count, lane, lanes_.lane(first_lane + i + 1));
      sources[i] = find(lane);
      if (sources[i] == nullptr) sources[i] = copy(image, position, count, lane);
    }
  }

 private:
  const int16_t* find(const PositionLane& lane) const {
    for (int i = used_ - 1; i >= 0 && rows_[i].channel == lane.channel; --i) {
      const int64_t later = lane.shift - rows_[i].shift;
      if (rows_[i].phase == lane.phase && later >= 0 && later <= spare_) return integers_ + i * kRoom + later;
    }
    return nullptr;
  }

  void prefetch(int64_t image, int64_t position, int64_t count, const PositionLane& now,
                const PositionLane& next) const {
    if (next.channel != now.channel && lanes_.exists(next))
      planes_.prefetch(image, next.channel, position + next.shift, position + next.shift + count);
  }

  const int16_t* copy(int64_t image, int64_t position, int64_t count, const PositionLane& lane) {
    int16_t* row = integers_ + used_ * kRoom;
    rows_[used_++] = lane;
    if (lanes_.exists(lane)) {
      const int64_t first = position + lane.shift;
      planes_.copy(image, lane.channel, lane.phase, first, first + count + spare_, row);
    } else {
      std::fill_n(row, count, int16_t{0});
    }
    return row;
  }

  const PositionLanes& lanes_;
  const Planes& planes_;
  int64_t spare_;
  int used_ = 0;
  PositionLane rows_[kMostLanes];
  alignas(64) int16_t integers_[kMostLanes * kRoom];
};

void PositionLanes::pack_panel(const Microkernels& kernels, int64_t begin, int64_t end, int64_t first_lane,
                               int held, int width, int16_t* panel) const {
  Rows rows(*this, planes_);
  const int16_t* sources[kMostLanes];
  for_each_image(begin, end, [&](int64_t image, int64_t first, int64_t count) {
    const int64_t positions = count + 2 * pairs_behind();
    for (int64_t done = 0; done < positions;) {
      const int64_t now = std::min(rows.most_positions() / 2 * 2, positions - done);
      rows.load(image, first + done, now, first_lane, held, sources);
      kernels.pack_lanes(sources, held, width, now, panel);
      panel += now * width;
      done += now;
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
  for_each_image(begin, end, [&](int64_t, int64_t, int64_t count) { pairs += count / 2 + pairs_behind(); });
  return pairs;
}

void SharedLanes::place_pairs(int64_t begin, int64_t end, int32_t* places) const {
  int32_t place = 0;
  for_each_image(begin, end, [&](int64_t, int64_t, int64_t count) {
    for (int64_t i = 0; i < count / 2; ++i) *places++ = place++;
    place += static_cast<int32_t>(pairs_behind());
  });
}

}  // namespace cairn::exact
