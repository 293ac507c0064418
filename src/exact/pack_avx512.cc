#include "exact/pack_avx512.h"

#include <immintrin.h>

namespace cairn::exact::avx512 {
namespace {

constexpr int kLanes = 16;  // 32-bit lanes of a vector

// The transpose of a 16 x 16 matrix of 32-bit values.
void transpose(__m512i v[kLanes]) {
  __m512i t[kLanes];
  for (int i = 0; i < kLanes; i += 2) {
    t[i] = _mm512_unpacklo_epi32(v[i], v[i + 1]);
    t[i + 1] = _mm512_unpackhi_epi32(v[i], v[i + 1]);
  }
  for (int i = 0; i < kLanes; i += 4) {
    v[i] = _mm512_unpacklo_epi64(t[i], t[i + 2]);
    v[i + 1] = _mm512_unpackhi_epi64(t[i], t[i + 2]);
    v[i + 2] = _mm512_unpacklo_epi64(t[i + 1], t[i + 3]);
    v[i + 3] = _mm512_unpackhi_epi64(t[i + 1], t[i + 3]);
  }
  for (int i = 0; i < 4; ++i) {
    t[i] = _mm512_shuffle_i32x4(v[i], v[i + 4], 0x88);
    t[i + 4] = _mm512_shuffle_i32x4(v[i], v[i + 4], 0xdd);
    t[i + 8] = _mm512_shuffle_i32x4(v[i + 8], v[i + 12], 0x88);
    t[i + 12] = _mm512_shuffle_i32x4(v[i + 8], v[i + 12], 0xdd);
  }
  for (int i = 0; i < 4; ++i) {
    v[i] = _mm512_shuffle_i32x4(t[i], t[i + 8], 0x88);
    v[i + 8] = _mm512_shuffle_i32x4(t[i], t[i + 8], 0xdd);
    v[i + 4] = _mm512_shuffle_i32x4(t[i + 4], t[i + 12], 0x88);
    v[i + 12] = _mm512_shuffle_i32x4(t[i + 4], t[i + 12], 0xdd);
  }
}

}  // namespace

void copy_row(const int16_t* from, int64_t step, int64_t count, int16_t* out) {
  if (step == 1) {
    for (int64_t i = 0; i < count; i += 2 * kLanes) {
      const int64_t left = count - i;
      const __mmask32 valid = left < 2 * kLanes ? (__mmask32{1} << left) - 1 : ~__mmask32{0};
      _mm512_mask_storeu_epi16(out + i, valid, _mm512_maskz_loadu_epi16(valid, from + i));
    }
  } else if (step == 2) {
    for (int64_t i = 0; i < count; i += kLanes) {
      const int64_t left = count - i;
      const __mmask16 valid = left < kLanes ? static_cast<__mmask16>((1u << left) - 1) : __mmask16{0xffff};
      // The lower half of each 32-bit lane, of which the last has no upper one.
      const __mmask32 loaded = left < kLanes ? (__mmask32{1} << (2 * left - 1)) - 1 : ~__mmask32{0} >> 1;
      const __m512i pairs = _mm512_maskz_loadu_epi16(loaded, from + 2 * i);
      _mm256_mask_storeu_epi16(out + i, valid, _mm512_cvtepi32_epi16(pairs));
    }
  } else {
    for (int64_t i = 0; i < count; ++i) out[i] = from[i * step];
  }
}

void pack_lanes(const int16_t* const* sources, int lanes, int width, int64_t k, int16_t* panel) {
  constexpr int64_t kSteps = 2 * kLanes;
  for (int64_t step = 0; step < k; step += kSteps) {
    const int64_t steps = k - step < kSteps ? k - step : kSteps;
    const int pairs = static_cast<int>((steps + 1) / 2);
    const __mmask32 valid = static_cast<__mmask32>((uint64_t{1} << steps) - 1);
    for (int first = 0; first < width; first += kLanes) {
      const int group = width - first < kLanes ? width - first : kLanes;
      __m512i v[kLanes];
      for (int i = 0; i < kLanes; ++i) {
        v[i] = first + i < lanes ? _mm512_maskz_loadu_epi16(valid, sources[first + i] + step)
                                 : _mm512_setzero_si512();
      }
      transpose(v);
      const __mmask16 stored = static_cast<__mmask16>((1u << group) - 1);
      int16_t* out = panel + (step / 2 * width + first) * 2;
      for (int pair = 0; pair < pairs; ++pair)
        _mm512_mask_storeu_epi32(out + pair * width * 2, stored, v[pair]);
    }
  }
}

void pack_steps(const int16_t* const* sources, int64_t offset, int lanes, int width, int64_t pairs,
                int16_t* panel) {
  for (int first = 0; first < width; first += kLanes) {
    const int group = width - first < kLanes ? width - first : kLanes;
    const int held = lanes - first < 0 ? 0 : (lanes - first < kLanes ? lanes - first : kLanes);
    const __mmask16 valid = static_cast<__mmask16>((1u << held) - 1);
    const __mmask16 stored = static_cast<__mmask16>((1u << group) - 1);
    for (int64_t pair = 0; pair < pairs; ++pair) {
      const __m256i even = _mm256_maskz_loadu_epi16(valid, sources[2 * pair] + offset + first);
      const __m256i odd = _mm256_maskz_loadu_epi16(valid, sources[2 * pair + 1] + offset + first);
      const __m512i both =
          _mm512_or_si512(_mm512_cvtepu16_epi32(even), _mm512_slli_epi32(_mm512_cvtepu16_epi32(odd), 16));
      _mm512_mask_storeu_epi32(panel + (pair * width + first) * 2, stored, both);
    }
  }
}

void pack_taps(const int16_t* even, const int16_t* odd, int64_t stride, int lanes, int width, int64_t taps,
               const int32_t* places, int16_t* panel) {
  const int held = lanes < kLanes ? lanes : kLanes;
  const __mmask16 stored = static_cast<__mmask16>((uint32_t{1} << width) - 1);
  for (int64_t tap = 0; tap < taps; tap += kLanes) {
    const int64_t count = taps - tap < kLanes ? taps - tap : kLanes;
    const __mmask16 valid = static_cast<__mmask16>((uint32_t{1} << count) - 1);
    const __mmask16 valid_odd = odd != nullptr ? valid : __mmask16{0};
    const int16_t* others = odd != nullptr ? odd : even;
    __m512i v[kLanes];
    for (int i = 0; i < kLanes; ++i) {
      v[i] = _mm512_setzero_si512();
      if (i >= held) continue;
      const int64_t from = i * stride + tap;
      const __m512i low = _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(valid, even + from));
      const __m512i high = _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(valid_odd, others + from));
      v[i] = _mm512_or_si512(low, _mm512_slli_epi32(high, 16));
    }
    transpose(v);
    for (int64_t t = 0; t < count; ++t)
      _mm512_mask_storeu_epi32(panel + int64_t{places[tap + t]} * width * 2, stored, v[t]);
  }
}

namespace {

// The low bytes of up to 16 integers, each in a lane of its own, moved up.
__m512i byte_lanes(const int16_t* from, __mmask16 valid, unsigned shift) {
  const __m512i lanes = _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(valid, from));
  return _mm512_slli_epi32(_mm512_and_si512(lanes, _mm512_set1_epi32(0xff)), shift);
}

}  // namespace

void pack_byte_steps(const int16_t* const* lines, int64_t count, int16_t* out) {
  for (int64_t i = 0; i < count; i += kLanes) {
    const int64_t left = count - i;
    const __mmask16 valid = left < kLanes ? static_cast<__mmask16>((1u << left) - 1) : __mmask16{0xffff};
    __m512i bytes = _mm512_setzero_si512();
    for (unsigned c = 0; c < 4; ++c) bytes = _mm512_or_si512(bytes, byte_lanes(lines[c] + i, valid, 8 * c));
    // Adds 128 to each.
    _mm512_mask_storeu_epi32(out + 2 * i, valid,
                             _mm512_xor_si512(bytes, _mm512_set1_epi32(static_cast<int>(0x80808080u))));
  }
}

void pack_byte_taps(const int16_t* first, int64_t channel_stride, int channels, int64_t stride, int lanes,
                    int width, int64_t taps, const int32_t* places, int16_t* panel) {
  const int held = lanes < kLanes ? lanes : kLanes;
  const __mmask16 stored = static_cast<__mmask16>((uint32_t{1} << width) - 1);
  for (int64_t tap = 0; tap < taps; tap += kLanes) {
    const int64_t count = taps - tap < kLanes ? taps - tap : kLanes;
    const __mmask16 valid = static_cast<__mmask16>((uint32_t{1} << count) - 1);
    __m512i v[kLanes];
    for (int i = 0; i < kLanes; ++i) {
      v[i] = _mm512_setzero_si512();
      for (int c = 0; i < held && c < channels; ++c) {
        const int16_t* from = first + c * channel_stride + i * stride + tap;
        v[i] = _mm512_or_si512(v[i], byte_lanes(from, valid, 8 * static_cast<unsigned>(c)));
      }
    }
    transpose(v);
    for (int64_t t = 0; t < count; ++t)
      _mm512_mask_storeu_epi32(panel + int64_t{places[tap + t]} * width * 2, stored, v[t]);
  }
}

void sum_bytes(const int16_t* panel, int width, int64_t steps, int32_t* sums) {
  const __mmask16 lanes = static_cast<__mmask16>((uint32_t{1} << width) - 1);
  const __m512i ones = _mm512_set1_epi8(1);
  __m512i sum = _mm512_setzero_si512();
  for (int64_t i = 0; i < steps; ++i, panel += 2 * width)
    sum = _mm512_dpbusd_epi32(sum, ones, _mm512_maskz_loadu_epi32(lanes, panel));
  _mm512_mask_storeu_epi32(sums, lanes, sum);
}

namespace {

constexpr int kDropped = 8;  // low bits of squares, rounded up, so that the sums of 128 pairs fit 32 bits

// Adds the squares of 16 pairs, in units of 2^kDropped, and keeps the largest.
struct Squares {
  __m512i sum = _mm512_setzero_si512();
  __m512i largest = _mm512_setzero_si512();

  void add(__m512i pairs) {
    const __m512i squares = _mm512_madd_epi16(pairs, pairs);
    const __m512i up = _mm512_set1_epi32((1 << kDropped) - 1);
    largest = _mm512_max_epu32(largest, squares);
    sum = _mm512_add_epi32(sum, _mm512_srli_epi32(_mm512_add_epi32(squares, up), kDropped));
  }
};

PanelSquares to_double(uint64_t sum, __m512i largest) {
  return {static_cast<double>(sum << kDropped), static_cast<double>(_mm512_reduce_max_epu32(largest))};
}

PanelSquares measure_columns(const int16_t* panel, int64_t pairs) {
  Squares left, right;
  for (int64_t i = 0; i < pairs; ++i, panel += 4 * kLanes) {
    left.add(_mm512_loadu_si512(panel));
    right.add(_mm512_loadu_si512(panel + 2 * kLanes));
  }
  return to_double(_mm512_reduce_max_epu32(_mm512_max_epu32(left.sum, right.sum)),
                   _mm512_max_epu32(left.largest, right.largest));
}

}  // namespace

void add_squares(const int16_t* pairs, int64_t count, uint32_t* sums) {
  for (int64_t i = 0; i < count; i += kLanes) {
    const int64_t left = count - i;
    const __mmask16 valid = left < kLanes ? static_cast<__mmask16>((1u << left) - 1) : __mmask16{0xffff};
    Squares squares;
    squares.add(_mm512_maskz_loadu_epi32(valid, pairs + 2 * i));
    _mm512_mask_storeu_epi32(sums + i, valid,
                             _mm512_add_epi32(squares.sum, _mm512_maskz_loadu_epi32(valid, sums + i)));
  }
}

uint64_t largest_window(const uint32_t* squares, const int32_t* places, int64_t taps, int lanes) {
  __m512i most = _mm512_setzero_si512();
  for (int first = 0; first < lanes; first += 8) {
    __m512i sum = _mm512_setzero_si512();
    for (int64_t tap = 0; tap < taps; ++tap) {
      const auto* from = reinterpret_cast<const __m256i*>(squares + places[tap] + first);
      sum = _mm512_add_epi64(sum, _mm512_cvtepu32_epi64(_mm256_loadu_si256(from)));
    }
    most = _mm512_max_epu64(most, sum);
  }
  return _mm512_reduce_max_epu64(most) << kDropped;
}

// A narrow panel is read as one stream of pairs, in which the lanes repeat every three vectors at most.
PanelSquares measure(const int16_t* panel, int width, int64_t pairs) {
  if (width == 2 * kLanes) return measure_columns(panel, pairs);
  const int period = width == 12 ? 3 : 1;
  Squares squares[3];
  const int64_t count = pairs * width;
  for (int64_t position = 0, i = 0; position < count; position += kLanes, i = i + 1 == period ? 0 : i + 1) {
    const int64_t left = count - position;
    const __mmask16 valid = left < kLanes ? static_cast<__mmask16>((1u << left) - 1) : __mmask16{0xffff};
    squares[i].add(_mm512_maskz_loadu_epi32(valid, panel + 2 * position));
  }
  alignas(64) uint32_t sums[3 * kLanes];
  for (int i = 0; i < 3; ++i) _mm512_store_si512(sums + i * kLanes, squares[i].sum);
  uint64_t most = 0;
  for (int lane = 0; lane < width; ++lane) {
    uint64_t sum = 0;
    for (int i = lane; i < period * kLanes; i += width) sum += sums[i];
    most = sum > most ? sum : most;
  }
  const __m512i largest = _mm512_max_epu32(squares[0].largest, squares[1].largest);
  return to_double(most, _mm512_max_epu32(largest, squares[2].largest));
}

namespace {

// Integers [first, first + 32) of a row of so many, zeros where there are none.
__m512i load_window(const int16_t* row, int64_t width, int64_t first) {
  constexpr int64_t kHeld = 2 * kLanes;
  const int64_t before = first < 0 ? -first : 0, end = width < first + kHeld ? width - first : kHeld;
  const int64_t from = before < kHeld ? before : kHeld, to = end > from ? end : from;
  const auto valid = static_cast<__mmask32>((uint64_t{1} << to) - (uint64_t{1} << from));
  return _mm512_maskz_loadu_epi16(valid, row + first);
}

__mmask16 first_lanes(int64_t count) {
  return static_cast<__mmask16>(count >= kLanes ? 0xffffu : (count > 0 ? (1u << count) - 1 : 0u));
}

// Pairs of the lower halves of 32-bit lanes of two channels, and of the upper ones.
__m512i lower(__m512i even, __m512i odd) {
  return _mm512_mask_blend_epi16(0xaaaaaaaau, even, _mm512_slli_epi32(odd, 16));
}
__m512i upper(__m512i even, __m512i odd) {
  return _mm512_mask_blend_epi16(0xaaaaaaaau, _mm512_srli_epi32(even, 16), odd);
}

}  // namespace

void filter_pixels(const int16_t* even, const int16_t* odd, int64_t width, int64_t first, int64_t pairs,
                   int16_t* const* parts, uint32_t* const* squares) {
  const int64_t odd_width = odd != nullptr ? width : 0;
  if (odd == nullptr) odd = even;
  for (int64_t i = 0; i < pairs; i += kLanes, first += 2 * kLanes) {
    const int64_t left = pairs - i;
    const __mmask16 valid = left < kLanes ? static_cast<__mmask16>((1u << left) - 1) : __mmask16{0xffff};
    const __m512i even01 = load_window(even, width, first), even23 = load_window(even, width, first + 2);
    const __m512i odd01 = load_window(odd, odd_width, first), odd23 = load_window(odd, odd_width, first + 2);
    const __m512i x0 = lower(even01, odd01), x1 = upper(even01, odd01);
    const __m512i x2 = lower(even23, odd23), x3 = upper(even23, odd23);
    const __m512i filtered[] = {_mm512_sub_epi16(x0, x2), _mm512_add_epi16(x1, x2), _mm512_sub_epi16(x2, x1),
                                _mm512_sub_epi16(x1, x3)};
    for (int part = 0; part < 4; ++part) {
      Squares sum;
      sum.add(filtered[part]);
      const __m512i sums = _mm512_maskz_loadu_epi32(valid, squares[part] + i);
      _mm512_mask_storeu_epi32(squares[part] + i, valid, _mm512_add_epi32(sums, sum.sum));
      _mm512_mask_storeu_epi32(parts[part] + 2 * i, valid, filtered[part]);
    }
  }
}

namespace {

// The lower halves of 32-bit lanes.
void store_lower(int16_t* out, __mmask16 valid, __m512i lanes) {
  _mm256_mask_storeu_epi16(out, valid, _mm512_cvtepi32_epi16(lanes));
}

}  // namespace

void filter_lines(const int16_t* row, int64_t width, int64_t first, int64_t pairs, int16_t* const* parts) {
  for (int64_t i = 0; i < pairs; i += kLanes, first += 2 * kLanes) {
    const __mmask16 valid = first_lanes(pairs - i);
    const __m512i x01 = load_window(row, width, first), x23 = load_window(row, width, first + 2);
    const __m512i x1 = _mm512_srli_epi32(x01, 16), difference = _mm512_sub_epi16(x01, x23);
    store_lower(parts[0] + i, valid, difference);
    store_lower(parts[1] + i, valid, _mm512_add_epi16(x1, x23));
    store_lower(parts[2] + i, valid, _mm512_sub_epi16(x23, x1));
    store_lower(parts[3] + i, valid, _mm512_srli_epi32(difference, 16));
  }
}

void filter_gradient_lines(const int16_t* row, int64_t width, int64_t first, int64_t pairs,
                           int16_t* const* parts) {
  for (int64_t i = 0; i < pairs; i += kLanes, first += 2 * kLanes) {
    const __mmask16 valid = first_lanes(pairs - i);
    const __m512i z0 = load_window(row, width, first), z1 = _mm512_srli_epi32(z0, 16);
    store_lower(parts[0] + i, valid, z0);
    store_lower(parts[1] + i, valid, _mm512_add_epi16(z0, z1));
    store_lower(parts[2] + i, valid, _mm512_sub_epi16(z0, z1));
    store_lower(parts[3] + i, valid, _mm512_sub_epi16(_mm512_setzero_si512(), z1));
  }
}

void filter_weight_sums(int64_t* tiles, int64_t size, int64_t count) {
  for (int64_t i = 0; i < count; i += 8) {
    int64_t* sums = tiles + i;
    const __m512i s1 = _mm512_loadu_si512(sums + size), s2 = _mm512_loadu_si512(sums + 2 * size);
    const __m512i half = _mm512_srai_epi64(_mm512_add_epi64(s1, s2), 1);
    _mm512_storeu_si512(sums, _mm512_add_epi64(_mm512_loadu_si512(sums), half));
    _mm512_storeu_si512(sums + size, _mm512_srai_epi64(_mm512_sub_epi64(s1, s2), 1));
    _mm512_storeu_si512(sums + 2 * size, _mm512_add_epi64(half, _mm512_loadu_si512(sums + 3 * size)));
  }
}

void filter_weights(const int16_t* const* taps, int64_t count, int16_t* const* parts) {
  for (int64_t i = 0; i < count; i += 2 * kLanes) {
    const int64_t left = count - i;
    const __mmask32 valid = left < 2 * kLanes ? (__mmask32{1} << left) - 1 : ~__mmask32{0};
    const __m512i w0 = _mm512_maskz_loadu_epi16(valid, taps[0] + i);
    const __m512i w1 = _mm512_maskz_loadu_epi16(valid, taps[1] + i);
    const __m512i w2 = _mm512_maskz_loadu_epi16(valid, taps[2] + i);
    const __m512i ends = _mm512_add_epi16(w0, w2);
    _mm512_mask_storeu_epi16(parts[0] + i, valid, _mm512_add_epi16(w0, w0));
    _mm512_mask_storeu_epi16(parts[1] + i, valid, _mm512_add_epi16(ends, w1));
    _mm512_mask_storeu_epi16(parts[2] + i, valid, _mm512_sub_epi16(ends, w1));
    _mm512_mask_storeu_epi16(parts[3] + i, valid, _mm512_add_epi16(w2, w2));
  }
}

namespace {

// Of 16 columns, whose parts begin at `tiles`.
struct FilteredSums {
  __m512i first, second;

  FilteredSums(const int32_t* tiles, int64_t size) {
    const __m512i s0 = _mm512_loadu_si512(tiles), s1 = _mm512_loadu_si512(tiles + size);
    const __m512i s2 = _mm512_loadu_si512(tiles + 2 * size), s3 = _mm512_loadu_si512(tiles + 3 * size);
    first = _mm512_srai_epi32(_mm512_add_epi32(_mm512_add_epi32(s0, s1), s2), 1);
    second = _mm512_srai_epi32(_mm512_sub_epi32(_mm512_sub_epi32(s1, s2), s3), 1);
  }
};

}  // namespace

void filter_sums(int32_t* tiles, int64_t size, int64_t count) {
  for (int64_t i = 0; i < count; i += kLanes) {
    const FilteredSums sums(tiles + i, size);
    _mm512_storeu_si512(tiles + i, sums.first);
    _mm512_storeu_si512(tiles + size + i, sums.second);
  }
}

void finish_filtered(const int32_t* tiles, int64_t size, int rows, const float* row_scale,
                     const float* column_scale, int64_t count, float* out, int64_t stride) {
  constexpr int64_t kColumns = 2 * kLanes;
  const __m512i low = _mm512_set_epi32(23, 7, 22, 6, 21, 5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
  const __m512i high = _mm512_add_epi32(low, _mm512_set1_epi32(8));
  for (int64_t column = 0; 2 * column < count; column += kLanes) {
    const __m512 scale = _mm512_maskz_loadu_ps(first_lanes((count + 1) / 2 - column), column_scale + column);
    const __mmask16 before = first_lanes(count - 2 * column),
                    after = first_lanes(count - 2 * column - kLanes);
    for (int row = 0; row < rows; ++row) {
      const FilteredSums sums(tiles + row * kColumns + column, size);
      const __m512 rows_scale = _mm512_set1_ps(row_scale[row]);
      const __m512 first = _mm512_mul_ps(_mm512_mul_ps(_mm512_cvtepi32_ps(sums.first), rows_scale), scale);
      const __m512 second = _mm512_mul_ps(_mm512_mul_ps(_mm512_cvtepi32_ps(sums.second), rows_scale), scale);
      float* to = out + row * stride + 2 * column;
      _mm512_mask_storeu_ps(to, before, _mm512_permutex2var_ps(first, low, second));
      _mm512_mask_storeu_ps(to + kLanes, after, _mm512_permutex2var_ps(first, high, second));
    }
  }
}

}  // namespace cairn::exact::avx512
