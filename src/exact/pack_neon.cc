#include "exact/pack_neon.h"

#include <arm_neon.h>

#include "exact/pack.inc"

namespace cairn::exact {
namespace {

struct Vector {
  using Register = int16x8_t;
  using Sums = uint32x4_t;
  static constexpr int kLanes = 4;

  static Register zero() { return vdupq_n_s16(0); }
  static Register load(const int16_t* from) { return vld1q_s16(from); }
  static void store(Register v, int16_t* to) { vst1q_s16(to, v); }

  static void transpose(Register v[kLanes]) {
    int32x4_t in[kLanes];
    for (int i = 0; i < kLanes; ++i) in[i] = vreinterpretq_s32_s16(v[i]);
    for (int i = 0; i < 2; ++i) {  // pairs i and i + 2 of each lane
      const int32x4_t left = i == 0 ? vtrn1q_s32(in[0], in[1]) : vtrn2q_s32(in[0], in[1]);
      const int32x4_t right = i == 0 ? vtrn1q_s32(in[2], in[3]) : vtrn2q_s32(in[2], in[3]);
      v[i] = vreinterpretq_s16_s64(vtrn1q_s64(vreinterpretq_s64_s32(left), vreinterpretq_s64_s32(right)));
      v[i + 2] = vreinterpretq_s16_s64(vtrn2q_s64(vreinterpretq_s64_s32(left), vreinterpretq_s64_s32(right)));
    }
  }
  static void interleave(Register even, Register odd, Register& low, Register& high) {
    low = vzip1q_s16(even, odd);
    high = vzip2q_s16(even, odd);
  }
  static Register to_panel(Register pairs) { return pairs; }
  static Register from_panel(Register pairs) { return pairs; }

  static Sums no_sums() { return vdupq_n_u32(0); }
  static Sums squares(Register pairs) {
    const int32x4_t low = vmull_s16(vget_low_s16(pairs), vget_low_s16(pairs));
    return vreinterpretq_u32_s32(vpaddq_s32(low, vmull_high_s16(pairs, pairs)));
  }
  static Sums larger(Sums a, Sums b) { return vmaxq_u32(a, b); }
  static Sums add_units(Sums sums, Sums squares) {
    const Sums up = vdupq_n_u32((1u << kDropped) - 1);
    return vaddq_u32(sums, vshrq_n_u32(vaddq_u32(squares, up), kDropped));
  }
  static void store_sums(Sums sums, uint32_t* to) { vst1q_u32(to, sums); }
};

struct LimbVector : Vector {
  // The high limb is the nearest multiple of 128, or 127 where that is 128 (|q| <= 2^14 - 1): the low one
  // then takes up to 127.
  static Register to_panel(Register pairs) {
    const int8x8_t high = vqrshrn_n_s16(pairs, 7);
    const int8x8_t low = vmovn_s16(vsubq_s16(pairs, vshll_n_s8(high, 7)));
    const int16x4_t highs = vreinterpret_s16_s8(high), lows = vreinterpret_s16_s8(low);
    return vcombine_s16(vzip1_s16(highs, lows), vzip2_s16(highs, lows));
  }
  static Register from_panel(Register limbs) {
    const int16x4_t left = vget_low_s16(limbs), right = vget_high_s16(limbs);
    const int8x8_t high = vreinterpret_s8_s16(vuzp1_s16(left, right));
    const int8x8_t low = vreinterpret_s8_s16(vuzp2_s16(left, right));
    return vaddw_s8(vshll_n_s8(high, 7), low);
  }
};

}  // namespace

void neon::copy_row(const int16_t* from, int64_t step, int64_t count, int16_t* out) {
  copy_strided(from, step, count, out);
}

void neon::pack_lanes(const int16_t* const* sources, int lanes, int width, int64_t k, int16_t* panel) {
  pack_panel_lanes<Vector>(sources, lanes, width, k, panel);
}

void neon::pack_steps(const int16_t* const* sources, int64_t offset, int lanes, int width, int64_t pairs,
                      int16_t* panel) {
  pack_panel_steps<Vector>(sources, offset, lanes, width, pairs, panel);
}

void neon::pack_taps(const int16_t* even, const int16_t* odd, int64_t stride, int lanes, int width,
                     int64_t taps, const int32_t* places, int16_t* panel) {
  pack_panel_taps<Vector>(even, odd, stride, lanes, width, taps, places, panel);
}

void neon::add_squares(const int16_t* pairs, int64_t count, uint32_t* sums) {
  add_squares_of<Vector>(pairs, count, sums);
}

uint64_t neon::largest_window(const uint32_t* squares, const int32_t* places, int64_t taps, int lanes) {
  return largest_window_of(squares, places, taps, lanes);
}

PanelSquares neon::measure(const int16_t* panel, int width, int64_t pairs) {
  return measure_panel<Vector>(panel, width, pairs);
}

void neon::filter_pixels(const int16_t* even, const int16_t* odd, int64_t width, int64_t first, int64_t pairs,
                         int16_t* const* parts, uint32_t* const* squares) {
  filter_pixels_of<Vector>(even, odd, width, first, pairs, parts, squares);
}

void neon::filter_lines(const int16_t* row, int64_t width, int64_t first, int64_t pairs,
                        int16_t* const* parts) {
  filter_lines_of(row, width, first, pairs, parts);
}

void neon::filter_gradient_lines(const int16_t* row, int64_t width, int64_t first, int64_t pairs,
                                 int16_t* const* parts) {
  filter_gradient_lines_of(row, width, first, pairs, parts);
}

void neon::filter_weight_sums(int64_t* tiles, int64_t size, int64_t count) {
  filter_weight_sums_of(tiles, size, count);
}

void neon::filter_weights(const int16_t* const* taps, int64_t count, int16_t* const* parts) {
  filter_weights_of(taps, count, parts);
}

void neon::filter_sums(int32_t* tiles, int64_t size, int64_t count) {
  filter_sums_of(tiles, size, count);
}

void neon::finish_filtered(const int32_t* tiles, int64_t size, int rows, const float* row_scale,
                           const float* column_scale, int64_t count, float* out, int64_t stride) {
  finish_filtered_of<8>(tiles, size, rows, row_scale, column_scale, count, out, stride);
}

void neon_limbs::pack_lanes(const int16_t* const* sources, int lanes, int width, int64_t k, int16_t* panel) {
  pack_panel_lanes<LimbVector>(sources, lanes, width, k, panel);
}

void neon_limbs::pack_steps(const int16_t* const* sources, int64_t offset, int lanes, int width,
                            int64_t pairs, int16_t* panel) {
  pack_panel_steps<LimbVector>(sources, offset, lanes, width, pairs, panel);
}

void neon_limbs::pack_taps(const int16_t* even, const int16_t* odd, int64_t stride, int lanes, int width,
                           int64_t taps, const int32_t* places, int16_t* panel) {
  pack_panel_taps<LimbVector>(even, odd, stride, lanes, width, taps, places, panel);
}

void neon_limbs::add_squares(const int16_t* pairs, int64_t count, uint32_t* sums) {
  add_squares_of<LimbVector>(pairs, count, sums);
}

PanelSquares neon_limbs::measure(const int16_t* panel, int width, int64_t pairs) {
  return measure_panel<LimbVector>(panel, width, pairs);
}

}  // namespace cairn::exact
