// Convolutions along the result: forward, and the gradient of the input. Each is a product of weights with an
// image that is read where it lies (see Planes): the integers of two channels (or four, of 8 bits) side by
// side, in chunks that stay in a second-level cache.
#pragma once

#include <span>

#include "exact/convolution_group.h"

namespace cairn::exact {

// The outputs are interlaced grids: pixel (y, x) of grid (i, j) is output pixel (y * down + i, x * across +
// j), and sums over taps of its own, those of grid (i, j) at taps[i * across + j], which meet the image from
// (y, x) times the steps of `planes` on. Every grid has the size that `planes` says.
struct DirectGrids {
  int64_t down, across;
  std::span<const std::span<const ConvolutionTap>> taps;
};

struct DirectConvolution {
  const Planes& planes;
  int64_t batch, channels;
  const DirectGrids& grids;

  // The weight of (row, channel, tap) is weights[row * row_stride + channel * channel_stride + tap].
  const int16_t* weights;
  int64_t rows, row_stride, channel_stride, taps;
  int bits;                   // of the larger integers, of weights and images
  const float* row_scales;    // at least rows, rounded up to whole panels
  const float* image_scales;  // of each image

  // Output [image][row][height][width].
  float* out;
  int64_t image_stride, height, width;
};

// Whether what it reads at a time fits a little memory, as it does but for kernels that reach absurdly far.
bool fits_direct(Machine&, const Planes& planes, int64_t channels);

// Precondition: fits_direct(). Takes scratch memory, and leaves what was taken before as it is.
void convolve_direct(Machine&, const DirectConvolution&);

}  // namespace cairn::exact
