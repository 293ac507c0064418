#include <algorithm>

#include "exact/arithmetic.h"
#include "exact/reference.h"

namespace cairn::exact {
namespace {

// The part of a window that lies inside the input.
struct Window {
  int64_t top, bottom, left, right;  // [top, bottom) x [left, right)

  Window(const Pooling& p, int64_t oh, int64_t ow) {
    const int64_t row = oh * p.stride_height - p.pad_top, column = ow * p.stride_width - p.pad_left;
    top = std::max<int64_t>(row, 0);
    bottom = std::min(row + p.kernel_height, p.in_height);
    left = std::max<int64_t>(column, 0);
    right = std::min(column + p.kernel_width, p.in_width);
  }
  int64_t count() const { return (bottom - top) * (right - left); }

  template <typename Visit>
  void for_each(int64_t width, Visit visit) const {
    for (int64_t h = top; h < bottom; ++h)
      for (int64_t w = left; w < right; ++w) visit(h * width + w);
  }
};

// Calls visit(output index, window) in ascending order of outputs.
template <typename Visit>
void for_each_window(const Pooling& p, Visit visit) {
  for (int64_t oh = 0; oh < p.out_height; ++oh)
    for (int64_t ow = 0; ow < p.out_width; ++ow) visit(oh * p.out_width + ow, Window(p, oh, ow));
}

float divisor(const Pooling& p, const Window& window) {
  return to_binary32(p.count_padding ? p.kernel_height * p.kernel_width : window.count());
}

bool window_sum(const Pooling& p, const Window& window, const float* x, float* result) {
  uint32_t largest = 0;
  window.for_each(p.in_width, [&](int64_t i) { largest = std::max(largest, magnitude(x[i])); });
  int32_t e;
  if (!group_exponent(largest, kSumBits, &e)) return false;
  *result = 0.0f;
  if (e == kEmptyGroup) return true;
  int64_t total = 0;
  window.for_each(p.in_width, [&](int64_t i) { total += round_to_integer(x[i] * power_of_two(-e)); });
  *result = to_binary32(total) * power_of_two(e);
  return true;
}

}  // namespace

void Reference::max_pool(const Pooling& p, const float* x, float* y, int32_t* chosen) {
  for (int64_t plane = 0; plane < p.planes; ++plane) {
    for_each_window(p, [&](int64_t o, const Window& window) {
      int64_t best = window.top * p.in_width + window.left;
      window.for_each(p.in_width, [&](int64_t i) { best = x[i] > x[best] ? i : best; });
      y[o] = x[best];
      chosen[o] = static_cast<int32_t>(best);
    });
    x += p.in_height * p.in_width;
    y += p.out_height * p.out_width;
    chosen += p.out_height * p.out_width;
  }
}

void Reference::max_pool_gradient(const Pooling& p, const float* dy, const int32_t* chosen, float* dx) {
  const int64_t in_plane = p.in_height * p.in_width, out_plane = p.out_height * p.out_width;
  std::fill(dx, dx + p.planes * in_plane, 0.0f);
  for (int64_t plane = 0; plane < p.planes; ++plane)
    for (int64_t o = plane * out_plane; o < (plane + 1) * out_plane; ++o)
      dx[plane * in_plane + chosen[o]] += dy[o];
}

bool Reference::average_pool(const Pooling& p, const float* x, float* y) {
  bool finite = true;
  for (int64_t plane = 0; plane < p.planes; ++plane) {
    for_each_window(p, [&](int64_t o, const Window& window) {
      float sum;
      finite = finite && window_sum(p, window, x, &sum);
      if (finite) y[o] = sum / divisor(p, window);
    });
    x += p.in_height * p.in_width;
    y += p.out_height * p.out_width;
  }
  return finite;
}

void Reference::average_pool_gradient(const Pooling& p, const float* dy, float* dx) {
  std::fill(dx, dx + p.planes * p.in_height * p.in_width, 0.0f);
  for (int64_t plane = 0; plane < p.planes; ++plane) {
    for_each_window(p, [&](int64_t o, const Window& window) {
      const float share = dy[o] / divisor(p, window);
      window.for_each(p.in_width, [&](int64_t i) { dx[i] += share; });
    });
    dy += p.out_height * p.out_width;
    dx += p.in_height * p.in_width;
  }
}

}  // namespace cairn::exact
