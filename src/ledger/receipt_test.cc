#include "ledger/receipt.h"

#include <gmock/gmock.h>

#include <random>

#include "ledger/random_event.h"

namespace cairn::ledger {
namespace {

using ::testing::HasSubstr;

class Receipts : public ::testing::Test {
 protected:
  Receipts() {
    for (int i = 0; i < 20; ++i) {
      events_.push_back(random_event(random_));
      log_.append(leaf_hash(encode(events_.back())));
    }
  }

  Receipt receipt_for(uint64_t index) {
    return sign_receipt(coordinator_, project_, leaf_hash(encode(events_[index])), index,
                        events_[index].time);
  }

  LogHead head() const { return {log_.size(), log_.root()}; }

  std::mt19937_64 random_{1};
  SigningKey coordinator_ = SigningKey::from_seed({1});
  Digest project_ = sha256(as_bytes("a project"));
  std::vector<Event> events_;
  MerkleTree log_;
};

TEST_F(Receipts, BytesComeBackAndAreSigned) {
  const Receipt receipt = receipt_for(7);
  const Bytes bytes = encode(receipt);
  EXPECT_EQ(bytes.size(), kReceiptSize);
  EXPECT_EQ(decode_receipt(bytes).value(), receipt);
  EXPECT_TRUE(signature_valid(receipt, coordinator_.public_key()));
  EXPECT_FALSE(signature_valid(receipt, SigningKey::from_seed({2}).public_key()));
}

TEST_F(Receipts, EveryBitIsSigned) {
  const Bytes good = encode(receipt_for(7));
  for (size_t bit = 0; bit < good.size() * 8; ++bit) {
    Bytes bytes = good;
    bytes[bit / 8] ^= static_cast<uint8_t>(1 << bit % 8);
    const auto receipt = decode_receipt(bytes);
    if (!receipt) continue;
    ASSERT_EQ(encode(*receipt), bytes);
    ASSERT_FALSE(signature_valid(*receipt, coordinator_.public_key())) << bit;
  }
}

TEST_F(Receipts, OfAWrongFormAreRefusedByField) {
  const Bytes good = encode(receipt_for(7));
  for (size_t size = 0; size < good.size(); ++size)
    EXPECT_FALSE(decode_receipt(BytesView(good).first(size)).ok()) << size;
  Bytes longer = good;
  longer.push_back(0);
  EXPECT_THAT(decode_receipt(longer).error().message, HasSubstr("receipt: end: 1 bytes too many"));
  Bytes other = good;
  other[0] = 2;
  EXPECT_THAT(decode_receipt(other).error().message, HasSubstr("receipt: version: 2"));
  other = good;
  other[2 + 32 + 32 + 8 + 7] = 0x80;
  EXPECT_THAT(decode_receipt(other).error().message, HasSubstr("receipt: time: before 1970"));
}

TEST_F(Receipts, SpeakOfOneStatement) {
  const Receipt receipt = receipt_for(7);
  const PublicKey& key = coordinator_.public_key();
  EXPECT_TRUE(check_receipt(receipt, project_, key, events_[7].statement).ok());
  const auto error = [&](const Receipt& given, const Digest& project, const PublicKey& by, uint64_t index) {
    const Status status = check_receipt(given, project, by, events_[index].statement);
    return status ? std::string() : status.error().message;
  };
  EXPECT_THAT(error(receipt, sha256({}), key, 7), HasSubstr("another project"));
  EXPECT_THAT(error(receipt, project_, SigningKey::from_seed({2}).public_key(), 7),
              HasSubstr("not signed by"));
  EXPECT_THAT(error(receipt, project_, key, 8), HasSubstr("another statement"));
  const Receipt late = sign_receipt(coordinator_, project_, receipt.event, 7, receipt.time ^ 1);
  EXPECT_THAT(error(late, project_, key, 7), HasSubstr("another statement"));
}

TEST_F(Receipts, AreHonouredByTheirLogAndByNoOther) {
  for (uint64_t index = 0; index < events_.size(); ++index) {
    const Receipt receipt = receipt_for(index);
    EXPECT_TRUE(receipt_honoured(receipt, log_).ok());
    EXPECT_TRUE(receipt_honoured(receipt, head(), log_.inclusion_proof(index, log_.size())).ok());
    MerkleTree shorter;
    MerkleTree rewritten;
    for (uint64_t i = 0; i < events_.size(); ++i) {
      const Digest leaf = log_.subtree({0, i});
      if (i < index) shorter.append(leaf);
      if (i != index) rewritten.append(leaf);
    }
    rewritten.append(sha256({}));  // the event dropped, the log as long as before
    EXPECT_THAT(receipt_honoured(receipt, shorter).error().message,
                HasSubstr("a receipt for event " + std::to_string(index)));
    EXPECT_THAT(receipt_honoured(receipt, shorter).error().message,
                HasSubstr("but its log ends after " + std::to_string(index) + " events"));
    EXPECT_THAT(receipt_honoured(receipt, rewritten).error().message, HasSubstr("but its log has leaf"));
    const LogHead other{rewritten.size(), rewritten.root()};
    EXPECT_THAT(receipt_honoured(receipt, other, log_.inclusion_proof(index, log_.size())).error().message,
                HasSubstr("but there is no proof that its log of 20 events"));
    EXPECT_FALSE(receipt_honoured(receipt, {index, shorter.root()}, {}).ok());
  }
}

}  // namespace
}  // namespace cairn::ledger
