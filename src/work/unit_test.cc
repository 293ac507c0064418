#include "work/unit.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>

namespace cairn::work {
namespace {

Recipe recipe_of(uint32_t batch, uint32_t accumulation, uint32_t local_steps) {
  Recipe recipe;
  recipe.batch = batch;
  recipe.accumulation = accumulation;
  recipe.local_steps = local_steps;
  return recipe;
}

TEST(Unit, HasOneSize) {
  EXPECT_EQ(unit_images(recipe_of(1, 1, 0), 100, 7).size(), 1u);
  EXPECT_EQ(unit_images(recipe_of(4, 3, 0), 100, 7).size(), 12u);
  EXPECT_EQ(unit_images(recipe_of(4, 3, 1), 100, 7).size(), 12u);
  EXPECT_EQ(unit_images(recipe_of(4, 3, 5), 100, 1).size(), 60u);
  EXPECT_EQ(unit_images(recipe_of(4, 3, 5), 7, UINT32_MAX).size(), 60u);
}

// Units laid end to end give each epoch's images once, then the next epoch's.
TEST(Unit, EveryEpochHasEveryImageOnce) {
  std::mt19937_64 random(2);
  for (int i = 0; i < 100; ++i) {
    const auto count = static_cast<uint32_t>(1 + random() % 200);
    const Recipe recipe =
        recipe_of(static_cast<uint32_t>(1 + random() % 40), 1, static_cast<uint32_t>(random() % 3));
    std::vector<uint32_t> sequence;
    for (uint32_t unit = 0; sequence.size() < 5 * count; ++unit) {
      const auto images = unit_images(recipe, count, unit);
      sequence.insert(sequence.end(), images.begin(), images.end());
    }
    for (uint32_t epoch = 0; epoch < 5; ++epoch) {
      std::vector<uint32_t> images(sequence.begin() + epoch * count, sequence.begin() + (epoch + 1) * count);
      std::ranges::sort(images);
      for (uint32_t image = 0; image < count; ++image) ASSERT_EQ(images[image], image) << count;
    }
  }
}

TEST(Unit, EpochsAreShuffledDifferently) {
  const Recipe recipe = recipe_of(100, 1, 0);
  EXPECT_NE(unit_images(recipe, 100, 0), unit_images(recipe, 100, 1));
  Recipe other = recipe;
  other.seed = 2;
  EXPECT_NE(unit_images(recipe, 100, 0), unit_images(other, 100, 0));
}

// The order of Fashion-MNIST under the default seed: part of every project's definition.
TEST(Unit, FirstImagesAreFixed) {
  const auto images = unit_images(recipe_of(4, 1, 0), 60'000, 0);
  EXPECT_EQ(images, (std::vector<uint32_t>{59648, 25509, 19698, 51157}));
  EXPECT_EQ(unit_images(recipe_of(4, 1, 0), 60'000, 15'000),  // second epoch
            (std::vector<uint32_t>{45585, 39562, 37608, 6690}));
}

}  // namespace
}  // namespace cairn::work
