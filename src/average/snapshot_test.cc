#include "average/snapshot.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <bit>
#include <limits>
#include <random>

namespace cairn::average {
namespace {

using testing::HasSubstr;

std::vector<int64_t> grid_of(std::vector<float> values) {
  return starting_snapshot(values).value().grid;
}

TEST(Snapshot, PutsParametersOnTheNearestGridPoint) {
  EXPECT_EQ(grid_of({0.0f, -0.0f, 1.0f, -1.0f}),
            (std::vector<int64_t>{0, 0, int64_t{1} << 48, -(int64_t{1} << 48)}));
  EXPECT_EQ(grid_of({0x1p-48f, 0x1p-49f, 0x3p-49f, -0x3p-49f, 0x1.000002p-49f, 0x1p-140f}),
            (std::vector<int64_t>{1, 0, 2, -2, 1, 0}));
  EXPECT_EQ(grid_of({-0x1.fffffep14f}), (std::vector<int64_t>{-(int64_t{0xffffff} << 39)}));
}

TEST(Snapshot, RefusesParametersThatHaveNoPlaceOnTheGrid) {
  for (float bad : {32768.0f, -32768.0f, std::numeric_limits<float>::infinity(),
                    std::numeric_limits<float>::quiet_NaN(), 3e38f}) {
    const Result<Snapshot> result = starting_snapshot(std::vector<float>{0, bad});
    ASSERT_FALSE(result) << bad;
    EXPECT_THAT(result.error().message, HasSubstr("parameter 1"));
  }
}

TEST(Snapshot, RoundsEachGridPointOnce) {
  const int64_t one = int64_t{1} << 48;
  const Snapshot snapshot = {{one, -one, 1, INT64_MAX, INT64_MIN, one + (1 << 24), one + 3 * (1 << 24), 0}};
  EXPECT_EQ(parameters(snapshot),
            (std::vector<float>{1.0f, -1.0f, 0x1p-48f, 0x1p15f, -0x1p15f, 1.0f, 1.0f + 0x2p-23f, 0.0f}));
}

TEST(Snapshot, StartingFromItsOwnParametersChangesNothing) {
  std::mt19937_64 random(1);
  for (int i = 0; i < 20'000; ++i) {
    const float value = std::bit_cast<float>(static_cast<uint32_t>(random()));
    const Result<Snapshot> start = starting_snapshot(std::vector<float>{value});
    if (!start) continue;
    EXPECT_EQ(starting_snapshot(parameters(*start)).value(), *start) << value;
  }
}

TEST(Snapshot, ReadsBackTheParametersItWrote) {
  const Snapshot snapshot = {{1, -2, int64_t{3} << 50}};
  const Bytes bytes = encode_parameters(snapshot);
  EXPECT_EQ(bytes.size(), parameters_size(3));
  EXPECT_EQ(decode_parameters(bytes).value(), parameters(snapshot));
  EXPECT_EQ(parameters_digest(snapshot), sha256(bytes));
  EXPECT_EQ(parameters_digest(parameters(snapshot)), sha256(bytes));
}

TEST(Snapshot, RefusesDamagedParameters) {
  const Bytes good = encode_parameters({{1, -2, 3}});
  for (size_t size = 0; size < good.size(); ++size) {
    EXPECT_FALSE(decode_parameters(BytesView(good).first(size))) << size;
  }
  Bytes longer = good;
  longer.push_back(0);
  EXPECT_FALSE(decode_parameters(longer));
  Bytes infinite = good;
  infinite[infinite.size() - 1] = 0x7f;
  infinite[infinite.size() - 2] = 0x80;
  EXPECT_THAT(decode_parameters(infinite).error().message, HasSubstr("not finite"));
  Bytes foreign = good;
  foreign[4] ^= 1;
  EXPECT_THAT(decode_parameters(foreign).error().message, HasSubstr("magic"));
  Bytes newer = good;
  newer[20] = 2;
  EXPECT_THAT(decode_parameters(newer).error().message, HasSubstr("version"));
}

// The bytes are a format: these digests may never change.
TEST(Snapshot, HasTheDigestsOfTheFormat) {
  const Snapshot snapshot = {{1, -2, int64_t{3} << 50, INT64_MIN}};
  EXPECT_EQ(parameters_digest(snapshot).hex(),
            "afebcb2e3661049632498fa08746d3af2f56d1fc88a853a6c6f9fae6f6e3daaf");
  EXPECT_EQ(grid_digest(snapshot).hex(), "66bb7273966a11ea05e6624bad7f84bd49921715b7b448f89f6cfff896250325");
  EXPECT_EQ(grid_digest({std::vector<int64_t>(200'000, 7)}).hex(),
            "f4a472e687497f78b7c2c53431dbdab424d9dbb7709ea0b9354f549b10e80f1b");
}

}  // namespace
}  // namespace cairn::average
