#include "work/block_encoding.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

namespace cairn::work {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

const RandomSequence kRounding(7, RandomStream::gradient_rounding, 1, 2);

// A head that says how to encode.
GradientFile blank(int bits, uint32_t block_size) {
  GradientFile file;
  file.bits = static_cast<uint8_t>(bits);
  file.block_size = block_size;
  return file;
}

Result<GradientFile> encoded(std::span<const float> values, int bits, uint32_t block_size, uint32_t kept,
                             const RandomSequence& rounding = kRounding) {
  GradientFile file = blank(bits, block_size);
  CAIRN_CHECK(encode_values(values, kept, rounding, file));
  return file;
}

Result<GradientFile> encoded(std::span<const float> values, int bits, uint32_t block_size) {
  return encoded(values, bits, block_size, static_cast<uint32_t>(values.size()));
}

// The positions that are kept, by a sort.
std::vector<uint32_t> sorted_out(std::span<const float> values, uint32_t kept) {
  std::vector<uint32_t> order(values.size());
  for (uint32_t i = 0; i < order.size(); ++i) order[i] = i;
  std::ranges::stable_sort(order, std::greater<>(), [&](uint32_t i) { return std::abs(values[i]); });
  order.resize(kept);
  std::ranges::sort(order);
  return order;
}

// The definition again, in other words: a sort, long double and a search from the smallest exponent up.
GradientFile shadow(std::span<const float> values, int bits, uint32_t block_size, uint32_t kept) {
  GradientFile result = blank(bits, block_size);
  result.parameters = static_cast<uint32_t>(values.size());
  const std::vector<uint32_t> positions = sorted_out(values, kept);
  if (kept < values.size()) result.positions = positions;
  const long double limit = (1 << (bits - 1)) - 1;
  for (size_t first = 0; first < kept; first += block_size) {
    const auto block = std::span(positions).subspan(first, std::min<size_t>(block_size, kept - first));
    long double largest = 0;
    for (const uint32_t i : block) largest = std::max(largest, std::abs(static_cast<long double>(values[i])));
    int exponent = -126;
    while (largest > std::ldexp(limit, exponent)) ++exponent;
    bool zeros = true;
    for (const uint32_t i : block) {
      const long double nearest =
          std::nearbyint(std::ldexp(static_cast<long double>(values[i]), 16 - exponent));
      const uint32_t word = kRounding.at(i / 4)[i % 4];
      const long double value = std::floor(std::ldexp(nearest + (word >> 16), -16));
      result.values.push_back(static_cast<int16_t>(value));
      zeros = zeros && value == 0;
    }
    result.exponents.push_back(static_cast<int8_t>(zeros ? 0 : exponent));
  }
  return result;
}

std::vector<float> decoded(const GradientFile& file) {
  std::vector<float> values(file.parameters, NAN);
  decode_values(file, values);
  return values;
}

// Numbers of all sizes: normal, subnormal, zero, limits of blocks.
float hostile(std::mt19937_64& random) {
  switch (random() % 8) {
    case 0:
      return random() % 2 ? 0.0f : -0.0f;
    case 1:
      return std::bit_cast<float>(static_cast<uint32_t>(random() & 0x807fffff));  // subnormal
    case 2:
      return static_cast<float>((random() % 2 ? 32767 : 127) *
                                std::ldexp(1.0, static_cast<int>(random() % 100) - 90));
    case 3:
      return std::bit_cast<float>(static_cast<uint32_t>((random() & 0x80000000) | random() % 0x5f000000));
    default:
      return static_cast<float>(static_cast<double>(static_cast<int64_t>(random())) *
                                std::ldexp(1.0, -70 + static_cast<int>(random() % 8)));
  }
}

TEST(BlockEncoding, FollowsTheDefinition) {
  std::mt19937_64 random(1);
  constexpr std::array kWidths = {4, 8, 16};
  for (int i = 0; i < 5'000; ++i) {
    std::vector<float> values(1 + random() % 70);
    for (float& value : values) value = hostile(random);
    const auto block_size = static_cast<uint32_t>(1 + random() % 20);
    const int bits = kWidths[random() % 3];
    const auto kept = static_cast<uint32_t>(random() % 2 ? values.size() : 1 + random() % values.size());
    const auto file = encoded(values, bits, block_size, kept);
    ASSERT_TRUE(file.ok()) << file.error().message;
    ASSERT_EQ(*file, shadow(values, bits, block_size, kept));
    ASSERT_EQ(*file, *encoded(values, bits, block_size, kept));
    const std::vector<float> back = decoded(*file);
    for (size_t k = 0; k < kept; ++k) {
      const size_t position = file->positions.empty() ? k : file->positions[k];
      const double step = std::ldexp(1.0, file->exponents[k / block_size]);
      ASSERT_LE(std::abs(double{back[position]} - values[position]), step);
    }
    ASSERT_LE(values.size() - static_cast<size_t>(std::ranges::count(back, 0.0f)), kept);
  }
}

TEST(BlockEncoding, KeepsWhatASortWouldKeep) {
  std::mt19937_64 random(2);
  for (int i = 0; i < 2'000; ++i) {
    std::vector<float> values(1 + random() % 300);
    const uint64_t kinds = 1 + random() % 40;  // few: many are equal
    for (float& value : values) {
      value = i % 2 ? hostile(random) : std::ldexp(static_cast<float>(random() % kinds) - 10, -20);
    }
    const auto kept = static_cast<uint32_t>(1 + random() % values.size());
    ASSERT_EQ(largest_values(values, kept), sorted_out(values, kept));
  }
}

TEST(BlockEncoding, OfEqualMagnitudesTheEarlierIsKept) {
  const std::vector<float> values = {0, -2, 1, 2, -1, 2, -0.0f};
  EXPECT_THAT(largest_values(values, 1), ElementsAre(1));
  EXPECT_THAT(largest_values(values, 2), ElementsAre(1, 3));
  EXPECT_THAT(largest_values(values, 4), ElementsAre(1, 2, 3, 5));
  EXPECT_THAT(largest_values(values, 6), ElementsAre(0, 1, 2, 3, 4, 5));
}

TEST(BlockEncoding, FillsTheRangeWithoutLeavingIt) {
  const std::vector<float> values = {32767, -32767, 127, -127, 7, -7};
  const auto wide = encoded(values, 16, 4);
  EXPECT_THAT(wide->exponents, ElementsAre(0, -12));
  EXPECT_THAT(wide->values, ElementsAre(32767, -32767, 127, -127, 7 << 12, -(7 << 12)));
  const auto narrow = encoded(values, 8, 2);
  EXPECT_THAT(narrow->exponents, ElementsAre(9, 0, -4));
  EXPECT_THAT(std::span(narrow->values).subspan(2, 2), ElementsAre(127, -127));
  const auto least = encoded(values, 4, 2);
  EXPECT_THAT(least->exponents, ElementsAre(13, 5, 0));
  EXPECT_THAT(std::span(least->values).last(2), ElementsAre(7, -7));
}

TEST(BlockEncoding, ZerosHaveExponentZero) {
  const std::vector<float> values = {0.0f, -0.0f, 1.0f, 0x1p-149f, -0x1p-149f};
  const auto file = encoded(values, 8, 2);
  EXPECT_EQ(file->exponents[0], 0);
  EXPECT_EQ(file->values[0], 0);
  EXPECT_EQ(file->values[1], 0);
  EXPECT_EQ(file->exponents.size(), 3u);
}

TEST(BlockEncoding, IsRightOnAverage) {
  for (const int bits : {4, 8}) {
    for (const float value : {0.3f, -0.3f, 0.001f, -4.77f}) {
      double sum = 0;
      constexpr int kRepeats = 20'000;
      for (uint32_t round = 0; round < kRepeats; ++round) {
        const std::vector<float> values = {0.0001f, value, bits == 4 ? 7.0f : 127.0f};
        const bool sparse = round % 16 == 0;
        const RandomSequence rounding(3, RandomStream::gradient_rounding, round, 5);
        sum += encoded(values, bits, 3, sparse ? 2 : 3, rounding)->values[sparse ? 0 : 1];
      }
      EXPECT_NEAR(sum / kRepeats, value, 4 * 0.5 / std::sqrt(kRepeats)) << bits;
    }
  }
}

TEST(BlockEncoding, RefusesDivergedValuesByNumber) {
  const auto refusal = [](float value, int bits = 16, uint32_t kept = 10) {
    std::vector<float> values(10, 1.0f);
    values[6] = value;
    const auto file = encoded(values, bits, 4, kept);
    return file ? "accepted" : file.error().message;
  };
  for (const auto& [bits, limit] : {std::pair{16, 32767.0f}, {8, 127.0f}, {4, 7.0f}}) {
    EXPECT_EQ(refusal(std::ldexp(limit, 63), bits), "accepted");
    EXPECT_THAT(refusal(std::nextafter(std::ldexp(limit, 63), INFINITY), bits),
                HasSubstr("diverged: gradient value 6 is"));
  }
  for (const uint32_t kept : {10, 5, 1}) {
    EXPECT_THAT(refusal(INFINITY, 8, kept), HasSubstr("diverged: gradient value 6 is inf"));
    EXPECT_THAT(refusal(-INFINITY, 8, kept), HasSubstr("diverged: gradient value 6 is -inf"));
    EXPECT_THAT(refusal(NAN, 8, kept), HasSubstr("diverged: gradient value 6 is nan"));
    EXPECT_THAT(refusal(-std::numeric_limits<float>::max(), 4, kept),
                HasSubstr("diverged: gradient value 6 is -340282"));
  }
}

}  // namespace
}  // namespace cairn::work
