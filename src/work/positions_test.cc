#include "work/positions.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

#include "data/mutation.h"

namespace cairn::work {
namespace {

using ::testing::HasSubstr;

std::vector<uint32_t> some_positions(uint32_t limit, uint32_t count, std::mt19937_64& random) {
  std::vector<uint32_t> all(limit), chosen;
  for (uint32_t i = 0; i < limit; ++i) all[i] = i;
  std::ranges::sample(all, std::back_inserter(chosen), count, random);
  return chosen;
}

std::vector<uint32_t> read_back(BytesView bytes, uint32_t limit, uint32_t count) {
  PositionReader reader(bytes, limit, count);
  std::vector<uint32_t> positions(count);
  for (uint32_t& position : positions) position = reader.next();
  return positions;
}

TEST(Positions, RoundTrip) {
  std::mt19937_64 random(1);
  for (int i = 0; i < 5'000; ++i) {
    const auto limit = static_cast<uint32_t>(1 + random() % (i % 2 ? 20 : 3'000));
    const auto count = static_cast<uint32_t>(1 + random() % (random() % 2 ? limit : std::min(limit, 4u)));
    const std::vector<uint32_t> positions = some_positions(limit, count, random);
    const Bytes bytes = encode_positions(positions, limit);
    ASSERT_EQ(bytes.size(), positions_size(limit, count));
    ASSERT_TRUE(check_positions(bytes, limit, count)) << limit << " " << count;
    ASSERT_EQ(read_back(bytes, limit, count), positions);
  }
}

TEST(Positions, HoldAtTheEndsOfTheirRange) {
  constexpr uint32_t kLimit = uint32_t{1} << 28;
  for (const std::vector<uint32_t>& positions :
       {std::vector<uint32_t>{0}, {kLimit - 1}, {0, kLimit - 1}, {kLimit - 3, kLimit - 2, kLimit - 1}}) {
    const auto count = static_cast<uint32_t>(positions.size());
    const Bytes bytes = encode_positions(positions, kLimit);
    EXPECT_TRUE(check_positions(bytes, kLimit, count));
    EXPECT_EQ(read_back(bytes, kLimit, count), positions);
  }
}

TEST(Positions, TakeLittleMoreThanTheyHaveTo) {
  for (const double share : {0.5, 0.25, 0.1, 0.0625, 0.03, 0.01, 0.001}) {
    constexpr uint32_t kLimit = 1'000'000;
    const auto count = static_cast<uint32_t>(share * kLimit);
    const double least = -std::log2(share) - (1 - share) / share * std::log2(1 - share);
    EXPECT_LE(8.0 * static_cast<double>(positions_size(kLimit, count)) / count,
              least + (share > 0.1 ? 1.01 : 0.61))
        << share;
  }
}

// Two bits of each low, then the bits 0, 1 and 4 of the high string: 1, 2 and 9 of 12.
TEST(Positions, BytesAreAsDocumented) {
  const std::vector<uint32_t> positions = {1, 2, 9};
  EXPECT_EQ(to_hex(encode_positions(positions, 12)), "1913");
}

TEST(Positions, RefusalsSayWhatIsWrong) {
  const auto said = [](uint8_t low, uint8_t high, uint32_t limit = 12) {
    const Bytes bytes = {low, high};
    const Status status = check_positions(bytes, limit, 3);
    return status ? "accepted" : status.error().message;
  };
  EXPECT_EQ(said(0x19, 0x13), "accepted");
  EXPECT_THAT(said(0x59, 0x13), HasSubstr("a bit after the last is not zero"));
  EXPECT_THAT(said(0x19, 0x33), HasSubstr("a bit after the last is not zero"));
  EXPECT_THAT(said(0x19, 0x03), HasSubstr("positions: 2 where 3 values are kept"));
  EXPECT_THAT(said(0x15, 0x13), HasSubstr("number 1 is 1 where 2 to 11 can follow"));
  EXPECT_THAT(said(0x16, 0x13), HasSubstr("number 1 is 1 where 3 to 11 can follow"));
  EXPECT_EQ(said(0x39, 0x23, 13), "positions: number 2 is 15 where 3 to 12 can follow");
}

TEST(Positions, HaveOneForm) {
  std::mt19937_64 random(2);
  for (int i = 0; i < 20'000; ++i) {
    const auto limit = static_cast<uint32_t>(1 + random() % 200);
    const auto count = static_cast<uint32_t>(1 + random() % limit);
    Bytes bytes = data::mutate(encode_positions(some_positions(limit, count, random), limit), random);
    bytes.resize(positions_size(limit, count));
    if (!check_positions(bytes, limit, count)) continue;
    const std::vector<uint32_t> positions = read_back(bytes, limit, count);
    ASSERT_TRUE(std::ranges::is_sorted(positions, std::less_equal<>()) || count == 1);
    ASSERT_LT(positions.back(), limit);
    ASSERT_EQ(encode_positions(positions, limit), bytes);
  }
}

}  // namespace
}  // namespace cairn::work
