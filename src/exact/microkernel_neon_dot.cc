// NEON with dot products: 4 x 8 tiles. sdot adds four products of 8-bit integers to each of 4 sums, so that
// it takes as many of them for the limbs of 15-bit integers as smlal takes for the integers,
//
//   (128 ah + al) (128 bh + bl) = 2^14 ah bh + 2^7 (ah bl + al bh) + al bl,
//
// but many processors (Cortex-A76, Neoverse N1) start two of them in a cycle and one smlal. The three sums
// have accumulators of their own and wrap, as their total does.
#include <arm_neon.h>

#include "exact/pack_neon.h"
#include "exact/tile_neon.h"

namespace cairn::exact {
namespace {

using neon::kColumns;
constexpr int kRows = 4;

// Of four lanes and four k, two from each of two vectors of a panel of limbs.
struct Limbs {
  int8x16_t high, low;

  Limbs(int16x8_t first, int16x8_t second)
      : high(vreinterpretq_s8_s16(vtrn1q_s16(first, second))),
        low(vreinterpretq_s8_s16(vtrn2q_s16(first, second))) {}
};

struct Sums {
  uint32x4_t high, cross, low;

  // The products of four columns with one row.
  template <int row>
  void add(const Limbs& b, const Limbs& a) {
    high = dot<row>(high, b.high, a.high);
    cross = dot<row>(cross, b.high, a.low);
    low = dot<row>(low, b.low, a.low);
    cross = dot<row>(cross, b.low, a.high);
  }
  uint32x4_t total() const { return vaddq_u32(vaddq_u32(vshlq_n_u32(high, 14), vshlq_n_u32(cross, 7)), low); }

 private:
  template <int row>
  static uint32x4_t dot(uint32x4_t sum, int8x16_t b, int8x16_t a) {
    return vreinterpretq_u32_s32(vdotq_laneq_s32(vreinterpretq_s32_u32(sum), b, a, row));
  }
};

inline void add_rows(const Limbs& b, const Limbs& a, Sums sums[kRows]) {
  sums[0].add<0>(b, a);
  sums[1].add<1>(b, a);
  sums[2].add<2>(b, a);
  sums[3].add<3>(b, a);
}

void multiply(int, int64_t pairs, const int16_t* a, const int16_t* b, const int32_t* places, int32_t* tile) {
  const uint32x4_t zero = vdupq_n_u32(0);
  Sums left[kRows], right[kRows];
  for (int row = 0; row < kRows; ++row) left[row] = right[row] = {zero, zero, zero};
  for (; pairs > 1; pairs -= 2, a += 4 * kRows, places += 2) {
    const Limbs rows(vld1q_s16(a), vld1q_s16(a + 8));
    const int16_t *first = b + 2 * int64_t{places[0]}, *second = b + 2 * int64_t{places[1]};
    add_rows({vld1q_s16(first), vld1q_s16(second)}, rows, left);
    add_rows({vld1q_s16(first + 8), vld1q_s16(second + 8)}, rows, right);
  }
  if (pairs == 1) {
    const int16x8_t none = vdupq_n_s16(0);
    const Limbs rows(vld1q_s16(a), none);
    const int16_t* last = b + 2 * int64_t{*places};
    add_rows({vld1q_s16(last), none}, rows, left);
    add_rows({vld1q_s16(last + 8), none}, rows, right);
  }
  for (int row = 0; row < kRows; ++row) {
    vst1q_s32(tile + row * kColumns, vreinterpretq_s32_u32(left[row].total()));
    vst1q_s32(tile + row * kColumns + 4, vreinterpretq_s32_u32(right[row].total()));
  }
}

}  // namespace

const Microkernels kMicrokernelsNeonDot = {kRows,
                                           kRows,
                                           kColumns,
                                           multiply,
                                           neon::copy_row,
                                           neon_limbs::pack_lanes,
                                           neon_limbs::pack_steps,
                                           neon_limbs::pack_taps,
                                           neon_limbs::measure,
                                           neon_limbs::add_squares,
                                           neon::largest_window,
                                           neon::accumulate,
                                           neon::fold,
                                           neon::finish,
                                           neon::finish_wide,
                                           nullptr,
                                           nullptr,
                                           nullptr,
                                           nullptr,
                                           nullptr,
                                           nullptr,
                                           nullptr,
                                           nullptr,
                                           nullptr,
                                           nullptr,
                                           nullptr};

}  // namespace cairn::exact
