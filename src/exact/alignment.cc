#include "exact/alignment.h"

#include <algorithm>

#include "exact/backend.h"

namespace cairn::exact {

AlignedRows align_rows(int64_t count, int64_t stride, const int32_t* a, const int32_t* b) {
  AlignedRows result;
  for (int64_t r = 0; r < count; ++r) {
    if (a[r * stride] == kEmptyGroup || b[r * stride] == kEmptyGroup) continue;
    result.rows.push_back({r, a[r * stride] + b[r * stride]});
  }
  std::stable_sort(result.rows.begin(), result.rows.end(),
                   [](const auto& x, const auto& y) { return x.exponent < y.exponent; });
  if (!result.rows.empty()) result.largest = result.rows.back().exponent;
  return result;
}

}  // namespace cairn::exact
