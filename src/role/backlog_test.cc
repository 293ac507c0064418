// Who gets the sequencer's time, and that everything that waits is answered.
#include "role/backlog.h"

#include <gtest/gtest.h>

#include <string>

namespace cairn::role {
namespace {

class Clock : public Environment {
 public:
  int64_t now() override { return time; }
  uint64_t random_word() override { return 0; }
  int64_t time = 1'000'000;
};

struct BacklogTest : testing::Test {
  Write write(const std::string& name, bool newcomer = false) {
    Write write;
    write.done = [this, name](const Result<uint64_t>& done, Refusal::Kind kind) {
      answers += name + (done || kind != Refusal::Kind::busy ? "?" : "-");
    };
    write.newcomer = newcomer;
    return write;
  }
  // What the sequencer would do next, without waiting.
  std::string next() {
    std::string names;
    auto operations = backlog.next([] { return 0; });
    if (!operations) return "stopped";
    for (const Operation& operation : *operations) {
      const Write& one = std::get<Write>(operation);
      names += one.newcomer ? 'n' : 'k';
    }
    return names;
  }

  std::string answers;
  Clock clock;
  Backlog backlog{
      {.waiting = 3, .batch = 2, .newcomers_waiting = 2, .newcomers_batch = 1, .newcomers_pause = 9}, clock};
};

TEST_F(BacklogTest, KnownUsersComeFirst) {
  EXPECT_TRUE(backlog.add(write("a", true)));
  EXPECT_TRUE(backlog.add(write("b")));
  EXPECT_TRUE(backlog.add(write("c")));
  EXPECT_TRUE(backlog.add(write("d")));
  EXPECT_EQ(next(), "kkn");
  EXPECT_EQ(next(), "k");
  EXPECT_EQ(next(), "");
}

TEST_F(BacklogTest, RefusesMoreThanItsLimits) {
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(backlog.add(write("k")));
  EXPECT_FALSE(backlog.add(write("k")));
  for (int i = 0; i < 2; ++i) EXPECT_TRUE(backlog.add(write("n", true)));
  EXPECT_FALSE(backlog.add(write("n", true)));
}

TEST_F(BacklogTest, NewcomersWaitNineTimesAsLongAsTheyTook) {
  for (int i = 0; i < 2; ++i) EXPECT_TRUE(backlog.add(write("n", true)));
  EXPECT_EQ(next(), "n");
  backlog.count_newcomers(100);
  EXPECT_EQ(next(), "");
  clock.time += 899;
  EXPECT_EQ(next(), "");
  clock.time += 1;
  EXPECT_EQ(next(), "n");
}

TEST_F(BacklogTest, NewcomersDoNotWaitForAClockThatWasSetBack) {
  EXPECT_TRUE(backlog.add(write("n", true)));
  backlog.count_newcomers(100);
  EXPECT_EQ(next(), "");
  clock.time -= 3'600'000;
  EXPECT_EQ(next(), "n");
}

TEST_F(BacklogTest, WhatIsHeldComesOnceARoundIsOpenOrIsRefusedInTime) {
  backlog.hold(write("n", true));
  backlog.hold(write("k"));
  EXPECT_TRUE(backlog.released(false).empty());
  std::vector<Write> released = backlog.released(true);
  ASSERT_EQ(released.size(), 2u);
  EXPECT_FALSE(released[0].newcomer) << "newcomers last";
  EXPECT_EQ(answers, "");
  backlog.hold(write("k"));
  clock.time += 10'000;
  EXPECT_TRUE(backlog.released(false).empty());
  EXPECT_EQ(answers, "k-");
}

TEST_F(BacklogTest, AnswersEverythingWhenItStops) {
  EXPECT_TRUE(backlog.add(write("a")));
  EXPECT_TRUE(backlog.add(write("b", true)));
  backlog.hold(write("c"));
  backlog.stop();
  EXPECT_FALSE(backlog.add(write("d")));
  EXPECT_EQ(next(), "stopped");
  backlog.refuse_all();
  EXPECT_EQ(answers, "c-a-b-");
}

TEST_F(BacklogTest, WakesUpForNothing) {
  backlog.wake();
  EXPECT_EQ(backlog.next([] { return 60'000; })->size(), 0u);
}

}  // namespace
}  // namespace cairn::role
