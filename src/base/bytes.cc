#include "base/bytes.h"

#include <bit>

namespace cairn {
namespace {

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

}  // namespace

BytesView as_bytes(std::string_view text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

Bytes to_bytes(std::string_view text) {
  return {text.begin(), text.end()};
}

std::string to_hex(BytesView bytes) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string hex;
  hex.reserve(bytes.size() * 2);
  for (uint8_t byte : bytes) {
    hex.push_back(kDigits[byte >> 4]);
    hex.push_back(kDigits[byte & 15]);
  }
  return hex;
}

Result<Bytes> from_hex(std::string_view hex) {
  if (hex.size() % 2 != 0) return Error{"a hexadecimal number needs an even number of digits"};
  Bytes bytes;
  bytes.reserve(hex.size() / 2);
  for (size_t i = 0; i < hex.size(); i += 2) {
    const int high = hex_digit(hex[i]);
    const int low = hex_digit(hex[i + 1]);
    if (high < 0 || low < 0) return Error{"not a hexadecimal number in lower case"};
    bytes.push_back(static_cast<uint8_t>(high * 16 + low));
  }
  return bytes;
}

void ByteWriter::f32(float value) {
  u32(std::bit_cast<uint32_t>(value));
}

void ByteWriter::raw(BytesView bytes) {
  bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
}

void ByteWriter::string(std::string_view text) {
  blob(as_bytes(text));
}

void ByteWriter::blob(BytesView bytes) {
  CAIRN_ASSERT(bytes.size() <= UINT32_MAX);
  u32(static_cast<uint32_t>(bytes.size()));
  raw(bytes);
}

float ByteReader::f32(const char* field) {
  return std::bit_cast<float>(u32(field));
}

BytesView ByteReader::raw(const char* field, size_t count) {
  if (!ok()) return {};
  if (count > remaining()) {
    fail(field, "the input ends too early");
    return {};
  }
  BytesView view = bytes_.subspan(position_, count);
  position_ += count;
  return view;
}

std::string ByteReader::string(const char* field, size_t max_size) {
  BytesView view = blob(field, max_size);
  return {view.begin(), view.end()};
}

BytesView ByteReader::blob(const char* field, size_t max_size) {
  const uint32_t size = u32(field);
  if (size > max_size) {
    fail(field, std::to_string(size) + " bytes where at most " + std::to_string(max_size) + " are allowed");
    return {};
  }
  return raw(field, size);
}

uint32_t ByteReader::count(const char* field, size_t min_item_size, uint32_t max_count) {
  const uint32_t value = u32(field);
  if (value > max_count) {
    fail(field, std::to_string(value) + " items where at most " + std::to_string(max_count) + " are allowed");
  } else if (min_item_size > 0 && value > remaining() / min_item_size) {
    fail(field, "the input ends too early");
  }
  return ok() ? value : 0;
}

void ByteReader::fail(const char* field, const std::string& reason) {
  if (ok()) error_ = std::string(field) + ": " + reason;
}

Status ByteReader::status() const {
  if (!ok()) return Error{error_};
  return {};
}

Status ByteReader::finish() {
  if (ok() && remaining() > 0) fail("end", std::to_string(remaining()) + " bytes too many");
  return status();
}

}  // namespace cairn
