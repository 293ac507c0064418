#include "trust/leaderboard.h"

#include <gtest/gtest.h>

#include "trust/random_history.h"

namespace cairn::trust {
namespace {

TEST(Leaderboard, RanksByReputationAndSharesTheModelByWeight) {
  Chronicle log;
  for (const char* name : {"ada", "ben", "cleo"}) log.join(name);
  log.must(Chronicle::key("root"), ledger::Endowed{2, ledger::kReputationOne / 10});
  log.open_round();
  for (UserId user = 1; user <= 3; ++user) log.send_truth(user, user);
  log.close_round();
  const std::vector<Place> places = leaderboard(log.state);
  ASSERT_EQ(places.size(), 3u);
  EXPECT_EQ(places[0].user, 2u);
  EXPECT_EQ(places[1].user, 1u);  // before who joined later
  EXPECT_EQ(places[2].user, 3u);
  EXPECT_EQ(places[2].rank, 3u);
  EXPECT_EQ(places[1].accepted, 1u);
  EXPECT_EQ(places[1].weight_ppm, places[2].weight_ppm);
  EXPECT_GT(places[0].weight_ppm, 900'000u);
}

TEST(Leaderboard, NobodyHasAnythingOfAModelWithoutEntries) {
  Chronicle log;
  log.join("ada");
  EXPECT_EQ(leaderboard(log.state)[0].weight_ppm, 0u);
  EXPECT_TRUE(leaderboard(Chronicle().state).empty());
}

TEST(Leaderboard, AllPartsMakeTheModelInEveryHistory) {
  for (uint64_t seed = 1; seed <= 30; ++seed) {
    RandomHistory history(seed, {});
    history.grow(150);
    uint64_t sum = 0;
    const std::vector<Place> places = leaderboard(history.state());
    for (const Place& place : places) sum += place.weight_ppm;
    EXPECT_LE(sum, 1'000'000u);
    EXPECT_TRUE(sum == 0 || sum + places.size() >= 1'000'000u);  // each is rounded down
  }
}

}  // namespace
}  // namespace cairn::trust
