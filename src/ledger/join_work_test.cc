#include "ledger/join_work.h"

#include <gtest/gtest.h>

#include <bit>

namespace cairn::ledger {
namespace {

PublicKey key_of(uint8_t number) {
  PublicKey key;
  key.bytes.fill(number);
  return key;
}

const Digest kProject = sha256(as_bytes("a project"));

// SHA-256 of the documented bytes, put together by hand.
TEST(JoinWork, IsAsDocumented) {
  for (uint64_t nonce = 0; nonce < 2000; ++nonce) {
    ByteWriter bytes;
    bytes.raw(as_bytes("cairn join work v1"));
    bytes.u8(0);
    bytes.raw(kProject.bytes);
    bytes.raw(key_of(7).bytes);
    bytes.u64(nonce);
    const Digest digest = sha256(bytes.bytes());
    const uint32_t first = uint32_t{digest.bytes[0]} << 24 | uint32_t{digest.bytes[1]} << 16 |
                           uint32_t{digest.bytes[2]} << 8 | digest.bytes[3];
    ASSERT_NE(first, 0u);
    ASSERT_EQ(join_work(kProject, key_of(7), nonce), static_cast<uint32_t>(std::countl_zero(first)));
  }
}

TEST(JoinWork, TheNonceFoundIsTheFirstThatProvesIt) {
  for (uint32_t bits = 0; bits <= 12; ++bits) {
    const auto nonce = find_join_nonce(kProject, key_of(1), bits, {});
    ASSERT_TRUE(nonce);
    EXPECT_GE(join_work(kProject, key_of(1), *nonce), bits);
    for (uint64_t before = 0; before < *nonce; ++before) {
      ASSERT_LT(join_work(kProject, key_of(1), before), bits);
    }
  }
}

TEST(JoinWork, CountsForOneAccountInOneProject) {
  const uint64_t nonce = *find_join_nonce(kProject, key_of(1), 16, {});
  EXPECT_LT(join_work(kProject, key_of(2), nonce), 16u);
  EXPECT_LT(join_work(sha256(as_bytes("another")), key_of(1), nonce), 16u);
}

TEST(JoinWork, CanBeStopped) {
  uint64_t reports = 0;
  const auto stopped = find_join_nonce(kProject, key_of(1), 60, [&](uint64_t done, uint64_t total) {
    EXPECT_EQ(total, uint64_t{1} << 60);
    EXPECT_GT(done, 0u);
    return ++reports < 3;
  });
  ASSERT_FALSE(stopped);
  EXPECT_EQ(reports, 3u);
  EXPECT_EQ(stopped.error().message, "joining: stopped while it looked for a proof of work of 60 bits");
}

}  // namespace
}  // namespace cairn::ledger
