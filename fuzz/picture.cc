// A picture is refused, or has the pixels that its size says, and can be fitted.
#include "data/image.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace cairn;
  const auto picture = data::decode_picture(BytesView(data, size));
  if (!picture) return 0;
  CAIRN_ASSERT(picture->pixels.size() == size_t{3} * picture->width * picture->height);
  const data::PictureShape shape{3, 8, 9};
  if (size_t{picture->width} * picture->height > 1 << 16) return 0;  // for more inputs a second
  CAIRN_ASSERT(data::fit_picture(*picture, shape).size() == shape.size());
  return 0;
}
