#include "exact/scratch.h"

#include <gtest/gtest.h>

#include <cstring>

namespace cairn::exact {
namespace {

TEST(Scratch, ArraysAreAlignedAndApart) {
  Scratch scratch;
  for (int round = 0; round < 5; ++round) {
    scratch.reset();
    std::vector<std::pair<char*, int64_t>> arrays;
    for (int64_t size : {1, 64, 65, 1 << 20, 3, (3 << 20) + round, 100}) {
      char* array = scratch.take<char>(size);
      EXPECT_EQ(reinterpret_cast<uintptr_t>(array) % 64, 0u);
      std::memset(array, static_cast<int>(arrays.size()), static_cast<size_t>(size));
      arrays.emplace_back(array, size);
    }
    for (size_t i = 0; i < arrays.size(); ++i)
      for (int64_t byte : {int64_t{0}, arrays[i].second - 1})
        EXPECT_EQ(arrays[i].first[byte], static_cast<char>(i));
  }
}

TEST(Scratch, HandsOutTheSameMemoryWhenNeedsRepeat) {
  Scratch scratch;
  std::vector<int*> seen;
  for (int round = 0; round < 4; ++round) {
    scratch.reset();
    scratch.take<int>(300000);
    seen.push_back(scratch.take<int>(500000));
  }
  EXPECT_EQ(seen[2], seen[3]);
}

}  // namespace
}  // namespace cairn::exact
