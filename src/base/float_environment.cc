#include "base/float_environment.h"

#include <cfenv>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace cairn {

void set_float_environment() {
  std::fesetround(FE_TONEAREST);
#if defined(__x86_64__)
  constexpr unsigned kDenormalsAreZero = 0x0040;
  constexpr unsigned kFlushToZero = 0x8000;
  _mm_setcsr(_mm_getcsr() & ~(kDenormalsAreZero | kFlushToZero));
#elif defined(__aarch64__)
  unsigned long fpcr;
  constexpr unsigned long kFlushToZero = 1UL << 24;
  constexpr unsigned long kFlushInputsToZero = 1UL << 0;
  __asm__ volatile("mrs %0, fpcr" : "=r"(fpcr));
  __asm__ volatile("msr fpcr, %0" : : "r"(fpcr & ~(kFlushToZero | kFlushInputsToZero)));
#endif
}

}  // namespace cairn
