#include "base/signature.h"

#include <sodium.h>

#include <algorithm>

namespace cairn {
namespace {

void initialize() {
  static const bool ready = sodium_init() >= 0;
  CAIRN_ASSERT(ready);
}

}  // namespace

SigningKey SigningKey::generate() {
  initialize();
  std::array<uint8_t, 32> seed;
  randombytes_buf(seed.data(), seed.size());
  SigningKey key = from_seed(seed);
  sodium_memzero(seed.data(), seed.size());
  return key;
}

SigningKey SigningKey::from_seed(const std::array<uint8_t, 32>& seed) {
  initialize();
  SigningKey key;
  key.seed_ = seed;
  crypto_sign_seed_keypair(key.public_key_.bytes.data(), key.secret_.data(), seed.data());
  return key;
}

SigningKey::~SigningKey() {
  sodium_memzero(seed_.data(), seed_.size());
  sodium_memzero(secret_.data(), secret_.size());
}

Signature SigningKey::sign(BytesView message) const {
  Signature signature;
  crypto_sign_detached(signature.bytes.data(), nullptr, message.data(), message.size(), secret_.data());
  return signature;
}

bool signature_valid(const PublicKey& key, BytesView message, const Signature& signature) {
  initialize();
  return crypto_sign_verify_detached(signature.bytes.data(), message.data(), message.size(),
                                     key.bytes.data()) == 0;
}

Result<PublicKey> PublicKey::from_hex(std::string_view hex) {
  CAIRN_TRY(const Bytes bytes, cairn::from_hex(hex));
  PublicKey key;
  if (bytes.size() != key.bytes.size()) return Error{"a public key has 64 hexadecimal digits"};
  std::copy(bytes.begin(), bytes.end(), key.bytes.begin());
  return key;
}

}  // namespace cairn
