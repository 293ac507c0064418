#include "port_peak.h"

#include <immintrin.h>

namespace cairn::bench {
namespace {

#define CAIRN_REGISTERS                                                                                      \
  "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", \
      "xmm13", "xmm14", "xmm15"

// Twelve independent sums hide the latency of every instruction here. `per_loop` is their products together.
#define CAIRN_LOOP(clear, body, per_loop) \
  int64_t loops = kPeakMacs / (per_loop); \
  __asm__ volatile("vpxor %%xmm12, %%xmm12, %%xmm12\n\t"                                               \
                   "vpxor %%xmm13, %%xmm13, %%xmm13\n\t" clear(0) clear(1) clear(2) clear(3) clear(4)  \
                       clear(5) clear(6) clear(7) clear(8) clear(9) clear(10) clear(11) ".p2align 5\n" \
                   "1:\n\t" body(0) body(1) body(2) body(3) body(4) body(5) body(6) body(7) body(8)    \
                       body(9) body(10) body(11) "dec %0\n\t"                                          \
                   "jnz 1b"                                                                            \
                   : "+r"(loops)                                                                       \
                   :                                                                                   \
                   : "cc", CAIRN_REGISTERS)

#define CAIRN_CLEAR(i) "vpxor %%xmm" #i ", %%xmm" #i ", %%xmm" #i "\n\t"
#define CAIRN_DOT(i) "vpdpwssd %%zmm12, %%zmm13, %%zmm" #i "\n\t"
#define CAIRN_DOT_256(i) "%{vex%} vpdpwssd %%ymm12, %%ymm13, %%ymm" #i "\n\t"
#define CAIRN_PAIR(i)                      \
  "vpmaddwd %%ymm12, %%ymm13, %%ymm14\n\t" \
  "vpaddd %%ymm14, %%ymm" #i ", %%ymm" #i "\n\t"
#define CAIRN_FMA_512(i) "vfmadd231ps %%zmm12, %%zmm13, %%zmm" #i "\n\t"
#define CAIRN_FMA_256(i) "vfmadd231ps %%ymm12, %%ymm13, %%ymm" #i "\n\t"

__attribute__((target("avx512f,avx512vnni"))) void dot_512() {
  CAIRN_LOOP(CAIRN_CLEAR, CAIRN_DOT, 12 * 32);
}
__attribute__((target("avxvnni"))) void dot_256() {
  CAIRN_LOOP(CAIRN_CLEAR, CAIRN_DOT_256, 12 * 16);
}
__attribute__((target("avx2"))) void pair_256() {
  CAIRN_LOOP(CAIRN_CLEAR, CAIRN_PAIR, 12 * 16);
}
__attribute__((target("avx512f"))) void fma_512() {
  CAIRN_LOOP(CAIRN_CLEAR, CAIRN_FMA_512, 12 * 16);
}
__attribute__((target("avx2,fma"))) void fma_256() {
  CAIRN_LOOP(CAIRN_CLEAR, CAIRN_FMA_256, 12 * 8);
}

constexpr int64_t kBuffer = 8 << 10;  // bytes: two of them leave room in a first-level cache

// Passes over the buffers; kept apart by a barrier, or the compiler would see that one is enough.
template <typename Pass>
void repeat(const Pass& pass) {
  alignas(64) char from[kBuffer] = {}, to[kBuffer];
  for (int64_t i = 0; i < kPeakBytes / (2 * kBuffer); ++i) {
    pass(from, to);
    __asm__ volatile("" : : "r"(from), "r"(to) : "memory");
  }
}

__attribute__((target("avx512f"))) void copy_512(const char* from, char* to) {
  for (int64_t i = 0; i < kBuffer; i += 64) _mm512_store_si512(to + i, _mm512_load_si512(from + i));
}
__attribute__((target("avx2"))) void copy_256(const char* from, char* to) {
  for (int64_t i = 0; i < kBuffer; i += 32) {
    _mm256_store_si256(reinterpret_cast<__m256i*>(to + i),
                       _mm256_load_si256(reinterpret_cast<const __m256i*>(from + i)));
  }
}

}  // namespace

void integer_peak(exact::Isa isa) {
  if (isa == exact::Isa::avx512_vnni) return dot_512();
  isa == exact::Isa::avx_vnni ? dot_256() : pair_256();
}

void float_peak(exact::Isa isa) {
  isa == exact::Isa::avx512_vnni ? fma_512() : fma_256();
}

void copy_peak(exact::Isa isa) {
  repeat(isa == exact::Isa::avx512_vnni ? copy_512 : copy_256);
}

}  // namespace cairn::bench
