#include <algorithm>

#include "exact/alignment.h"
#include "exact/arithmetic.h"
#include "exact/reference.h"

namespace cairn::exact {
namespace {

// One axis of a convolution: output o meets input o * stride - pad + tap * dilation.
struct Axis {
  int64_t in, out, kernel, stride, pad, dilation;

  int64_t input(int64_t output, int64_t tap) const { return output * stride - pad + tap * dilation; }
  // The output that meets this input under this tap, times the stride.
  int64_t reached_from(int64_t input, int64_t tap) const { return input + pad - tap * dilation; }
  // The outputs whose input under this tap lies inside: [first, last).
  int64_t first(int64_t tap) const {
    const int64_t outside = pad - tap * dilation;
    return std::min(out, outside <= 0 ? 0 : (outside + stride - 1) / stride);
  }
  int64_t last(int64_t tap) const {
    const int64_t inside = in - 1 + pad - tap * dilation;
    return inside < 0 ? 0 : std::min(out, inside / stride + 1);
  }
};

struct Shape {
  explicit Shape(const Convolution& c)
      : rows{c.in_height, c.out_height, c.kernel_height, c.stride_height, c.pad_top, c.dilation_height},
        columns{c.in_width, c.out_width, c.kernel_width, c.stride_width, c.pad_left, c.dilation_width},
        in_per_group(c.in_channels / c.channel_groups),
        out_per_group(c.out_channels / c.channel_groups) {}

  // Calls visit(output offset, input offset, count) for each run of outputs of a row that meets the input
  // under tap (kh, kw); the input advances by the stride.
  template <typename Visit>
  void for_each_run(int64_t kh, int64_t kw, Visit visit) const {
    const int64_t first = columns.first(kw), count = columns.last(kw) - first;
    for (int64_t oh = rows.first(kh); oh < rows.last(kh); ++oh) {
      visit(oh * columns.out + first, rows.input(oh, kh) * columns.in + columns.input(first, kw), count);
    }
  }

  int64_t in_plane() const { return rows.in * columns.in; }
  int64_t out_plane() const { return rows.out * columns.out; }
  int64_t taps() const { return rows.kernel * columns.kernel; }

  Axis rows, columns;
  int64_t in_per_group, out_per_group;
};

// y = the exact sums, times 2^(ea + eb).
void write_plane(const std::vector<int64_t>& sums, int32_t ea, int32_t eb, float* y) {
  const bool empty = ea == kEmptyGroup || eb == kEmptyGroup;
  const float power = empty ? 0.0f : power_of_two(ea + eb);
  for (size_t i = 0; i < sums.size(); ++i) y[i] = empty ? 0.0f : to_binary32(sums[i]) * power;
}

int64_t dot_under_tap(const Shape& shape, int64_t kh, int64_t kw, const int16_t* dy, const int16_t* x) {
  int64_t sum = 0;
  shape.for_each_run(kh, kw, [&](int64_t o, int64_t i, int64_t count) {
    for (int64_t t = 0; t < count; ++t) sum += dy[o + t] * x[i + t * shape.columns.stride];
  });
  return sum;
}

}  // namespace

void Reference::convolve(const Convolution& c, ConstQuantized x, ConstQuantized w, float* y) {
  const Shape shape(c);
  pool_.run(c.batch * c.out_channels, [&](int64_t plane, int) {
    const int64_t image = plane / c.out_channels, oc = plane % c.out_channels,
                  group = oc / shape.out_per_group;
    std::vector<int64_t> sums(static_cast<size_t>(shape.out_plane()), 0);
    for (int64_t ic = 0; ic < shape.in_per_group; ++ic) {
      const int16_t* input =
          x.values + (image * c.in_channels + group * shape.in_per_group + ic) * shape.in_plane();
      const int16_t* kernel = w.values + (oc * shape.in_per_group + ic) * shape.taps();
      for (int64_t kh = 0; kh < c.kernel_height; ++kh)
        for (int64_t kw = 0; kw < c.kernel_width; ++kw)
          shape.for_each_run(kh, kw, [&](int64_t o, int64_t i, int64_t count) {
            const int32_t weight = kernel[kh * c.kernel_width + kw];
            for (int64_t t = 0; t < count; ++t) sums[o + t] += weight * input[i + t * c.stride_width];
          });
    }
    write_plane(sums, x.exponents[image * c.channel_groups + group], w.exponents[oc],
                y + plane * shape.out_plane());
  });
}

void Reference::convolve_input_gradient(const Convolution& c, ConstQuantized dy, ConstQuantized w,
                                        float* dx) {
  const Shape shape(c);
  pool_.run(c.batch * c.in_channels, [&](int64_t plane, int) {
    const int64_t image = plane / c.in_channels, ic = plane % c.in_channels, group = ic / shape.in_per_group;
    std::vector<int64_t> sums(static_cast<size_t>(shape.in_plane()), 0);
    for (int64_t oc = group * shape.out_per_group; oc < (group + 1) * shape.out_per_group; ++oc) {
      const int16_t* output = dy.values + (image * c.out_channels + oc) * shape.out_plane();
      const int16_t* kernel = w.values + (oc * shape.in_per_group + ic % shape.in_per_group) * shape.taps();
      for (int64_t kh = 0; kh < c.kernel_height; ++kh)
        for (int64_t kw = 0; kw < c.kernel_width; ++kw)
          shape.for_each_run(kh, kw, [&](int64_t o, int64_t i, int64_t count) {
            const int32_t weight = kernel[kh * c.kernel_width + kw];
            for (int64_t t = 0; t < count; ++t) sums[i + t * c.stride_width] += weight * output[o + t];
          });
    }
    write_plane(sums, dy.exponents[image * c.channel_groups + group], w.exponents[ic],
                dx + plane * shape.in_plane());
  });
}

void Reference::convolve_weight_gradient(const Convolution& c, ConstQuantized dy, ConstQuantized x,
                                         float* dw) {
  const Shape shape(c);
  pool_.run(c.out_channels * shape.in_per_group, [&](int64_t kernel, int) {
    const int64_t oc = kernel / shape.in_per_group, group = oc / shape.out_per_group;
    const int64_t ic = group * shape.in_per_group + kernel % shape.in_per_group;
    const AlignedRows images =
        align_rows(c.batch, c.channel_groups, dy.exponents + group, x.exponents + group);
    const float power = power_of_two(images.largest - kGuardBits);
    for (int64_t tap = 0; tap < shape.taps(); ++tap) {
      int64_t total = 0;
      for (size_t r = 0; r < images.rows.size();) {
        const int32_t v = images.rows[r].exponent;
        int64_t sum = 0;
        for (; r < images.rows.size() && images.rows[r].exponent == v; ++r) {
          const int64_t image = images.rows[r].index;
          sum += dot_under_tap(shape, tap / c.kernel_width, tap % c.kernel_width,
                               dy.values + (image * c.out_channels + oc) * shape.out_plane(),
                               x.values + (image * c.in_channels + ic) * shape.in_plane());
        }
        total += shift_rounded(sum, images.largest - v - kGuardBits);
      }
      dw[kernel * shape.taps() + tap] = to_binary32(total) * power;
    }
  });
}

void Reference::depthwise_convolve(const Convolution& c, const float* x, const float* w, float* y) {
  const Shape shape(c);
  const auto inside = [](const Axis& axis, int64_t i) { return i >= 0 && i < axis.in; };
  pool_.run(c.batch * c.channel_groups, [&](int64_t plane, int) {
    const float* input = x + plane * shape.in_plane();
    const float* kernel = w + plane % c.channel_groups * shape.taps();
    for (int64_t o = 0; o < shape.out_plane(); ++o) {
      float sum = 0;
      for (int64_t tap = 0; tap < shape.taps(); ++tap) {
        const int64_t row = shape.rows.input(o / c.out_width, tap / c.kernel_width),
                      column = shape.columns.input(o % c.out_width, tap % c.kernel_width);
        const bool met = inside(shape.rows, row) && inside(shape.columns, column);
        sum = sum + (met ? input[row * c.in_width + column] : 0.0f) * kernel[tap];
      }
      y[plane * shape.out_plane() + o] = sum;
    }
  });
}

void Reference::depthwise_input_gradient(const Convolution& c, const float* dy, const float* w, float* dx) {
  const Shape shape(c);
  pool_.run(c.batch * c.channel_groups, [&](int64_t plane, int) {
    const float* gradient = dy + plane * shape.out_plane();
    const float* kernel = w + plane % c.channel_groups * shape.taps();
    for (int64_t i = 0; i < shape.in_plane(); ++i) {
      float sum = 0;
      for (int64_t tap = 0; tap < shape.taps(); ++tap) {
        const int64_t row = shape.rows.reached_from(i / c.in_width, tap / c.kernel_width),
                      column = shape.columns.reached_from(i % c.in_width, tap % c.kernel_width);
        if (row % c.stride_height != 0 || column % c.stride_width != 0) continue;
        const int64_t oh = row / c.stride_height, ow = column / c.stride_width;
        const bool met = row >= 0 && oh < c.out_height && column >= 0 && ow < c.out_width;
        sum = sum + (met ? gradient[oh * c.out_width + ow] : 0.0f) * kernel[tap];
      }
      dx[plane * shape.in_plane() + i] = sum;
    }
  });
}

}  // namespace cairn::exact
