#include "ledger/join_work.h"

#include <algorithm>
#include <bit>

namespace cairn::ledger {
namespace {

constexpr std::string_view kDomain = "cairn join work v1";
constexpr uint64_t kHashesAtOnce = uint64_t{1} << 14;  // between reports

// What is hashed, made once: only the nonce at its end changes.
class Attempt {
 public:
  Attempt(const Digest& project, const PublicKey& user) {
    ByteWriter writer;
    writer.raw(as_bytes(kDomain));
    writer.u8(0);
    writer.raw(project.bytes);
    writer.raw(user.bytes);
    writer.u64(0);
    message_ = writer.take();
  }

  uint32_t leading_zeros(uint64_t nonce) {
    for (size_t i = 0; i < sizeof nonce; ++i) {
      message_[message_.size() - sizeof nonce + i] = static_cast<uint8_t>(nonce >> (8 * i));
    }
    uint32_t bits = 0;
    for (const uint8_t byte : sha256(message_).bytes) {
      bits += static_cast<uint32_t>(std::countl_zero(byte));
      if (byte != 0) break;
    }
    return bits;
  }

 private:
  Bytes message_;
};

}  // namespace

uint32_t join_work(const Digest& project, const PublicKey& user, uint64_t nonce) {
  return Attempt(project, user).leading_zeros(nonce);
}

Result<uint64_t> find_join_nonce(const Digest& project, const PublicKey& user, uint32_t bits,
                                 const Progress& progress) {
  if (bits == 0) return uint64_t{0};
  Attempt attempt(project, user);
  const uint64_t average = uint64_t{1} << std::min(bits, 63u);
  for (uint64_t nonce = 0;; ++nonce) {
    if (attempt.leading_zeros(nonce) >= bits) return nonce;
    if (nonce % kHashesAtOnce == kHashesAtOnce - 1 && !report(progress, nonce + 1, average)) {
      return Error{"joining: stopped while it looked for a proof of work of " + std::to_string(bits) +
                   " bits"};
    }
  }
}

}  // namespace cairn::ledger
