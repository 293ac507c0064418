#include "base/digest.h"

#include <openssl/evp.h>

namespace cairn {

struct Hasher::State {
  EVP_MD_CTX* context = EVP_MD_CTX_new();
  ~State() { EVP_MD_CTX_free(context); }
};

Hasher::Hasher() : state_(std::make_unique<State>()) {
  CAIRN_ASSERT(state_->context != nullptr);
  CAIRN_ASSERT(EVP_DigestInit_ex(state_->context, EVP_sha256(), nullptr) == 1);
}

Hasher::Hasher(std::string_view domain) : Hasher() {
  update(as_bytes(domain));
  const uint8_t zero = 0;
  update({&zero, 1});
}

Hasher::~Hasher() = default;
Hasher::Hasher(Hasher&&) noexcept = default;
Hasher& Hasher::operator=(Hasher&&) noexcept = default;

Hasher& Hasher::update(BytesView bytes) {
  CAIRN_ASSERT(EVP_DigestUpdate(state_->context, bytes.data(), bytes.size()) == 1);
  return *this;
}

Digest Hasher::finish() {
  Digest digest;
  CAIRN_ASSERT(EVP_DigestFinal_ex(state_->context, digest.bytes.data(), nullptr) == 1);
  return digest;
}

Digest sha256(BytesView bytes) {
  return Hasher().update(bytes).finish();
}

Result<Digest> Digest::from_hex(std::string_view hex) {
  CAIRN_TRY(Bytes bytes, cairn::from_hex(hex));
  Digest digest;
  if (bytes.size() != digest.bytes.size()) return Error{"a digest has 64 hexadecimal digits"};
  std::copy(bytes.begin(), bytes.end(), digest.bytes.begin());
  return digest;
}

}  // namespace cairn
