// SHA-256 digests (FIPS 180-4), through OpenSSL's libcrypto.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/bytes.h"

namespace cairn {

struct Digest {
  std::array<uint8_t, 32> bytes{};

  auto operator<=>(const Digest&) const = default;
  std::string hex() const { return to_hex(bytes); }
  static Result<Digest> from_hex(std::string_view hex);
};

// Incremental hashing. Not thread-safe; one object for each thread.
class Hasher {
 public:
  Hasher();
  // A domain separates digests of different kinds of things: its bytes and a zero byte are hashed first.
  explicit Hasher(std::string_view domain);
  ~Hasher();
  Hasher(Hasher&&) noexcept;
  Hasher& operator=(Hasher&&) noexcept;

  Hasher& update(BytesView bytes);
  Digest finish();  // Afterwards the object is used up.

 private:
  struct State;
  std::unique_ptr<State> state_;
};

Digest sha256(BytesView bytes);

}  // namespace cairn

template <>
struct std::hash<cairn::Digest> {
  size_t operator()(const cairn::Digest& digest) const noexcept {
    size_t value;
    std::memcpy(&value, digest.bytes.data(), sizeof value);
    return value;
  }
};
