// One channel group of a convolution, and how its taps meet the images.
#pragma once

#include "exact/convolution_planes.h"
#include "exact/product.h"

namespace cairn::exact {

struct ConvolutionGroup {
  ConvolutionGroup(const Convolution& convolution, int64_t group)
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

// The same convolution as one of long rows, where each output meets only the pixel of its place.
Convolution in_one_row(const Convolution& c);

// Where output pixel (y, x) meets the image under tap `index`: at (y * stride + this y, x * stride + this x).
struct ConvolutionTap {
  int64_t y, x;
  int64_t index;
};
ConvolutionTap tap_at(const Convolution& c, int64_t index);

// Whether any output o of an axis meets a pixel at o * stride + offset.
bool meets_image(int64_t size, int64_t outputs, int64_t stride, int64_t offset);
// Whether a tap meets anything but padding. Of a small image, most of a kernel does not.
bool meets_image(const Convolution& c, const ConvolutionTap& tap);

// The images of x, as the outputs meet them. Takes scratch memory.
Planes input_planes(Machine& machine, const ConvolutionGroup& g, const int16_t* x);

}  // namespace cairn::exact
