#include "ledger/event.h"

#include <gtest/gtest.h>

#include <set>

#include "ledger/random_event.h"

namespace cairn::ledger {
namespace {

SigningKey key_of(uint8_t number) {
  std::array<uint8_t, 32> seed{};
  seed[0] = number;
  return SigningKey::from_seed(seed);
}

Digest digest_of(uint8_t number) {
  Digest digest;
  digest.bytes.fill(number);
  return digest;
}

TEST(Statement, SignedStatementsAreValidAndSurviveTheirBytes) {
  std::mt19937_64 random(1);
  RandomArchive archive(random);
  const SigningKey key = key_of(1);
  for (size_t kind = 0; kind < std::variant_size_v<Body>; ++kind) {
    Body body;
    archive.body_at(body, kind);
    const Statement statement = sign_statement(key, digest_of(1), {3, digest_of(2)}, body);
    EXPECT_EQ(statement.author, key.public_key());
    EXPECT_TRUE(signature_valid(statement));
    const auto decoded = decode_statement(encode(statement));
    ASSERT_TRUE(decoded.ok());
    EXPECT_TRUE(signature_valid(*decoded));
  }
}

TEST(Statement, EveryFlippedBitIsRefused) {
  const Statement statement =
      sign_statement(key_of(1), digest_of(1), {3, digest_of(2)}, EntrySealed{4, 5, digest_of(3)});
  const Bytes bytes = encode(statement);
  for (size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    Bytes flipped = bytes;
    flipped[bit / 8] ^= static_cast<uint8_t>(1 << (bit % 8));
    const auto decoded = decode_statement(flipped);
    EXPECT_FALSE(decoded.ok() && signature_valid(*decoded)) << "bit " << bit;
  }
}

// The same fields under two kinds are two statements: an opened claim is no appeal.
TEST(Statement, SignaturesDoNotMoveBetweenKinds) {
  Statement statement = sign_statement(key_of(1), digest_of(1), {}, ClaimOpened{1, digest_of(4)});
  statement.body = AppealFiled{1, digest_of(4)};
  EXPECT_FALSE(signature_valid(statement));
}

TEST(Statement, SignaturesCoverTheDomain) {
  const SigningKey key = key_of(1);
  Statement statement = sign_statement(key, digest_of(1), {}, Joined{});
  const Bytes bytes = encode(statement);
  statement.signature = key.sign(BytesView(bytes).first(bytes.size() - 64));
  EXPECT_FALSE(signature_valid(statement));
}

TEST(EntrySeal, DependsOnEverything) {
  const PublicKey user = key_of(1).public_key();
  const std::set<Digest> seals = {
      entry_seal(digest_of(1), user, 2, 3, digest_of(4)),
      entry_seal(digest_of(9), user, 2, 3, digest_of(4)),
      entry_seal(digest_of(1), key_of(2).public_key(), 2, 3, digest_of(4)),
      entry_seal(digest_of(1), user, 3, 3, digest_of(4)),
      entry_seal(digest_of(1), user, 2, 2, digest_of(4)),
      entry_seal(digest_of(1), user, 2, 3, digest_of(5)),
  };
  EXPECT_EQ(seals.size(), 6u);
}

// What commits a claimant commits no judge, and neither of them to another entry or claim.
TEST(NumberedSeal, DependsOnEverythingAndIsAsDocumented) {
  const PublicKey user = key_of(1).public_key();
  const std::set<Digest> seals = {
      claim_seal(digest_of(1), user, 2, digest_of(4)),
      claim_seal(digest_of(9), user, 2, digest_of(4)),
      claim_seal(digest_of(1), key_of(2).public_key(), 2, digest_of(4)),
      claim_seal(digest_of(1), user, 3, digest_of(4)),
      claim_seal(digest_of(1), user, 2, digest_of(5)),
      vote_seal(digest_of(1), user, 2, digest_of(4)),
  };
  EXPECT_EQ(seals.size(), 6u);
  ByteWriter bytes;
  bytes.raw(as_bytes("cairn vote seal v1"));
  bytes.u8(0);
  bytes.raw(digest_of(1).bytes);
  bytes.raw(user.bytes);
  bytes.u32(2);
  bytes.raw(digest_of(4).bytes);
  EXPECT_EQ(vote_seal(digest_of(1), user, 2, digest_of(4)), sha256(bytes.bytes()));
}

// SHA-256 of the documented bytes, put together by hand.
TEST(EntrySeal, IsAsDocumented) {
  ByteWriter bytes;
  bytes.raw(as_bytes("cairn entry seal v1"));
  bytes.u8(0);
  bytes.raw(digest_of(1).bytes);
  bytes.raw(key_of(1).public_key().bytes);
  bytes.u32(2);
  bytes.u32(3);
  bytes.raw(digest_of(4).bytes);
  EXPECT_EQ(entry_seal(digest_of(1), key_of(1).public_key(), 2, 3, digest_of(4)), sha256(bytes.bytes()));
}

}  // namespace
}  // namespace cairn::ledger
