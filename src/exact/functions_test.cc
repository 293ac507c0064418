#include "exact/functions.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>

namespace cairn::exact {
namespace {

// The distance of y from the true value, in units of the last place of the true value.
long double error_in_ulp(float y, long double truth) {
  int exponent;
  std::frexp(truth, &exponent);
  const long double ulp = std::ldexp(1.0L, std::max(exponent - 24, -149));
  return std::fabs(static_cast<long double>(y) - truth) / ulp;
}

// The largest error over every `step`-th binary32 between two positive bounds, and their negatives.
template <typename Function, typename Truth>
long double largest_error(Function function, Truth truth, float from, float to, uint32_t step,
                          bool negatives) {
  long double worst = 0;
  for (uint32_t bits = bits_of(from); bits <= bits_of(to); bits += step) {
    for (float x : {float_of(bits), -float_of(bits)}) {
      if (x < 0 && !negatives) continue;
      worst = std::max(worst, error_in_ulp(function(x), truth(static_cast<long double>(x))));
    }
  }
  return worst;
}

constexpr uint32_t kStep = 3001;  // odd, so that low bits vary

TEST(Functions, ExponentialIsWithinFourUlp) {
  const auto truth = [](long double x) { return std::exp(x); };
  EXPECT_LE(largest_error(exp_exact, truth, 0x1p-149f, 87.0f, kStep, true), 2);
}

TEST(Functions, LogarithmIsWithinFourUlp) {
  const auto truth = [](long double x) { return std::log(x); };
  EXPECT_LE(largest_error(log_exact, truth, 0x1p-149f, 0x1.fffffep+127f, kStep, false), 2);
  EXPECT_LE(largest_error(log_exact, truth, 0.99f, 1.01f, 1, false), 2);
}

TEST(Functions, HyperbolicTangentIsWithinFourUlp) {
  const auto truth = [](long double x) { return std::tanh(x); };
  EXPECT_LE(largest_error(tanh_exact, truth, 0x1p-149f, 100.0f, kStep, true), 3);
}

TEST(Functions, ErrorFunctionIsWithinFourUlp) {
  const auto truth = [](long double x) { return std::erf(x); };
  EXPECT_LE(largest_error(erf_exact, truth, 0x1p-149f, 100.0f, kStep, true), 3);
}

TEST(Functions, SigmoidIsWithinFourUlp) {
  const auto truth = [](long double x) { return 1 / (1 + std::exp(-x)); };
  EXPECT_LE(largest_error(sigmoid_exact, truth, 0x1p-149f, 88.0f, kStep, true), 4);
}

TEST(Functions, EndsAreExact) {
  const float infinity = float_of(kInfinityBits), nan = float_of(kNanBits);
  EXPECT_EQ(bits_of(exp_exact(0.0f)), bits_of(1.0f));
  EXPECT_EQ(bits_of(exp_exact(-0.0f)), bits_of(1.0f));
  EXPECT_EQ(bits_of(exp_exact(-87.00001f)), 0u);
  EXPECT_EQ(bits_of(exp_exact(-infinity)), 0u);
  EXPECT_EQ(exp_exact(88.00001f), infinity);
  EXPECT_GT(exp_exact(-87.0f), 0x1p-126f);
  EXPECT_EQ(bits_of(log_exact(1.0f)), 0u);
  EXPECT_EQ(log_exact(0.0f), -infinity);
  EXPECT_EQ(log_exact(-0.0f), -infinity);
  EXPECT_EQ(log_exact(infinity), infinity);
  EXPECT_EQ(bits_of(log_exact(-1.0f)), kNanBits);
  for (float sign : {1.0f, -1.0f}) {
    EXPECT_EQ(tanh_exact(sign * infinity), sign);
    EXPECT_EQ(erf_exact(sign * infinity), sign);
    EXPECT_EQ(bits_of(tanh_exact(sign * 0.0f)), bits_of(sign * 0.0f));
    EXPECT_EQ(bits_of(erf_exact(sign * 0.0f)), bits_of(sign * 0.0f));
  }
  EXPECT_EQ(bits_of(sigmoid_exact(-infinity)), 0u);
  EXPECT_EQ(sigmoid_exact(infinity), 1.0f);
  for (auto* function : {exp_exact, log_exact, tanh_exact, erf_exact, sigmoid_exact})
    for (float x : {nan, -nan, float_of(0x7f800001)}) EXPECT_EQ(bits_of(function(x)), kNanBits);
}

// The tables of docs/formats/arithmetic.md.
TEST(Functions, GiveTheDocumentedBits) {
  const std::array<float (*)(float), 5> functions = {exp_exact, log_exact, tanh_exact, erf_exact,
                                                     sigmoid_exact};
  struct Row {
    float x;
    std::array<uint32_t, 5> bits;
  };
  const Row rows[] = {{1.0f, {0x402df854, 0x00000000, 0x3f42f7d6, 0x3f57bb3e, 0x3f3b26a8}},
                      {0.1f, {0x3f8d763e, 0xc0135d8e, 0x3dcc1ebc, 0x3de652f5, 0x3f066509}},
                      {-20.0f, {0x310da433, 0x7fc00000, 0xbf800000, 0xbf800000, 0x310da433}}};
  for (const Row& row : rows)
    for (size_t i = 0; i < functions.size(); ++i) EXPECT_EQ(bits_of(functions[i](row.x)), row.bits[i]);
}

TEST(Mix, GivesTheDocumentedBits) {
  EXPECT_EQ(mix(0), 0u);
  EXPECT_EQ(mix(1), 0x6889f849u);
  EXPECT_EQ(mix(2), 0xd113f092u);
  EXPECT_EQ(mix(0x12345678), 0xf5e7e971u);
  EXPECT_EQ(mix(0xffffffff), 0x6768e522u);
}

}  // namespace
}  // namespace cairn::exact
