#include "average/packed_snapshot.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <random>

namespace cairn::average {
namespace {

using testing::HasSubstr;

const Digest kBase = sha256(as_bytes("base"));

// Bit for bit, since -0 equals +0.
std::vector<uint32_t> bits_of(const std::vector<float>& values) {
  std::vector<uint32_t> bits;
  for (const float value : values) bits.push_back(std::bit_cast<uint32_t>(value));
  return bits;
}

std::vector<float> hostile(uint64_t seed, size_t count) {
  std::mt19937_64 random(seed);
  std::vector<float> values;
  while (values.size() < count) {
    const auto word = static_cast<uint32_t>(random());
    constexpr uint32_t kEdges[] = {0,          0x80000000, 1,          0x80000001,
                                   0x7f7fffff, 0xff7fffff, 0x00800000, 0x3f800000};
    const auto value = std::bit_cast<float>(random() % 4 == 0 ? kEdges[word % 8] : word);
    if (std::isfinite(value)) values.push_back(value);
  }
  return values;
}

std::vector<float> unpacked(const Bytes& bytes, std::vector<float> base) {
  const size_t count = read_packed_head(bytes).value().count;
  const Status status = unpack(bytes, count, base);
  EXPECT_TRUE(status.ok()) << status.error().message;
  return base;
}

TEST(PackedSnapshot, GivesEveryBitBack) {
  for (uint64_t seed = 0; seed < 200; ++seed) {
    const auto before = hostile(2 * seed, seed), now = hostile(2 * seed + 1, seed);
    ASSERT_EQ(bits_of(unpacked(pack(now), {})), bits_of(now)) << seed;
    ASSERT_EQ(bits_of(unpacked(pack_change(kBase, before, now), before)), bits_of(now)) << seed;
  }
}

TEST(PackedSnapshot, SaysWhatItIsLaidUpon) {
  const std::vector<float> values = {1, 2};
  EXPECT_EQ(read_packed_head(pack(values))->base, std::nullopt);
  EXPECT_EQ(read_packed_head(pack_change(kBase, values, values))->base, kBase);
  EXPECT_EQ(read_packed_head(pack(values))->count, 2u);
}

TEST(PackedSnapshot, NeverGrowsBeyondItsLimit) {
  for (const size_t count : {0, 1, 7, 1000, 100'000}) {
    const auto before = hostile(1, count), now = hostile(2, count);
    EXPECT_LE(pack(now).size(), packed_size_limit(count));
    EXPECT_LE(pack_change(kBase, before, now).size(), packed_size_limit(count));
  }
}

// Weights as training leaves them, and what a round does to them: a thousandth or so of their size. The
// numbers are those of docs/formats/snapshot.md.
TEST(PackedSnapshot, AChangeTakesLessThanHalfOfTheNumbers) {
  constexpr size_t kCount = 1'000'000;
  std::mt19937_64 random(1);
  std::normal_distribution<float> normal(0, 0.02f);
  std::vector<float> before(kCount);
  for (float& value : before) value = normal(random);
  const double raw = 4.0 * kCount;
  const double whole = static_cast<double>(pack(before).size()) / raw;
  EXPECT_LT(whole, 0.88);
  double last = whole;
  for (const float step : {1e-3f, 1e-4f, 1e-5f}) {  // of a weight's usual size
    std::vector<float> now = before;
    for (float& value : now) value += step * normal(random);
    const double share = static_cast<double>(pack_change(kBase, before, now).size()) / raw;
    RecordProperty("share", std::to_string(share));
    std::printf("a step of %g: %.3f of the numbers, whole %.3f\n", static_cast<double>(step), share, whole);
    EXPECT_LT(share, last);
    last = share;
  }
  EXPECT_LT(last, 0.35);
  EXPECT_LT(pack_change(kBase, before, before).size(), 1000u);
}

TEST(PackedSnapshot, RefusesWhatIsNotTheFormat) {
  const std::vector<float> values = {1, -2, 3};
  const Bytes good = pack_change(kBase, values, values);
  std::vector<float> base = values;
  for (size_t size = 0; size < good.size(); ++size) {
    base = values;
    EXPECT_FALSE(unpack(BytesView(good).first(size), 3, base)) << size;
  }
  Bytes longer = good;
  longer.push_back(0);
  EXPECT_THAT(unpack(longer, 3, base).error().message, HasSubstr("do not end"));
  EXPECT_THAT(unpack(good, 4, base).error().message, HasSubstr("3 parameters where 4"));
  base.pop_back();
  EXPECT_THAT(unpack(good, 3, base).error().message, HasSubstr("base: has another number"));
  Bytes foreign = good;
  foreign[4] ^= 1;
  EXPECT_THAT(read_packed_head(foreign).error().message, HasSubstr("no packed snapshot"));
}

TEST(PackedSnapshot, SurvivesEveryFlippedBit) {
  const std::vector<float> values = hostile(3, 50);
  const Bytes good = pack(values);
  for (size_t bit = 0; bit < 8 * good.size(); ++bit) {
    Bytes damaged = good;
    damaged[bit / 8] ^= static_cast<uint8_t>(1u << (bit % 8));
    std::vector<float> base;
    std::ignore = unpack(damaged, 50, base).ok();
  }
}

}  // namespace
}  // namespace cairn::average
