// Pictures: from the bytes of a JPEG or PNG file to the pixels of a sample. Integers alone, each rounding
// defined in docs/formats/manifest.md, so that everybody who has the file gets the same pixels.
//
// JPEG (ITU-T T.81) through libjpeg-turbo's TurboJPEG interface, which reports errors by value, where
// libjpeg's own jumps out of C++ frames; PNG (W3C) through libpng. Both decode into memory that the declared
// size fixes, so that size is judged before anything is allocated.
#pragma once

#include <cstdint>

#include "base/bytes.h"

namespace cairn::data {

struct Picture {
  uint32_t width = 0, height = 0;
  Bytes pixels;  // [height][width][3], red green blue
};

// What a source picture becomes.
struct PictureShape {
  uint32_t channels = 3;  // 3: red green blue; 1: grey
  uint32_t side = 224;    // of the square that is kept
  uint32_t resize = 224;  // what the shorter side becomes before; at least `side`
  uint64_t size() const { return uint64_t{channels} * side * side; }
};

// Of pictures and what becomes of them.
inline constexpr uint32_t kMaxImportSide = 2048;
inline constexpr uint64_t kMaxPictureFile = 64 << 20;   // bytes
inline constexpr uint64_t kMaxPicturePixels = 1 << 26;  // declared width times height
inline constexpr uint32_t kMaxPictureSide = 1 << 14;
inline constexpr uint32_t kMaxPictureRatio = 8;     // of the longer side to the shorter
inline constexpr uint64_t kLargePicture = 1 << 22;  // pixels: of larger ones, one at a time is decoded

// Upright (EXIF orientation) and in RGB, whatever the file has. Refuses what the decoder warns of too, since
// from there on it guesses. Safe for several threads.
Result<Picture> decode_picture(BytesView file);

// The shorter side becomes `shape.resize` (data/resize.h), the longer one in proportion, rounded down; then
// the middle is cut out: [channels][side][side]. Precondition: decode_picture() accepts such a size, and side
// <= resize <= kMaxImportSide.
Bytes fit_picture(const Picture& picture, const PictureShape& shape);

}  // namespace cairn::data
