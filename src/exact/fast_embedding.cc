#include <algorithm>

#include "exact/fast_backend.h"
#include "exact/parallel.h"

namespace cairn::exact {

// Rows may meet in any row of the table, columns never do: each thread takes some columns of all rows.
void FastBackend::embedding_gradient(const float* indices, const float* dy, int64_t count, int64_t rows,
                                     int64_t width, float* dw) {
  constexpr int64_t kGrain = 1 << 15;
  std::fill_n(dw, rows * width, 0.0f);
  parallel_for(machine_.pool, width, kGrain / count + 16, [=, this](int64_t begin, int64_t end, int) {
    for (int64_t p = 0; p < count; ++p) {
      float* row = dw + static_cast<int64_t>(indices[p]) * width;
      kernels_.add(row + begin, dy + p * width + begin, end - begin, row + begin);
    }
  });
}

}  // namespace cairn::exact
