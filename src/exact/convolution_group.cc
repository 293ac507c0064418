#include "exact/convolution_group.h"

namespace cairn::exact {
namespace {

// Where the taps of one axis meet an image, for Planes.
std::span<int64_t> take_offsets(Scratch& scratch, int64_t taps, int64_t pad, int64_t dilation) {
  int64_t* offsets = scratch.take<int64_t>(taps);
  for (int64_t i = 0; i < taps; ++i) offsets[i] = i * dilation - pad;
  return {offsets, static_cast<size_t>(taps)};
}

}  // namespace

Convolution in_one_row(const Convolution& c) {
  const bool same_place = c.kernel_height == 1 && c.kernel_width == 1 && c.stride_height == 1 &&
                          c.stride_width == 1 && c.pad_top == 0 && c.pad_left == 0 &&
                          c.out_height == c.in_height && c.out_width == c.in_width;
  if (!same_place) return c;
  Convolution row = c;
  row.in_height = row.out_height = 1;
  row.in_width = row.out_width = c.in_height * c.in_width;
  return row;
}

ConvolutionTap tap_at(const Convolution& c, int64_t index) {
  return {index / c.kernel_width * c.dilation_height - c.pad_top,
          index % c.kernel_width * c.dilation_width - c.pad_left, index};
}

bool meets_image(int64_t size, int64_t outputs, int64_t stride, int64_t offset) {
  const int64_t first = offset < 0 ? (-offset + stride - 1) / stride : 0;
  return first < outputs && first * stride + offset < size;
}

bool meets_image(const Convolution& c, const ConvolutionTap& tap) {
  return meets_image(c.in_height, c.out_height, c.stride_height, tap.y) &&
         meets_image(c.in_width, c.out_width, c.stride_width, tap.x);
}

Planes input_planes(Machine& machine, const ConvolutionGroup& g, const int16_t* x) {
  const Convolution& c = g.c;
  Scratch& scratch = machine.scratch;
  return {microkernels(machine.isa), x + g.index * g.in_channels * g.in_plane, c.in_channels * g.in_plane,
          PlaneAxis(c.in_height, c.out_height, c.stride_height,
                    take_offsets(scratch, c.kernel_height, c.pad_top, c.dilation_height)),
          PlaneAxis(c.in_width, c.out_width, c.stride_width,
                    take_offsets(scratch, c.kernel_width, c.pad_left, c.dilation_width))};
}

}  // namespace cairn::exact
