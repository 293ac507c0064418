#include "work/gradient_file.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
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

void read_head(ByteReader& reader, GradientHead& head) {
  if (reader.string("magic", kMagic.size()) != kMagic) reader.fail("magic", "this is no gradient file");
  const uint32_t version = reader.u32("version");
  if (version != kVersion) reader.fail("version", std::to_string(version) + " where 1 is known");
  head.project.bytes = reader.array<32>("project");
  head.snapshot.bytes = reader.array<32>("snapshot");
  head.round = reader.u32("round");
  head.unit = reader.u32("unit");
  head.samples = reader.u32("samples");
  if (head.samples == 0) reader.fail("samples", "a gradient is of at least one image");
  head.loss = reader.f32("loss");
  if (!std::isfinite(head.loss)) reader.fail("loss", "not a finite number");
  head.bits = reader.u8("bits");
  if (head.bits != 8 && head.bits != 16) {
    reader.fail("bits", std::to_string(head.bits) + " is neither 8 nor 16");
  }
  head.block_size = reader.u32("block size");
  if (head.block_size == 0 || head.block_size > kMaxBlockSize) {
    reader.fail("block size",
                std::to_string(head.block_size) + " is not between 1 and " + std::to_string(kMaxBlockSize));
  }
}

// A canonical file whose numbers are still where they were read.
struct View {
  GradientSummary summary;
  BytesView exponents;  // one for each block
  BytesView values;     // one or two bytes each
};

int8_t exponent_at(const View& view, size_t block) {
  return static_cast<int8_t>(view.exponents[block]);
}

template <int Bits>
int16_t value_at(const View& view, size_t i) {
  if constexpr (Bits == 8) return static_cast<int8_t>(view.values[i]);
  static_assert(std::endian::native == std::endian::little);
  int16_t value;
  std::memcpy(&value, &view.values[2 * i], sizeof value);
  return value;
}

Status check_exponents(const View& view) {
  for (size_t block = 0; block < view.exponents.size(); ++block) {
    const int exponent = exponent_at(view, block);
    if (exponent >= kMinExponent && exponent <= kMaxExponent) continue;
    return Error{"exponents: " + std::to_string(exponent) + " is not between -126 and 63"};
  }
  return {};
}

template <int Bits>
Status check_block(const View& view, size_t block) {
  constexpr int kLowest = -(1 << (Bits - 1));
  const size_t first = block * view.summary.block_size;
  const size_t last = std::min<size_t>(first + view.summary.block_size, view.summary.values);
  bool zeros = true, allowed = true;
  for (size_t i = first; i < last; ++i) {
    const int value = value_at<Bits>(view, i);
    allowed &= value != kLowest;
    zeros &= value == 0;
  }
  for (size_t i = first; !allowed; ++i) {
    if (value_at<Bits>(view, i) == kLowest)
      return Error{"values: number " + std::to_string(i) + " is below the smallest allowed"};
  }
  if (zeros && exponent_at(view, block) != 0) {
    return Error{"exponents: block " + std::to_string(block) + " is all zeros but its exponent is " +
                 std::to_string(exponent_at(view, block))};
  }
  return {};
}

template <int Bits>
Status check_values(const View& view) {
  for (size_t block = 0; block < view.exponents.size(); ++block) CAIRN_CHECK(check_block<Bits>(view, block));
  return {};
}

Result<View> read(BytesView bytes) {
  if (bytes.size() > kMaxGradientFileSize) return Error{"size: larger than a gradient file may be"};
  ByteReader reader(bytes);
  View view;
  GradientSummary& summary = view.summary;
  read_head(reader, summary);
  summary.values = reader.count("value count", summary.bits / 8, static_cast<uint32_t>(kMaxParameters));
  if (summary.values == 0) reader.fail("value count", "a gradient has at least one value");
  CAIRN_CHECK(reader.status());
  view.exponents = reader.raw("exponents", block_count(summary.values, summary.block_size));
  view.values = reader.raw("values", size_t{summary.values} * (summary.bits / 8));
  CAIRN_CHECK(reader.finish());
  CAIRN_CHECK(check_exponents(view));
  CAIRN_CHECK(summary.bits == 8 ? check_values<8>(view) : check_values<16>(view));
  return view;
}

template <int Bits>
void copy_values(const View& view, std::vector<int16_t>& values) {
  values.resize(view.summary.values);
  for (size_t i = 0; i < values.size(); ++i) values[i] = value_at<Bits>(view, i);
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

Result<GradientSummary> check_gradient_file(BytesView bytes) {
  const Result<View> view = read(bytes);
  if (!view) return view.error().within("gradient file");
  return view->summary;
}

Result<GradientFile> decode_gradient_file(BytesView bytes) {
  const Result<View> view = read(bytes);
  if (!view) return view.error().within("gradient file");
  GradientFile file;
  static_cast<GradientHead&>(file) = view->summary;
  for (size_t block = 0; block < view->exponents.size(); ++block)
    file.exponents.push_back(exponent_at(*view, block));
  view->summary.bits == 8 ? copy_values<8>(*view, file.values) : copy_values<16>(*view, file.values);
  return file;
}

}  // namespace cairn::work
