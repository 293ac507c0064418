#include "exact/pack_avx2.h"

#include <immintrin.h>

#include "exact/pack.inc"

namespace cairn::exact::avx2 {
namespace {

struct Vector {
  using Register = __m256i;
  using Sums = __m256i;
  static constexpr int kLanes = 8;

  static Register zero() { return _mm256_setzero_si256(); }
  static Register load(const int16_t* from) {
    return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
  }
  static void store(Register v, int16_t* to) { _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), v); }

  static void transpose(Register v[kLanes]) {
    Register t[kLanes];
    for (int i = 0; i < kLanes; i += 2) {
      t[i] = _mm256_unpacklo_epi32(v[i], v[i + 1]);
      t[i + 1] = _mm256_unpackhi_epi32(v[i], v[i + 1]);
    }
    for (int i = 0; i < kLanes; i += 4) {
      v[i] = _mm256_unpacklo_epi64(t[i], t[i + 2]);
      v[i + 1] = _mm256_unpackhi_epi64(t[i], t[i + 2]);
      v[i + 2] = _mm256_unpacklo_epi64(t[i + 1], t[i + 3]);
      v[i + 3] = _mm256_unpackhi_epi64(t[i + 1], t[i + 3]);
    }
    for (int i = 0; i < 4; ++i) {
      t[i] = _mm256_permute2x128_si256(v[i], v[i + 4], 0x20);
      t[i + 4] = _mm256_permute2x128_si256(v[i], v[i + 4], 0x31);
    }
    for (int i = 0; i < kLanes; ++i) v[i] = t[i];
  }
  static void interleave(Register even, Register odd, Register& low, Register& high) {
    const Register lows = _mm256_unpacklo_epi16(even, odd), highs = _mm256_unpackhi_epi16(even, odd);
    low = _mm256_permute2x128_si256(lows, highs, 0x20);
    high = _mm256_permute2x128_si256(lows, highs, 0x31);
  }
  static Register to_panel(Register pairs) { return pairs; }
  static Register from_panel(Register pairs) { return pairs; }

  static Sums no_sums() { return _mm256_setzero_si256(); }
  static Sums squares(Register pairs) { return _mm256_madd_epi16(pairs, pairs); }
  static Sums larger(Sums a, Sums b) { return _mm256_max_epu32(a, b); }
  static Sums add_units(Sums sums, Sums squares) {
    const Sums up = _mm256_set1_epi32((1 << kDropped) - 1);
    return _mm256_add_epi32(sums, _mm256_srli_epi32(_mm256_add_epi32(squares, up), kDropped));
  }
  static void store_sums(Sums sums, uint32_t* to) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), sums);
  }
};

}  // namespace

void copy_row(const int16_t* from, int64_t step, int64_t count, int16_t* out) {
  copy_strided(from, step, count, out);
}

void pack_lanes(const int16_t* const* sources, int lanes, int width, int64_t k, int16_t* panel) {
  pack_panel_lanes<Vector>(sources, lanes, width, k, panel);
}

void pack_steps(const int16_t* const* sources, int64_t offset, int lanes, int width, int64_t pairs,
                int16_t* panel) {
  pack_panel_steps<Vector>(sources, offset, lanes, width, pairs, panel);
}

void pack_taps(const int16_t* even, const int16_t* odd, int64_t stride, int lanes, int width, int64_t taps,
               const int32_t* places, int16_t* panel) {
  pack_panel_taps<Vector>(even, odd, stride, lanes, width, taps, places, panel);
}

void add_squares(const int16_t* pairs, int64_t count, uint32_t* sums) {
  add_squares_of<Vector>(pairs, count, sums);
}

uint64_t largest_window(const uint32_t* squares, const int32_t* places, int64_t taps, int lanes) {
  return largest_window_of(squares, places, taps, lanes);
}

PanelSquares measure(const int16_t* panel, int width, int64_t pairs) {
  return measure_panel<Vector>(panel, width, pairs);
}

void filter_pixels(const int16_t* even, const int16_t* odd, int64_t width, int64_t first, int64_t pairs,
                   int16_t* const* parts, uint32_t* const* squares) {
  filter_pixels_of<Vector>(even, odd, width, first, pairs, parts, squares);
}

void filter_lines(const int16_t* row, int64_t width, int64_t first, int64_t pairs, int16_t* const* parts) {
  filter_lines_of(row, width, first, pairs, parts);
}

void filter_gradient_lines(const int16_t* row, int64_t width, int64_t first, int64_t pairs,
                           int16_t* const* parts) {
  filter_gradient_lines_of(row, width, first, pairs, parts);
}

void filter_weight_sums(int64_t* tiles, int64_t size, int64_t count) {
  filter_weight_sums_of(tiles, size, count);
}

void filter_weights(const int16_t* const* taps, int64_t count, int16_t* const* parts) {
  filter_weights_of(taps, count, parts);
}

void filter_sums(int32_t* tiles, int64_t size, int64_t count) {
  filter_sums_of(tiles, size, count);
}

void finish_filtered(const int32_t* tiles, int64_t size, int rows, const float* row_scale,
                     const float* column_scale, int64_t count, float* out, int64_t stride) {
  finish_filtered_of<16>(tiles, size, rows, row_scale, column_scale, count, out, stride);
}

}  // namespace cairn::exact::avx2
