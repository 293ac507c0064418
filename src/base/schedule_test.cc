#include "base/schedule.h"

#include <gtest/gtest.h>

#include <vector>

namespace cairn {
namespace {

TEST(Schedule, IsConstantOutsideItsKnotsAndLinearBetween) {
  const std::vector<RateKnot> knots = {{10, 100}, {20, 200}, {23, 0}};
  EXPECT_EQ(rate_at(knots, 0), 100u);
  EXPECT_EQ(rate_at(knots, 10), 100u);
  EXPECT_EQ(rate_at(knots, 11), 110u);
  EXPECT_EQ(rate_at(knots, 20), 200u);
  EXPECT_EQ(rate_at(knots, 21), 133u);  // 133 1/3
  EXPECT_EQ(rate_at(knots, 22), 66u);   // 66 2/3
  EXPECT_EQ(rate_at(knots, 4'000'000'000u), 0u);
}

TEST(Schedule, SurvivesTheLargestNumbers) {
  const std::vector<RateKnot> knots = {{0, UINT64_MAX}, {UINT32_MAX, UINT64_MAX}};
  EXPECT_EQ(rate_at(knots, 0x80000000u), UINT64_MAX);
  EXPECT_EQ(rate_at(knots, UINT32_MAX), UINT64_MAX);
}

}  // namespace
}  // namespace cairn
