#include "work/block_encoding.h"

#include <gmock/gmock.h>

#include <bit>
#include <cmath>
#include <limits>
#include <random>

namespace cairn::work {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

const RandomSequence kRounding(7, RandomStream::gradient_rounding, 1, 2);

// The definition again, in other words: long double and a search from the smallest exponent up.
EncodedBlocks shadow(std::span<const float> values, int bits, uint32_t block_size,
                     const RandomSequence& rounding) {
  EncodedBlocks result;
  const long double limit = (1 << (bits - 1)) - 1;
  for (size_t first = 0; first < values.size(); first += block_size) {
    const size_t last = std::min<size_t>(first + block_size, values.size());
    long double largest = 0;
    for (size_t i = first; i < last; ++i)
      largest = std::max(largest, std::abs(static_cast<long double>(values[i])));
    int exponent = -126;
    while (largest > std::ldexp(limit, exponent)) ++exponent;
    bool zeros = true;
    for (size_t i = first; i < last; ++i) {
      const long double nearest =
          std::nearbyint(std::ldexp(static_cast<long double>(values[i]), 16 - exponent));
      const uint32_t word = rounding.at(static_cast<uint32_t>(i / 4))[i % 4];
      const long double value = std::floor(std::ldexp(nearest + (word >> 16), -16));
      result.values.push_back(static_cast<int16_t>(value));
      zeros = zeros && value == 0;
    }
    result.exponents.push_back(static_cast<int8_t>(zeros ? 0 : exponent));
  }
  return result;
}

std::vector<float> decoded(const EncodedBlocks& blocks, uint32_t block_size) {
  GradientFile file;
  file.block_size = block_size;
  file.exponents = blocks.exponents;
  file.values = blocks.values;
  std::vector<float> values(file.values.size());
  decode_blocks(file, values);
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
      return std::bit_cast<float>(static_cast<uint32_t>((random() & 0x80000000) | random() % 0x62000000));
    default:
      return static_cast<float>(static_cast<double>(static_cast<int64_t>(random())) *
                                std::ldexp(1.0, -70 + static_cast<int>(random() % 8)));
  }
}

TEST(BlockEncoding, FollowsTheDefinition) {
  std::mt19937_64 random(1);
  for (int i = 0; i < 3'000; ++i) {
    std::vector<float> values(1 + random() % 70);
    for (float& value : values) value = hostile(random);
    const auto block_size = static_cast<uint32_t>(1 + random() % 20);
    const int bits = random() % 2 ? 16 : 8;
    const auto blocks = encode_blocks(values, bits, block_size, kRounding);
    ASSERT_TRUE(blocks.ok()) << blocks.error().message;
    const EncodedBlocks expected = shadow(values, bits, block_size, kRounding);
    ASSERT_EQ(blocks->exponents, expected.exponents);
    ASSERT_EQ(blocks->values, expected.values);
    const std::vector<float> back = decoded(*blocks, block_size);
    for (size_t k = 0; k < values.size(); ++k) {
      const double step = std::ldexp(1.0, blocks->exponents[k / block_size]);
      ASSERT_LE(std::abs(double{back[k]} - values[k]), step);
    }
  }
}

TEST(BlockEncoding, FillsTheRangeWithoutLeavingIt) {
  const std::vector<float> values = {32767, -32767, 127, -127};
  const auto wide = encode_blocks(values, 16, 4, kRounding);
  EXPECT_THAT(wide->exponents, ElementsAre(0));
  EXPECT_THAT(wide->values, ElementsAre(32767, -32767, 127, -127));
  const auto narrow = encode_blocks(values, 8, 2, kRounding);
  EXPECT_THAT(narrow->exponents, ElementsAre(9, 0));
  EXPECT_THAT(std::span(narrow->values).last(2), ElementsAre(127, -127));
}

TEST(BlockEncoding, ZerosHaveExponentZero) {
  const std::vector<float> values = {0.0f, -0.0f, 1.0f, 0x1p-149f, -0x1p-149f};
  const auto blocks = encode_blocks(values, 8, 2, kRounding);
  EXPECT_EQ(blocks->exponents[0], 0);
  EXPECT_EQ(blocks->values[0], 0);
  EXPECT_EQ(blocks->values[1], 0);
  EXPECT_EQ(blocks->exponents.size(), 3u);
}

TEST(BlockEncoding, IsRightOnAverage) {
  for (const float value : {0.3f, -0.3f, 0.001f, -17.77f}) {
    double sum = 0;
    constexpr int kRepeats = 20'000;
    for (uint32_t round = 0; round < kRepeats; ++round) {
      const std::vector<float> values = {value, 127.0f};
      const RandomSequence rounding(3, RandomStream::gradient_rounding, round, 5);
      sum += encode_blocks(values, 8, 2, rounding)->values[0];
    }
    EXPECT_NEAR(sum / kRepeats, value, 4 * 0.5 / std::sqrt(kRepeats));
  }
}

TEST(BlockEncoding, RefusesDivergedValuesByNumber) {
  const auto refusal = [](float value) {
    std::vector<float> values(10, 1.0f);
    values[6] = value;
    const auto blocks = encode_blocks(values, 16, 4, kRounding);
    return blocks ? "accepted" : blocks.error().message;
  };
  EXPECT_EQ(refusal(std::ldexp(32767.0f, 63)), "accepted");
  EXPECT_THAT(refusal(std::nextafter(std::ldexp(32767.0f, 63), INFINITY)),
              HasSubstr("diverged: gradient value 6 is"));
  EXPECT_THAT(refusal(INFINITY), HasSubstr("diverged: gradient value 6 is inf"));
  EXPECT_THAT(refusal(-INFINITY), HasSubstr("diverged: gradient value 6 is -inf"));
  EXPECT_THAT(refusal(NAN), HasSubstr("diverged: gradient value 6 is nan"));
  EXPECT_THAT(refusal(-std::numeric_limits<float>::max()),
              HasSubstr("diverged: gradient value 6 is -340282"));
}

}  // namespace
}  // namespace cairn::work
