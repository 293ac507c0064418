#include "ledger/event_codec.h"

#include <gmock/gmock.h>

#include <set>

#include "ledger/random_event.h"

namespace cairn::ledger {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

std::vector<Body> one_of_each_kind(std::mt19937_64& random) {
  std::vector<Body> bodies(std::variant_size_v<Body>);
  RandomArchive archive(random);
  for (size_t i = 0; i < bodies.size(); ++i) archive.body_at(bodies[i], i);
  return bodies;
}

Event event_of(Body body) {
  Event event;
  event.time = 1'700'000'000'000;
  event.statement.body = std::move(body);
  return event;
}

TEST(EventCodec, EveryKindSurvivesTheRoundTrip) {
  std::mt19937_64 random(1);
  RandomArchive archive(random);
  for (int i = 0; i < 200; ++i) {
    for (Body& body : one_of_each_kind(random)) {
      Event event = random_event(random);
      event.statement.body = std::move(body);
      const Bytes bytes = encode(event);
      const auto decoded = decode_event(bytes);
      ASSERT_TRUE(decoded.ok()) << decoded.error().message;
      ASSERT_EQ(*decoded, event) << kind_name(event.statement.body);
      ASSERT_EQ(encode(*decoded), bytes);
    }
  }
}

TEST(EventCodec, StatementsAreEventsWithoutTheTime) {
  std::mt19937_64 random(2);
  const Event event = random_event(random);
  const Bytes bytes = encode(event);
  const Bytes tail(bytes.begin() + 8, bytes.end());
  EXPECT_EQ(encode(event.statement), tail);
  const auto statement = decode_statement(tail);
  ASSERT_TRUE(statement.ok());
  EXPECT_EQ(*statement, event.statement);
  EXPECT_EQ(statement_digest(*statement), sha256(tail));
}

// The layout by hand: any change of it, even one that reads its own bytes back, fails here.
TEST(EventCodec, BytesAreAsDocumented) {
  Event event;
  event.time = 0x0102030405060708;
  event.statement.project.bytes.fill(0x11);
  event.statement.seen.size = 7;
  event.statement.seen.root.bytes.fill(0x22);
  event.statement.author.bytes.fill(0x33);
  event.statement.signature.bytes.fill(0x55);
  RoundClosed closed{5, CloseReason::deadline, 6, 9};
  event.statement.body = closed;
  const auto repeat = [](const char* byte, int count) {
    std::string text;
    for (int i = 0; i < count; ++i) text += byte;
    return text;
  };
  EXPECT_EQ(to_hex(encode(event)),
            "0807060504030201"
            "0100" +
                repeat("11", 32) + "0700000000000000" + repeat("22", 32) + repeat("33", 32) +
                "0204"
                "05000000"
                "02"
                "06000000"
                "0900000000000000" +
                repeat("55", 64));
}

// Every layout at once: a digest over one event of each kind with fields drawn from a fixed seed.
TEST(EventCodec, LayoutOfEveryKindIsFixed) {
  std::mt19937_64 random(3);
  Hasher hasher;
  for (Body& body : one_of_each_kind(random)) hasher.update(encode(event_of(std::move(body))));
  EXPECT_EQ(hasher.finish().hex(), "bfa466920fe0b53062a227d34e609705df1a593a49b5920a44d3ac6fc6ed9aef");
}

TEST(EventCodec, KindNumbersAreFixed) {
  std::mt19937_64 random(4);
  std::vector<int> numbers;
  std::set<std::string_view> names;
  for (const Body& body : one_of_each_kind(random)) {
    numbers.push_back(kind_number(body));
    names.insert(kind_name(body));
  }
  EXPECT_EQ(numbers,
            (std::vector<int>{0x101, 0x102, 0x103, 0x104, 0x105, 0x106, 0x107, 0x108, 0x109, 0x201, 0x202,
                              0x203, 0x204, 0x205, 0x206, 0x207, 0x208, 0x209, 0x20A, 0x20B, 0x301, 0x302,
                              0x401, 0x402, 0x403, 0x404, 0x405, 0x406, 0x407, 0x408, 0x409, 0x20C}));
  EXPECT_EQ(names.size(), numbers.size());
  EXPECT_EQ(kind_name(EntrySealed{}), "entry sealed");
}

TEST(EventCodec, MutatedBytesAreRefusedOrCanonical) {
  std::mt19937_64 random(5);
  int refused = 0;
  for (int i = 0; i < 20'000; ++i) {
    Bytes bytes = encode(random_event(random));
    for (uint64_t flips = 1 + random() % 3; flips > 0; --flips) {
      bytes[random() % bytes.size()] = static_cast<uint8_t>(random());
    }
    if (random() % 4 == 0) bytes.resize(random() % (bytes.size() + 20));
    const auto decoded = decode_event(bytes);
    if (decoded.ok()) {
      ASSERT_EQ(encode(*decoded), bytes);
    } else {
      ++refused;
      ASSERT_THAT(decoded.error().message, HasSubstr(": "));
    }
  }
  EXPECT_GT(refused, 2'000);
}

TEST(EventCodec, EveryTruncationIsRefused) {
  std::mt19937_64 random(6);
  for (const Body& body : one_of_each_kind(random)) {
    Bytes bytes = encode(event_of(body));
    for (size_t size = 0; size < bytes.size(); ++size) {
      const auto decoded = decode_event(BytesView(bytes).first(size));
      ASSERT_FALSE(decoded.ok());
      ASSERT_THAT(decoded.error().message, HasSubstr("the input ends too early"));
    }
    bytes.push_back(0);
    EXPECT_THAT(decode_event(bytes).error().message, HasSubstr("end: 1 bytes too many"));
  }
}

std::string refusal(const Event& event) {
  const auto decoded = decode_event(encode(event));
  return decoded.ok() ? "accepted" : decoded.error().message;
}

TEST(EventCodec, ErrorsNameKindAndField) {
  Bytes bytes = encode(event_of(VerdictReached{1, true, {}}));
  const size_t body = 8 + 2 + 32 + 40 + 32 + 2;
  bytes[body + 4] = 2;
  EXPECT_EQ(decode_event(bytes).error().message, "verdict reached: upheld: 2 where at most 1 is allowed");
  bytes.resize(body + 2);
  EXPECT_EQ(decode_event(bytes).error().message, "verdict reached: claim: the input ends too early");
  bytes = encode(event_of(Paused{}));
  bytes[body - 1] = 0x77;
  EXPECT_THAT(decode_event(bytes).error().message, StartsWith("kind: "));
  bytes[8] = 9;
  EXPECT_EQ(decode_event(bytes).error().message, "version: 9 where this program reads 1");
  bytes.assign(kMaxEventSize + 1, 0);
  EXPECT_THAT(decode_event(bytes).error().message, StartsWith("size: "));
  Event event = event_of(Paused{});
  event.time = -1;
  EXPECT_EQ(refusal(event), "time: before 1970");
}

TEST(EventCodec, ListsHaveLimits) {
  Genesis genesis;
  genesis.judges.resize(kMaxJudges);
  EXPECT_EQ(refusal(event_of(genesis)), "accepted");
  genesis.judges.resize(kMaxJudges + 1);
  EXPECT_EQ(refusal(event_of(genesis)), "genesis: judges: 257 items where at most 256 are allowed");
  genesis = {};
  genesis.judges.resize(kMaxJudges);
  genesis.policy.rate.clear();
  for (uint32_t i = 0; i < kMaxRateKnots; ++i) genesis.policy.rate.push_back({i, i});
  EXPECT_EQ(refusal(event_of(genesis)), "accepted");
  genesis.policy.rate.push_back({kMaxRateKnots, 1});
  EXPECT_THAT(refusal(event_of(genesis)), HasSubstr("genesis: policy: rate: "));
}

TEST(EventCodec, PoliciesOutOfRangeAreRefused) {
  SettingsChanged body;
  body.policy.maximum = body.policy.minimum - 1;
  EXPECT_THAT(refusal(event_of(body)), StartsWith("settings changed: policy: maximum: "));
  Genesis genesis;
  genesis.policy.judge_votes = 0;
  EXPECT_EQ(refusal(event_of(genesis)), "genesis: policy: judge_votes: 0 is not between 1 and 256");
}

}  // namespace
}  // namespace cairn::ledger
