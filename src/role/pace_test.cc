#include "role/pace.h"

#include <gtest/gtest.h>

namespace cairn::role {
namespace {

TEST(Pace, IsTheImagesOfTheTimeInWhichTheyWereComputed) {
  Pace pace;
  EXPECT_EQ(pace.images_per_second(), 0);
  EXPECT_FALSE(pace.left(10).has_value());
  pace.begin(1000, 0);
  pace.reach(2000, 32);
  pace.reach(3000, 64);
  EXPECT_DOUBLE_EQ(pace.images_per_second(), 32);
  EXPECT_EQ(pace.measured(), 2000);
  EXPECT_EQ(pace.left(320), 10'000);
}

TEST(Pace, GoesOnFromUnitToUnitAndLeavesPausesOut) {
  Pace pace;
  pace.begin(0, 0);
  pace.reach(1000, 10);
  pace.begin(500'000, 50);  // another unit, resumed, after waiting
  pace.reach(501'000, 60);
  pace.skip(3'600'000);
  pace.reach(4'102'000, 70);
  EXPECT_DOUBLE_EQ(pace.images_per_second(), 10);
}

TEST(Pace, FollowsAMachineThatSlowsDown) {
  Pace pace;
  pace.begin(0, 0);
  int64_t now = 0;
  uint64_t done = 0;
  for (int i = 0; i < 120; ++i) pace.reach(now += 1000, done += 100);
  for (int i = 0; i < 70; ++i) pace.reach(now += 1000, done += 10);
  EXPECT_DOUBLE_EQ(pace.images_per_second(), 10);
  EXPECT_GE(pace.measured(), 60'000);
}

TEST(Pace, AClockThatIsSetBackIsNoProgressInNegativeTime) {
  Pace pace;
  pace.begin(5000, 0);
  pace.reach(1000, 10);
  pace.reach(2000, 20);
  EXPECT_DOUBLE_EQ(pace.images_per_second(), 20);
}

TEST(Pace, SaysWhatAUnitWouldMiss) {
  EXPECT_EQ(too_late(500, 1000, 2000, 2000), TooLate::no);
  EXPECT_EQ(too_late(1500, 1000, 2000, 0), TooLate::lease);
  EXPECT_EQ(too_late(1500, 1000, 3000, 2000), TooLate::round);
  EXPECT_EQ(too_late(1500, 1000, 0, 0), TooLate::no);
  EXPECT_EQ(too_late(1, 5000, 2000, 0), TooLate::lease);  // it has ended already
}

TEST(DurationText, IsShort) {
  EXPECT_EQ(duration_text(400), "about 0 s");
  EXPECT_EQ(duration_text(89'000), "about 89 s");
  EXPECT_EQ(duration_text(600'000), "about 10 min");
  EXPECT_EQ(duration_text(7'500'000), "about 2 h 5 min");
}

}  // namespace
}  // namespace cairn::role
