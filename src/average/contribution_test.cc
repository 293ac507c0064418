#include "average/contribution.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>

#include "average/norm.h"

namespace cairn::average {
namespace {

using testing::HasSubstr;

constexpr uint64_t kRateOne = uint64_t{1} << 40;
constexpr uint64_t kOne = 1'000'000'000'000;

work::GradientFile gradient(std::vector<int16_t> values, int exponent) {
  work::GradientFile file;
  file.block_size = static_cast<uint32_t>(values.size());
  file.parameters = file.block_size;
  file.values = std::move(values);
  file.exponents = {static_cast<int8_t>(exponent)};
  return file;
}

double number(const Coefficient& coefficient) {  // in units of the model
  return std::ldexp(static_cast<double>(coefficient.factor), coefficient.exponent - 48);
}

TEST(Coefficient, IsTheShareOfTheRate) {
  EXPECT_EQ(number(coefficient(kRateOne, kUnclipped, kOne, kOne)), 1);
  EXPECT_EQ(number(coefficient(kRateOne / 4, kUnclipped / 2, kOne / 2, 2 * kOne)), 1.0 / 32);
  EXPECT_EQ(number(coefficient(0, kUnclipped, kOne, kOne)), 0);
  EXPECT_EQ(number(coefficient(kRateOne, 0, kOne, kOne)), 0);
  EXPECT_NEAR(number(coefficient(kRateOne, kUnclipped, kOne, 3 * Wide{kOne})) * 3, 1, 1e-13);
}

TEST(Coefficient, HasFortySixBitsOrOneMoreAtEveryScale) {
  std::mt19937_64 random(1);
  for (int i = 0; i < 20'000; ++i) {
    const uint64_t rate = 1 + (random() >> (12 + random() % 50));
    const auto clip = static_cast<uint32_t>(1 + (random() >> (34 + random() % 29)));
    const uint64_t weight = 1 + (random() >> (24 + random() % 40));
    const Wide total = weight + (Wide{random()} << 8 >> (random() % 70));
    const Coefficient c = coefficient(rate, clip, weight, total);
    EXPECT_GE(c.factor, int64_t{1} << 45);
    EXPECT_LT(c.factor, int64_t{1} << 47);
    const double exact = std::ldexp(static_cast<double>(rate), -40) * std::ldexp(clip, -30) *
                         static_cast<double>(weight) / static_cast<double>(total);
    EXPECT_NEAR(number(c) / exact, 1, 3e-14);
  }
}

TEST(GridSum, RoundsEachProductToTheNearestEven) {
  const Coefficient half = {1, -1};
  GridSum sum(std::vector<int64_t>(8, 0));
  ASSERT_TRUE(sum.replace(gradient({1, 2, 3, 4, -1, -2, -3, -5}, 0), {}, half));
  EXPECT_EQ(sum.values(), (std::vector<int64_t>{0, -1, -2, -2, 0, 1, 2, 2}));
}

TEST(GridSum, IgnoresWhatIsFarBelowTheGrid) {
  const Coefficient largest = {(int64_t{1} << 47) - 1, 0};
  for (int shift : {-62, -63, -64, -100, -126}) {
    GridSum sum({0, 0});
    ASSERT_TRUE(sum.replace(gradient({32767, -32767}, shift), {}, largest));
    const int64_t expected = shift == -62 ? 1 : 0;
    EXPECT_EQ(sum.values(), (std::vector<int64_t>{-expected, expected})) << shift;
  }
}

TEST(GridSum, TakesLargeProductsThatFitAndNoOthers) {
  const Coefficient c = {int64_t{1} << 46, 0};
  GridSum sum({0});
  ASSERT_TRUE(sum.replace(gradient({1}, 16), {}, c));
  EXPECT_EQ(sum.values()[0], -(int64_t{1} << 62));
  for (int exponent : {17, 40, 63}) {
    const Status status = GridSum({0}).replace(gradient({1}, exponent), {}, c);
    ASSERT_FALSE(status) << exponent;
    EXPECT_THAT(status.error().message, HasSubstr("value 0 alone takes the model out of its range"));
    EXPECT_TRUE(GridSum({0}).replace(gradient({0}, exponent), {}, c));
  }
}

TEST(GridSum, RefusesAGradientOfAnotherModel) {
  const Status status = GridSum({0, 0}).replace(gradient({1}, 0), {}, {1, 0});
  ASSERT_FALSE(status);
  EXPECT_THAT(status.error().message, HasSubstr("parameters: 1 where the model has 2"));
}

TEST(GridSum, NoticesOnlyASumThatIsOutOfRangeAtTheEnd) {
  const Coefficient down = {int64_t{1} << 46, 0};
  const work::GradientFile up_one = gradient({-1, 0}, 16);
  const work::GradientFile down_one = gradient({1, 0}, 16);
  GridSum sum({0, 0});
  ASSERT_TRUE(sum.replace(up_one, {}, down));
  EXPECT_TRUE(sum.in_range());
  ASSERT_TRUE(sum.replace(up_one, {}, down));
  ASSERT_FALSE(sum.in_range());
  EXPECT_THAT(sum.in_range().error().message, HasSubstr("parameter 0: the model left the range"));
  ASSERT_TRUE(sum.replace(down_one, {}, down));
  EXPECT_TRUE(sum.in_range());
  EXPECT_EQ(sum.values(), (std::vector<int64_t>{int64_t{1} << 62, 0}));
}

// The same sum as of the gradient with all its zeros, and the same errors.
TEST(GridSum, TakesKeptValuesWhereTheyBelong) {
  std::mt19937_64 random(3);
  for (int trial = 0; trial < 300; ++trial) {
    work::GradientFile sparse, dense;
    sparse.parameters = dense.parameters = 40;
    sparse.block_size = 3;
    dense.block_size = 1;
    dense.values.resize(40);
    dense.exponents.resize(40);
    for (uint32_t i = 0; i < 40; ++i) {
      if (random() % 4 != 0) continue;
      const auto value = static_cast<int16_t>(static_cast<int>(random() % 65535) - 32767);
      if (sparse.values.size() % 3 == 0)
        sparse.exponents.push_back(static_cast<int8_t>(static_cast<int>(random() % 70) - 48));
      sparse.positions.push_back(i);
      sparse.values.push_back(value);
      dense.values[i] = value;
      dense.exponents[i] = sparse.exponents.back();
    }
    if (sparse.values.empty()) continue;
    const Coefficient c = {static_cast<int64_t>(random() >> 18), -static_cast<int>(random() % 20) - 8};
    GridSum one(std::vector<int64_t>(40, 7)), other(std::vector<int64_t>(40, 7));
    const Status added = one.replace(sparse, {}, c), expected = other.replace(dense, {}, c);
    ASSERT_EQ(added.ok(), expected.ok());
    if (added) {
      ASSERT_EQ(one.values(), other.values());
    } else {
      ASSERT_EQ(added.error().message, expected.error().message);
    }
  }
}

TEST(GridSum, DoesNotShowInWhichOrderTermsCameAndWent) {
  std::mt19937_64 random(2);
  for (int trial = 0; trial < 300; ++trial) {
    std::vector<std::pair<work::GradientFile, Coefficient>> terms;
    for (int i = 0; i < 12; ++i) {
      std::vector<int16_t> values(5);
      for (int16_t& v : values) v = static_cast<int16_t>(static_cast<int>(random() % 65535) - 32767);
      terms.push_back({gradient(values, static_cast<int>(random() % 60) - 45),
                       {static_cast<int64_t>(random() >> 18), -static_cast<int>(random() % 20) - 15}});
    }
    GridSum once(std::vector<int64_t>(5, 11)), twice(std::vector<int64_t>(5, 11));
    for (int i = 0; i < 6; ++i) ASSERT_TRUE(once.replace(terms[i].first, {}, terms[i].second));
    std::shuffle(terms.begin() + 6, terms.end(), random);
    for (int i = 11; i >= 0; --i) ASSERT_TRUE(twice.replace(terms[i].first, {}, terms[i].second));
    std::shuffle(terms.begin() + 6, terms.end(), random);
    for (int i = 6; i < 12; ++i) ASSERT_TRUE(twice.replace(terms[i].first, terms[i].second, {}));
    EXPECT_EQ(once.values(), twice.values());
  }
}

}  // namespace
}  // namespace cairn::average
