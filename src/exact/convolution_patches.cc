#include "exact/convolution_patches.h"

namespace cairn::exact {
namespace {

constexpr int64_t kStrip = 32;

// The grid coordinates that meet [0, size) of the image: from the first result to before the second.
struct Range {
  int64_t first, last;
};
Range inside(int64_t offset, int64_t step, int64_t size) {
  const int64_t first = offset >= 0 ? 0 : (-offset + step - 1) / step;
  const int64_t last = offset >= size ? 0 : (size - 1 - offset) / step + 1;
  return {first, last};
}

// Bits [first, last) of 32, after both are brought into range.
uint32_t bits_between(int64_t first, int64_t last) {
  first = std::clamp<int64_t>(first, 0, kStrip);
  last = std::clamp<int64_t>(last, 0, kStrip);
  return first >= last ? 0 : static_cast<uint32_t>(((uint64_t{1} << (last - first)) - 1) << first);
}

// The grid pixels [begin, end) under one patch element after the other. Strips are cut once for each tap and
// serve all channels, for as long as they fit here.
class Gatherer {
 public:
  static constexpr int64_t kMost = 256;             // grid pixels
  static constexpr int64_t kRoom = kMost + kStrip;  // for what gather() writes

  Gatherer(const Microkernels& kernels, const PatchGrid& grid, int64_t begin, int64_t end)
      : kernels_(kernels), grid_(grid), begin_(begin), end_(end), place_(grid.in_place(begin, end)) {
    forget();
  }

  // The integers under a patch element: in the image itself, or written to `room`.
  const int16_t* row(int64_t element, int16_t* room) {
    const int64_t taps = static_cast<int64_t>(grid_.taps.size());
    const int64_t plane = grid_.height * grid_.width, first = element / taps * plane;
    if (place_ != nullptr) return place_ + first;
    const Entry& entry = strips_of(element % taps);
    kernels_.gather(strips_ + entry.first, entry.count, grid_.step_x, grid_.values + first, plane, room);
    return room;
  }

 private:
  static constexpr int64_t kTaps = 64, kStrips = 4096;
  struct Entry {
    int64_t tap, first, count;
  };

  void forget() {
    used_ = 0;
    for (Entry& entry : entries_) entry.tap = -1;
  }
  const Entry& strips_of(int64_t tap) {
    Entry& entry = entries_[tap % kTaps];
    if (entry.tap == tap) return entry;
    if (used_ + end_ - begin_ > kStrips) forget();
    const Tap& offset = grid_.taps[static_cast<size_t>(tap)];
    entry = {tap, used_, grid_.cut_strips(offset, begin_, end_, strips_ + used_)};
    used_ += entry.count;
    return entry;
  }

  const Microkernels& kernels_;
  const PatchGrid& grid_;
  int64_t begin_, end_;
  const int16_t* place_;
  int64_t used_;
  Entry entries_[kTaps];
  Strip strips_[kStrips];
};

}  // namespace

int64_t PatchGrid::cut_strips(const Tap& tap, int64_t begin, int64_t end, Strip* strips) const {
  const Range columns = inside(tap.x, step_x, width);
  int64_t count = 0, done = 0;  // strips, and grid pixels in them
  const auto add = [&](int64_t source, int64_t pixels, uint32_t valid) {
    strips[count++] = {source, static_cast<int32_t>(done), valid};
    done += pixels;
  };
  const auto fill = [&](int64_t to) {
    while (done < to) add(0, std::min(kStrip, to - done), 0);
  };
  for_each_image(begin, end, [&](int64_t image, int64_t first, int64_t pixels, int64_t offset) {
    fill(offset);
    int64_t y = first / grid_width, x = first % grid_width;
    while (done < offset + pixels) {
      const int64_t row = y * step_y + tap.y;
      const int64_t held = std::min({kStrip, grid_width - x, offset + pixels - done});
      const bool met = row >= 0 && row < height;
      add(image * image_stride + row * width + x * step_x + tap.x, held,
          met ? bits_between(columns.first - x, std::min(columns.last - x, held)) : 0);
      x += held;
      if (x == grid_width) x = 0, ++y;
    }
  });
  fill(end - begin);
  return count;
}

const int16_t* PatchGrid::in_place(int64_t begin, int64_t end) const {
  if (taps.size() != 1 || taps[0].y != 0 || taps[0].x != 0 || step_y != 1 || step_x != 1 ||
      grid_height != height || grid_width != width) {
    return nullptr;
  }
  const int16_t* found = nullptr;
  for_each_image(begin, end, [&](int64_t image, int64_t first, int64_t count, int64_t) {
    if (count == end - begin) found = values + image * image_stride + first;
  });
  return found;
}

void PatchSteps::pack(const Microkernels& kernels, int64_t begin, int64_t end, int64_t lane, int64_t lanes,
                      int width, int16_t* panels, int) const {
  constexpr int64_t kSteps = 32, kLanes = Gatherer::kMost;  // at a time: a part of a first-level cache
  const int64_t elements = grid_.channels * static_cast<int64_t>(grid_.taps.size());
  alignas(64) int16_t rows[kSteps * Gatherer::kRoom];
  const int16_t* sources[kSteps];
  for (int64_t first = 0; first < lanes; first += kLanes, panels += kLanes * (end - begin)) {
    const int64_t held = std::min(kLanes, lanes - first);
    Gatherer gatherer(kernels, grid_, lane + first, lane + first + held);
    for (int64_t step = begin; step < end; step += kSteps) {
      const int64_t steps = std::min(kSteps, end - step);
      for (int64_t i = 0; i < steps; ++i) {
        int16_t* room = rows + i * Gatherer::kRoom;
        sources[i] = step + i < elements ? gatherer.row(step + i, room) : room;
        if (step + i >= elements) std::fill_n(room, held, int16_t{0});
      }
      int16_t* panel = panels + (step - begin) * width;
      for (int64_t done = 0; done < held; done += width, panel += width * (end - begin)) {
        const int count = static_cast<int>(std::min<int64_t>(held - done, width));
        kernels.pack_steps(sources, done, count, width, steps / 2, panel);
      }
    }
  }
}

void PatchLanes::pack(const Microkernels& kernels, int64_t begin, int64_t end, int64_t lane, int64_t lanes,
                      int width, int16_t* panels, int) const {
  alignas(64) int16_t rows[kMostLanes * Gatherer::kRoom];
  const int16_t* sources[kMostLanes];
  for (int64_t step = begin; step < end; step += Gatherer::kMost) {
    const int64_t last = std::min(step + Gatherer::kMost, end);
    Gatherer gatherer(kernels, grid_, step, last);
    int16_t* panel = panels + (step - begin) * width;
    for (int64_t done = 0; done < lanes; done += width, panel += width * (end - begin)) {
      const int held = static_cast<int>(std::min<int64_t>(lanes - done, width));
      for (int i = 0; i < held; ++i) sources[i] = gatherer.row(lane + done + i, rows + i * Gatherer::kRoom);
      kernels.pack_lanes(sources, held, width, last - step, panel);
    }
  }
}

}  // namespace cairn::exact
