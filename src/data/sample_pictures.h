// For tests and benchmarks: JPEG and PNG files of any kind. Needs no test framework; links what cairn_data
// does.
#pragma once

#include <turbojpeg.h>
#include <zlib.h>

#include <cstdlib>
#include <stdexcept>

#include "data/image.h"
#include "data/sample_files.h"

namespace cairn::data {

// [height][width][components]: 1 grey, 3 RGB, 4 the inks of CMYK as they are stored.
inline Bytes jpeg_file(uint32_t width, uint32_t height, BytesView pixels, int components = 3,
                       int quality = 95, int flags = 0) {
  const int format = components == 1 ? TJPF_GRAY : components == 3 ? TJPF_RGB : TJPF_CMYK;
  const tjhandle encoder = tjInitCompress();
  unsigned char* bytes = nullptr;
  unsigned long size = 0;
  const int failed = tjCompress2(encoder, pixels.data(), static_cast<int>(width), 0, static_cast<int>(height),
                                 format, &bytes, &size, components == 1 ? TJSAMP_GRAY : TJSAMP_444, quality,
                                 TJFLAG_ACCURATEDCT | flags);
  const Bytes file(bytes, bytes + size);
  tjFree(bytes);
  tjDestroy(encoder);
  if (failed != 0) throw std::runtime_error("no JPEG was written");
  return file;
}

inline void put_big_endian(Bytes& out, uint32_t value) {
  for (int shift = 24; shift >= 0; shift -= 8) out.push_back(static_cast<uint8_t>(value >> shift));
}

inline void put_png_chunk(Bytes& file, const char* kind, BytesView content) {
  put_big_endian(file, static_cast<uint32_t>(content.size()));
  const size_t begin = file.size();
  for (int i = 0; i < 4; ++i) file.push_back(static_cast<uint8_t>(kind[i]));
  file.insert(file.end(), content.begin(), content.end());
  put_big_endian(
      file, static_cast<uint32_t>(crc32(0, file.data() + begin, static_cast<unsigned>(file.size() - begin))));
}

// `rows`: [height] rows as PNG stores them, without filter bytes. `chunks`: what goes before them.
struct PngKind {
  uint8_t depth = 8, color = 2;  // 0 grey, 2 RGB, 3 palette, 4 grey with alpha, 6 RGB with alpha
  std::vector<std::pair<const char*, Bytes>> chunks = {};
};
inline Bytes png_file(uint32_t width, uint32_t height, const PngKind& kind, BytesView rows) {
  Bytes file = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};
  Bytes header;
  put_big_endian(header, width);
  put_big_endian(header, height);
  header.insert(header.end(), {kind.depth, kind.color, 0, 0, 0});
  put_png_chunk(file, "IHDR", header);
  for (const auto& [name, content] : kind.chunks) put_png_chunk(file, name, content);
  Bytes filtered;
  const size_t row = height == 0 ? 0 : rows.size() / height;
  for (uint32_t y = 0; y < height; ++y) {
    filtered.push_back(0);
    const BytesView line = rows.subspan(y * row, row);
    filtered.insert(filtered.end(), line.begin(), line.end());
  }
  uLongf size = compressBound(filtered.size());
  Bytes packed(size);
  compress2(packed.data(), &size, filtered.data(), filtered.size(), 1);
  packed.resize(size);
  put_png_chunk(file, "IDAT", packed);
  put_png_chunk(file, "IEND", {});
  return file;
}

// A JPEG with a segment of that kind after its first two bytes.
inline Bytes with_segment(const Bytes& jpeg, uint8_t kind, BytesView content) {
  Bytes file(jpeg.begin(), jpeg.begin() + 2);
  const size_t size = content.size() + 2;
  file.insert(file.end(), {0xff, kind, static_cast<uint8_t>(size >> 8), static_cast<uint8_t>(size)});
  file.insert(file.end(), content.begin(), content.end());
  file.insert(file.end(), jpeg.begin() + 2, jpeg.end());
  return file;
}

// A TIFF header with one tag, the orientation.
inline Bytes exif_block(uint8_t orientation, bool little_endian = true) {
  if (little_endian)
    return {'I', 'I', 42, 0, 8, 0, 0, 0, 1, 0, 0x12, 1, 3, 0, 1, 0, 0, 0, orientation, 0, 0, 0};
  return {'M', 'M', 0, 42, 0, 0, 0, 8, 0, 1, 1, 0x12, 0, 3, 0, 0, 0, 1, 0, orientation, 0, 0};
}

// A picture in one colour that depends on `number`.
inline Bytes plain_pixels(uint32_t width, uint32_t height, uint32_t number) {
  Bytes pixels;
  for (uint32_t i = 0; i < width * height; ++i) {
    for (const uint32_t factor : {37u, 91u, 53u}) pixels.push_back(static_cast<uint8_t>(number * factor));
  }
  return pixels;
}

}  // namespace cairn::data
