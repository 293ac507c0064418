#include "project/unit_board.h"

#include <gtest/gtest.h>

#include "trust/random_history.h"

namespace cairn::project {
namespace {

// What leases rely on: however many events are taken in at once, the board is the one made from the state.
TEST(UnitBoard, FollowsEveryHistory) {
  std::mt19937_64 random(1);
  size_t sealed = 0, done = 0;
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    trust::RandomHistory history(seed, {});
    history.grow(400);
    const auto& events = history.events();
    trust::State state;
    UnitBoard board = unit_board(state);
    for (size_t at = 0; at < events.size();) {
      const size_t count = std::min<size_t>(1 + random() % 3, events.size() - at);
      for (size_t i = at; i < at + count; ++i) ASSERT_TRUE(state.apply(events[i]));
      follow(board, state, std::span(events).subspan(at, count));
      ASSERT_EQ(board, unit_board(state)) << ledger::kind_name(events[at].statement.body);
      at += count;
      sealed = std::max(sealed, board.sealed.size());
      done = std::max(done, board.done.size());
    }
  }
  EXPECT_GT(sealed, 3u);
  EXPECT_GT(done, 5u);
}

}  // namespace
}  // namespace cairn::project
