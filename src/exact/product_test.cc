#include "exact/product.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <random>

#include "exact/arithmetic.h"
#include "exact/isa_test.h"
#include "exact/microkernel.h"
#include "exact/product_test_values.h"
#include "exact/reference.h"

namespace cairn::exact {
namespace {

using Product = void (Backend::*)(int64_t, int64_t, int64_t, ConstQuantized, ConstQuantized, float*);

enum class Kind { nt, nn, tn };

class ProductTest : public IsaTest {
 protected:
  // Compares the kind's product with the reference's, byte for byte.
  void check(Kind kind, int64_t m, int64_t n, int64_t k, const Values& a, const Values& b, int threads = 1) {
    ThreadPool pool(threads), one(1);
    const std::unique_ptr<Backend> fast = make_backend(GetParam(), pool);
    Reference reference(one);
    const Product product = kind == Kind::nt   ? &Backend::product_nt
                            : kind == Kind::nn ? &Backend::product_nn
                                               : &Backend::product_tn;
    std::vector<float> expected(static_cast<size_t>(m * n)), got(expected.size(), -7.0f);
    (reference.*product)(m, n, k, a.view(), b.view(), expected.data());
    (fast.get()->*product)(m, n, k, a.view(), b.view(), got.data());
    for (size_t i = 0; i < expected.size(); ++i) {
      ASSERT_EQ(bits_of(got[i]), bits_of(expected[i]))
          << "kind " << static_cast<int>(kind) << " " << m << "x" << n << "x" << k << " at " << i << ": "
          << got[i] << " instead of " << expected[i];
    }
  }

  // Random operands of a product, with one group to a row of A and a column of B (a step of k in tn).
  void check_random(Kind kind, int64_t m, int64_t n, int64_t k, Fill fill, int32_t least, int32_t most,
                    int threads = 1) {
    const bool aligned = kind == Kind::tn;
    const Values a = aligned ? random_values(random_, k, m, fill, least, most)
                             : random_values(random_, m, k, fill, least, most);
    Values b = kind == Kind::nn ? random_values(random_, n, k, fill, least, most).transposed(n, k)
                                : random_values(random_, aligned ? k : n, aligned ? n : k, fill, least, most);
    check(kind, m, n, k, a, b, threads);
  }

  std::mt19937_64 random_{20260101};
};

TEST_P(ProductTest, RandomShapes) {
  const int64_t sizes[] = {1, 2, 3, 5, 7, 11, 12, 13, 16, 17, 31, 32, 33, 48, 63, 64, 65, 97, 130};
  for (int i = 0; i < 400; ++i) {
    const Kind kind = static_cast<Kind>(i % 3);
    const int64_t m = sizes[random_() % 19], n = sizes[random_() % 19],
                  k = 1 + static_cast<int64_t>(random_() % 600);
    const Fill fill = static_cast<Fill>(random_() % kFills);
    check_random(kind, m, n, k, fill, -20, 10, 1 + static_cast<int>(random_() % 4));
    if (HasFatalFailure()) return;
  }
}

// At the largest integers a block of sums overflows after 128, 32 and 8 products, for 13, 14 and 15 bits.
TEST_P(ProductTest, LengthsAroundEverySpill) {
  for (const Fill fill :
       {Fill::all_4095, Fill::all_16383, Fill::same_4095, Fill::same_8191, Fill::same_16383}) {
    for (const int64_t boundary : {8, 16, 32, 64, 128, 256, 384, 512, 1024}) {
      for (int64_t k = std::max<int64_t>(1, boundary - 3); k <= boundary + 3; ++k) {
        for (const Kind kind : {Kind::nt, Kind::nn, Kind::tn}) {
          check_random(kind, 13, 33, k, fill, -3, -3);
          if (HasFatalFailure()) return;
        }
      }
    }
  }
}

// A slice is at most 6144 positions.
TEST_P(ProductTest, LengthsAroundEverySlice) {
  for (const Fill fill : {Fill::uniform, Fill::same_16383}) {
    for (const int64_t k : {4095, 4097, 6143, 6144, 6145, 8191, 8192, 8193, 12289}) {
      for (const Kind kind : {Kind::nt, Kind::nn, Kind::tn}) {
        check_random(kind, 14, 37, k, fill, -2, kind == Kind::tn ? 1 : -2, 2);
        if (HasFatalFailure()) return;
      }
    }
  }
}

TEST_P(ProductTest, ExponentsAtBothEnds) {
  for (int i = 0; i < 30; ++i) {
    const Kind kind = static_cast<Kind>(i % 3);
    check_random(kind, 9, 21, 150, Fill::with_empty_groups, kMinExponent, kMinExponent);
    check_random(kind, 9, 21, 150, Fill::uniform, kMaxExponent, kMaxExponent);
    check_random(kind, 9, 21, 150, Fill::with_empty_groups, kMinExponent, kMaxExponent);
    if (HasFatalFailure()) return;
  }
}

// Runs far below the largest exponent are rounded, run by run, and ties go to even.
TEST_P(ProductTest, RunsBelowTheGuardBits) {
  for (int32_t below = 12; below <= 80; ++below) {
    const int64_t k = 40;
    Values a = random_values(random_, k, 25, Fill::powers_of_two, 0, 0);
    const Values b = random_values(random_, k, 34, Fill::powers_of_two, 0, 0);
    for (int64_t i = 0; i < k; ++i)
      a.exponents[i] = i % 7 == 0 ? 20 : 20 - below + static_cast<int32_t>(i % 3);
    check(Kind::tn, 25, 34, k, a, b);
    if (HasFatalFailure()) return;
  }
}

// A run that is rounded, and so has to be complete first, longer than what is packed at a time.
TEST_P(ProductTest, RoundedRunsAcrossSlices) {
  for (const int32_t below : {15, 20, 33}) {
    const int64_t k = 13000;
    Values a = random_values(random_, k, 13, Fill::all_4095, 0, 0);
    const Values b = random_values(random_, k, 33, Fill::uniform, 0, 0);
    for (int64_t i = 0; i < k; ++i)
      a.exponents[i] = i % 13 == 0 ? 9 : 9 - below + static_cast<int32_t>(i & 1);
    check(Kind::tn, 13, 33, k, a, b, 2);
    if (HasFatalFailure()) return;
  }
}

TEST_P(ProductTest, EveryRowEmpty) {
  for (const Kind kind : {Kind::nt, Kind::nn, Kind::tn}) check_random(kind, 13, 33, 50, Fill::zeros, 0, 0);
}

TEST_P(ProductTest, LargeMatrices) {
  for (const Kind kind : {Kind::nt, Kind::nn, Kind::tn}) {
    check_random(kind, 301, 299, 517, Fill::uniform, -9, -3, 3);
    check_random(kind, 1, 1000, 1000, Fill::uniform, -9, -3, 4);
    check_random(kind, 1000, 1, 1000, Fill::one_huge_row, -9, -3, 4);
  }
}

// More rows and columns than are worked on at a time.
TEST_P(ProductTest, SeveralBlocksOfRowsAndColumns) {
  check_random(Kind::tn, 1100, 30, 6200, Fill::uniform, -1, 1, 2);
  check_random(Kind::tn, 20, 2100, 6200, Fill::uniform, -1, 1, 2);
  check_random(Kind::nt, 1100, 30, 6200, Fill::uniform, 0, 0, 2);
  check_random(Kind::nt, 20, 2100, 6200, Fill::uniform, 0, 0, 2);
}

// One backend called with changing shapes keeps no trace of the call before.
TEST_P(ProductTest, ScratchIsReused) {
  ThreadPool pool(2);
  const std::unique_ptr<Backend> fast = make_backend(GetParam(), pool);
  const Values a = random_values(random_, 70, 300, Fill::uniform, -3, 3);
  const Values b = random_values(random_, 50, 300, Fill::uniform, -3, 3);
  std::vector<float> first(70 * 50), again(70 * 50);
  fast->product_nt(70, 50, 300, a.view(), b.view(), first.data());
  for (const int64_t k : {1, 299, 40, 300}) fast->product_nt(70, 50, k, a.view(), b.view(), again.data());
  EXPECT_EQ(std::memcmp(first.data(), again.data(), first.size() * sizeof(float)), 0);
}

INSTANTIATE_TEST_SUITE_P(Isas, ProductTest, testing::ValuesIn(fast_isas()), isa_suffix);

}  // namespace
}  // namespace cairn::exact
