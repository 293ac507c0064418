#include "exact/reference.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/float_environment.h"
#include "exact/arithmetic.h"

namespace cairn::exact {
namespace {

class ReferenceTest : public testing::Test {
 protected:
  ReferenceTest() { set_float_environment(); }
  ThreadPool pool_{1};
  Reference reference_{pool_};
};

// The exponent by its definition: the smallest e with m <= (2^(bits-1) - 1) * 2^e.
int32_t exponent_by_search(float m, int bits) {
  const double limit = std::ldexp(1.0, bits - 1) - 1;
  int32_t e = kMinExponent;
  while (m > std::ldexp(limit, e)) ++e;
  return e;
}

TEST(GroupExponent, IsTheSmallestThatFits) {
  for (int bits = 2; bits <= 31; ++bits) {
    for (int power = -149; power <= 127; ++power) {
      for (float mantissa : {1.0f, 1.5f, 2.0f - std::ldexp(1.0f, 2 - bits), 2.0f - 0x1p-23f, 1.25f}) {
        const float m = std::ldexp(mantissa, power);
        if (m == 0.0f || !std::isfinite(m)) continue;
        for (float x : {m, std::nextafter(m, 0.0f), std::nextafter(m, 2 * m)}) {
          if (x == 0.0f || !std::isfinite(x)) continue;
          int32_t e = 0;
          const bool fits = group_exponent(bits_of(x), bits, &e);
          const int32_t expected = exponent_by_search(x, bits);
          EXPECT_EQ(fits, expected <= kMaxExponent) << x << " at " << bits;
          if (fits) {
            EXPECT_EQ(e, expected) << x << " at " << bits;
          }
        }
      }
    }
  }
}

TEST(ShiftRounded, IsNearestEven) {
  EXPECT_EQ(shift_rounded(int64_t{5}, -3), 40);
  EXPECT_EQ(shift_rounded(int64_t{-5}, -3), -40);
  for (int64_t value = -70; value <= 70; ++value)
    for (int shift = 1; shift < 6; ++shift)
      EXPECT_EQ(shift_rounded(value, shift), std::llrint(std::ldexp(static_cast<double>(value), -shift)));
  const int64_t large = (int64_t{1} << 62) - 1;
  EXPECT_EQ(shift_rounded(large, 62), 1);
  EXPECT_EQ(shift_rounded(int64_t{1} << 61, 62), 0);
  EXPECT_EQ(shift_rounded(large, 63), 0);
  EXPECT_EQ(shift_rounded(-large, 200), 0);
}

TEST(ToBinary32, RoundsOnce) {
  EXPECT_EQ(bits_of(to_binary32(Int128{0})), 0u);
  for (int bit = 24; bit < 125; ++bit) {
    const Int128 one = Int128{1} << bit, half = Int128{1} << (bit - 24);
    EXPECT_EQ(to_binary32(one + half), std::ldexp(1.0f, bit)) << bit;
    if (bit > 24) {
      EXPECT_EQ(to_binary32(one + half + 1), std::ldexp(1.0f + 0x1p-23f, bit)) << bit;
    }
    EXPECT_EQ(to_binary32(-(one + 3 * half)), -std::ldexp(1.0f + 0x1p-22f, bit)) << bit;
  }
}

TEST_F(ReferenceTest, QuantizesToTheNearest) {
  const float x[] = {1.0f, -0.4999f, 0.0f, 3.5f, 7.0f, -7.0f, 0.5f, 1.5f};
  int16_t q[8];
  int32_t e[1];
  ASSERT_TRUE(reference_.quantize(x, {1, 1, 1, 8}, 4, {q, e}));
  EXPECT_EQ(e[0], 0);
  EXPECT_EQ(std::vector<int16_t>(q, q + 8), (std::vector<int16_t>{1, 0, 0, 4, 7, -7, 0, 2}));
}

TEST_F(ReferenceTest, DitherIsUnbiased) {
  std::vector<float> x(1 << 16, 0.3f);
  x[0] = 7.0f;
  std::vector<int16_t> q(x.size());
  int32_t e;
  ASSERT_TRUE(reference_.quantize_dithered(x.data(), {1, 1, 1, 1 << 16}, 4, 12345, {q.data(), &e}));
  double sum = 0;
  for (int16_t v : q) sum += v;
  EXPECT_NEAR(sum / static_cast<double>(x.size()), 0.3, 0.01);
  EXPECT_EQ(q[0], 7);
}

TEST_F(ReferenceTest, ProductsMatchBinary64) {
  // Rows of a small matrix with different exponents; the three products of the same integers.
  const int16_t a[] = {3, -4, 5, 0, 7, -1}, b[] = {2, 2, -3, 1, 0, 9};
  const int32_t e2[] = {-3, 4}, e3[] = {1, -2, 0};
  float c[9];
  reference_.product_nt(2, 2, 3, {a, e2}, {b, e2}, c);
  EXPECT_EQ(c[0], std::ldexp(3.0f * 2 - 4 * 2 - 5 * 3, -6));
  EXPECT_EQ(c[1], std::ldexp(3.0f * 1 + 5 * 9, 1));
  reference_.product_nn(2, 3, 2, {a, e2}, {b, e3}, c);
  EXPECT_EQ(c[0], std::ldexp(3.0f * 2 - 4 * 1, -2));
  reference_.product_tn(3, 3, 2, {a, e2}, {b, e2}, c);
  EXPECT_EQ(c[0], std::ldexp(3.0f * 2, -6) + 0.0f);
  EXPECT_EQ(c[8], std::ldexp(5.0f * -3, -6) + std::ldexp(-1.0f * 9, 8));
}

}  // namespace
}  // namespace cairn::exact
