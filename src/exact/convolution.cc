#include "exact/convolution.h"

#include <algorithm>

#include "exact/arithmetic.h"
#include "exact/convolution_direct.h"
#include "exact/convolution_group.h"
#include "exact/product_operands.h"
#include "exact/reference.h"

namespace cairn::exact {
namespace {

const float* take_image_scales(Scratch& scratch, const ConvolutionGroup& g, const int32_t* exponents) {
  float* scales = scratch.take<float>(g.c.batch);
  for (int64_t image = 0; image < g.c.batch; ++image) {
    const int32_t e = exponents[image * g.c.channel_groups + g.index];
    scales[image] = e == kEmptyGroup ? 0.0f : power_of_two(e);
  }
  return scales;
}

void convolve_group(Machine& machine, const ConvolutionGroup& g, ConstQuantized x, ConstQuantized w,
                    float* y) {
  Scratch& scratch = machine.scratch;
  const Convolution& c = g.c;
  ConvolutionTap* taps = scratch.take<ConvolutionTap>(g.taps);
  size_t count = 0;
  for (int64_t t = 0; t < g.taps; ++t) {
    const ConvolutionTap tap = tap_at(c, t);
    if (meets_image(c, tap)) taps[count++] = tap;
  }
  const std::span<const ConvolutionTap> all[] = {{taps, count}};
  const int64_t elements = g.in_channels * g.taps, first = g.index * g.out_channels;
  convolve_direct(
      machine,
      {input_planes(machine, g, x.values), c.batch, g.in_channels, DirectGrids{1, 1, all},
       w.values + first * elements, g.out_channels, elements, g.taps, g.taps, std::max(x.bits, w.bits),
       take_scales(scratch, w.exponents + first, g.out_channels), take_image_scales(scratch, g, x.exponents),
       y + first * g.out_plane, c.out_channels * g.out_plane, c.out_height, c.out_width});
}

// Along one axis, the input pixels i * stride + phase and the taps that reach them. Of output o a tap is
// input o * stride - pad + tap * dilation, so it reaches pixel i from output i + offset(tap), if from any.
struct GradientAxis {
  GradientAxis(int64_t in_size, int64_t out_size, int64_t kernel_size, int64_t stride_, int64_t pad_,
               int64_t dilation_)
      : in(in_size), out(out_size), kernel(kernel_size), stride(stride_), pad(pad_), dilation(dilation_) {}

  int64_t phases() const { return std::min(stride, in); }
  bool reached(int64_t phase, int64_t tap) const {
    return (phase + pad - tap * dilation) % stride == 0 &&
           meets_image(out, (in - phase + stride - 1) / stride, 1, offset(phase, tap));
  }
  int64_t offset(int64_t phase, int64_t tap) const { return (phase + pad - tap * dilation) / stride; }
  // As the pixels of one phase, whichever, meet the outputs.
  PlaneAxis axis(Scratch& scratch) const {
    int64_t* offsets = scratch.take<int64_t>(phases() * kernel + 1);
    size_t count = 0;
    for (int64_t phase = 0; phase < phases(); ++phase)
      for (int64_t tap = 0; tap < kernel; ++tap)
        if (reached(phase, tap)) offsets[count++] = offset(phase, tap);
    if (count == 0) offsets[count++] = 0;
    return PlaneAxis(out, (in + stride - 1) / stride, 1, {offsets, count});
  }

  int64_t in, out, kernel, stride, pad, dilation;
};

GradientAxis row_gradients(const Convolution& c) {
  return {c.in_height, c.out_height, c.kernel_height, c.stride_height, c.pad_top, c.dilation_height};
}
GradientAxis column_gradients(const Convolution& c) {
  return {c.in_width, c.out_width, c.kernel_width, c.stride_width, c.pad_left, c.dilation_width};
}

// The images of dy, as the input pixels meet them.
Planes output_planes(Machine& machine, const ConvolutionGroup& g, const int16_t* dy) {
  return {microkernels(machine.isa), dy + g.index * g.out_channels * g.out_plane,
          g.c.out_channels * g.out_plane, row_gradients(g.c).axis(machine.scratch),
          column_gradients(g.c).axis(machine.scratch)};
}

// The taps that reach the pixels of a phase of each axis.
std::span<const ConvolutionTap> take_taps(Scratch& scratch, const GradientAxis& rows,
                                          const GradientAxis& columns, int64_t row_phase,
                                          int64_t column_phase) {
  ConvolutionTap* taps = scratch.take<ConvolutionTap>(rows.kernel * columns.kernel);
  size_t count = 0;
  for (int64_t kh = 0; kh < rows.kernel; ++kh) {
    for (int64_t kw = 0; kw < columns.kernel; ++kw) {
      if (!rows.reached(row_phase, kh) || !columns.reached(column_phase, kw)) continue;
      taps[count++] = {rows.offset(row_phase, kh), columns.offset(column_phase, kw),
                       kh * columns.kernel + kw};
    }
  }
  return {taps, count};
}

void input_gradient_of_group(Machine& machine, const ConvolutionGroup& g, ConstQuantized dy, ConstQuantized w,
                             float* dx) {
  Scratch& scratch = machine.scratch;
  const Convolution& c = g.c;
  const GradientAxis rows = row_gradients(c), columns = column_gradients(c);
  const int64_t grids = rows.phases() * columns.phases();
  auto* taps = scratch.take<std::span<const ConvolutionTap>>(grids);
  for (int64_t i = 0; i < grids; ++i)
    taps[i] = take_taps(scratch, rows, columns, i / columns.phases(), i % columns.phases());
  const Planes planes = output_planes(machine, g, dy.values);
  const int64_t first = g.index * g.in_channels;
  convolve_direct(machine, {planes, c.batch, g.out_channels,
                            DirectGrids{rows.phases(), columns.phases(), {taps, static_cast<size_t>(grids)}},
                            w.values + g.index * g.out_channels * g.in_channels * g.taps, g.in_channels,
                            g.taps, g.in_channels * g.taps, g.taps, std::max(dy.bits, w.bits),
                            take_scales(scratch, w.exponents + first, g.in_channels),
                            take_image_scales(scratch, g, dy.exponents), dx + first * g.in_plane,
                            c.in_channels * g.in_plane, c.in_height, c.in_width});
}

}  // namespace

void fast_convolve(Machine& machine, const Convolution& any_shape, ConstQuantized x, ConstQuantized w,
                   float* y) {
  const Convolution c = in_one_row(any_shape);
  machine.scratch.reset();
  const ConvolutionGroup any(c, 0);
  if (!fits_direct(machine, input_planes(machine, any, x.values), any.in_channels))
    return Reference(machine.pool).convolve(c, x, w, y);
  for (int64_t group = 0; group < c.channel_groups; ++group) {
    machine.scratch.reset();
    convolve_group(machine, ConvolutionGroup(c, group), x, w, y);
  }
}

void fast_convolve_input_gradient(Machine& machine, const Convolution& any_shape, ConstQuantized dy,
                                  ConstQuantized w, float* dx) {
  const Convolution c = in_one_row(any_shape);
  machine.scratch.reset();
  const ConvolutionGroup any(c, 0);
  if (!fits_direct(machine, output_planes(machine, any, dy.values), any.out_channels))
    return Reference(machine.pool).convolve_input_gradient(c, dy, w, dx);
  for (int64_t group = 0; group < c.channel_groups; ++group) {
    machine.scratch.reset();
    input_gradient_of_group(machine, ConvolutionGroup(c, group), dy, w, dx);
  }
}

}  // namespace cairn::exact
