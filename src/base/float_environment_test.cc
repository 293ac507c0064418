#include "base/float_environment.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cfenv>

#include "base/threads.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace cairn {
namespace {

// What a library that cares for speed alone may leave behind.
void spoil_float_environment() {
  std::fesetround(FE_UPWARD);
#if defined(__x86_64__)
  _mm_setcsr(_mm_getcsr() | 0x8040);
#elif defined(__aarch64__)
  unsigned long fpcr;
  __asm__ volatile("mrs %0, fpcr" : "=r"(fpcr));
  __asm__ volatile("msr fpcr, %0" : : "r"(fpcr | 1UL << 24));
#endif
}

bool keeps_subnormals() {
  const volatile float smallest_normal = 0x1p-126f;
  const volatile float half = smallest_normal * 0.5f;
  return half != 0.0f;
}

bool rounds_to_nearest() {
  const volatile float one = 1.0f, half_unit = 0x1p-24f;
  const volatile float sum = one + half_unit;
  return sum == 1.0f;
}

TEST(FloatEnvironment, IsSetWhateverItWas) {
  spoil_float_environment();
  EXPECT_FALSE(keeps_subnormals());
  EXPECT_FALSE(rounds_to_nearest());
  set_float_environment();
  EXPECT_TRUE(keeps_subnormals());
  EXPECT_TRUE(rounds_to_nearest());
}

TEST(FloatEnvironment, IsSetOnEveryThreadOfAPool) {
  spoil_float_environment();
  ThreadPool pool(3);  // its threads begin with what this one has
  set_float_environment();
  std::atomic<int> wrong = 0;
  pool.run(100, [&](int64_t, int) { wrong += keeps_subnormals() && rounds_to_nearest() ? 0 : 1; });
  EXPECT_EQ(wrong, 0);
}

}  // namespace
}  // namespace cairn
