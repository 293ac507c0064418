#include "data/exif.h"

#include <algorithm>
#include <string_view>

namespace cairn::data {
namespace {

// Numbers of a TIFF file (revision 6.0), in the order of bytes that it states. Outside: 0.
class Tiff {
 public:
  explicit Tiff(BytesView bytes) : bytes_(bytes), little_(!bytes.empty() && bytes[0] == 'I') {}

  uint32_t number(size_t place, size_t size) const {
    if (place > bytes_.size() || size > bytes_.size() - place) return 0;
    uint32_t value = 0;
    for (size_t i = 0; i < size; ++i) value = value << 8 | bytes_[place + (little_ ? size - 1 - i : i)];
    return value;
  }

 private:
  BytesView bytes_;
  bool little_;
};

bool begins_with(BytesView bytes, std::string_view text) {
  return bytes.size() >= text.size() && std::ranges::equal(bytes.first(text.size()), as_bytes(text));
}

constexpr uint8_t kApp1 = 0xe1, kApp14 = 0xee, kStartOfScan = 0xda, kFill = 0xff;

}  // namespace

int exif_orientation(BytesView bytes) {
  constexpr uint32_t kOrientation = 0x0112, kShort = 3;
  constexpr size_t kEntry = 12;
  const Tiff tiff(bytes);
  if (tiff.number(2, 2) != 42) return 1;
  const size_t directory = tiff.number(4, 4);
  const uint32_t entries = tiff.number(directory, 2);
  for (uint32_t i = 0; i < entries; ++i) {
    const size_t entry = directory + 2 + i * kEntry;
    if (tiff.number(entry, 2) != kOrientation || tiff.number(entry + 2, 2) != kShort) continue;
    const uint32_t value = tiff.number(entry + 8, 2);
    return value >= 1 && value <= 8 ? static_cast<int>(value) : 1;
  }
  return 1;
}

JpegMarks jpeg_marks(BytesView file) {
  constexpr std::string_view kExif("Exif\0\0", 6);
  JpegMarks marks;
  size_t place = 2;  // after the start of the image
  while (place + 4 <= file.size() && file[place] == kFill) {
    const uint8_t kind = file[place + 1];
    if (kind == kFill) {
      ++place;
      continue;
    }
    if (kind == kStartOfScan) break;
    const size_t size = size_t{file[place + 2]} << 8 | file[place + 3];
    if (size < 2 || size > file.size() - place - 2) break;
    const BytesView segment = file.subspan(place + 4, size - 2);
    if (kind == kApp14 && begins_with(segment, "Adobe")) marks.adobe = true;
    if (kind == kApp1 && begins_with(segment, kExif))
      marks.orientation = exif_orientation(segment.subspan(kExif.size()));
    place += 2 + size;
  }
  return marks;
}

// 2, 4, 5 and 7 are mirrored; from 5 on, rows and columns are exchanged.
Picture upright(Picture picture, int orientation) {
  if (orientation <= 1 || orientation > 8) return picture;
  const bool exchanged = orientation >= 5;
  const bool from_right = orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8;
  const bool from_bottom = orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;
  Picture turned{exchanged ? picture.height : picture.width, exchanged ? picture.width : picture.height, {}};
  turned.pixels.resize(picture.pixels.size());
  for (uint32_t y = 0; y < turned.height; ++y) {
    for (uint32_t x = 0; x < turned.width; ++x) {
      const uint32_t column = exchanged ? y : x, row = exchanged ? x : y;
      const size_t from = size_t{from_bottom ? picture.height - 1 - row : row} * picture.width +
                          (from_right ? picture.width - 1 - column : column);
      std::copy_n(&picture.pixels[3 * from], 3, &turned.pixels[3 * (size_t{y} * turned.width + x)]);
    }
  }
  return turned;
}

}  // namespace cairn::data
