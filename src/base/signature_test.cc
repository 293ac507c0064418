#include "base/signature.h"

#include <gtest/gtest.h>

namespace cairn {
namespace {

TEST(Signature, HoldsForItsKeyAndMessageOnly) {
  const SigningKey ada = SigningKey::generate(), bob = SigningKey::generate();
  const Bytes message = {1, 2, 3};
  const Signature signature = ada.sign(message);
  EXPECT_TRUE(signature_valid(ada.public_key(), message, signature));
  EXPECT_FALSE(signature_valid(bob.public_key(), message, signature));
  EXPECT_FALSE(signature_valid(ada.public_key(), Bytes{1, 2, 4}, signature));
}

TEST(Signature, PublicKeysAreWrittenAsHexadecimalDigits) {
  const PublicKey key = SigningKey::generate().public_key();
  const auto parsed = PublicKey::from_hex(key.hex());
  ASSERT_TRUE(parsed);
  EXPECT_EQ(*parsed, key);
  EXPECT_FALSE(PublicKey::from_hex(""));
  EXPECT_FALSE(PublicKey::from_hex(key.hex().substr(2)));
  EXPECT_FALSE(PublicKey::from_hex(key.hex() + "00"));
  EXPECT_FALSE(PublicKey::from_hex("x" + key.hex().substr(1)));
}

}  // namespace
}  // namespace cairn
