// AVX-512 with VNNI: 12 x 32 tiles in 24 accumulators of 16 sums each.
#include <immintrin.h>

#include "exact/microkernel.h"
#include "exact/pack_avx512.h"

namespace cairn::exact {
namespace {

constexpr int kRows = 12;
constexpr int kColumns = 32;

// The loop is written in assembly because GCC 12 keeps the accumulators of these intrinsics on the stack and
// so gets half the rate. Per pair of k: two loads of B (zmm24, zmm25), and for each row a broadcast of A.
//
// CAIRN_BEGIN(row, even, odd) sets the accumulators of a row, CAIRN_ADD(broadcast, from, sum) adds products.
#define CAIRN_STEP(row, even, odd, broadcast)                                             \
  "vpbroadcastd 4*" #row "(%[a]), %%zmm" #broadcast "\n\t" CAIRN_ADD(broadcast, 24, even) \
      CAIRN_ADD(broadcast, 25, odd)
#define CAIRN_STORE(row, even, odd)     \
  "vmovdqu64 %%zmm" #even ", 128*" #row \
  "(%[tile])\n\t"                       \
  "vmovdqu64 %%zmm" #odd ", 128*" #row "+64(%[tile])\n\t"

#define CAIRN_BEGIN_4 CAIRN_BEGIN(0, 0, 1) CAIRN_BEGIN(1, 2, 3) CAIRN_BEGIN(2, 4, 5) CAIRN_BEGIN(3, 6, 7)
#define CAIRN_BEGIN_8 \
  CAIRN_BEGIN_4 CAIRN_BEGIN(4, 8, 9) CAIRN_BEGIN(5, 10, 11) CAIRN_BEGIN(6, 12, 13) CAIRN_BEGIN(7, 14, 15)
#define CAIRN_BEGIN_12 \
  CAIRN_BEGIN_8 CAIRN_BEGIN(8, 16, 17) CAIRN_BEGIN(9, 18, 19) CAIRN_BEGIN(10, 20, 21) CAIRN_BEGIN(11, 22, 23)
#define CAIRN_STEP_4 \
  CAIRN_STEP(0, 0, 1, 26) CAIRN_STEP(1, 2, 3, 27) CAIRN_STEP(2, 4, 5, 28) CAIRN_STEP(3, 6, 7, 29)
#define CAIRN_STEP_8                                                                       \
  CAIRN_STEP_4 CAIRN_STEP(4, 8, 9, 30) CAIRN_STEP(5, 10, 11, 31) CAIRN_STEP(6, 12, 13, 26) \
      CAIRN_STEP(7, 14, 15, 27)
#define CAIRN_STEP_12                                                                         \
  CAIRN_STEP_8 CAIRN_STEP(8, 16, 17, 28) CAIRN_STEP(9, 18, 19, 29) CAIRN_STEP(10, 20, 21, 30) \
      CAIRN_STEP(11, 22, 23, 31)
#define CAIRN_STORE_4 CAIRN_STORE(0, 0, 1) CAIRN_STORE(1, 2, 3) CAIRN_STORE(2, 4, 5) CAIRN_STORE(3, 6, 7)
#define CAIRN_STORE_8 \
  CAIRN_STORE_4 CAIRN_STORE(4, 8, 9) CAIRN_STORE(5, 10, 11) CAIRN_STORE(6, 12, 13) CAIRN_STORE(7, 14, 15)
#define CAIRN_STORE_12 \
  CAIRN_STORE_8 CAIRN_STORE(8, 16, 17) CAIRN_STORE(9, 18, 19) CAIRN_STORE(10, 20, 21) CAIRN_STORE(11, 22, 23)

#define CAIRN_MULTIPLY(name, count)                                                                     \
  void name##_##count(int64_t steps, const int16_t* a, const int16_t* b, const int32_t* places,         \
                      const int32_t* start, int32_t* tile) {                                            \
    int64_t place;                                                                                      \
    __asm__ volatile(CAIRN_BEGIN_##count                                                                \
                     "test %[steps], %[steps]\n\t"                                                      \
                     "jle 2f\n\t"                                                                       \
                     ".p2align 5\n"                                                                     \
                     "1:\n\t"                                                                           \
                     "movslq (%[places]), %[place]\n\t"                                                 \
                     "add $4, %[places]\n\t"                                                            \
                     "vmovdqu64 (%[b],%[place],4), %%zmm24\n\t"                                         \
                     "vmovdqu64 64(%[b],%[place],4), %%zmm25\n\t" CAIRN_STEP_##count                    \
                     "add $4*" #count                                                                   \
                     ", %[a]\n\t"                                                                       \
                     "dec %[steps]\n\t"                                                                 \
                     "jnz 1b\n"                                                                         \
                     "2:\n\t" CAIRN_STORE_##count                                                       \
                     : [steps] "+r"(steps), [a] "+r"(a), [places] "+r"(places), [place] "=&r"(place)    \
                     : [tile] "r"(tile), [b] "r"(b), [start] "r"(start)                                 \
                     : "cc", "memory", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7",  \
                       "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15", "xmm16",   \
                       "xmm17", "xmm18", "xmm19", "xmm20", "xmm21", "xmm22", "xmm23", "xmm24", "xmm25", \
                       "xmm26", "xmm27", "xmm28", "xmm29", "xmm30", "xmm31");                           \
  }

#define CAIRN_BEGIN(row, even, odd)                    \
  "vpxord %%zmm" #even ", %%zmm" #even ", %%zmm" #even \
  "\n\t"                                               \
  "vpxord %%zmm" #odd ", %%zmm" #odd ", %%zmm" #odd "\n\t"
#define CAIRN_ADD(broadcast, from, sum) "vpdpwssd %%zmm" #from ", %%zmm" #broadcast ", %%zmm" #sum "\n\t"
CAIRN_MULTIPLY(multiply, 4)
CAIRN_MULTIPLY(multiply, 8)
CAIRN_MULTIPLY(multiply, 12)
#undef CAIRN_BEGIN
#undef CAIRN_ADD

// The bytes of B have no sign, those of A have.
#define CAIRN_BEGIN(row, even, odd)                \
  "vpbroadcastd 4*" #row "(%[start]), %%zmm" #even \
  "\n\t"                                           \
  "vmovdqa64 %%zmm" #even ", %%zmm" #odd "\n\t"
#define CAIRN_ADD(broadcast, from, sum) "vpdpbusd %%zmm" #broadcast ", %%zmm" #from ", %%zmm" #sum "\n\t"
CAIRN_MULTIPLY(multiply_bytes, 4)
CAIRN_MULTIPLY(multiply_bytes, 8)
CAIRN_MULTIPLY(multiply_bytes, 12)

void multiply(int rows, int64_t pairs, const int16_t* a, const int16_t* b, const int32_t* places,
              int32_t* tile) {
  if (rows == 12) return multiply_12(pairs, a, b, places, nullptr, tile);
  if (rows == 8) return multiply_8(pairs, a, b, places, nullptr, tile);
  multiply_4(pairs, a, b, places, nullptr, tile);
}

void multiply_bytes(int rows, int64_t quads, const int16_t* a, const int16_t* b, const int32_t* places,
                    const int32_t* start, int32_t* tile) {
  if (rows == 12) return multiply_bytes_12(quads, a, b, places, start, tile);
  if (rows == 8) return multiply_bytes_8(quads, a, b, places, start, tile);
  multiply_bytes_4(quads, a, b, places, start, tile);
}

void accumulate(const int32_t* tile, int64_t count, int shift, int64_t* sum) {
  const __m128i by = _mm_cvtsi32_si128(shift);
  for (int64_t i = 0; i < count; i += 8) {
    const __m512i wide =
        _mm512_cvtepi32_epi64(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(tile + i)));
    _mm512_storeu_si512(sum + i, _mm512_add_epi64(_mm512_loadu_si512(sum + i), _mm512_sll_epi64(wide, by)));
  }
}

// value * 2^-shift, 0 < shift < 63, to the nearest integer, ties to even.
__m512i shift_rounded(__m512i value, int shift) {
  const __m128i count = _mm_cvtsi32_si128(shift);
  const __m512i odd = _mm512_and_si512(_mm512_sra_epi64(value, count), _mm512_set1_epi64(1));
  const __m512i below_half = _mm512_set1_epi64((int64_t{1} << (shift - 1)) - 1);
  return _mm512_sra_epi64(_mm512_add_epi64(value, _mm512_add_epi64(below_half, odd)), count);
}

void fold(int64_t* sum, int64_t count, int shift, int64_t* total) {
  for (int64_t i = 0; i < count; i += 8) {
    const __m512i value = shift_rounded(_mm512_loadu_si512(sum + i), -shift);
    _mm512_storeu_si512(total + i, _mm512_add_epi64(_mm512_loadu_si512(total + i), value));
    _mm512_storeu_si512(sum + i, _mm512_setzero_si512());
  }
}

void finish(const int32_t* tile, int rows, const float* row_scale, const float* column_scale, int columns,
            float* out, int64_t stride) {
  for (int column = 0; column < columns; column += 16) {
    const int held = columns - column;
    const __mmask16 valid = held < 16 ? static_cast<__mmask16>((1u << held) - 1) : __mmask16{0xffff};
    const __m512 scale = _mm512_maskz_loadu_ps(valid, column_scale + column);
    for (int row = 0; row < rows; ++row) {
      const __m512i sum = _mm512_maskz_loadu_epi32(valid, tile + row * kColumns + column);
      const __m512 value = _mm512_mul_ps(_mm512_cvtepi32_ps(sum), _mm512_set1_ps(row_scale[row]));
      _mm512_mask_storeu_ps(out + row * stride + column, valid, _mm512_mul_ps(value, scale));
    }
  }
}

void finish_wide(const int64_t* tile, int rows, const float* row_scale, const float* column_scale,
                 int columns, float* out, int64_t stride) {
  for (int column = 0; column < columns; column += 8) {
    const int held = columns - column;
    const __mmask8 valid = held < 8 ? static_cast<__mmask8>((1u << held) - 1) : __mmask8{0xff};
    const __m256 scale = _mm256_maskz_loadu_ps(valid, column_scale + column);
    for (int row = 0; row < rows; ++row) {
      // vcvtqq2ps rounds once.
      const __m256 value =
          _mm512_cvtepi64_ps(_mm512_maskz_loadu_epi64(valid, tile + row * kColumns + column));
      const __m256 scaled = _mm256_mul_ps(_mm256_mul_ps(value, _mm256_set1_ps(row_scale[row])), scale);
      _mm256_mask_storeu_ps(out + row * stride + column, valid, scaled);
    }
  }
}

}  // namespace

const Microkernels kMicrokernelsAvx512 = {kRows,
                                          4,
                                          kColumns,
                                          multiply,
                                          avx512::copy_row,
                                          avx512::pack_lanes,
                                          avx512::pack_steps,
                                          avx512::pack_taps,
                                          avx512::measure,
                                          avx512::add_squares,
                                          avx512::largest_window,
                                          accumulate,
                                          fold,
                                          finish,
                                          finish_wide,
                                          multiply_bytes,
                                          avx512::pack_byte_steps,
                                          avx512::pack_byte_taps,
                                          avx512::sum_bytes,
                                          avx512::filter_pixels,
                                          avx512::filter_lines,
                                          avx512::filter_gradient_lines,
                                          avx512::filter_weight_sums,
                                          avx512::filter_weights,
                                          avx512::filter_sums,
                                          avx512::finish_filtered};

}  // namespace cairn::exact
