#include "exact/convolution_lanes.h"

#include "exact/convolution_filter.h"
#include "exact/product_operands.h"

namespace cairn::exact {

template <typename Visit>
void PositionLanes::for_each_image(int64_t begin, int64_t end, Visit visit) const {
  auto item = std::upper_bound(items_.begin(), items_.end(), begin,
                               [](int64_t position, const auto& entry) { return position < entry.position; });
  if (item != items_.begin()) --item;
  for (; item != items_.end() && item->position < end; ++item) {
    const int64_t first = std::max(begin, item->position), last = std::min(end, item->position + steps_);
    if (first < last) visit(*item, first - item->position, last - first);
  }
}

void PositionLanes::pack(const Microkernels& kernels, int64_t begin, int64_t end, int64_t lane, int64_t lanes,
                         int width, int16_t* panels) const {
  const int64_t size = panel_pairs(begin, end) * width * 2;
  for (; lanes > 0; lanes -= width, lane += width, panels += size) {
    pack_panel(kernels, begin, end, lane, static_cast<int>(std::min<int64_t>(lanes, width)), width, panels);
  }
}

namespace {

void raise(int16_t* integers, int64_t count, int bits) {
  const int factor = 1 << bits;
  for (int64_t i = 0; bits > 0 && i < count; ++i) integers[i] = static_cast<int16_t>(integers[i] * factor);
}

}  // namespace

// The integers of lanes at a few positions. Lanes of one channel and phase share what is copied from the
// image.
class PositionLanes::Rows {
 public:
  static constexpr int64_t kRoom = 512;  // integers of a row: what a first-level cache holds of all lanes
  static constexpr int64_t kMostReach = 384;

  explicit Rows(const PositionLanes& lanes)
      : lanes_(lanes), spare_(lanes.reach() <= kMostReach ? lanes.reach() : 0) {}

  int64_t most_positions() const { return kRoom - spare_; }

  void load(const ProductRuns::Item& item, int64_t position, int64_t count, int64_t first_lane, int held,
            const int16_t** sources) {
    const int64_t image = item.index;
    raised_ = lanes_.is_raised() ? item.raised : 0;
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
      lanes_.planes_.prefetch(image, next.channel, position + next.shift, position + next.shift + count);
  }

  const int16_t* copy(int64_t image, int64_t position, int64_t count, const PositionLane& lane) {
    int16_t* row = integers_ + used_ * kRoom;
    rows_[used_++] = lane;
    if (lanes_.exists(lane)) {
      const int64_t first = position + lane.shift;
      lanes_.planes_.copy(image, lane.channel, lane.phase, first, first + count + spare_, row);
      raise(row, count + spare_, raised_);
    } else {
      std::fill_n(row, count, int16_t{0});
    }
    return row;
  }

  const PositionLanes& lanes_;
  int64_t spare_;
  int raised_ = 0;
  int used_ = 0;
  PositionLane rows_[kMostLanes];
  alignas(64) int16_t integers_[kMostLanes * kRoom];
};

void PositionLanes::pack_panel(const Microkernels& kernels, int64_t begin, int64_t end, int64_t first_lane,
                               int held, int width, int16_t* panel) const {
  Rows rows(*this);
  const int16_t* sources[kMostLanes];
  for_each_image(begin, end, [&](const ProductRuns::Item& item, int64_t first, int64_t count) {
    const int64_t positions = count + 2 * pairs_behind();
    for (int64_t done = 0; done < positions;) {
      const int64_t now = std::min(rows.most_positions() / 2 * 2, positions - done);
      rows.load(item, first + done, now, first_lane, held, sources);
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
  for_each_image(begin, end, [&](const ProductRuns::Item&, int64_t, int64_t count) {
    pairs += count / 2 + pairs_behind();
  });
  return pairs;
}

void SharedLanes::place_pairs(int64_t begin, int64_t end, int32_t* places) const {
  int32_t place = 0;
  for_each_image(begin, end, [&](const ProductRuns::Item&, int64_t, int64_t count) {
    for (int64_t i = 0; i < count / 2; ++i) *places++ = place++;
    place += static_cast<int32_t>(pairs_behind());
  });
}

// Packs channels [first_channel, first_channel + held) of every part: panels of `parities` each, one behind
// the other. filter(row, first pair, pairs, parts) filters a row.
template <typename Filter>
void PositionLanes::pack_filtered(const Microkernels& kernels, int64_t begin, int64_t end,
                                  int64_t first_channel, int held, int width, int64_t row_length,
                                  int64_t parities, int16_t* panels, Filter filter) const {
  constexpr int kParts = FilteredConvolution::kParts;
  constexpr int64_t kPiece = 128;  // positions: what a first-level cache holds of all lanes and parts
  int16_t lines[kParts][kMostLanes][kPiece + 8];
  const int64_t panel_size = panel_pairs(begin, end) * width * 2;
  int64_t packed = 0;
  const bool raises = is_raised();
  for_each_image(begin, end, [&](const ProductRuns::Item& item, int64_t first, int64_t count) {
    const int64_t positions = count + 2 * pairs_behind();
    for (int64_t done = 0; done < positions; done += kPiece) {
      const int64_t now = std::min(kPiece, positions - done), from = first + done;
      for (int i = 0; i < held; ++i) {
        int16_t* parts[] = {lines[0][i], lines[1][i], lines[2][i], lines[3][i]};
        for_each_row(item.index, first_channel + i, row_length, from, from + now + parities - 1, parts,
                     filter);
        if (!raises || item.raised == 0) continue;
        for (auto& part : lines) raise(part[i], now, item.raised);
      }
      for (int64_t panel = 0; panel < kParts * parities; ++panel) {
        const int16_t* sources[kMostLanes];
        for (int i = 0; i < held; ++i) sources[i] = lines[panel / parities][i] + panel % parities;
        kernels.pack_lanes(sources, held, width, now, panels + panel * panel_size + packed);
      }
      packed += now * width;
    }
  });
}

// Filters the rows of pairs at positions [begin, end).
template <typename Filter>
void PositionLanes::for_each_row(int64_t image, int64_t channel, int64_t row_length, int64_t begin,
                                 int64_t end, int16_t** parts, Filter filter) const {
  for (int64_t at = begin; at < end;) {
    const int64_t pair = at % row_length, pairs = std::min(row_length - pair, end - at);
    const int16_t* row = planes_.row(image, channel, at / row_length);
    if (row == nullptr) {
      for (int part = 0; part < FilteredConvolution::kParts; ++part)
        std::fill_n(parts[part], pairs, int16_t{0});
    } else {
      planes_.prefetch_row(image, channel + 2, at / row_length);
      filter(row, pair, pairs, parts);
    }
    at += pairs;
    for (int part = 0; part < FilteredConvolution::kParts; ++part) parts[part] += pairs;
  }
}

FilteredPixelLanes::FilteredPixelLanes(const Microkernels& kernels, const Planes& planes,
                                       std::span<const ProductRuns::Item> items, int64_t steps,
                                       int64_t channels, int64_t row_length, std::span<const Tap> taps)
    : SharedLanes(planes, items, steps, channels, kernels.columns, taps),
      channels_(channels),
      row_length_(row_length),
      parities_((taps.back().panel + 1) / FilteredConvolution::kParts) {}

void FilteredPixelLanes::pack(const Microkernels& kernels, int64_t begin, int64_t end, int64_t lane,
                              int64_t lanes, int width, int16_t* panels) const {
  const int64_t group_lanes = FilteredConvolution::kParts * parities_ * width;
  const int64_t group_size = panel_pairs(begin, end) * group_lanes * 2;
  const PlaneAxis& columns = planes().columns();
  for (int64_t group = lane / group_lanes; group * group_lanes < lane + lanes;
       ++group, panels += group_size) {
    const int64_t channel = group * width;
    pack_filtered(kernels, begin, end, channel,
                  static_cast<int>(std::min<int64_t>(width, channels_ - channel)), width, row_length_,
                  parities_, panels,
                  [&](const int16_t* row, int64_t pair, int64_t pairs, int16_t* const* parts) {
                    kernels.filter_lines(row, columns.size(), columns.image_index(2 * pair, 0), pairs, parts);
                  });
  }
}

void FilteredGradientLanes::pack_parts(const Microkernels& kernels, int64_t begin, int64_t end, int64_t row,
                                       int64_t lanes, int width, int16_t* panels) const {
  pack_filtered(kernels, begin, end, row, static_cast<int>(lanes), width, row_length_, 1, panels,
                [&](const int16_t* from, int64_t pair, int64_t pairs, int16_t* const* parts) {
                  kernels.filter_gradient_lines(from, planes().columns().size(), 2 * pair, pairs, parts);
                });
}

}  // namespace cairn::exact
