#include "base/digest.h"

#include <gtest/gtest.h>

#include "base/signature.h"

namespace cairn {
namespace {

TEST(Digest, MatchesFips180) {
  EXPECT_EQ(sha256(as_bytes("abc")).hex(),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST(Digest, PiecesGiveTheSameDigest) {
  EXPECT_EQ(Hasher().update(as_bytes("a")).update(as_bytes("bc")).finish(), sha256(as_bytes("abc")));
}

TEST(Digest, DomainsSeparate) {
  EXPECT_NE(Hasher("one").update(as_bytes("abc")).finish(), Hasher("two").update(as_bytes("abc")).finish());
  EXPECT_NE(Hasher("ab").update(as_bytes("c")).finish(), Hasher("a").update(as_bytes("bc")).finish());
}

// RFC 8032, section 7.1, test 2.
TEST(Signature, MatchesRfc8032) {
  std::array<uint8_t, 32> seed;
  const Bytes bytes = *from_hex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb");
  std::copy(bytes.begin(), bytes.end(), seed.begin());
  const SigningKey key = SigningKey::from_seed(seed);
  EXPECT_EQ(key.public_key().hex(), "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c");
  const Bytes message = {0x72};
  const Signature signature = key.sign(message);
  EXPECT_EQ(to_hex(signature.bytes).substr(0, 32), "92a009a9f0d4cab8720e820b5f642540");
  EXPECT_TRUE(signature_valid(key.public_key(), message, signature));
  EXPECT_FALSE(signature_valid(key.public_key(), Bytes{0x73}, signature));
}

}  // namespace
}  // namespace cairn
