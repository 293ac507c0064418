#include "average/snapshot.h"

#include <bit>
#include <cmath>

#include "average/integers.h"

namespace cairn::average {
namespace {

constexpr std::string_view kParametersMagic = "cairn parameters";
constexpr std::string_view kGridMagic = "cairn grid";
constexpr uint32_t kVersion = 1;
constexpr uint32_t kMaxParameters = uint32_t{1} << 28;
constexpr float kRange = 32768;

// Precondition: |value| < 2^15.
int64_t on_grid(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  const int biased = static_cast<int>(bits >> 23 & 255);
  const int64_t fraction = bits & 0x7fffff;
  const int64_t magnitude = biased == 0 ? fraction : fraction | 0x800000;
  const int shift = (biased == 0 ? 1 : biased) - 150 + kGridBits;  // |value| = magnitude * 2^(shift - 48)
  if (shift < -62) return 0;
  const int64_t units = shift >= 0 ? magnitude << shift : rounded_shift(magnitude, -shift);
  return value < 0 ? -units : units;
}

void write_header(ByteWriter& writer, std::string_view magic, size_t count) {
  writer.string(magic);
  writer.u32(kVersion);
  writer.u32(static_cast<uint32_t>(count));
}

float parameter(int64_t units) {
  return static_cast<float>(units) * 0x1p-48f;  // the product is exact
}

}  // namespace

Result<Snapshot> starting_snapshot(std::span<const float> parameters) {
  if (parameters.size() > kMaxParameters) {
    return Error{"parameters: " + std::to_string(parameters.size()) + " where at most " +
                 std::to_string(kMaxParameters) + " are allowed"};
  }
  Snapshot snapshot;
  snapshot.grid.reserve(parameters.size());
  for (size_t i = 0; i < parameters.size(); ++i) {
    if (!(std::abs(parameters[i]) < kRange)) {
      return Error{"parameter " + std::to_string(i) + ": " + std::to_string(parameters[i]) +
                   " is not between -32768 and 32768"};
    }
    snapshot.grid.push_back(on_grid(parameters[i]));
  }
  return snapshot;
}

std::vector<float> parameters(const Snapshot& snapshot) {
  std::vector<float> numbers;
  numbers.reserve(snapshot.grid.size());
  for (int64_t units : snapshot.grid) numbers.push_back(parameter(units));
  return numbers;
}

uint64_t parameters_size(uint64_t count) {
  return 4 + kParametersMagic.size() + 4 + 4 + 4 * count;
}

Bytes encode_parameters(const Snapshot& snapshot) {
  ByteWriter writer;
  write_header(writer, kParametersMagic, snapshot.grid.size());
  for (int64_t units : snapshot.grid) writer.f32(parameter(units));
  return writer.take();
}

Result<std::vector<float>> decode_parameters(BytesView bytes) {
  ByteReader reader(bytes);
  if (reader.string("magic", kParametersMagic.size()) != kParametersMagic) {
    reader.fail("magic", "these are no parameters");
  }
  if (const uint32_t version = reader.u32("version"); version != kVersion) {
    reader.fail("version", std::to_string(version) + " where 1 is known");
  }
  std::vector<float> numbers(reader.count("count", sizeof(float), kMaxParameters));
  for (float& number : numbers) {
    number = reader.f32("parameters");
    if (!std::isfinite(number)) reader.fail("parameters", "one is not finite");
  }
  CAIRN_CHECK(reader.finish());
  return numbers;
}

Digest parameters_digest(const Snapshot& snapshot) {
  return sha256(encode_parameters(snapshot));
}

Digest parameters_digest(std::span<const float> parameters) {
  static_assert(std::endian::native == std::endian::little, "numbers are hashed as they lie in memory");
  ByteWriter writer;
  write_header(writer, kParametersMagic, parameters.size());
  Hasher hasher;
  hasher.update(writer.bytes());
  hasher.update({reinterpret_cast<const uint8_t*>(parameters.data()), parameters.size_bytes()});
  return hasher.finish();
}

Digest grid_digest(const Snapshot& snapshot) {
  constexpr size_t kChunk = 1 << 16;
  Hasher hasher;
  ByteWriter writer;
  write_header(writer, kGridMagic, snapshot.grid.size());
  for (size_t i = 0; i < snapshot.grid.size(); ++i) {
    if (i % kChunk == 0) hasher.update(writer.take());
    writer.i64(snapshot.grid[i]);
  }
  hasher.update(writer.take());
  return hasher.finish();
}

}  // namespace cairn::average
