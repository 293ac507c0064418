#include "work/permutation.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>
#include <vector>

namespace cairn::work {
namespace {

std::vector<uint32_t> whole(uint64_t seed, uint32_t major, uint32_t size) {
  const Permutation permutation(seed, {RandomStream::permutation, major, 5}, size);
  std::vector<uint32_t> images(size);
  for (uint32_t i = 0; i < size; ++i) images[i] = permutation.at(i);
  return images;
}

bool is_bijection(std::vector<uint32_t> images) {
  std::ranges::sort(images);
  for (uint32_t i = 0; i < images.size(); ++i) {
    if (images[i] != i) return false;
  }
  return true;
}

TEST(Permutation, IsABijectionOfEverySmallSize) {
  for (uint32_t size = 1; size <= 300; ++size)
    EXPECT_TRUE(is_bijection(whole(size * 17, size, size))) << size;
}

TEST(Permutation, IsABijectionOfRandomSizes) {
  std::mt19937_64 random(1);
  for (int i = 0; i < 60; ++i) {
    const auto size = static_cast<uint32_t>(1 + random() % 20'000);
    EXPECT_TRUE(is_bijection(whole(random(), static_cast<uint32_t>(random()), size))) << size;
  }
  EXPECT_TRUE(is_bijection(whole(1, 0, 60'000)));
  EXPECT_TRUE(is_bijection(whole(1, 0, 65'536)));
  EXPECT_TRUE(is_bijection(whole(1, 0, 65'537)));
}

TEST(Permutation, StaysInsideTheLargestSize) {
  const uint32_t size = uint32_t{1} << 31;
  const Permutation permutation(9, {RandomStream::permutation, 3, 0}, size);
  for (const uint32_t position : {0u, 1u, 12'345u, size - 1}) EXPECT_LT(permutation.at(position), size);
}

TEST(Permutation, DependsOnSeedStreamEpochAndLane) {
  const auto first = whole(1, 0, 1000);
  EXPECT_EQ(first, whole(1, 0, 1000));
  EXPECT_NE(first, whole(2, 0, 1000));
  EXPECT_NE(first, whole(uint64_t{1} << 32 | 1, 0, 1000));
  EXPECT_NE(first, whole(1, 1, 1000));
  EXPECT_NE(first[0], Permutation(1, {RandomStream::evaluation_sample, 0, 5}, 1000).at(0));
  EXPECT_NE(first[0], Permutation(1, {RandomStream::permutation, 0, 6}, 1000).at(0));
}

// Serial correlation and mean displacement of a good shuffle: both within four standard deviations.
TEST(Permutation, LooksShuffled) {
  constexpr uint32_t kSize = 10'000;
  const auto images = whole(5, 0, kSize);
  double mean = (kSize - 1) / 2.0, with_position = 0, with_next = 0, square = 0;
  for (uint32_t i = 0; i < kSize; ++i) {
    with_position += (images[i] - mean) * (i - mean);
    with_next += (images[i] - mean) * (images[(i + 1) % kSize] - mean);
    square += (i - mean) * (i - mean);
  }
  EXPECT_LT(std::abs(with_position / square), 4 / std::sqrt(kSize));
  EXPECT_LT(std::abs(with_next / square), 4 / std::sqrt(kSize));
}

}  // namespace
}  // namespace cairn::work
