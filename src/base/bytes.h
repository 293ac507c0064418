// Canonical bytes: how every file and event of Cairn is written and read.
//
// All integers are little-endian and of fixed width; a byte string or list is preceded by its length as u32.
// A reader is given limits by its caller and never allocates more than the input could hold.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace cairn {

using Bytes = std::vector<uint8_t>;
using BytesView = std::span<const uint8_t>;

BytesView as_bytes(std::string_view text);
Bytes to_bytes(std::string_view text);
std::string to_hex(BytesView bytes);
Result<Bytes> from_hex(std::string_view hex);

class ByteWriter {
 public:
  void u8(uint8_t value) { bytes_.push_back(value); }
  void u16(uint16_t value) { integer(value); }
  void u32(uint32_t value) { integer(value); }
  void u64(uint64_t value) { integer(value); }
  void i32(int32_t value) { integer(static_cast<uint32_t>(value)); }
  void i64(int64_t value) { integer(static_cast<uint64_t>(value)); }
  void f32(float value);               // the bits of an IEEE binary32
  void raw(BytesView bytes);           // no length: the reader knows it
  void string(std::string_view text);  // u32 length, then the bytes
  void blob(BytesView bytes);          // u32 length, then the bytes

  const Bytes& bytes() const { return bytes_; }
  Bytes take() { return std::move(bytes_); }

 private:
  template <typename T>
  void integer(T value) {
    for (size_t i = 0; i < sizeof(T); ++i) bytes_.push_back(static_cast<uint8_t>(value >> (8 * i)));
  }

  Bytes bytes_;
};

// Reads what ByteWriter wrote. The first failure sticks: later reads give zeros, and finish() reports it with
// the name of the field at which the input went wrong. So a decoder reads straight through and checks once,
// except where a value read decides how much to read next.
class ByteReader {
 public:
  explicit ByteReader(BytesView bytes) : bytes_(bytes) {}

  uint8_t u8(const char* field) { return integer<uint8_t>(field); }
  uint16_t u16(const char* field) { return integer<uint16_t>(field); }
  uint32_t u32(const char* field) { return integer<uint32_t>(field); }
  uint64_t u64(const char* field) { return integer<uint64_t>(field); }
  int32_t i32(const char* field) { return static_cast<int32_t>(u32(field)); }
  int64_t i64(const char* field) { return static_cast<int64_t>(u64(field)); }
  float f32(const char* field);
  BytesView raw(const char* field, size_t count);
  std::string string(const char* field, size_t max_size);
  BytesView blob(const char* field, size_t max_size);
  // A u32 count of items of at least `min_item_size` bytes each: refused if the rest of the input cannot hold
  // them.
  uint32_t count(const char* field, size_t min_item_size, uint32_t max_count);

  template <size_t N>
  std::array<uint8_t, N> array(const char* field) {
    std::array<uint8_t, N> result{};
    BytesView view = raw(field, N);
    if (view.size() == N) std::memcpy(result.data(), view.data(), N);
    return result;
  }

  void fail(const char* field, const std::string& reason);
  bool ok() const { return error_.empty(); }
  size_t remaining() const { return bytes_.size() - position_; }
  size_t position() const { return position_; }

  Status status() const;  // the first failure
  Status finish();        // the first failure, or bytes left over

 private:
  template <typename T>
  T integer(const char* field) {
    BytesView view = raw(field, sizeof(T));
    T value = 0;
    for (size_t i = 0; i < view.size(); ++i) value = static_cast<T>(value | (T{view[i]} << (8 * i)));
    return value;
  }

  BytesView bytes_;
  size_t position_ = 0;
  std::string error_;
};

}  // namespace cairn
