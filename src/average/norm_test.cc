#include "average/norm.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

namespace cairn::average {
namespace {

work::GradientFile gradient(std::vector<int16_t> values, std::vector<int8_t> exponents, uint32_t block_size) {
  work::GradientFile file;
  file.values = std::move(values);
  file.exponents = std::move(exponents);
  file.block_size = block_size;
  return file;
}

double number(const Norm& norm) {
  return std::ldexp(static_cast<double>(norm.mantissa), norm.exponent);
}

TEST(Norm, IsTheEuclideanOne) {
  EXPECT_EQ(number(norm_of(gradient({3, -4}, {0}, 2))), 5.0);
  EXPECT_EQ(number(norm_of(gradient({3, -4}, {-10}, 2))), 5.0 / 1024);
  EXPECT_EQ(number(norm_of(gradient({3, 2}, {0, 1}, 1))), 5.0);
  EXPECT_EQ(number(norm_of(gradient({3, 0, 1}, {0, 0, 2}, 1))), 5.0);
  EXPECT_TRUE(norm_of(gradient({0, 0}, {0}, 2)).zero());
  EXPECT_TRUE(norm_of(gradient({}, {}, 1)).zero());
}

TEST(Norm, HoldsAtTheEndsOfTheFormat) {
  EXPECT_EQ(number(norm_of(gradient({1}, {-126}, 1))), std::ldexp(1, -126));
  EXPECT_EQ(number(norm_of(gradient({-32767}, {63}, 1))), std::ldexp(32767, 63));
  EXPECT_EQ(number(norm_of(gradient({1, 1}, {63, -126}, 1))), std::ldexp(1, 63));
  const std::vector<int16_t> many(1 << 20, 32767);
  EXPECT_EQ(number(norm_of(gradient(many, {0}, 1 << 20))), 32767.0 * 1024);
}

TEST(Norm, AgreesWithFloatingPoint) {
  std::mt19937_64 random(3);
  for (int i = 0; i < 2000; ++i) {
    work::GradientFile file = gradient(std::vector<int16_t>(24), std::vector<int8_t>(6), 4);
    double square = 0;
    for (size_t v = 0; v < 24; ++v) {
      if (v % 4 == 0) file.exponents[v / 4] = static_cast<int8_t>(static_cast<int>(random() % 190) - 126);
      file.values[v] = static_cast<int16_t>(static_cast<int>(random() % 65535) - 32767);
      square += std::pow(std::ldexp(file.values[v], file.exponents[v / 4]), 2);
    }
    EXPECT_NEAR(number(norm_of(file)) / std::sqrt(square), 1, 1e-14);
  }
}

TEST(Norm, OrdersAsNumbersDo) {
  std::mt19937_64 random(4);
  for (int i = 0; i < 2000; ++i) {
    const auto draw = [&] { return random() >> (1 + random() % 63); };
    const uint64_t a = draw(), b = draw();
    EXPECT_EQ(norm_on_grid(a) < norm_on_grid(b), a < b);
    EXPECT_EQ(norm_on_grid(2 * a), twice(norm_on_grid(a)));
  }
}

TEST(Norm, ClipsToTheLimit) {
  const Norm one = norm_on_grid(uint64_t{1} << 48);
  EXPECT_EQ(clip_factor(one, one), kUnclipped);
  EXPECT_EQ(clip_factor(twice(one), one), kUnclipped);
  EXPECT_EQ(clip_factor(one, twice(one)), kUnclipped / 2);
  EXPECT_EQ(clip_factor(one, norm_on_grid(uint64_t{3} << 48)), kUnclipped / 3);
  EXPECT_EQ(clip_factor(one, Norm{}), kUnclipped);
  EXPECT_EQ(clip_factor(Norm{}, one), 0u);
  EXPECT_EQ(clip_factor(one, norm_of(gradient({32767}, {63}, 1))), 0u);
  EXPECT_EQ(clip_factor(one, norm_of(gradient({1}, {30}, 1))), 1u);
  EXPECT_EQ(clip_factor(one, norm_of(gradient({1}, {31}, 1))), 0u);
}

TEST(Norm, ClippedIsNeverLongerThanTheLimit) {
  std::mt19937_64 random(5);
  for (int i = 0; i < 5000; ++i) {
    const Norm limit = norm_on_grid(1 + (random() >> (random() % 60)));
    const Norm norm = norm_on_grid(1 + (random() >> (random() % 60)));
    const uint32_t clip = clip_factor(limit, norm);
    EXPECT_LE(clip, kUnclipped);
    if (clip == kUnclipped) {
      EXPECT_LE(norm, limit);
    } else {
      EXPECT_LE(number(norm) * clip, number(limit) * kUnclipped * (1 + 1e-15));
      EXPECT_GT(number(norm) * (clip + 1), number(limit) * kUnclipped * (1 - 1e-15));
    }
  }
}

}  // namespace
}  // namespace cairn::average
