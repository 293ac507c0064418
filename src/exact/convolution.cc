#include "exact/convolution.h"

#include <algorithm>

#include "exact/arithmetic.h"
#include "exact/convolution_patches.h"

namespace cairn::exact {
namespace {

// Results of a grid within the planes of images [image][channel][height][width].
struct PlaneSink final : public TileSink {
  PlaneSink(const PatchGrid& grid, float* out, int64_t image_stride, int64_t height, int64_t width)
      : grid_(grid), out_(out), image_stride_(image_stride), plane_(height * width), width_(width) {}

  // Grid pixel (y, x) is pixel (y * step_y + first_y, x * step_x + first_x).
  void spread(int64_t first_y, int64_t first_x, int64_t step_y, int64_t step_x) {
    first_ = first_y * width_ + first_x;
    step_y_ = step_y;
    step_x_ = step_x;
    dense_ = step_y == 1 && step_x == 1;
  }

  float* place(int64_t row, int64_t column, int64_t columns, int64_t* stride) const override {
    float* result = nullptr;
    if (!dense_) return result;
    grid_.for_each_image(column, column + columns, [&](int64_t image, int64_t first, int64_t count, int64_t) {
      if (count == columns) result = out_ + image * image_stride_ + row * plane_ + first;
    });
    *stride = plane_;
    return result;
  }

  void store(int64_t row, int64_t column, int64_t columns, const float* values) const override {
    grid_.for_each_image(column, column + columns,
                         [&](int64_t image, int64_t first, int64_t count, int64_t offset) {
                           float* plane = out_ + image * image_stride_ + row * plane_ + first_;
                           store_pixels(plane, first, values + offset, count);
                         });
  }

 private:
  void store_pixels(float* plane, int64_t first, const float* values, int64_t count) const {
    int64_t y = first / grid_.grid_width, x = first % grid_.grid_width;
    for (const float* end = values + count; values < end; ++y, x = 0) {
      const int64_t pixels = std::min(grid_.grid_width - x, end - values);
      float* out = plane + y * step_y_ * width_ + x * step_x_;
      for (int64_t i = 0; i < pixels; ++i) out[i * step_x_] = values[i];
      values += pixels;
    }
  }

  const PatchGrid& grid_;
  float* out_;
  int64_t image_stride_, plane_, width_;
  int64_t first_ = 0, step_y_ = 1, step_x_ = 1;
  bool dense_ = true;
};

// One channel group of a convolution.
struct Group {
  Group(const Convolution& convolution, int64_t group)
      : c(convolution),
        index(group),
        in_channels(c.in_channels / c.channel_groups),
        out_channels(c.out_channels / c.channel_groups),
        taps(c.kernel_height * c.kernel_width),
        in_plane(c.in_height * c.in_width),
        out_plane(c.out_height * c.out_width) {}

  const Convolution& c;
  int64_t index, in_channels, out_channels, taps, in_plane, out_plane;
};

std::span<const Tap> take_taps(Scratch& scratch, const Convolution& c) {
  Tap* taps = scratch.take<Tap>(c.kernel_height * c.kernel_width);
  size_t count = 0;
  for (int64_t kh = 0; kh < c.kernel_height; ++kh) {
    for (int64_t kw = 0; kw < c.kernel_width; ++kw) {
      taps[count++] = {kh * c.dilation_height - c.pad_top, kw * c.dilation_width - c.pad_left};
    }
  }
  return {taps, count};
}

// Every image in order, of `grid` positions each.
std::span<const ProductRuns::Item> take_images(Scratch& scratch, int64_t batch, int64_t grid) {
  auto* images = scratch.take<ProductRuns::Item>(batch);
  for (int64_t i = 0; i < batch; ++i) images[i] = {i, i * grid};
  return {images, static_cast<size_t>(batch)};
}

// The outputs of x under the kernel.
PatchGrid input_patches(const Group& g, const int16_t* x, std::span<const Tap> taps,
                        std::span<const ProductRuns::Item> images) {
  const Convolution& c = g.c;
  return {x + g.index * g.in_channels * g.in_plane,
          c.in_channels * g.in_plane,
          g.in_channels,
          c.in_height,
          c.in_width,
          c.out_height,
          c.out_width,
          c.stride_height,
          c.stride_width,
          taps,
          images};
}

// The scale of each grid pixel: of its image and the channel group.
const float* take_pixel_scales(Scratch& scratch, const Group& g, const int32_t* exponents, int64_t grid) {
  float* scales = scratch.take<float>(g.c.batch * grid + kMostLanes);
  for (int64_t image = 0; image < g.c.batch; ++image) {
    const int32_t e = exponents[image * g.c.channel_groups + g.index];
    std::fill_n(scales + image * grid, grid, e == kEmptyGroup ? 0.0f : power_of_two(e));
  }
  std::fill_n(scales + g.c.batch * grid, kMostLanes, 0.0f);
  return scales;
}

// Of a group's weights, [out][in][tap], the taps that `indices` names, as [in][out][index].
const int16_t* take_transposed_weights(Machine& machine, const Group& g, const int16_t* w,
                                       std::span<const int64_t> indices) {
  constexpr int64_t kChannels = 8;  // so many neighbours share what is read
  const int64_t count = static_cast<int64_t>(indices.size());
  int16_t* weights = machine.scratch.take<int16_t>(g.in_channels * g.out_channels * count);
  machine.pool.run((g.in_channels + kChannels - 1) / kChannels, [&](int64_t block, int) {
    const int64_t last = std::min((block + 1) * kChannels, g.in_channels);
    for (int64_t oc = 0; oc < g.out_channels; ++oc) {
      for (int64_t ic = block * kChannels; ic < last; ++ic) {
        const int16_t* from = w + ((g.index * g.out_channels + oc) * g.in_channels + ic) * g.taps;
        int16_t* out = weights + (ic * g.out_channels + oc) * count;
        for (int64_t t = 0; t < count; ++t) out[t] = from[indices[static_cast<size_t>(t)]];
      }
    }
  });
  return weights;
}

void convolve_group(Machine& machine, const Group& g, ConstQuantized x, ConstQuantized w, float* y) {
  Scratch& scratch = machine.scratch;
  const Convolution& c = g.c;
  const PatchGrid patches =
      input_patches(g, x.values, take_taps(scratch, c), take_images(scratch, c.batch, g.out_plane));
  const int64_t elements = g.in_channels * g.taps, first = g.index * g.out_channels;
  const PositionRun all[] = {{(elements + 1) / 2 * 2, 0}};
  multiply_tiled(
      machine,
      {g.out_channels, c.batch * g.out_plane, all, LaneMatrix(w.values + first * elements, elements),
       PatchSteps(patches), take_scales(scratch, w.exponents + first, g.out_channels),
       take_pixel_scales(scratch, g, x.exponents, g.out_plane),
       PlaneSink(patches, y + first * g.out_plane, c.out_channels * g.out_plane, c.out_height, c.out_width)});
}

void weight_gradient_of_group(Machine& machine, const Group& g, ConstQuantized dy, ConstQuantized x,
                              float* dw) {
  Scratch& scratch = machine.scratch;
  const Convolution& c = g.c;
  const ProductRuns runs = sort_runs(scratch, c.batch, g.out_plane, c.channel_groups, dy.exponents + g.index,
                                     x.exponents + g.index);
  const PatchGrid patches = input_patches(g, x.values, take_taps(scratch, c), runs.items);
  const Tap same[] = {{0, 0}};
  const PatchGrid outputs{dy.values + g.index * g.out_channels * g.out_plane,
                          c.out_channels * g.out_plane,
                          g.out_channels,
                          c.out_height,
                          c.out_width,
                          c.out_height,
                          c.out_width,
                          1,
                          1,
                          same,
                          runs.items};
  const int64_t elements = g.in_channels * g.taps;
  multiply_tiled(machine, {g.out_channels, elements, runs.runs, PatchLanes(outputs), PatchLanes(patches),
                           take_equal_scales(scratch, runs.scale, g.out_channels),
                           take_equal_scales(scratch, 1.0f, elements),
                           MatrixSink(dw + g.index * g.out_channels * elements, elements)});
}

// The input pixels that are `first` + i * stride along one axis, and the taps that reach them. Of output o it
// is input o * stride - pad + tap * dilation, so tap t reaches pixel i from output i + offset(t).
struct Phase {
  int64_t first, count;  // pixels
  int64_t stride, pad, dilation;

  bool reached(int64_t tap) const { return (first + pad - tap * dilation) % stride == 0; }
  int64_t offset(int64_t tap) const { return (first + pad - tap * dilation) / stride; }
};

Phase phase_of(int64_t first, int64_t size, int64_t stride, int64_t pad, int64_t dilation) {
  return {first, (size - first + stride - 1) / stride, stride, pad, dilation};
}

// The gradient of the pixels of one phase of each axis: a convolution of dy, with stride 1, by those taps of
// the weights that reach the phase.
void input_gradient_of_phase(Machine& machine, const Group& g, const Phase& rows, const Phase& columns,
                             ConstQuantized dy, ConstQuantized w, float* dx) {
  Scratch& scratch = machine.scratch;
  const Convolution& c = g.c;
  Tap* taps = scratch.take<Tap>(g.taps);
  int64_t* indices = scratch.take<int64_t>(g.taps);
  int64_t count = 0;
  for (int64_t kh = 0; kh < c.kernel_height; ++kh) {
    for (int64_t kw = 0; kw < c.kernel_width; ++kw) {
      if (!rows.reached(kh) || !columns.reached(kw)) continue;
      indices[count] = kh * c.kernel_width + kw;
      taps[count++] = {rows.offset(kh), columns.offset(kw)};
    }
  }
  const int64_t elements = g.out_channels * count;
  const int16_t* weights =
      take_transposed_weights(machine, g, w.values, {indices, static_cast<size_t>(count)});
  const int64_t grid = rows.count * columns.count, first = g.index * g.in_channels;
  const PatchGrid patches{dy.values + g.index * g.out_channels * g.out_plane,
                          c.out_channels * g.out_plane,
                          g.out_channels,
                          c.out_height,
                          c.out_width,
                          rows.count,
                          columns.count,
                          1,
                          1,
                          {taps, static_cast<size_t>(count)},
                          take_images(scratch, c.batch, grid)};
  PlaneSink sink(patches, dx + first * g.in_plane, c.in_channels * g.in_plane, c.in_height, c.in_width);
  sink.spread(rows.first, columns.first, rows.stride, columns.stride);
  const PositionRun all[] = {{(elements + 1) / 2 * 2, 0}};
  multiply_tiled(machine, {g.in_channels, c.batch * grid, all, LaneMatrix(weights, elements),
                           PatchSteps(patches), take_scales(scratch, w.exponents + first, g.in_channels),
                           take_pixel_scales(scratch, g, dy.exponents, grid), sink});
}

}  // namespace

void fast_convolve(Machine& machine, const Convolution& c, ConstQuantized x, ConstQuantized w, float* y) {
  for (int64_t group = 0; group < c.channel_groups; ++group) {
    machine.scratch.reset();
    convolve_group(machine, Group(c, group), x, w, y);
  }
}

void fast_convolve_input_gradient(Machine& machine, const Convolution& c, ConstQuantized dy, ConstQuantized w,
                                  float* dx) {
  for (int64_t group = 0; group < c.channel_groups; ++group) {
    for (int64_t y = 0; y < std::min(c.stride_height, c.in_height); ++y) {
      for (int64_t x = 0; x < std::min(c.stride_width, c.in_width); ++x) {
        machine.scratch.reset();
        input_gradient_of_phase(
            machine, Group(c, group), phase_of(y, c.in_height, c.stride_height, c.pad_top, c.dilation_height),
            phase_of(x, c.in_width, c.stride_width, c.pad_left, c.dilation_width), dy, w, dx);
      }
    }
  }
}

void fast_convolve_weight_gradient(Machine& machine, const Convolution& c, ConstQuantized dy,
                                   ConstQuantized x, float* dw) {
  for (int64_t group = 0; group < c.channel_groups; ++group) {
    machine.scratch.reset();
    weight_gradient_of_group(machine, Group(c, group), dy, x, dw);
  }
}

}  // namespace cairn::exact
