#include "work/unit.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
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

using Groups = std::vector<uint32_t>;

TEST(Unit, HasOneSize) {
  EXPECT_EQ(unit_images(recipe_of(1, 1, 0), Groups{100}, 7).size(), 1u);
  EXPECT_EQ(unit_images(recipe_of(4, 3, 0), Groups{60, 40}, 7).size(), 12u);
  EXPECT_EQ(unit_images(recipe_of(4, 3, 1), Groups{100}, 7).size(), 12u);
  EXPECT_EQ(unit_images(recipe_of(4, 3, 5), Groups{100}, 1).size(), 60u);
  EXPECT_EQ(unit_images(recipe_of(4, 3, 5), Groups{3, 4}, UINT32_MAX).size(), 60u);
}

Groups random_groups(std::mt19937_64& random) {
  Groups groups(1 + random() % 9);
  for (uint32_t& count : groups) count = static_cast<uint32_t>(1 + random() % 60);
  return groups;
}

// The first units laid end to end, as many as `epochs` epochs take.
std::vector<uint32_t> sequence_of(const Recipe& recipe, const Groups& groups, uint32_t epochs) {
  const size_t size = epochs * std::accumulate(groups.begin(), groups.end(), size_t{0});
  std::vector<uint32_t> sequence;
  for (uint32_t unit = 0; sequence.size() < size; ++unit) {
    const auto images = unit_images(recipe, groups, unit);
    sequence.insert(sequence.end(), images.begin(), images.end());
  }
  sequence.resize(size);
  return sequence;
}

Recipe random_recipe(std::mt19937_64& random) {
  return recipe_of(static_cast<uint32_t>(1 + random() % 40), 1, static_cast<uint32_t>(random() % 3));
}

TEST(Unit, EveryEpochHasEveryImageOnce) {
  std::mt19937_64 random(2);
  for (int i = 0; i < 100; ++i) {
    const Groups groups = random_groups(random);
    const auto count = std::accumulate(groups.begin(), groups.end(), 0u);
    const auto sequence = sequence_of(random_recipe(random), groups, 5);
    for (uint32_t epoch = 0; epoch < 5; ++epoch) {
      std::vector<uint32_t> images(sequence.begin() + epoch * count, sequence.begin() + (epoch + 1) * count);
      std::ranges::sort(images);
      for (uint32_t image = 0; image < count; ++image) ASSERT_EQ(images[image], image) << count;
    }
  }
}

uint32_t group_of_image(const Groups& groups, uint32_t image) {
  uint32_t group = 0;
  for (; image >= groups[group]; ++group) image -= groups[group];
  return group;
}

TEST(Unit, AnEpochLeavesAGroupForGood) {
  std::mt19937_64 random(3);
  for (int i = 0; i < 100; ++i) {
    const Groups groups = random_groups(random);
    const auto sequence = sequence_of(random_recipe(random), groups, 1);
    std::vector<uint32_t> visited;
    for (const uint32_t image : sequence) {
      const uint32_t group = group_of_image(groups, image);
      if (visited.empty() || visited.back() != group) visited.push_back(group);
    }
    EXPECT_EQ(visited.size(), groups.size());
  }
}

TEST(Unit, OrderSaysWhereUnitsBegin) {
  std::mt19937_64 random(4);
  for (int i = 0; i < 100; ++i) {
    const Groups groups = random_groups(random);
    const Recipe recipe = random_recipe(random);
    const UnitOrder order(recipe, groups);
    const auto count = std::accumulate(groups.begin(), groups.end(), uint64_t{0});
    for (uint32_t unit = 0; unit < 40; ++unit) {
      const uint64_t position = unit * recipe.unit_images();
      ASSERT_EQ(order.epoch_of(unit), position / count);
      ASSERT_EQ(order.position_of(unit), position % count);
      const uint32_t group = group_of_image(groups, unit_images(recipe, groups, unit).front());
      const auto range = order.units_of(order.epoch_of(unit))[group];
      ASSERT_TRUE(range.begin <= unit && unit < range.end);
    }
    // Every unit that begins in an epoch belongs to one group of it.
    uint64_t units = 0;
    for (const auto& [begin, end] : order.units_of(2)) units += end - begin;
    const auto before = [&](uint64_t epoch) {
      return (epoch * count + recipe.unit_images() - 1) / recipe.unit_images();
    };
    EXPECT_EQ(units, before(3) - before(2));
  }
}

TEST(Unit, EpochsAreShuffledDifferently) {
  const Recipe recipe = recipe_of(100, 1, 0);
  EXPECT_NE(unit_images(recipe, Groups{100}, 0), unit_images(recipe, Groups{100}, 1));
  Recipe other = recipe;
  other.seed = 2;
  EXPECT_NE(unit_images(recipe, Groups{100}, 0), unit_images(other, Groups{100}, 0));
}

// The order of Fashion-MNIST under the default seed: part of every project's definition.
TEST(Unit, FirstImagesAreFixed) {
  const auto images = unit_images(recipe_of(4, 1, 0), Groups{60'000}, 0);
  EXPECT_EQ(images, (std::vector<uint32_t>{16923, 41638, 8303, 17254}));
  EXPECT_EQ(unit_images(recipe_of(4, 1, 0), Groups{60'000}, 15'000),  // second epoch
            (std::vector<uint32_t>{51596, 53352, 4884, 41031}));
  EXPECT_EQ(unit_images(recipe_of(4, 1, 0), Groups{20'000, 20'000, 10'000}, 5000),
            (std::vector<uint32_t>{49730, 40322, 43563, 42623}));
}

}  // namespace
}  // namespace cairn::work
