// What happens to a training image by chance, in bytes: crop, flip, colours. Defined to the last bit in
// docs/formats/recipe.md.
#pragma once

#include <span>

#include "base/bytes.h"
#include "base/philox.h"
#include "work/recipe.h"

namespace cairn::work {

// Planes of bytes, one channel after the other: [channels][height][width].
struct Image {
  uint32_t channels, height, width;
  BytesView pixels;
};

// The middle of an image, as the model is tested on it. Precondition of both: `size` is at most the image's.
Bytes middle(const Image& image, InputSize size);

// Precondition: `place` is below 2^24, the place of the image in its unit.
Bytes augment(const Image& image, InputSize size, const Augmentation& augmentation, uint64_t seed,
              uint32_t unit, uint32_t place);

}  // namespace cairn::work
