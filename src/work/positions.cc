#include "work/positions.h"

#include <bit>
#include <string>

namespace cairn::work {
namespace {

// The low bits of every position stand one after the other; of the rest, h, position i sets bit h + i of a
// second string. Low bits are as many as make h grow about once with each position.
struct Split {
  int low_bits;
  uint64_t low_size, high_size;  // bits of the two strings

  Split(uint32_t limit, uint32_t count)
      : low_bits(std::bit_width(limit / count) - 1),
        low_size(uint64_t{count} * static_cast<uint64_t>(low_bits)),
        high_size(uint64_t{count} + ((limit - 1) >> low_bits)) {}

  uint64_t low_bytes() const { return (low_size + 7) / 8; }
  uint64_t high_bytes() const { return (high_size + 7) / 8; }
};

// Bit i of a string is bit i mod 8 of byte i / 8. `value` has at most `count` bits, which are zero so far.
void put_bits(std::span<uint8_t> bytes, uint64_t at, int count, uint32_t value) {
  while (count > 0) {
    const int offset = static_cast<int>(at % 8);
    bytes[at / 8] |= static_cast<uint8_t>(value << offset);
    value >>= 8 - offset;
    count -= 8 - offset;
    at += static_cast<uint64_t>(8 - offset);
  }
}

uint32_t bits_at(BytesView bytes, uint64_t at, int count) {  // of at most 28 bits
  const uint64_t first = at / 8, last = (at + static_cast<uint64_t>(count) + 7) / 8;
  uint64_t value = 0;
  for (uint64_t i = first; i < last; ++i) value |= uint64_t{bytes[i]} << (8 * (i - first));
  return static_cast<uint32_t>(value >> (at % 8)) & ((uint32_t{1} << count) - 1);
}

bool padded_with_zeros(BytesView bytes, uint64_t bits) {
  return bits % 8 == 0 || bytes.back() >> (bits % 8) == 0;
}

uint64_t count_ones(BytesView bytes) {
  uint64_t ones = 0;
  for (const uint8_t byte : bytes) ones += static_cast<uint64_t>(std::popcount(byte));
  return ones;
}

}  // namespace

uint64_t positions_size(uint32_t limit, uint32_t count) {
  const Split split(limit, count);
  return split.low_bytes() + split.high_bytes();
}

Bytes encode_positions(std::span<const uint32_t> positions, uint32_t limit) {
  const Split split(limit, static_cast<uint32_t>(positions.size()));
  Bytes bytes(split.low_bytes() + split.high_bytes());
  const auto low = std::span(bytes).first(split.low_bytes());
  const auto high = std::span(bytes).subspan(split.low_bytes());
  const uint32_t mask = (uint32_t{1} << split.low_bits) - 1;
  for (uint64_t i = 0; i < positions.size(); ++i) {
    put_bits(low, i * static_cast<uint64_t>(split.low_bits), split.low_bits, positions[i] & mask);
    put_bits(high, (positions[i] >> split.low_bits) + i, 1, 1);
  }
  return bytes;
}

Status check_positions(BytesView bytes, uint32_t limit, uint32_t count) {
  const Split split(limit, count);
  const BytesView low = bytes.first(split.low_bytes()), high = bytes.subspan(split.low_bytes());
  if (!padded_with_zeros(low, split.low_size) || !padded_with_zeros(high, split.high_size)) {
    return Error{"positions: a bit after the last is not zero"};
  }
  if (const uint64_t ones = count_ones(high); ones != count) {
    return Error{"positions: " + std::to_string(ones) + " where " + std::to_string(count) +
                 " values are kept"};
  }
  PositionReader reader(bytes, limit, count);
  uint64_t least = 0;
  for (uint32_t i = 0; i < count; ++i) {
    const uint64_t position = reader.next();
    if (position < least || position >= limit) {
      return Error{"positions: number " + std::to_string(i) + " is " + std::to_string(position) + " where " +
                   std::to_string(least) + " to " + std::to_string(limit - 1) + " can follow"};
    }
    least = position + 1;
  }
  return {};
}

PositionReader::PositionReader(BytesView bytes, uint32_t limit, uint32_t count) {
  const Split split(limit, count);
  low_ = bytes.first(split.low_bytes());
  high_ = bytes.subspan(split.low_bytes());
  low_bits_ = split.low_bits;
  ones_ = high_[0];
}

uint32_t PositionReader::next() {
  while (ones_ == 0) ones_ = high_[++byte_];
  const auto bit = byte_ * 8 + static_cast<uint64_t>(std::countr_zero(ones_));
  ones_ &= ones_ - 1;
  const uint32_t low = bits_at(low_, read_ * static_cast<uint64_t>(low_bits_), low_bits_);
  const uint64_t high = bit - read_++;
  return static_cast<uint32_t>(high << low_bits_) | low;
}

}  // namespace cairn::work
