// Changing the size of an image, in integers: the same bytes everywhere. Defined to the last bit in
// docs/formats/manifest.md.
#pragma once

#include <cstdint>

#include "base/bytes.h"

namespace cairn::data {

struct ImageSize {
  uint32_t height, width;
  bool operator==(const ImageSize&) const = default;
};

// A triangle filter, first along rows and then along columns, as wide as two pixels of whichever of the two
// images has the larger ones (P. Heckbert, "Fundamentals of Texture Mapping and Image Warping", 1989). Planes
// are one channel after the other. Precondition: `pixels` are channels * from.height * from.width bytes, and
// no side is 0 or above 2^14.
Bytes resize(BytesView pixels, uint32_t channels, ImageSize from, ImageSize to);

}  // namespace cairn::data
