// AVX2: vpmaddwd adds the two products of a pair, which fits because |q| <= 2^14 - 1; vpaddd wraps. ymm14
// holds the pair of A in every lane, ymm15 a product.
#define CAIRN_STEP(row, even, odd)              \
  "vpbroadcastd 4*" #row                        \
  "(%[a]), %%ymm14\n\t"                         \
  "vpmaddwd %%ymm12, %%ymm14, %%ymm15\n\t"      \
  "vpmaddwd %%ymm13, %%ymm14, %%ymm14\n\t"      \
  "vpaddd %%ymm15, %%ymm" #even ", %%ymm" #even \
  "\n\t"                                        \
  "vpaddd %%ymm14, %%ymm" #odd ", %%ymm" #odd "\n\t"
#define CAIRN_MICROKERNELS kMicrokernelsAvx2
#include "exact/microkernel_avx2.inc"
