#include "exact/alignment.h"
#include "exact/arithmetic.h"
#include "exact/reference.h"

namespace cairn::exact {
namespace {

// An exact sum of products of integers with exponents ea and eb, rounded once.
float scaled_sum(int64_t sum, int32_t ea, int32_t eb) {
  if (ea == kEmptyGroup || eb == kEmptyGroup) return 0.0f;
  return to_binary32(sum) * power_of_two(ea + eb);
}

// sums[j] += factor * row[j]
void add_multiple(int32_t factor, const int16_t* row, int64_t n, int64_t* sums) {
  for (int64_t j = 0; j < n; ++j) sums[j] += factor * row[j];
}

}  // namespace

void Reference::product_nt(int64_t m, int64_t n, int64_t k, ConstQuantized a, ConstQuantized b, float* c) {
  pool_.run(m, [&](int64_t i, int) {
    for (int64_t j = 0; j < n; ++j) {
      int64_t sum = 0;
      for (int64_t l = 0; l < k; ++l) sum += a.values[i * k + l] * b.values[j * k + l];
      c[i * n + j] = scaled_sum(sum, a.exponents[i], b.exponents[j]);
    }
  });
}

void Reference::product_nn(int64_t m, int64_t n, int64_t k, ConstQuantized a, ConstQuantized b, float* c) {
  pool_.run(m, [&](int64_t i, int) {
    std::vector<int64_t> sums(static_cast<size_t>(n), 0);
    for (int64_t l = 0; l < k; ++l) add_multiple(a.values[i * k + l], b.values + l * n, n, sums.data());
    for (int64_t j = 0; j < n; ++j) c[i * n + j] = scaled_sum(sums[j], a.exponents[i], b.exponents[j]);
  });
}

void Reference::product_tn(int64_t m, int64_t n, int64_t k, ConstQuantized a, ConstQuantized b, float* c) {
  const AlignedRows aligned = align_rows(k, 1, a.exponents, b.exponents);
  pool_.run(m, [&](int64_t i, int) {
    std::vector<int64_t> totals(static_cast<size_t>(n), 0);
    for (size_t r = 0; r < aligned.rows.size();) {
      const int32_t v = aligned.rows[r].exponent;
      std::vector<int64_t> sums(static_cast<size_t>(n), 0);
      for (; r < aligned.rows.size() && aligned.rows[r].exponent == v; ++r) {
        const int64_t l = aligned.rows[r].index;
        add_multiple(a.values[l * m + i], b.values + l * n, n, sums.data());
      }
      for (int64_t j = 0; j < n; ++j) totals[j] += shift_rounded(sums[j], aligned.largest - v - kGuardBits);
    }
    const float power = power_of_two(aligned.largest - kGuardBits);
    for (int64_t j = 0; j < n; ++j) c[i * n + j] = to_binary32(totals[j]) * power;
  });
}

}  // namespace cairn::exact
