// AVX-VNNI: vpdpwssd multiplies a pair and adds both products to a sum, which wraps. ymm14 holds the pair of
// A in every lane. {vex}: the assembler would choose the form of AVX-512.
#define CAIRN_STEP(row, even, odd)                 \
  "vpbroadcastd 4*" #row                           \
  "(%[a]), %%ymm14\n\t"                            \
  "%{vex%} vpdpwssd %%ymm12, %%ymm14, %%ymm" #even \
  "\n\t"                                           \
  "%{vex%} vpdpwssd %%ymm13, %%ymm14, %%ymm" #odd "\n\t"
#define CAIRN_MICROKERNELS kMicrokernelsAvxVnni
#include "exact/microkernel_avx2.inc"
