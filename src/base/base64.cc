#include "base/base64.h"

namespace cairn {
namespace {

constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

}  // namespace

std::string to_base64(BytesView bytes) {
  std::string text;
  text.reserve((bytes.size() + 2) / 3 * 4);
  uint32_t bits = 0;
  int pending = 0;  // low bits of `bits` not written yet
  for (const uint8_t byte : bytes) {
    bits = bits << 8 | byte;
    for (pending += 8; pending >= 6; pending -= 6) text.push_back(kAlphabet[bits >> (pending - 6) & 63]);
  }
  if (pending > 0) text.push_back(kAlphabet[bits << (6 - pending) & 63]);
  while (text.size() % 4 != 0) text.push_back('=');
  return text;
}

Result<Bytes> from_base64(std::string_view text) {
  if (text.size() % 4 != 0) return Error{"base 64 has a multiple of four characters"};
  size_t padding = 0;
  while (padding < 2 && padding < text.size() && text[text.size() - 1 - padding] == '=') ++padding;
  Bytes bytes;
  bytes.reserve(text.size() / 4 * 3);
  uint32_t bits = 0;
  int pending = 0;  // low bits of `bits` that make no byte yet
  for (const char c : text.substr(0, text.size() - padding)) {
    const size_t value = kAlphabet.find(c);
    if (value == std::string_view::npos) return Error{"a character that is none of base 64"};
    bits = bits << 6 | static_cast<uint32_t>(value);
    pending += 6;
    if (pending < 8) continue;
    pending -= 8;
    bytes.push_back(static_cast<uint8_t>(bits >> pending));
  }
  if ((bits & ((1U << pending) - 1)) != 0) return Error{"base 64 with unused bits that are not zero"};
  return bytes;
}

}  // namespace cairn
