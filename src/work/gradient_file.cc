#include "work/gradient_file.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <string>

namespace cairn::work {
namespace {

constexpr std::string_view kMagic = "cairn gradient";
constexpr uint32_t kVersion = 1;

size_t block_count(size_t values, size_t block_size) {
  return (values + block_size - 1) / block_size;
}

void write_values(const GradientFile& file, ByteWriter& writer) {
  Bytes bytes;
  bytes.reserve(file.values.size() * (file.bits / 8));
  for (const int16_t value : file.values) {
    bytes.push_back(static_cast<uint8_t>(value));
    if (file.bits == 16) bytes.push_back(static_cast<uint8_t>(static_cast<uint16_t>(value) >> 8));
  }
  writer.raw(bytes);
}

void read_header(ByteReader& reader, GradientFile& file) {
  if (reader.string("magic", kMagic.size()) != kMagic) reader.fail("magic", "this is no gradient file");
  const uint32_t version = reader.u32("version");
  if (version != kVersion) reader.fail("version", std::to_string(version) + " where 1 is known");
  file.project.bytes = reader.array<32>("project");
  file.snapshot.bytes = reader.array<32>("snapshot");
  file.round = reader.u32("round");
  file.unit = reader.u32("unit");
  file.samples = reader.u32("samples");
  if (file.samples == 0) reader.fail("samples", "a gradient is of at least one image");
  file.loss = reader.f32("loss");
  if (!std::isfinite(file.loss)) reader.fail("loss", "not a finite number");
  file.bits = reader.u8("bits");
  if (file.bits != 8 && file.bits != 16) {
    reader.fail("bits", std::to_string(file.bits) + " is neither 8 nor 16");
  }
  file.block_size = reader.u32("block size");
  if (file.block_size == 0 || file.block_size > kMaxBlockSize) {
    reader.fail("block size",
                std::to_string(file.block_size) + " is not between 1 and " + std::to_string(kMaxBlockSize));
  }
}

void read_values(ByteReader& reader, GradientFile& file, uint32_t count) {
  const size_t width = file.bits / 8;
  const BytesView bytes = reader.raw("values", count * width);
  if (!reader.ok()) return;
  file.values.resize(count);
  for (size_t i = 0; i < count; ++i) {
    const auto low = static_cast<uint16_t>(bytes[i * width]);
    file.values[i] = width == 1 ? static_cast<int8_t>(low)
                                : static_cast<int16_t>(static_cast<uint16_t>(low | bytes[i * 2 + 1] << 8));
  }
}

void check_values(ByteReader& reader, const GradientFile& file) {
  const int lowest = -(1 << (file.bits - 1));
  for (size_t block = 0; block < file.exponents.size(); ++block) {
    const size_t first = block * file.block_size;
    const size_t last = std::min(first + file.block_size, file.values.size());
    bool zeros = true;
    for (size_t i = first; i < last; ++i) {
      if (file.values[i] == lowest) {
        return reader.fail("values", "number " + std::to_string(i) + " is below the smallest allowed");
      }
      zeros = zeros && file.values[i] == 0;
    }
    if (zeros && file.exponents[block] != 0) {
      return reader.fail("exponents", "block " + std::to_string(block) +
                                          " is all zeros but its exponent is " +
                                          std::to_string(file.exponents[block]));
    }
  }
}

Result<GradientFile> decode(BytesView bytes) {
  if (bytes.size() > kMaxGradientFileSize) return Error{"size: larger than a gradient file may be"};
  ByteReader reader(bytes);
  GradientFile file;
  read_header(reader, file);
  const uint32_t count = reader.count("value count", file.bits / 8, static_cast<uint32_t>(kMaxParameters));
  if (count == 0) reader.fail("value count", "a gradient has at least one value");
  CAIRN_CHECK(reader.status());
  const BytesView exponents = reader.raw("exponents", block_count(count, file.block_size));
  for (const uint8_t byte : exponents) {
    const auto exponent = static_cast<int8_t>(byte);
    if (exponent < kMinExponent || exponent > kMaxExponent) {
      reader.fail("exponents", std::to_string(exponent) + " is not between -126 and 63");
    }
    file.exponents.push_back(exponent);
  }
  read_values(reader, file, count);
  if (reader.ok()) check_values(reader, file);
  CAIRN_CHECK(reader.finish());
  return file;
}

}  // namespace

Bytes encode(const GradientFile& file) {
  CAIRN_ASSERT(file.block_size > 0 && !file.values.empty());
  CAIRN_ASSERT(file.exponents.size() == block_count(file.values.size(), file.block_size));
  ByteWriter writer;
  writer.string(kMagic);
  writer.u32(kVersion);
  writer.raw(file.project.bytes);
  writer.raw(file.snapshot.bytes);
  writer.u32(file.round);
  writer.u32(file.unit);
  writer.u32(file.samples);
  writer.f32(file.loss);
  writer.u8(file.bits);
  writer.u32(file.block_size);
  writer.u32(static_cast<uint32_t>(file.values.size()));
  for (const int8_t exponent : file.exponents) writer.u8(static_cast<uint8_t>(exponent));
  write_values(file, writer);
  return writer.take();
}

Result<GradientFile> decode_gradient_file(BytesView bytes) {
  Result<GradientFile> file = decode(bytes);
  if (!file) return file.error().within("gradient file");
  return file;
}

}  // namespace cairn::work
