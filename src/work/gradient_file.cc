#include "work/gradient_file.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <string>

#include "work/positions.h"
#include "work/trace.h"

namespace cairn::work {
namespace {

constexpr std::string_view kMagic = "cairn gradient";
constexpr uint32_t kVersion = 2;

size_t block_count(uint64_t values, uint64_t block_size) {
  return (values + block_size - 1) / block_size;
}

size_t values_size(uint64_t values, int bits) {
  return (values * static_cast<uint64_t>(bits) + 7) / 8;
}

// Two values of 4 bits share a byte, the first in its low half.
Bytes packed_values(const GradientFile& file) {
  Bytes bytes(values_size(file.values.size(), file.bits));
  for (size_t i = 0; i < file.values.size(); ++i) {
    const auto value = static_cast<uint16_t>(file.values[i]);
    if (file.bits == 4) {
      bytes[i / 2] |= static_cast<uint8_t>((value & 15) << (i % 2 * 4));
    } else if (file.bits == 8) {
      bytes[i] = static_cast<uint8_t>(value);
    } else {
      bytes[2 * i] = static_cast<uint8_t>(value);
      bytes[2 * i + 1] = static_cast<uint8_t>(value >> 8);
    }
  }
  return bytes;
}

ByteWriter encode_head(const GradientHead& head, uint32_t kept) {
  ByteWriter writer;
  writer.string(kMagic);
  writer.u32(kVersion);
  writer.raw(head.project.bytes);
  writer.raw(head.snapshot.bytes);
  writer.u32(head.round);
  writer.u32(head.unit);
  writer.u32(head.samples);
  writer.f32(head.loss);
  writer.u8(head.bits);
  writer.u32(head.block_size);
  writer.u32(head.parameters);
  writer.u32(kept);
  write_trace(writer, head.trace);
  return writer;
}

void read_encoding(ByteReader& reader, GradientSummary& head) {
  head.bits = reader.u8("bits");
  if (head.bits != 4 && head.bits != 8 && head.bits != 16)
    reader.fail("bits", std::to_string(head.bits) + " is none of 4, 8 and 16");
  head.block_size = reader.u32("block size");
  if (head.block_size == 0 || head.block_size > kMaxBlockSize) {
    reader.fail("block size",
                std::to_string(head.block_size) + " is not between 1 and " + std::to_string(kMaxBlockSize));
  }
  head.parameters = reader.u32("parameters");
  if (head.parameters == 0 || head.parameters > kMaxParameters) {
    reader.fail("parameters",
                std::to_string(head.parameters) + " is not between 1 and " + std::to_string(kMaxParameters));
  }
  head.kept = reader.u32("kept");
  if (head.kept == 0 || head.kept > head.parameters) {
    reader.fail("kept", std::to_string(head.kept) + " is not between 1 and the number of parameters");
  }
}

void read_head(ByteReader& reader, GradientSummary& head) {
  if (reader.string("magic", kMagic.size()) != kMagic) reader.fail("magic", "this is no gradient file");
  const uint32_t version = reader.u32("version");
  if (version != kVersion) {
    reader.fail("version", std::to_string(version) + " where " + std::to_string(kVersion) + " is known");
  }
  head.project.bytes = reader.array<32>("project");
  head.snapshot.bytes = reader.array<32>("snapshot");
  head.round = reader.u32("round");
  head.unit = reader.u32("unit");
  head.samples = reader.u32("samples");
  if (head.samples == 0) reader.fail("samples", "a gradient is of at least one image");
  head.loss = reader.f32("loss");
  if (!std::isfinite(head.loss)) reader.fail("loss", "not a finite number");
  read_encoding(reader, head);
  head.trace = read_trace(reader);
}

// A canonical file whose numbers are still where they were read.
struct View {
  GradientSummary summary;
  BytesView exponents;  // one for each block
  BytesView positions;  // empty where all values were kept
  BytesView values;
};

int8_t exponent_at(const View& view, size_t block) {
  return static_cast<int8_t>(view.exponents[block]);
}

template <int Bits>
int16_t value_at(BytesView values, size_t i) {
  if constexpr (Bits == 4) {
    const uint8_t high = static_cast<uint8_t>(values[i / 2] << (i % 2 == 0 ? 4 : 0));
    return static_cast<int16_t>(static_cast<int8_t>(high) >> 4);
  } else if constexpr (Bits == 8) {
    return static_cast<int8_t>(values[i]);
  } else {
    static_assert(std::endian::native == std::endian::little);
    int16_t value;
    std::memcpy(&value, &values[2 * i], sizeof value);
    return value;
  }
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
  const size_t last = std::min<size_t>(first + view.summary.block_size, view.summary.kept);
  bool zeros = true, allowed = true;
  for (size_t i = first; i < last; ++i) {
    const int value = value_at<Bits>(view.values, i);
    allowed &= value != kLowest;
    zeros &= value == 0;
  }
  for (size_t i = first; !allowed; ++i) {
    if (value_at<Bits>(view.values, i) == kLowest)
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
  if (Bits == 4 && view.summary.kept % 2 != 0 && view.values.back() >> 4 != 0)
    return Error{"values: the half byte after the last is not zero"};
  return {};
}

// with_bits(bits, f) is f.operator()<bits>(): what does something for each value is compiled for each width.
template <typename F>
auto with_bits(int bits, const F& f) {
  switch (bits) {
    case 4:
      return f.template operator()<4>();
    case 8:
      return f.template operator()<8>();
    default:
      return f.template operator()<16>();
  }
}

Result<View> read(BytesView bytes) {
  if (bytes.size() > kMaxGradientFileSize) return Error{"size: larger than a gradient file may be"};
  ByteReader reader(bytes);
  View view;
  GradientSummary& summary = view.summary;
  read_head(reader, summary);
  CAIRN_CHECK(reader.status());
  const bool sparse = summary.kept < summary.parameters;
  view.exponents = reader.raw("exponents", block_count(summary.kept, summary.block_size));
  view.positions = reader.raw("positions", sparse ? positions_size(summary.parameters, summary.kept) : 0);
  view.values = reader.raw("values", values_size(summary.kept, summary.bits));
  CAIRN_CHECK(reader.finish());
  CAIRN_CHECK(check_exponents(view));
  if (sparse) CAIRN_CHECK(check_positions(view.positions, summary.parameters, summary.kept));
  CAIRN_CHECK(with_bits(summary.bits, [&]<int Bits>() { return check_values<Bits>(view); }));
  return view;
}

std::vector<uint32_t> all_positions(const View& view) {
  if (view.positions.empty()) return {};
  PositionReader reader(view.positions, view.summary.parameters, view.summary.kept);
  std::vector<uint32_t> positions(view.summary.kept);
  for (uint32_t& position : positions) position = reader.next();
  return positions;
}

}  // namespace

uint32_t kept_count(uint64_t parameters, uint32_t keep) {
  CAIRN_ASSERT(parameters <= kMaxParameters && keep <= kKeepAll);
  return static_cast<uint32_t>(std::max<uint64_t>(parameters * keep / kKeepAll, 1));
}

uint64_t gradient_file_size(int bits, uint32_t block_size, uint64_t parameters, uint64_t kept) {
  const uint64_t positions =
      kept < parameters ? positions_size(static_cast<uint32_t>(parameters), static_cast<uint32_t>(kept)) : 0;
  return encode_head({}, 0).bytes().size() + block_count(kept, block_size) + positions +
         values_size(kept, bits);
}

Bytes encode(const GradientFile& file) {
  CAIRN_ASSERT(file.bits == 4 || file.bits == 8 || file.bits == 16);
  CAIRN_ASSERT(file.block_size > 0 && !file.values.empty() && file.values.size() <= file.parameters);
  CAIRN_ASSERT(file.exponents.size() == block_count(file.values.size(), file.block_size));
  const bool sparse = file.values.size() < file.parameters;
  CAIRN_ASSERT(file.positions.size() == (sparse ? file.values.size() : 0));
  ByteWriter writer = encode_head(file, static_cast<uint32_t>(file.values.size()));
  for (const int8_t exponent : file.exponents) writer.u8(static_cast<uint8_t>(exponent));
  if (sparse) writer.raw(encode_positions(file.positions, file.parameters));
  writer.raw(packed_values(file));
  return writer.take();
}

Result<GradientSummary> check_gradient_file(BytesView bytes) {
  const Result<View> view = read(bytes);
  if (!view) return view.error().within("gradient file");
  return view->summary;
}

Result<GradientHead> read_gradient_head(BytesView bytes) {
  ByteReader reader(bytes);
  GradientSummary head;
  read_head(reader, head);
  if (Status status = reader.status(); !status) return status.error().within("gradient file");
  return static_cast<GradientHead&>(head);
}

Result<GradientFile> decode_gradient_file(BytesView bytes) {
  const Result<View> view = read(bytes);
  if (!view) return view.error().within("gradient file");
  GradientFile file;
  static_cast<GradientHead&>(file) = view->summary;
  file.positions = all_positions(*view);
  file.exponents.resize(view->exponents.size());
  for (size_t block = 0; block < file.exponents.size(); ++block)
    file.exponents[block] = exponent_at(*view, block);
  file.values.resize(view->summary.kept);
  with_bits(file.bits, [&]<int Bits>() {
    for (size_t i = 0; i < file.values.size(); ++i) file.values[i] = value_at<Bits>(view->values, i);
  });
  return file;
}

}  // namespace cairn::work
