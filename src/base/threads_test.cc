#include "base/threads.h"

#include <gtest/gtest.h>

#include <atomic>

namespace cairn {
namespace {

TEST(ThreadPool, EveryIndexRunsOnce) {
  for (int threads = 1; threads <= 4; ++threads) {
    ThreadPool pool(threads);
    for (int64_t count : {0, 1, 2, 7, 1000}) {
      std::vector<std::atomic<int>> seen(static_cast<size_t>(count));
      pool.run(count, [&](int64_t i, int worker) {
        EXPECT_GE(worker, 0);
        EXPECT_LT(worker, pool.size());
        ++seen[static_cast<size_t>(i)];
      });
      for (const auto& times : seen) EXPECT_EQ(times, 1);
    }
  }
}

TEST(ThreadPool, ManyRunsFollowEachOther) {
  ThreadPool pool(3);
  std::atomic<int64_t> total = 0;
  for (int run = 0; run < 2000; ++run) pool.run(5, [&](int64_t i, int) { total += i; });
  EXPECT_EQ(total, 2000 * 10);
}

}  // namespace
}  // namespace cairn
