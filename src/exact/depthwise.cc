// A plane is copied with zeros around it, so that under each tap all outputs read one contiguous run: the
// inner loops are then those of whole rows, whatever the stride, the dilation and the padding.
#include "exact/depthwise.h"

#include <algorithm>

#include "exact/alignment.h"
#include "exact/arithmetic.h"
#include "exact/parallel.h"

namespace cairn::exact {
namespace {

constexpr int64_t kChunk = 2048;  // sums at a time: they stay in the first-level cache

// One axis of the copied plane. Position p of it is index `first + p * step` of the original.
struct Axis {
  int64_t in, first, step, length;

  bool inside(int64_t p) const { return first + p * step >= 0 && first + p * step < in; }
};

// The copy: zeros where the original has nothing.
template <typename T>
void copy_with_zeros(const Axis& rows, const Axis& columns, const T* from, T* to) {
  for (int64_t r = 0; r < rows.length; ++r, to += columns.length) {
    if (!rows.inside(r)) {
      std::fill_n(to, columns.length, T{0});
      continue;
    }
    const T* row = from + (rows.first + r * rows.step) * columns.in;
    int64_t c = 0;
    for (; c < columns.length && !columns.inside(c); ++c) to[c] = 0;
    for (; c < columns.length && columns.inside(c); ++c) to[c] = row[columns.first + c * columns.step];
    std::fill_n(to + c, columns.length - c, T{0});
  }
}

// How the outputs of a plane meet its inputs: padded input `o * stride + tap * dilation` of an axis is
// position o + tap * dilation / stride of the copy of its phase.
struct Layout {
  explicit Layout(const Convolution& convolution)
      : c(convolution),
        reach_y((c.kernel_height - 1) * c.dilation_height),
        reach_x((c.kernel_width - 1) * c.dilation_width),
        phases_y(std::min(c.stride_height, reach_y + 1)),
        phases_x(std::min(c.stride_width, reach_x + 1)),
        height(c.out_height + reach_y / c.stride_height),
        width(c.out_width + reach_x / c.stride_width),
        taps(c.kernel_height * c.kernel_width) {}

  int64_t size() const { return phases_y * phases_x * height * width; }
  int64_t run() const { return (c.out_height - 1) * width + c.out_width; }
  int64_t offset(int64_t tap) const {
    const int64_t y = tap / c.kernel_width * c.dilation_height, x = tap % c.kernel_width * c.dilation_width;
    const int64_t phase = y % c.stride_height * phases_x + x % c.stride_width;
    return (phase * height + y / c.stride_height) * width + x / c.stride_width;
  }
  template <typename T>
  void copy_input(const T* x, T* copy) const {
    for (int64_t py = 0; py < phases_y; ++py) {
      for (int64_t px = 0; px < phases_x; ++px, copy += height * width) {
        copy_with_zeros<T>({c.in_height, py - c.pad_top, c.stride_height, height},
                           {c.in_width, px - c.pad_left, c.stride_width, width}, x, copy);
      }
    }
  }

  const Convolution& c;
  int64_t reach_y, reach_x, phases_y, phases_x, height, width, taps;
};

// One tap: where its run begins, and its weight.
struct Tap {
  const float* source;
  float weight;
};

// sums[i] = +0, then tap after tap + source[i] * weight.
void add_taps(const Kernels& kernels, const Tap* taps, int64_t count, int64_t n, float* sums) {
  for (int64_t first = 0; first < n; first += kChunk) {
    const int64_t held = std::min(kChunk, n - first);
    std::fill_n(sums + first, held, 0.0f);
    for (int64_t t = 0; t < count; ++t)
      kernels.add_scaled(taps[t].source + first, taps[t].weight, held, sums + first);
  }
}

// The memory of one worker.
template <typename T>
struct Room {
  T* copy;
  T* other;
  Tap* taps;
};

template <typename T>
std::vector<Room<T>> take_rooms(Machine& machine, int64_t copy, int64_t other, int64_t taps) {
  machine.scratch.reset();
  std::vector<Room<T>> rooms(static_cast<size_t>(machine.pool.size()));
  for (Room<T>& room : rooms) {
    room = {machine.scratch.take<T>(copy), machine.scratch.take<T>(other), machine.scratch.take<Tap>(taps)};
  }
  return rooms;
}

template <typename T, typename Body>
void for_each_plane(Machine& machine, const std::vector<Room<T>>& rooms, int64_t planes, int64_t size,
                    Body body) {
  constexpr int64_t kGrain = 1 << 13;
  parallel_for(machine.pool, planes, kGrain / size + 1, [&](int64_t begin, int64_t end, int worker) {
    for (int64_t plane = begin; plane < end; ++plane) body(plane, rooms[static_cast<size_t>(worker)]);
  });
}

// The pixels first, first + stride … of an axis in the input gradient: tap t reaches pixel i of them from
// output i + offset(t), if at all.
struct Phase {
  int64_t first, count, stride, pad, dilation;

  bool reached(int64_t tap) const { return (first + pad - tap * dilation) % stride == 0; }
  int64_t offset(int64_t tap) const { return (first + pad - tap * dilation) / stride; }
};

Phase phase_of(int64_t first, int64_t size, int64_t stride, int64_t pad, int64_t dilation) {
  return {first, (size - first + stride - 1) / stride, stride, pad, dilation};
}

// The outputs that any pixel of an axis may ask for.
Axis gradient_axis(int64_t in, int64_t out, int64_t kernel, int64_t stride, int64_t pad, int64_t dilation) {
  const int64_t lowest = -((kernel - 1) * dilation / stride) - 1, highest = (in - 1 + pad) / stride;
  return {out, lowest, 1, highest - lowest + 1};
}

struct GradientLayout {
  explicit GradientLayout(const Convolution& convolution)
      : c(convolution),
        rows(gradient_axis(c.in_height, c.out_height, c.kernel_height, c.stride_height, c.pad_top,
                           c.dilation_height)),
        columns(gradient_axis(c.in_width, c.out_width, c.kernel_width, c.stride_width, c.pad_left,
                              c.dilation_width)) {}

  int64_t size() const { return rows.length * columns.length; }
  Phase row_phase(int64_t y) const {
    return phase_of(y, c.in_height, c.stride_height, c.pad_top, c.dilation_height);
  }
  Phase column_phase(int64_t x) const {
    return phase_of(x, c.in_width, c.stride_width, c.pad_left, c.dilation_width);
  }
  int64_t take_taps(const Phase& y, const Phase& x, const float* copy, const float* w, Tap* taps) const {
    int64_t count = 0;
    for (int64_t kh = 0; kh < c.kernel_height; ++kh) {
      for (int64_t kw = 0; kw < c.kernel_width; ++kw) {
        if (!y.reached(kh) || !x.reached(kw)) continue;
        const int64_t row = y.offset(kh) - rows.first, column = x.offset(kw) - columns.first;
        taps[count++] = {copy + row * columns.length + column, w[kh * c.kernel_width + kw]};
      }
    }
    return count;
  }

  const Convolution& c;
  Axis rows, columns;
};

void gradient_of_phase(const Kernels& kernels, const GradientLayout& layout, const Phase& y, const Phase& x,
                       const float* w, const Room<float>& room, float* dx) {
  const int64_t count = layout.take_taps(y, x, room.copy, w, room.taps);
  const int64_t width = layout.columns.length;
  add_taps(kernels, room.taps, count, (y.count - 1) * width + x.count, room.other);
  for (int64_t r = 0; r < y.count; ++r) {
    float* out = dx + (y.first + r * y.stride) * layout.c.in_width + x.first;
    for (int64_t i = 0; i < x.count; ++i) out[i * x.stride] = room.other[r * width + i];
  }
}

// The weight gradient of one channel: sums over images of equal exponent, aligned.
void weight_gradient_of_channel(const Kernels& kernels, const Layout& layout, int64_t channel,
                                ConstQuantized dy, ConstQuantized x, const Room<int16_t>& room, int64_t* sums,
                                float* dw) {
  const Convolution& c = layout.c;
  const AlignedRows images =
      align_rows(c.batch, c.channel_groups, dy.exponents + channel, x.exponents + channel);
  const float power = power_of_two(images.largest - kGuardBits);
  int64_t* totals = sums + layout.taps;
  std::fill_n(totals, layout.taps, int64_t{0});
  for (size_t r = 0; r < images.rows.size();) {
    const int32_t v = images.rows[r].exponent;
    std::fill_n(sums, layout.taps, int64_t{0});
    for (; r < images.rows.size() && images.rows[r].exponent == v; ++r) {
      const int64_t plane = images.rows[r].index * c.channel_groups + channel;
      layout.copy_input(x.values + plane * c.in_height * c.in_width, room.copy);
      copy_with_zeros<int16_t>({c.out_height, 0, 1, c.out_height}, {c.out_width, 0, 1, layout.width},
                               dy.values + plane * c.out_height * c.out_width, room.other);
      for (int64_t t = 0; t < layout.taps; ++t)
        sums[t] += kernels.dot(room.other, room.copy + layout.offset(t), layout.run());
    }
    for (int64_t t = 0; t < layout.taps; ++t)
      totals[t] += shift_rounded(sums[t], images.largest - v - kGuardBits);
  }
  for (int64_t t = 0; t < layout.taps; ++t) dw[t] = to_binary32(totals[t]) * power;
}

}  // namespace

void fast_depthwise_convolve(Machine& machine, const Kernels& kernels, const Convolution& c, const float* x,
                             const float* w, float* y) {
  const Layout layout(c);
  const auto rooms = take_rooms<float>(machine, layout.size(), layout.run(), layout.taps);
  const int64_t out_plane = c.out_height * c.out_width;
  for_each_plane(
      machine, rooms, c.batch * c.channel_groups, layout.size(), [&](int64_t plane, const Room<float>& room) {
        layout.copy_input(x + plane * c.in_height * c.in_width, room.copy);
        const float* weights = w + plane % c.channel_groups * layout.taps;
        for (int64_t t = 0; t < layout.taps; ++t) room.taps[t] = {room.copy + layout.offset(t), weights[t]};
        add_taps(kernels, room.taps, layout.taps, layout.run(), room.other);
        for (int64_t oh = 0; oh < c.out_height; ++oh)
          std::copy_n(room.other + oh * layout.width, c.out_width, y + plane * out_plane + oh * c.out_width);
      });
}

void fast_depthwise_input_gradient(Machine& machine, const Kernels& kernels, const Convolution& c,
                                   const float* dy, const float* w, float* dx) {
  const GradientLayout layout(c);
  const int64_t taps = c.kernel_height * c.kernel_width;
  const auto rooms = take_rooms<float>(machine, layout.size(), layout.size(), taps);
  for_each_plane(
      machine, rooms, c.batch * c.channel_groups, layout.size(), [&](int64_t plane, const Room<float>& room) {
        copy_with_zeros(layout.rows, layout.columns, dy + plane * c.out_height * c.out_width, room.copy);
        const float* weights = w + plane % c.channel_groups * taps;
        float* out = dx + plane * c.in_height * c.in_width;
        for (int64_t y = 0; y < std::min(c.stride_height, c.in_height); ++y)
          for (int64_t x = 0; x < std::min(c.stride_width, c.in_width); ++x)
            gradient_of_phase(kernels, layout, layout.row_phase(y), layout.column_phase(x), weights, room,
                              out);
      });
}

void fast_depthwise_weight_gradient(Machine& machine, const Kernels& kernels, const Convolution& c,
                                    ConstQuantized dy, ConstQuantized x, float* dw) {
  const Layout layout(c);
  const auto rooms = take_rooms<int16_t>(machine, layout.size(), c.out_height * layout.width, 1);
  std::vector<int64_t*> sums;
  for (size_t i = 0; i < rooms.size(); ++i) sums.push_back(machine.scratch.take<int64_t>(2 * layout.taps));
  parallel_for(machine.pool, c.channel_groups, 1, [&](int64_t begin, int64_t end, int worker) {
    for (int64_t channel = begin; channel < end; ++channel) {
      const auto w = static_cast<size_t>(worker);
      weight_gradient_of_channel(kernels, layout, channel, dy, x, rooms[w], sums[w],
                                 dw + channel * layout.taps);
    }
  });
}

}  // namespace cairn::exact
