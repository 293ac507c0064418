// AVX2: 6 x 16 tiles in 12 accumulators of 8 sums each. vpmaddwd adds the two products of a pair, which fits
// because |q| <= 2^14 - 1; vpaddd wraps.
#include <immintrin.h>

#include "exact/microkernel.h"
#include "exact/pack_avx2.h"

namespace cairn::exact {
namespace {

constexpr int kRows = 6;
constexpr int kColumns = 16;

// In assembly for the same reason as with AVX-512: 12 accumulators, two loads of B (ymm12, ymm13), one
// broadcast of A (ymm14) and one product (ymm15) leave no register to waste.
#define CAIRN_CLEAR(even, odd)                        \
  "vpxor %%ymm" #even ", %%ymm" #even ", %%ymm" #even \
  "\n\t"                                              \
  "vpxor %%ymm" #odd ", %%ymm" #odd ", %%ymm" #odd "\n\t"
#define CAIRN_STEP(row, even, odd)              \
  "vpbroadcastd 4*" #row                        \
  "(%[a]), %%ymm14\n\t"                         \
  "vpmaddwd %%ymm12, %%ymm14, %%ymm15\n\t"      \
  "vpmaddwd %%ymm13, %%ymm14, %%ymm14\n\t"      \
  "vpaddd %%ymm15, %%ymm" #even ", %%ymm" #even \
  "\n\t"                                        \
  "vpaddd %%ymm14, %%ymm" #odd ", %%ymm" #odd "\n\t"
#define CAIRN_STORE(row, even, odd)  \
  "vmovdqu %%ymm" #even ", 64*" #row \
  "(%[tile])\n\t"                    \
  "vmovdqu %%ymm" #odd ", 64*" #row "+32(%[tile])\n\t"

#define CAIRN_CLEAR_2 CAIRN_CLEAR(0, 1) CAIRN_CLEAR(2, 3)
#define CAIRN_CLEAR_4 CAIRN_CLEAR_2 CAIRN_CLEAR(4, 5) CAIRN_CLEAR(6, 7)
#define CAIRN_CLEAR_6 CAIRN_CLEAR_4 CAIRN_CLEAR(8, 9) CAIRN_CLEAR(10, 11)
#define CAIRN_STEP_2 CAIRN_STEP(0, 0, 1) CAIRN_STEP(1, 2, 3)
#define CAIRN_STEP_4 CAIRN_STEP_2 CAIRN_STEP(2, 4, 5) CAIRN_STEP(3, 6, 7)
#define CAIRN_STEP_6 CAIRN_STEP_4 CAIRN_STEP(4, 8, 9) CAIRN_STEP(5, 10, 11)
#define CAIRN_STORE_2 CAIRN_STORE(0, 0, 1) CAIRN_STORE(1, 2, 3)
#define CAIRN_STORE_4 CAIRN_STORE_2 CAIRN_STORE(2, 4, 5) CAIRN_STORE(3, 6, 7)
#define CAIRN_STORE_6 CAIRN_STORE_4 CAIRN_STORE(4, 8, 9) CAIRN_STORE(5, 10, 11)

#define CAIRN_MULTIPLY(count)                                                                          \
  void multiply_##count(int64_t pairs, const int16_t* a, const int16_t* b, int32_t* tile) {            \
    __asm__ volatile(CAIRN_CLEAR_##count                                                               \
                     "test %[pairs], %[pairs]\n\t"                                                     \
                     "jle 2f\n\t"                                                                      \
                     ".p2align 5\n"                                                                    \
                     "1:\n\t"                                                                          \
                     "vmovdqu (%[b]), %%ymm12\n\t"                                                     \
                     "vmovdqu 32(%[b]), %%ymm13\n\t"                                                   \
                     "add $64, %[b]\n\t" CAIRN_STEP_##count "add $4*" #count                           \
                                                            ", %[a]\n\t"                               \
                                                            "dec %[pairs]\n\t"                         \
                                                            "jnz 1b\n"                                 \
                                                            "2:\n\t" CAIRN_STORE_##count               \
                     : [pairs] "+r"(pairs), [a] "+r"(a), [b] "+r"(b)                                   \
                     : [tile] "r"(tile)                                                                \
                     : "cc", "memory", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", \
                       "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15");          \
  }

CAIRN_MULTIPLY(2)
CAIRN_MULTIPLY(4)
CAIRN_MULTIPLY(6)

void multiply(int rows, int64_t pairs, const int16_t* a, const int16_t* b, int32_t* tile) {
  if (rows == 6) return multiply_6(pairs, a, b, tile);
  if (rows == 4) return multiply_4(pairs, a, b, tile);
  multiply_2(pairs, a, b, tile);
}

void accumulate(const int32_t* tile, int64_t count, int shift, int64_t* sum) {
  const __m128i by = _mm_cvtsi32_si128(shift);
  for (int64_t i = 0; i < count; i += 4) {
    auto* place = reinterpret_cast<__m256i*>(sum + i);
    const __m256i wide = _mm256_cvtepi32_epi64(_mm_loadu_si128(reinterpret_cast<const __m128i*>(tile + i)));
    _mm256_storeu_si256(place, _mm256_add_epi64(_mm256_loadu_si256(place), _mm256_sll_epi64(wide, by)));
  }
}

void fold(int64_t* sum, int64_t count, int shift, int64_t* total) {
  const int64_t below_half = (int64_t{1} << (-shift - 1)) - 1;
  for (int64_t i = 0; i < count; ++i) {
    total[i] += (sum[i] + below_half + (sum[i] >> -shift & 1)) >> -shift;
    sum[i] = 0;
  }
}

void finish(const int32_t* tile, int rows, const float* row_scale, const float* column_scale, float* out,
            int64_t stride) {
  for (int row = 0; row < rows; ++row, tile += kColumns, out += stride) {
    const __m256 scale = _mm256_set1_ps(row_scale[row]);
    for (int column = 0; column < kColumns; column += 8) {
      const __m256i sum = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(tile + column));
      const __m256 value = _mm256_mul_ps(_mm256_cvtepi32_ps(sum), scale);
      _mm256_storeu_ps(out + column, _mm256_mul_ps(value, _mm256_loadu_ps(column_scale + column)));
    }
  }
}

void finish_wide(const int64_t* tile, int rows, const float* row_scale, const float* column_scale, float* out,
                 int64_t stride) {
  for (int row = 0; row < rows; ++row, tile += kColumns, out += stride) {
    // The scalar conversion cvtsi2ss rounds once; AVX2 has none for vectors of int64.
    for (int column = 0; column < kColumns; ++column) {
      out[column] = static_cast<float>(tile[column]) * row_scale[row] * column_scale[column];
    }
  }
}

}  // namespace

const Microkernels kMicrokernelsAvx2 = {
    kRows,         2,          kColumns, multiply, avx2::gather, avx2::pack_lanes, avx2::pack_steps,
    avx2::measure, accumulate, fold,     finish,   finish_wide};

}  // namespace cairn::exact
