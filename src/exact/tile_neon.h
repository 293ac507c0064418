// What becomes of a tile of 8 columns, whichever NEON instructions made it; see Microkernels.
#pragma once

#include <cstdint>

namespace cairn::exact::neon {

inline constexpr int kColumns = 8;

void accumulate(const int32_t* tile, int64_t count, int shift, int64_t* sum);
void fold(int64_t* sum, int64_t count, int shift, int64_t* total);
void finish(const int32_t* tile, int rows, const float* row_scale, const float* column_scale, int columns,
            float* out, int64_t stride);
void finish_wide(const int64_t* tile, int rows, const float* row_scale, const float* column_scale,
                 int columns, float* out, int64_t stride);

}  // namespace cairn::exact::neon
