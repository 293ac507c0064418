#include "exact/tile_neon.h"

namespace cairn::exact::neon {
namespace {

// Converts and scales each row. The conversions scvtf round once, from int64 too, which the compiler knows
// as a scalar instruction only.
template <typename Integer>
void scale_rows(const Integer* tile, int rows, const float* row_scale, const float* column_scale, int columns,
                float* out, int64_t stride) {
  for (int row = 0; row < rows; ++row, tile += kColumns, out += stride) {
    const float scale = row_scale[row];
    for (int column = 0; column < columns; ++column) {
      out[column] = static_cast<float>(tile[column]) * scale * column_scale[column];
    }
  }
}

}  // namespace

// Plain loops, which the compiler turns into vector instructions.
void accumulate(const int32_t* tile, int64_t count, int shift, int64_t* sum) {
  for (int64_t i = 0; i < count; ++i) sum[i] += int64_t{tile[i]} << shift;
}

void fold(int64_t* sum, int64_t count, int shift, int64_t* total) {
  const int64_t below_half = (int64_t{1} << (-shift - 1)) - 1;
  for (int64_t i = 0; i < count; ++i) {
    total[i] += (sum[i] + below_half + (sum[i] >> -shift & 1)) >> -shift;
    sum[i] = 0;
  }
}

void finish(const int32_t* tile, int rows, const float* row_scale, const float* column_scale, int columns,
            float* out, int64_t stride) {
  scale_rows(tile, rows, row_scale, column_scale, columns, out, stride);
}

void finish_wide(const int64_t* tile, int rows, const float* row_scale, const float* column_scale,
                 int columns, float* out, int64_t stride) {
  scale_rows(tile, rows, row_scale, column_scale, columns, out, stride);
}

}  // namespace cairn::exact::neon
