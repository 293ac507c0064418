// Ed25519 signatures (RFC 8032), through libsodium.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <string>

#include "base/bytes.h"

namespace cairn {

struct PublicKey {
  std::array<uint8_t, 32> bytes{};
  auto operator<=>(const PublicKey&) const = default;
  std::string hex() const { return to_hex(bytes); }
  static Result<PublicKey> from_hex(std::string_view hex);
};

struct Signature {
  std::array<uint8_t, 64> bytes{};
  auto operator<=>(const Signature&) const = default;
};

// A private key with its public half. The seed is wiped from memory when the object goes.
class SigningKey {
 public:
  static SigningKey generate();
  static SigningKey from_seed(const std::array<uint8_t, 32>& seed);
  ~SigningKey();
  SigningKey(const SigningKey&) = default;
  SigningKey& operator=(const SigningKey&) = default;

  const PublicKey& public_key() const { return public_key_; }
  const std::array<uint8_t, 32>& seed() const { return seed_; }
  Signature sign(BytesView message) const;

 private:
  SigningKey() = default;
  std::array<uint8_t, 32> seed_{};
  std::array<uint8_t, 64> secret_{};
  PublicKey public_key_;
};

bool signature_valid(const PublicKey& key, BytesView message, const Signature& signature);

}  // namespace cairn

template <>
struct std::hash<cairn::PublicKey> {
  size_t operator()(const cairn::PublicKey& key) const noexcept {
    size_t value;
    std::memcpy(&value, key.bytes.data(), sizeof value);
    return value;
  }
};
