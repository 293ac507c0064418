#include <algorithm>

#include "exact/reference.h"

namespace cairn::exact {

void Reference::embedding_gradient(const float* indices, const float* dy, int64_t count, int64_t rows,
                                   int64_t width, float* dw) {
  std::fill_n(dw, rows * width, 0.0f);
  for (int64_t p = 0; p < count; ++p) {
    float* row = dw + static_cast<int64_t>(indices[p]) * width;
    for (int64_t i = 0; i < width; ++i) row[i] = row[i] + dy[p * width + i];
  }
}

}  // namespace cairn::exact
