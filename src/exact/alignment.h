// Sums over rows (or images) whose products have different exponents.
#pragma once

#include <cstdint>
#include <vector>

namespace cairn::exact {

// The rows that contribute, in ascending order of v = the sum of their two exponents (rows of equal v in
// ascending order), and the largest v. Rows where either exponent is kEmptyGroup are left out.
struct AlignedRows {
  struct Row {
    int64_t index;
    int32_t exponent;  // v
  };
  std::vector<Row> rows;
  int32_t largest = 0;
};

// Row r has the exponents a[r * stride] and b[r * stride].
AlignedRows align_rows(int64_t count, int64_t stride, const int32_t* a, const int32_t* b);

}  // namespace cairn::exact
