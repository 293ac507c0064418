// The laws of the average over random ledgers under every policy variant, and the proposal's stories of it.
#include "average/average.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "average/made_up_gradients.h"
#include "average/reference.h"
#include "average/weighing.h"
#include "trust/random_history.h"

namespace cairn::average {
namespace {

using ledger::kReputationOne;
using testing::HasSubstr;
using trust::Chronicle;
using trust::EntryId;
using trust::Policy;
using trust::policy_variant;
using trust::RandomHistory;
using trust::State;
using trust::UserId;

constexpr size_t kSteps = 150;
constexpr int64_t kUnit = int64_t{1} << 48;

Snapshot start() {
  Snapshot snapshot;
  for (size_t i = 0; i < MadeUpGradients::kParameters; ++i) {
    snapshot.grid.push_back(static_cast<int64_t>(i * i) * (kUnit / 97) - 3 * kUnit);
  }
  return snapshot;
}

TEST(Average, OfNothingIsTheStart) {
  EXPECT_EQ(average(Chronicle().state, start(), MadeUpGradients()).value(), start());
}

TEST(Average, IsWhatTheDefinitionSays) {
  const MadeUpGradients gradients;
  size_t moved = 0;
  for (uint64_t seed = 0; seed < 1500; ++seed) {
    RandomHistory random(seed, policy_variant(seed));
    random.grow(kSteps);
    const Result<Snapshot> snapshot = average(random.state(), start(), gradients);
    ASSERT_TRUE(snapshot) << snapshot.error().message;
    ASSERT_EQ(snapshot->grid, Reference(random.state(), gradients).parameters(start())) << seed;
    moved += *snapshot == start() ? 0 : 1;
  }
  EXPECT_GT(moved, 1000u);
}

TEST(Average, StepByStepIsFromScratchToTheLastBit) {
  const MadeUpGradients gradients;
  for (uint64_t seed = 0; seed < 1500; ++seed) {
    RandomHistory random(seed, policy_variant(seed));
    RunningAverage running(start());
    for (size_t i = 0; i < kSteps; i += 5) {
      random.grow(5);
      ASSERT_EQ(running.update(random.state(), gradients).value(),
                average(random.state(), start(), gradients).value())
          << seed;
    }
  }
}

TEST(Average, StatesMayComeInAnyOrder) {
  const MadeUpGradients gradients;
  for (uint64_t seed = 0; seed < 144; ++seed) {
    RandomHistory random(seed, policy_variant(seed));
    std::vector<std::pair<State, Snapshot>> states;
    for (int i = 0; i < 12; ++i) {
      random.grow(15);
      states.emplace_back(random.state(), average(random.state(), start(), gradients).value());
    }
    RunningAverage running(start());
    for (int i = 0; i < 24; ++i) {
      const auto& [state, snapshot] = states[random.draw(states.size())];
      ASSERT_EQ(running.update(state, gradients).value(), snapshot) << seed;
    }
  }
}

TEST(Average, NoUnitHasTwoCoefficients) {
  size_t duplicates = 0;
  for (uint64_t seed = 0; seed < 1500; ++seed) {
    RandomHistory random(seed, policy_variant(seed));
    random.grow(kSteps);
    const auto coefficients = weigh(random.state(), [](EntryId) { return Norm{0, uint64_t{1} << 63}; });
    ASSERT_TRUE(coefficients);
    std::set<std::pair<trust::Round, trust::UnitId>> units;
    for (const auto& [id, coefficient] : *coefficients) {
      const trust::Entry& entry = random.state().entry(id);
      ASSERT_TRUE(units.emplace(entry.round, entry.unit).second) << seed << " entry " << id;
      duplicates += random.state().entries_of(entry.round, entry.unit).size() > 1 ? 1 : 0;
    }
  }
  EXPECT_GT(duplicates, 100u);
}

// What a host relies on that averages while the log goes on.
TEST(Average, EventsThatLeaveTheWeightsChangeNoCoefficient) {
  size_t left = 0, changed = 0;
  for (uint64_t seed = 0; seed < 60; ++seed) {
    RandomHistory random(seed, policy_variant(seed));
    random.grow(kSteps);
    trust::State state;
    std::map<EntryId, Coefficient> before;
    for (const ledger::Event& event : random.events()) {
      ASSERT_TRUE(state.apply(event));
      const auto after = weigh(state, [](EntryId id) { return Norm{0, (uint64_t{1} << 63) + id}; });
      ASSERT_TRUE(after);
      if (leaves_weights(event.statement.body)) {
        ++left;
        ASSERT_EQ(*after, before) << seed << " " << ledger::kind_name(event.statement.body);
      }
      changed += *after == before ? 0 : 1;
      before = *after;
    }
  }
  EXPECT_GT(left, 1000u);
  EXPECT_GT(changed, 50u);
}

// -- Order

// The same deeds, with the seals and openings of each round in another order.
Chronicle shuffled(const Chronicle& log, RandomHistory& random) {
  std::vector<ledger::Event> events = log.events;
  const auto same_kind = [](const ledger::Event& a, const ledger::Event& b) {
    const bool movable = std::holds_alternative<ledger::EntrySealed>(a.statement.body) ||
                         std::holds_alternative<ledger::EntryOpened>(a.statement.body);
    return movable && a.statement.body.index() == b.statement.body.index();
  };
  for (size_t pass = 0; pass < 4; ++pass) {
    for (size_t i = 0; i + 1 < events.size(); ++i) {
      if (same_kind(events[i], events[i + 1]) && random.draw(2) == 0) {
        std::swap(events[i].statement, events[i + 1].statement);
      }
    }
  }
  Chronicle result(log.state.genesis().policy, static_cast<uint32_t>(log.state.genesis().judges.size()));
  for (size_t i = 1; i < events.size(); ++i) {
    if (const Status told = result.tell(events[i]); !told) throw std::logic_error(told.error().message);
  }
  return result;
}

TEST(Average, TheOrderOfSealsAndOpeningsDoesNotShow) {
  const MadeUpGradients gradients;
  for (uint64_t seed = 0; seed < 432; ++seed) {
    RandomHistory random(seed, policy_variant(seed));
    Chronicle log(policy_variant(seed), 3);
    for (int i = 0; i < 5; ++i) log.join("user " + std::to_string(i));
    for (int round = 0; round < 5; ++round) {
      log.open_round();
      for (trust::UnitId unit = 0; unit < 9; ++unit) {
        log.send_truth(1 + static_cast<UserId>(random.draw(5)), unit);
      }
      log.close_round();
    }
    ASSERT_EQ(average(log.state, start(), gradients).value(),
              average(shuffled(log, random).state, start(), gradients).value())
        << seed;
  }
}

// -- Removal

void join_without_exam(Chronicle& log, const std::string& name) {
  const UserId user = log.join(name);
  log.must(Chronicle::key("root"), ledger::Endowed{user, log.reputation(user)});
}

// Five users work; user 5 lies now and then. In the other telling, user 5 never opens anything.
Chronicle work_with_liar(uint64_t seed, bool opens) {
  Policy policy = policy_variant(seed);
  policy.fate = ledger::Fate::newcomer;
  policy.max_rise = kReputationOne / 1000;
  Chronicle log(policy, 3);
  for (int i = 0; i < 5; ++i) join_without_exam(log, "user " + std::to_string(i));
  for (int round = 0; round < 6; ++round) {
    log.open_round();
    std::vector<EntryId> sealed;
    for (trust::UnitId unit = 0; unit < 10; ++unit) {
      const UserId user = 1 + unit % 5;
      sealed.push_back(user == 5 && unit == 9 ? log.send_lie(user, unit) : log.send_truth(user, unit));
    }
    for (EntryId id : sealed) {
      const UserId user = log.state.entry(id).user;
      if (user != 5 || opens) log.must(log.state.user(user).key, log.opening(id));
    }
    log.must(Chronicle::key("coordinator"), log.closing());
  }
  return log;
}

constexpr EntryId kLastLie = 60;

TEST(Average, AConvictedUsersEntriesLeaveNoTrace) {
  const MadeUpGradients gradients;
  for (uint64_t seed = 0; seed < 144; ++seed) {
    Chronicle with = work_with_liar(seed, true);
    const Chronicle without = work_with_liar(seed, false);
    ASSERT_NE(average(with.state, start(), gradients).value(),
              average(without.state, start(), gradients).value());
    // A claim with a wrong digest: nobody is paid, so that nobody else's weight differs.
    ASSERT_NE(*with.state.entry(kLastLie).gradient, with.truth_of(kLastLie));
    with.judge_claim(with.claim(1, kLastLie, Chronicle::digest("wrong")));
    ASSERT_EQ(average(with.state, start(), gradients).value(),
              average(without.state, start(), gradients).value())
        << seed;
  }
}

// User 5's first entries had settled when the last lie was found, and so had everybody's beside them.
TEST(Average, AConvictedUsersSettledEntriesLeaveNoTraceEither) {
  const MadeUpGradients gradients;
  size_t settled = 0;
  for (uint64_t seed = 0; seed < 144; ++seed) {
    if (policy_variant(seed).horizon == 0) continue;
    Chronicle with = work_with_liar(seed, true);
    RunningAverage running(start());
    ASSERT_TRUE(running.update(with.state, gradients));
    settled += with.state.averaged(5) && with.state.settled(*with.state.entry(5).opened_in) ? 1 : 0;
    with.judge_claim(with.claim(1, kLastLie, Chronicle::digest("wrong")));
    ASSERT_FALSE(with.state.averaged(5));
    ASSERT_EQ(running.update(with.state, gradients).value(),
              average(work_with_liar(seed, false).state, start(), gradients).value())
        << seed;
  }
  EXPECT_GT(settled, 50u);
}

// The liar is first with every unit, and somebody honest computes it too.
Chronicle work_with_first_liar(uint64_t seed, bool opens) {
  Policy policy = policy_variant(seed);
  policy.fate = ledger::Fate::newcomer;
  policy.max_rise = kReputationOne / 1000;
  Chronicle log(policy, 3);
  for (int i = 0; i < 5; ++i) join_without_exam(log, "user " + std::to_string(i));
  for (int round = 0; round < 6; ++round) {
    log.open_round();
    std::vector<EntryId> sealed;
    for (trust::UnitId unit = 0; unit < 8; ++unit) {
      sealed.push_back(unit == 7 ? log.send_lie(5, unit) : log.send_truth(5, unit));
      sealed.push_back(log.send_truth(1 + unit % 4, unit));
    }
    for (EntryId id : sealed) {
      const UserId user = log.state.entry(id).user;
      if (user != 5 || opens) log.must(log.state.user(user).key, log.opening(id));
    }
    log.state_mismatches();
    log.must(Chronicle::key("coordinator"), log.closing());
  }
  return log;
}

TEST(Average, DuplicatesTakeTheCulpritsPlaceAsIfTheyHadBeenAlone) {
  const MadeUpGradients gradients;
  for (uint64_t seed = 0; seed < 144; ++seed) {
    Chronicle with = work_with_first_liar(seed, true);
    const Chronicle without = work_with_first_liar(seed, false);
    ASSERT_NE(average(with.state, start(), gradients).value(),
              average(without.state, start(), gradients).value());
    ASSERT_EQ(with.state.claim(1).claimant, trust::kCoordinator);
    with.judge_claim(1);
    ASSERT_EQ(with.state.user(5).standing.convictions, 1u);
    ASSERT_EQ(average(with.state, start(), gradients).value(),
              average(without.state, start(), gradients).value())
        << seed;
  }
}

TEST(Average, AVoidedVerdictGivesTheModelBack) {
  const MadeUpGradients gradients;
  for (uint64_t seed = 0; seed < 144; ++seed) {
    Chronicle log = work_with_liar(seed, true);
    RunningAverage running(start());
    const Snapshot before = running.update(log.state, gradients).value();
    log.judge_claim(log.claim(1, kLastLie, log.truth_of(kLastLie)));
    ASSERT_NE(running.update(log.state, gradients).value(), before);
    log.must(Chronicle::key("root"), ledger::VerdictVoided{1});
    ASSERT_EQ(running.update(log.state, gradients).value(), before);
  }
}

TEST(Average, RemovalNeedsNoBlobOfWhatIsRemoved) {
  Chronicle log = work_with_liar(0, true);
  MadeUpGradients gradients;
  RunningAverage running(start());
  ASSERT_TRUE(running.update(log.state, gradients));
  log.judge_claim(log.claim(1, kLastLie, log.truth_of(kLastLie)));
  for (EntryId id : log.state.user(5).entries) gradients.gone.insert(*log.state.entry(id).gradient);
  EXPECT_EQ(running.update(log.state, gradients).value(), average(log.state, start(), gradients).value());
}

TEST(Average, ARollbackReturnsToTheRoundsBefore) {
  const MadeUpGradients gradients;
  Chronicle log = work_with_liar(0, true);
  log.must(Chronicle::key("root"), ledger::RolledBack{0});
  EXPECT_EQ(average(log.state, start(), gradients).value(), start());
}

// -- The stories

// Rounds in which Bob sends one gradient and an established user another, and Bob grows fast.
struct Growing {
  explicit Growing(ledger::Averaging averaging, uint32_t horizon = 256) {
    Policy policy;
    policy.averaging = averaging;
    policy.horizon = horizon;
    policy.clip = ledger::Clip::none;
    policy.refresh_rounds = 1;
    policy.step = kReputationOne / 50;
    log = Chronicle(policy);
    log.join("bob");
    log.join("alice");
    log.must(Chronicle::key("root"), ledger::Endowed{2, kReputationOne / 2});
    work();
  }
  void work() {
    log.open_round();
    log.send_truth(1, 0);
    log.send_truth(2, 1);
    log.close_round();
  }
  // How far Bob's first gradient moves the model, by its coefficient.
  double effect_of_bobs_first() const {
    const Snapshot all = average(log.state, start(), gradients).value();
    Chronicle without = log;
    MadeUpGradients silenced = gradients;
    work::GradientFile zero = MadeUpGradients::make(Chronicle::truth(0, 0));
    std::fill(zero.values.begin(), zero.values.end(), int16_t{0});
    silenced.given[Chronicle::truth(0, 0)] = zero;
    const Snapshot rest = average(log.state, start(), silenced).value();
    double square = 0;
    for (size_t i = 0; i < all.grid.size(); ++i) {
      square += std::pow(static_cast<double>(all.grid[i] - rest.grid[i]), 2);
    }
    return std::sqrt(square);
  }
  Chronicle log;
  MadeUpGradients gradients;
};

TEST(AverageStory, BobsOlderGradientsBecomeEffective) {
  for (ledger::Averaging averaging : {ledger::Averaging::normalized, ledger::Averaging::plain}) {
    Growing story(averaging);
    double before = story.effect_of_bobs_first();
    EXPECT_GT(before, 0);
    for (int round = 0; round < 5; ++round) {
      story.work();
      const double now = story.effect_of_bobs_first();
      EXPECT_GT(now, before) << "averaging " << int(averaging) << ", round " << round;
      before = now;
    }
  }
}

TEST(AverageStory, BeyondTheHorizonTheyHaveTheirPlace) {
  Growing story(ledger::Averaging::normalized, 3);
  std::vector<double> effects;
  for (int round = 0; round < 6; ++round) {
    effects.push_back(story.effect_of_bobs_first());
    story.work();
  }
  EXPECT_GT(effects[1], effects[0]);
  EXPECT_GT(effects[2], effects[1]) << "at the opening of round 3";
  for (size_t round = 3; round < effects.size(); ++round) EXPECT_EQ(effects[round], effects[2]) << round;
}

TEST(AverageStory, WhereWeightsFreezeAtTheCloseTheyDoNot) {
  Growing story(ledger::Averaging::at_acceptance);
  const double before = story.effect_of_bobs_first();
  for (int round = 0; round < 5; ++round) story.work();
  EXPECT_EQ(story.effect_of_bobs_first(), before);
}

TEST(AverageStory, AHundredTimesTheReputationIsAHundredTimesTheWeight) {
  Policy policy;
  policy.averaging = ledger::Averaging::plain;
  policy.clip = ledger::Clip::none;
  Chronicle log(policy);
  log.join("newcomer");
  log.join("established");
  log.must(Chronicle::key("root"), ledger::Endowed{2, kReputationOne / 10});
  log.open_round();
  log.send_truth(1, 0);
  log.send_truth(2, 1);
  log.close_round();
  work::GradientFile ones = MadeUpGradients::make({});
  std::fill(ones.values.begin(), ones.values.end(), int16_t{1});
  std::fill(ones.exponents.begin(), ones.exponents.end(), int8_t{0});
  work::GradientFile minus = ones;
  std::fill(minus.values.begin(), minus.values.end(), int16_t{-1});
  MadeUpGradients gradients;
  gradients.given[Chronicle::truth(0, 0)] = ones;
  gradients.given[Chronicle::truth(0, 1)] = minus;
  const Snapshot moved = average(log.state, start(), gradients).value();
  EXPECT_NEAR(static_cast<double>(moved.grid[0] - start().grid[0]), 0x1p48 * (0.1 - 0.001), 8);
}

// A liar at full reputation sends a gradient that is a million times too long.
TEST(AverageStory, TheClipBoundsTheDamage) {
  for (ledger::Clip clip : {ledger::Clip::fixed, ledger::Clip::median}) {
    Policy policy;
    policy.clip = clip;
    policy.clip_norm = uint64_t{1} << 47;  // 0.5
    Chronicle log(policy);
    for (const char* name : {"mallory", "alice", "bob", "carol"}) log.join(name);
    log.must(Chronicle::key("root"), ledger::Endowed{1, kReputationOne / 1000});
    MadeUpGradients gradients;
    for (int round = 0; round < 2; ++round) {
      log.open_round();
      for (UserId user = 1; user <= 4; ++user) log.send_truth(user, user);
      log.close_round();
    }
    const Snapshot honest = average(log.state, start(), gradients).value();
    work::GradientFile huge = MadeUpGradients::make(Chronicle::truth(1, 1));
    for (int8_t& exponent : huge.exponents) exponent = static_cast<int8_t>(exponent + 20);
    gradients.given[Chronicle::truth(1, 1)] = huge;
    const Snapshot bent = average(log.state, start(), gradients).value();
    double limit = 0.5;
    if (clip == ledger::Clip::median) {
      std::vector<Norm> norms;
      for (UserId user = 1; user <= 4; ++user)
        norms.push_back(norm_of(MadeUpGradients::make(Chronicle::truth(0, user))));
      std::sort(norms.begin(), norms.end());
      limit = 2 * std::ldexp(static_cast<double>(norms[1].mantissa), norms[1].exponent);
    }
    double square = 0;
    for (size_t i = 0; i < bent.grid.size(); ++i) {
      square += std::pow(std::ldexp(static_cast<double>(bent.grid[i] - honest.grid[i]), -48), 2);
    }
    EXPECT_LE(std::sqrt(square), 2 * limit / 4 * 1.001) << "a quarter of the weight, there and back";
    EXPECT_GT(square, 0);
  }
}

// -- Errors and cost

TEST(AverageErrors, NameTheEntryAndPass) {
  Chronicle log = work_with_liar(0, true);
  MadeUpGradients gradients;
  RunningAverage running(start());
  const Snapshot good = running.update(log.state, gradients).value();
  const Digest digest = *log.state.entry(7).gradient;

  gradients.gone = {digest};
  Result<Snapshot> result = average(log.state, start(), gradients);
  ASSERT_FALSE(result);
  EXPECT_THAT(result.error().message, HasSubstr("the gradient of entry 7: no blob"));

  gradients.gone.clear();
  gradients.given[digest] = MadeUpGradients::make(digest);
  gradients.given[digest].parameters = 36;
  result = RunningAverage(start()).update(log.state, gradients);
  ASSERT_FALSE(result);
  EXPECT_THAT(result.error().message,
              HasSubstr("the gradient of entry 7: parameters: 36 where the model has 37"));

  gradients.given.clear();
  EXPECT_EQ(running.update(log.state, gradients).value(), good);
}

TEST(AverageErrors, AModelOutOfRangeComesBackOnceTheEntryIsRevoked) {
  Policy policy;
  policy.clip = ledger::Clip::none;
  Chronicle log(policy);
  log.join("alice");
  log.join("mallory");
  for (int round = 0; round < 3; ++round) {
    log.open_round();
    log.send_truth(1, 0);
    round == 2 ? log.send_lie(2, 1) : log.send_truth(2, 1);
    log.close_round();
  }
  MadeUpGradients gradients;
  RunningAverage running(start());
  work::GradientFile huge = MadeUpGradients::make({});
  for (int8_t exponent : {int8_t{2}, int8_t{30}, int8_t{63}}) {
    std::fill(huge.exponents.begin(), huge.exponents.end(), exponent);
    std::fill(huge.values.begin(), huge.values.end(), int16_t{32767});
    gradients.given[Chronicle::lie(2, 1)] = huge;
    const Result<Snapshot> result = running.update(log.state, gradients);
    ASSERT_FALSE(result);
    EXPECT_THAT(result.error().message, HasSubstr("range"));
  }
  log.judge_claim(log.claim(1, 6, log.truth_of(6)));
  EXPECT_EQ(running.update(log.state, gradients).value(), average(log.state, start(), gradients).value());
}

// Reputations are refreshed in every round, but what has settled is read no more.
TEST(AverageCost, ARefreshReadsNoMoreThanTheHorizon) {
  Policy policy;
  policy.clip = ledger::Clip::none;
  policy.refresh_rounds = 1;
  policy.horizon = 3;
  Chronicle log(policy);
  for (int i = 0; i < 4; ++i) log.join("user " + std::to_string(i));
  const MadeUpGradients gradients;
  RunningAverage running(start());
  for (int round = 0; round < 20; ++round) {
    log.open_round();
    for (UserId user = 1; user <= 4; ++user) log.send_truth(user, user);
    log.close_round();
    const uint64_t before = running.gradients_read();
    ASSERT_EQ(running.update(log.state, gradients).value(), average(log.state, start(), gradients).value());
    EXPECT_LE(running.gradients_read() - before, 4u * (policy.horizon + 1)) << round;
  }
}

TEST(AverageCost, AnUpdateReadsOnlyWhatChanged) {
  Policy policy;
  policy.clip = ledger::Clip::none;
  Chronicle log(policy);
  for (int i = 0; i < 4; ++i) log.join("user " + std::to_string(i));
  const MadeUpGradients gradients;
  RunningAverage running(start());
  for (int round = 0; round < 10; ++round) {
    log.open_round();
    for (UserId user = 1; user <= 4; ++user) log.send_truth(user, user);
    log.close_round();
    const uint64_t before = running.gradients_read();
    ASSERT_TRUE(running.update(log.state, gradients));
    EXPECT_EQ(running.gradients_read() - before, 4u) << "no reputation was refreshed";
    ASSERT_TRUE(running.update(log.state, gradients));
    EXPECT_EQ(running.gradients_read() - before, 4u);
  }
}

}  // namespace
}  // namespace cairn::average
