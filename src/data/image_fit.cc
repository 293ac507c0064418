#include <algorithm>

#include "data/image.h"
#include "data/resize.h"

namespace cairn::data {
namespace {

uint8_t grey(const uint8_t* rgb) {
  return static_cast<uint8_t>((77 * rgb[0] + 150 * rgb[1] + 29 * rgb[2] + 128) >> 8);
}

// [channels][height][width]
Bytes planes_of(const Picture& picture, uint32_t channels) {
  const size_t plane = size_t{picture.height} * picture.width;
  Bytes planes(channels * plane);
  for (size_t i = 0; i < plane; ++i) {
    const uint8_t* rgb = &picture.pixels[3 * i];
    if (channels == 1) {
      planes[i] = grey(rgb);
    } else {
      for (size_t c = 0; c < 3; ++c) planes[c * plane + i] = rgb[c];
    }
  }
  return planes;
}

}  // namespace

Bytes fit_picture(const Picture& picture, const PictureShape& shape) {
  CAIRN_ASSERT(picture.width > 0 && picture.height > 0 && shape.side <= shape.resize);
  const uint32_t shorter = std::min(picture.width, picture.height), side = shape.side;
  const ImageSize size = {picture.height * shape.resize / shorter, picture.width * shape.resize / shorter};
  const Bytes resized =
      resize(planes_of(picture, shape.channels), shape.channels, {picture.height, picture.width}, size);
  const size_t top = (size.height - side) / 2, left = (size.width - side) / 2;
  Bytes result;
  result.reserve(shape.size());
  for (size_t channel = 0; channel < shape.channels; ++channel) {
    for (size_t y = 0; y < side; ++y) {
      const auto row =
          resized.begin() + static_cast<ptrdiff_t>((channel * size.height + top + y) * size.width + left);
      result.insert(result.end(), row, row + side);
    }
  }
  return result;
}

}  // namespace cairn::data
