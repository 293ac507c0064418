// NEON: 8 x 8 tiles in 16 accumulators of 4 sums each. smlal multiplies 16 bits by 16 bits and adds to 32; it
// wraps.
#include <arm_neon.h>

#include "exact/pack_neon.h"
#include "exact/tile_neon.h"

namespace cairn::exact {
namespace {

using neon::kColumns;

// The products of 8 columns with one row at one k: that of `lane`.
template <int lane>
inline void add_row(int16x8_t b, int16x8_t a, int32x4_t sums[2]) {
  sums[0] = vmlal_laneq_s16(sums[0], vget_low_s16(b), a, lane);
  sums[1] = vmlal_high_laneq_s16(sums[1], b, a, lane);
}

// The same for both k of a pair of four rows, whose pairs are in `a`.
inline void add_four_rows(int16x8_t even, int16x8_t odd, int16x8_t a, int32x4_t sums[4][2]) {
  add_row<0>(even, a, sums[0]);
  add_row<2>(even, a, sums[1]);
  add_row<4>(even, a, sums[2]);
  add_row<6>(even, a, sums[3]);
  add_row<1>(odd, a, sums[0]);
  add_row<3>(odd, a, sums[1]);
  add_row<5>(odd, a, sums[2]);
  add_row<7>(odd, a, sums[3]);
}

template <int rows>
void multiply_rows(int64_t pairs, const int16_t* a, const int16_t* b, const int32_t* places, int32_t* tile) {
  int32x4_t sums[rows][2];
  for (auto& row : sums) row[0] = row[1] = vdupq_n_s32(0);
  for (; pairs > 0; --pairs, a += 2 * rows, ++places) {
    const int16_t* from = b + 2 * int64_t{*places};
    const int16x8_t left = vld1q_s16(from), right = vld1q_s16(from + 8);
    const int16x8_t even = vuzp1q_s16(left, right), odd = vuzp2q_s16(left, right);
    add_four_rows(even, odd, vld1q_s16(a), sums);
    if constexpr (rows == 8) add_four_rows(even, odd, vld1q_s16(a + 8), sums + 4);
  }
  for (int row = 0; row < rows; ++row) {
    vst1q_s32(tile + row * kColumns, sums[row][0]);
    vst1q_s32(tile + row * kColumns + 4, sums[row][1]);
  }
}

void multiply(int rows, int64_t pairs, const int16_t* a, const int16_t* b, const int32_t* places,
              int32_t* tile) {
  if (rows == 8) return multiply_rows<8>(pairs, a, b, places, tile);
  multiply_rows<4>(pairs, a, b, places, tile);
}

}  // namespace

const Microkernels kMicrokernelsNeon = {8,
                                        4,
                                        kColumns,
                                        multiply,
                                        neon::copy_row,
                                        neon::pack_lanes,
                                        neon::pack_steps,
                                        neon::pack_taps,
                                        neon::measure,
                                        neon::add_squares,
                                        neon::largest_window,
                                        neon::accumulate,
                                        neon::fold,
                                        neon::finish,
                                        neon::finish_wide,
                                        nullptr,
                                        nullptr,
                                        nullptr,
                                        nullptr,
                                        neon::filter_pixels,
                                        neon::filter_lines,
                                        neon::filter_gradient_lines,
                                        neon::filter_weight_sums,
                                        neon::filter_weights,
                                        neon::filter_sums,
                                        neon::finish_filtered};

}  // namespace cairn::exact
