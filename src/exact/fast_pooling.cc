#include <atomic>

#include "exact/arithmetic.h"
#include "exact/fast_backend.h"
#include "exact/parallel.h"

namespace cairn::exact {
namespace {

constexpr int64_t kGrain = 1 << 14;
// Windows at least this wide, or as wide as the input, are summed one at a time; narrower ones a row of
// outputs at a time.
constexpr int64_t kWideWindow = 8;

struct Range {
  int64_t begin, end;
  int64_t count() const { return end - begin; }
};

// The part inside the input of the window of output o.
Range window(int64_t o, int64_t stride, int64_t pad, int64_t kernel, int64_t in) {
  const int64_t start = o * stride - pad;
  return {std::max<int64_t>(start, 0), std::min(start + kernel, in)};
}

Range window_rows(const Pooling& p, int64_t oh) {
  return window(oh, p.stride_height, p.pad_top, p.kernel_height, p.in_height);
}

Range window_columns(const Pooling& p, int64_t ow) {
  return window(ow, p.stride_width, p.pad_left, p.kernel_width, p.in_width);
}

// The outputs of a row whose window has column kw inside the input.
Range outputs_under(const Pooling& p, int64_t kw) {
  const int64_t outside = p.pad_left - kw, inside = p.in_width - 1 + p.pad_left - kw;
  const int64_t begin = outside <= 0 ? 0 : (outside + p.stride_width - 1) / p.stride_width;
  const int64_t end = inside < 0 ? 0 : std::min(p.out_width, inside / p.stride_width + 1);
  return {begin, std::max(begin, end)};
}

// Calls tap(offset in the plane, first output, outputs) for every column of the window under every row of
// it, in row-major order.
template <typename Tap>
void for_each_tap(const Pooling& p, int64_t oh, Tap tap) {
  const Range rows = window_rows(p, oh);
  for (int64_t h = rows.begin; h < rows.end; ++h)
    for (int64_t kw = 0; kw < p.kernel_width; ++kw) {
      const Range outputs = outputs_under(p, kw);
      if (outputs.count() == 0) continue;
      tap(h * p.in_width + outputs.begin * p.stride_width - p.pad_left + kw, outputs.begin, outputs.count());
    }
}

int64_t in_plane(const Pooling& p) {
  return p.in_height * p.in_width;
}
int64_t out_plane(const Pooling& p) {
  return p.out_height * p.out_width;
}

// Calls body(plane, worker) for every plane.
template <typename Body>
void for_each_plane(ThreadPool& pool, const Pooling& p, Body body) {
  parallel_for(pool, p.planes, kGrain / (in_plane(p) + 1) + 1, [&](int64_t begin, int64_t end, int worker) {
    for (int64_t plane = begin; plane < end; ++plane) body(plane, worker);
  });
}

float divisor(const Pooling& p, int64_t oh, int64_t ow) {
  return to_binary32(p.count_padding ? p.kernel_height * p.kernel_width
                                     : window_rows(p, oh).count() * window_columns(p, ow).count());
}

// The factor that scales a window to integers; false if it has diverged.
bool window_scale(uint32_t m, float* factor, float* unit) {
  int32_t e;
  if (!group_exponent(m, kSumBits, &e)) return false;
  *factor = e == kEmptyGroup ? 0.0f : power_of_two(-e);
  *unit = e == kEmptyGroup ? 0.0f : power_of_two(e);
  return true;
}

// One window, run by run: its rows, or all of it where it is as wide as the input.
bool average_window(const Kernels& kernels, const Pooling& p, int64_t oh, int64_t ow, const float* x,
                    float* y) {
  const Range rows = window_rows(p, oh), columns = window_columns(p, ow);
  const bool whole = columns.count() == p.in_width;
  const int64_t runs = whole ? 1 : rows.count();
  const int64_t length = whole ? rows.count() * p.in_width : columns.count();
  x += rows.begin * p.in_width + columns.begin;
  uint32_t m = 0;
  for (int64_t run = 0; run < runs; ++run)
    m = std::max(m, kernels.largest_magnitude(x + run * p.in_width, length));
  float factor, unit;
  if (!window_scale(m, &factor, &unit)) return false;
  int64_t total = 0;
  for (int64_t run = 0; run < runs; ++run)
    for (int64_t i = 0; i < length; i += kBlock)
      total += kernels.sum_block(x + run * p.in_width + i, factor, std::min(kBlock, length - i));
  *y = (to_binary32(total) * unit) / divisor(p, oh, ow);
  return true;
}

// What a worker needs for a row of outputs.
struct RowScratch {
  uint32_t* largest;
  float* factors;
  float* units;
  int64_t* totals;
};

bool average_row(const Kernels& kernels, const Pooling& p, int64_t oh, const float* x, const RowScratch& s,
                 float* y) {
  std::fill(s.largest, s.largest + p.out_width, 0u);
  std::fill(s.totals, s.totals + p.out_width, int64_t{0});
  for_each_tap(p, oh, [&](int64_t offset, int64_t first, int64_t count) {
    kernels.magnitude_tap(x + offset, p.stride_width, count, s.largest + first);
  });
  for (int64_t ow = 0; ow < p.out_width; ++ow)
    if (!window_scale(s.largest[ow], &s.factors[ow], &s.units[ow])) return false;
  for_each_tap(p, oh, [&](int64_t offset, int64_t first, int64_t count) {
    kernels.sum_tap(x + offset, p.stride_width, s.factors + first, count, s.totals + first);
  });
  for (int64_t ow = 0; ow < p.out_width; ++ow)
    y[ow] = (to_binary32(s.totals[ow]) * s.units[ow]) / divisor(p, oh, ow);
  return true;
}

}  // namespace

void FastBackend::max_pool(const Pooling& p, const float* x, float* y, int32_t* chosen) {
  for_each_plane(machine_.pool, p, [&](int64_t plane, int) {
    for (int64_t oh = 0; oh < p.out_height; ++oh) {
      const int64_t row = plane * out_plane(p) + oh * p.out_width;
      std::fill(y + row, y + row + p.out_width, 0.0f);
      std::fill(chosen + row, chosen + row + p.out_width, -1);
      for_each_tap(p, oh, [&](int64_t offset, int64_t first, int64_t count) {
        kernels_.max_tap(x + plane * in_plane(p) + offset, p.stride_width, static_cast<int32_t>(offset),
                         count, y + row + first, chosen + row + first);
      });
    }
  });
}

void FastBackend::max_pool_gradient(const Pooling& p, const float* dy, const int32_t* chosen, float* dx) {
  for_each_plane(machine_.pool, p, [&](int64_t plane, int) {
    float* target = dx + plane * in_plane(p);
    std::fill(target, target + in_plane(p), 0.0f);
    for (int64_t o = plane * out_plane(p); o < (plane + 1) * out_plane(p); ++o) target[chosen[o]] += dy[o];
  });
}

bool FastBackend::average_pool(const Pooling& p, const float* x, float* y) {
  machine_.scratch.reset();
  std::vector<RowScratch> scratch(static_cast<size_t>(machine_.pool.size()));
  for (RowScratch& s : scratch) {
    s = {machine_.scratch.take<uint32_t>(p.out_width), machine_.scratch.take<float>(p.out_width),
         machine_.scratch.take<float>(p.out_width), machine_.scratch.take<int64_t>(p.out_width)};
  }
  std::atomic<bool> finite = true;
  for_each_plane(machine_.pool, p, [&](int64_t plane, int worker) {
    const float* input = x + plane * in_plane(p);
    for (int64_t oh = 0; oh < p.out_height; ++oh) {
      float* output = y + plane * out_plane(p) + oh * p.out_width;
      if (p.kernel_width < std::min(kWideWindow, p.in_width)) {
        if (!average_row(kernels_, p, oh, input, scratch[static_cast<size_t>(worker)], output))
          finite = false;
        continue;
      }
      for (int64_t ow = 0; ow < p.out_width; ++ow)
        if (!average_window(kernels_, p, oh, ow, input, &output[ow])) finite = false;
    }
  });
  return finite;
}

void FastBackend::average_pool_gradient(const Pooling& p, const float* dy, float* dx) {
  for_each_plane(machine_.pool, p, [&](int64_t plane, int) {
    float* target = dx + plane * in_plane(p);
    std::fill(target, target + in_plane(p), 0.0f);
    for (int64_t o = 0; o < out_plane(p); ++o) {
      const int64_t oh = o / p.out_width, ow = o % p.out_width;
      const Range rows = window_rows(p, oh), columns = window_columns(p, ow);
      const float share = dy[plane * out_plane(p) + o] / divisor(p, oh, ow);
      for (int64_t h = rows.begin; h < rows.end; ++h)
        kernels_.add_constant(target + h * p.in_width + columns.begin, share, columns.count(),
                              target + h * p.in_width + columns.begin);
    }
  });
}

}  // namespace cairn::exact
