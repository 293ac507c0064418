#include "model/planner.h"

#include <gtest/gtest.h>

#include <random>

#include "model/program.h"

namespace cairn::model {
namespace {

std::vector<Lifetime> random_blocks(std::mt19937& random) {
  std::vector<Lifetime> blocks(1 + random() % 60);
  const size_t spread = 1 + random() % 20;
  size_t first = 0;
  for (Lifetime& block : blocks) {
    first += random() % 2;
    block = {1 + random() % (random() % 4 ? 300 : 20000), first, first + random() % spread};
  }
  return blocks;
}

TEST(Planner, BlocksThatLiveAtTheSameTimeNeverOverlap) {
  std::mt19937 random(1);
  for (int round = 0; round < 3000; ++round) {
    const std::vector<Lifetime> blocks = random_blocks(random);
    const Placement plan = round % 2 == 0 ? plan_memory(blocks) : plan_by_size(blocks);
    ASSERT_EQ(plan.offsets.size(), blocks.size());
    for (size_t a = 0; a < blocks.size(); ++a) {
      ASSERT_EQ(plan.offsets[a] % kAlignment, 0);
      ASSERT_LE(plan.offsets[a] + blocks[a].bytes, plan.peak);
      for (size_t b = 0; b < a; ++b) {
        const bool together = blocks[a].first <= blocks[b].last && blocks[b].first <= blocks[a].last;
        const bool apart = plan.offsets[a] + blocks[a].bytes <= plan.offsets[b] ||
                           plan.offsets[b] + blocks[b].bytes <= plan.offsets[a];
        ASSERT_TRUE(apart || !together) << "round " << round << " blocks " << a << " and " << b;
      }
    }
  }
}

TEST(Planner, PeakLiesBetweenTheLargestMomentAndTheSum) {
  std::mt19937 random(2);
  for (int round = 0; round < 1000; ++round) {
    const std::vector<Lifetime> blocks = random_blocks(random);
    uint64_t sum = 0;
    uint64_t largest_moment = 0;
    for (const Lifetime& block : blocks) {
      sum += align(block.bytes);
      uint64_t moment = 0;
      for (const Lifetime& other : blocks) {
        if (other.first <= block.first && block.first <= other.last) moment += align(other.bytes);
      }
      largest_moment = std::max(largest_moment, moment);
    }
    for (const uint64_t peak : {plan_memory(blocks).peak, plan_by_size(blocks).peak}) {
      ASSERT_LE(peak, sum);
      ASSERT_GE(peak, largest_moment);
    }
  }
}

TEST(Planner, ReusesTheSmallestGapThatFits) {
  // Blocks 0 and 2 die at step 0 and leave gaps of 128 and 64 bytes, held apart by blocks 1 and 3.
  const std::vector<Lifetime> blocks = {{128, 0, 0}, {64, 0, 9}, {64, 0, 0},
                                        {64, 0, 9},  {60, 1, 9}, {100, 1, 9}};
  const Placement plan = plan_memory(blocks);
  EXPECT_EQ(plan.offsets[4], plan.offsets[2]);
  EXPECT_EQ(plan.offsets[5], plan.offsets[0]);
  EXPECT_EQ(plan.peak, 320);
}

// In the order of time, block 1 stays between the gaps that blocks 0 and 2 leave, and block 3 fits neither.
TEST(Planner, BySizeLargeBlocksComeFirst) {
  const std::vector<Lifetime> blocks = {{64, 0, 0}, {64, 0, 9}, {64, 0, 0}, {128, 1, 9}};
  EXPECT_EQ(plan_memory(blocks).peak, 256);
  EXPECT_EQ(plan_by_size(blocks).peak, 192);
}

TEST(Planner, OfNothingIsNothing) {
  EXPECT_EQ(plan_memory({}).peak, 0);
  EXPECT_EQ(plan_by_size({}).peak, 0);
}

}  // namespace
}  // namespace cairn::model
