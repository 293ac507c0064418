#include "exact/convolution_patches.h"

#include <cstring>

namespace cairn::exact {
namespace {

// The grid coordinates that meet [0, size) of the image: from the first result to before the second.
struct Range {
  int64_t first, last;
};
Range inside(int64_t offset, int64_t step, int64_t size) {
  const int64_t first = offset >= 0 ? 0 : (-offset + step - 1) / step;
  const int64_t last = offset >= size ? 0 : (size - 1 - offset) / step + 1;
  return {first, last};
}

void clear(int16_t* out, int64_t count) {
  for (int64_t i = 0; i < count; ++i) out[i] = 0;
}

void copy(const int16_t* from, int64_t step, int64_t count, int16_t* out) {
  if (step == 1) {
    std::memcpy(out, from, static_cast<size_t>(count) * sizeof(int16_t));
  } else {
    for (int64_t i = 0; i < count; ++i) out[i] = from[i * step];
  }
}

}  // namespace

void PatchGrid::gather_image(const int16_t* plane, const Tap& tap, int64_t first, int64_t count,
                             int16_t* out) const {
  const Range columns = inside(tap.x, step_x, width);
  int64_t y = first / grid_width, x = first % grid_width;
  for (int64_t end = first + count; first < end; ++y, x = 0) {
    const int64_t last_x = std::min(grid_width, x + end - first);
    const int64_t pixels = last_x - x;
    const int64_t row = y * step_y + tap.y;
    const int64_t left = std::clamp(columns.first, x, last_x), right = std::clamp(columns.last, left, last_x);
    if (row < 0 || row >= height || left == right) {
      clear(out, pixels);
    } else {
      clear(out, left - x);
      copy(plane + row * width + left * step_x + tap.x, step_x, right - left, out + (left - x));
      clear(out + (right - x), last_x - right);
    }
    out += pixels;
    first += pixels;
  }
}

void PatchGrid::gather(int64_t element, int64_t begin, int64_t end, int16_t* out) const {
  const int64_t count = static_cast<int64_t>(taps.size());
  const int16_t* channel = values + element / count * height * width;
  const Tap& tap = taps[static_cast<size_t>(element % count)];
  int64_t done = 0;
  for_each_image(begin, end, [&](int64_t image, int64_t first, int64_t pixels, int64_t offset) {
    clear(out + done, offset - done);
    gather_image(channel + image * image_stride, tap, first, pixels, out + offset);
    done = offset + pixels;
  });
  clear(out + done, end - begin - done);
}

const int16_t* PatchGrid::in_place(int64_t element, int64_t begin, int64_t end) const {
  if (taps.size() != 1 || taps[0].y != 0 || taps[0].x != 0 || step_y != 1 || step_x != 1 ||
      grid_height != height || grid_width != width) {
    return nullptr;
  }
  const int16_t* found = nullptr;
  for_each_image(begin, end, [&](int64_t image, int64_t first, int64_t count, int64_t) {
    if (count == end - begin) found = values + image * image_stride + element * height * width + first;
  });
  return found;
}

void PatchSteps::pack(const Microkernels& kernels, int64_t begin, int64_t end, int64_t lane, int64_t lanes,
                      int width, int16_t* panels, int) const {
  constexpr int64_t kSteps = 64, kLanes = 128;  // gathered at a time: half of a first-level cache
  alignas(64) int16_t rows[kSteps * kLanes];
  const int16_t* sources[kSteps];
  for (int64_t first = 0; first < lanes; first += kLanes, panels += kLanes * (end - begin)) {
    const int64_t held = std::min(kLanes, lanes - first);
    for (int64_t step = begin; step < end; step += kSteps) {
      const int64_t steps = std::min(kSteps, end - step);
      for (int64_t i = 0; i < steps; ++i) {
        int16_t* row = rows + i * kLanes;
        sources[i] = row;
        if (step + i >= elements_) {
          clear(row, held);
        } else if (const int16_t* place = grid_.in_place(step + i, lane + first, lane + first + held)) {
          sources[i] = place;
        } else {
          grid_.gather(step + i, lane + first, lane + first + held, row);
        }
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
  constexpr int64_t kSteps = 256;
  alignas(64) int16_t rows[kMostLanes * kSteps];
  const int16_t* sources[kMostLanes];
  for (; lanes > 0; lanes -= width, lane += width, panels += width * (end - begin)) {
    const int held = static_cast<int>(std::min<int64_t>(lanes, width));
    for (int64_t step = begin; step < end; step += kSteps) {
      const int64_t last = std::min(step + kSteps, end);
      for (int i = 0; i < held; ++i) {
        sources[i] = grid_.in_place(lane + i, step, last);
        if (sources[i] != nullptr) continue;
        grid_.gather(lane + i, step, last, rows + i * kSteps);
        sources[i] = rows + i * kSteps;
      }
      kernels.pack_lanes(sources, held, width, last - step, panels + (step - begin) * width);
    }
  }
}

}  // namespace cairn::exact
