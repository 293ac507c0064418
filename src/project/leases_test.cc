#include "project/leases.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <set>

#include "trust/random_history.h"

namespace cairn::project {
namespace {

using testing::HasSubstr;
using trust::Chronicle;
using trust::UnitId;
using trust::UserId;

constexpr uint64_t kNever = UINT64_MAX;  // draws that double nothing, and everything
constexpr uint64_t kAlways = 0;

// People who ask for units of an open round.
struct LeaseTest : testing::Test {
  explicit LeaseTest(ledger::Exam exam = ledger::Exam::entries) {
    trust::Policy policy;
    policy.exam = exam;
    log = Chronicle(policy);
  }

  static PublicKey key(const std::string& name) { return Chronicle::key(name); }

  // Who has passed the exam with that reputation, in thousandths.
  void endow(const std::string& name, uint64_t thousandths) {
    const UserId user = log.join(name);
    log.must(key("root"), ledger::Endowed{user, thousandths * ledger::kReputationOne / 1000});
  }

  Result<Lease> ask(const std::string& name, uint32_t slot = 0, uint64_t random = kNever) {
    leases = current_leases(log.state, leases, now);
    auto lease =
        choose_lease(log.state, unit_board(log.state), order, leases, {key(name), slot, now, random});
    if (lease && std::ranges::find(leases, *lease) == leases.end()) leases.push_back(*lease);
    return lease;
  }
  UnitId unit(const std::string& name, uint32_t slot = 0, uint64_t random = kNever) {
    const auto lease = ask(name, slot, random);
    EXPECT_TRUE(lease) << lease.error().message;
    return lease ? lease->unit : UINT32_MAX;
  }
  std::string refusal(const std::string& name, uint32_t slot = 0) {
    const auto lease = ask(name, slot);
    return lease ? "got unit " + std::to_string(lease->unit) : lease.error().message;
  }
  Status check(trust::Round round, UnitId unit, const std::string& name) const {
    return check_lease(log.state, unit_board(log.state), leases, round, unit, key(name));
  }
  trust::Round round_of(const std::string& name, UnitId unit) const {
    const auto found = std::ranges::find_if(
        leases, [&](const Lease& held) { return held.unit == unit && held.holder == key(name); });
    return found == leases.end() ? *log.state.open_round() : found->round;
  }
  // As a coordinator does, which keeps sealed what waits for a duplicate.
  void close_round() {
    leases = current_leases(log.state, leases, now);
    for (const trust::EntryId id : log.state.waiting()) {
      if (!awaits_duplicate(log.state, leases, id)) log.open_entry(id);
    }
    log.close_opened_round();
    log.open_round();
  }
  void send(const std::string& name, UnitId unit) {
    const trust::Round round = round_of(name, unit);
    ASSERT_TRUE(check(round, unit, name));
    log.send(*log.state.user_of(key(name)), round, unit, Chronicle::truth(round, unit));
  }

  Chronicle log;
  work::UnitOrder order{work::Recipe(), {1'000'000'000}};  // one group: everybody's favourite
  Leases leases;
  int64_t now = 1000;
};

struct BlindLeases : LeaseTest {
  BlindLeases() : LeaseTest(ledger::Exam::duplicates) {}
};

TEST_F(LeaseTest, EverybodyGetsTheLowestThatIsFreeAndKeepsIt) {
  log.open_round();
  EXPECT_EQ(unit("ada"), 0u);
  EXPECT_EQ(unit("ben"), 1u);
  EXPECT_EQ(unit("ada"), 0u);
  log.join("ada");
  EXPECT_EQ(unit("ada"), 0u) << "joining changes nothing";
  send("ada", 0);
  EXPECT_EQ(unit("ada"), 2u);
}

// A hundred people who do the same work: each needs a few of a hundred groups in an epoch, and few more in
// the next.
TEST_F(LeaseTest, WhoDoesOnePerCentOfTheWorkNeedsAFewPerCentOfTheData) {
  constexpr uint32_t kPeople = 100, kGroups = 100, kUnits = 10;  // in a group
  order = {work::Recipe(), std::vector<uint32_t>(kGroups, kUnits * work::Recipe().batch)};
  for (uint32_t i = 0; i < kPeople; ++i) log.join("person " + std::to_string(i));
  log.open_round();
  std::mt19937_64 random(1);
  std::vector<std::set<uint32_t>> groups(kPeople);
  std::set<UnitId> done;
  double after_one = 0;
  for (uint32_t epoch = 0; epoch < 2; ++epoch) {
    for (uint32_t i = 0; i < kGroups * kUnits; ++i) {
      const auto person = static_cast<uint32_t>(random() % kPeople);
      UnitBoard board;
      board.done = done;
      while (board.is_done(board.first_left)) ++board.first_left;
      const Lease lease = *choose_lease(log.state, board, order, {},
                                        {key("person " + std::to_string(person)), 0, now, kNever});
      EXPECT_EQ(order.epoch_of(lease.unit), epoch) << "no image of an epoch is left out";
      ASSERT_TRUE(done.insert(lease.unit).second);
      groups[person].insert(order.epoch(epoch).group_at(order.position_of(lease.unit)));
    }
    double sum = 0;
    for (const auto& needed : groups) sum += static_cast<double>(needed.size());
    const double share = sum / kPeople / kGroups;
    RecordProperty(epoch == 0 ? "share after one epoch" : "share after two", std::to_string(share));
    if (epoch == 0) after_one = share;
    EXPECT_LT(share, 0.08);
    EXPECT_LT(share, 1.6 * std::max(after_one, 0.01)) << "the same groups again";
  }
}

TEST_F(LeaseTest, WhatLapsedOrWasReturnedGoesNext) {
  log.open_round();
  unit("ada");
  unit("ben");
  now += kLeaseTime;
  EXPECT_EQ(unit("cleo"), 0u);
  std::erase_if(leases, [](const Lease& lease) { return lease.unit == 0; });
  EXPECT_EQ(unit("dan"), 0u);
  EXPECT_EQ(unit("finn"), 1u);
}

TEST_F(LeaseTest, AUnitIsDoneWhenAnEntryOfItIsAveraged) {
  log.join("ada");
  log.join("mallory");
  log.must(key("root"), ledger::Endowed{1, 20 * ledger::kReputationOne / 1000});
  log.open_round();
  send("ada", unit("ada"));
  const UnitId hers = unit("mallory");
  log.send_lie(2, hers);
  EXPECT_EQ(unit("ben"), 2u);
  log.close_round();
  EXPECT_EQ(unit_board(log.state).done, (std::set<UnitId>{0, 1}));
  log.judge_claim(log.claim(1, 2, log.truth_of(2)));
  EXPECT_EQ(unit_board(log.state).done, (std::set<UnitId>{0}));
  EXPECT_EQ(unit_board(log.state).first_left, 1u);
  log.open_round();
  EXPECT_EQ(unit("ben"), 2u) << "still";
  EXPECT_EQ(unit("cleo"), 1u) << "handed out again";
}

TEST_F(LeaseTest, OnlyEstablishedUsersHoldSeveral) {
  endow("ada", 11);
  log.join("ben");
  log.open_round();
  for (uint32_t slot = 0; slot < kMaxSlots; ++slot) EXPECT_EQ(unit("ada", slot), slot);
  for (uint32_t slot = 0; slot < kMaxSlots; ++slot) EXPECT_EQ(unit("ada", slot), slot);
  EXPECT_THAT(refusal("ada", kMaxSlots), HasSubstr("slots are numbered 0 to 15"));
  EXPECT_EQ(unit("ben"), kMaxSlots);
  EXPECT_THAT(refusal("ben", 1), HasSubstr("only established users hold several"));
}

TEST_F(LeaseTest, AnEntryNeedsALeaseWhereSomebodyElseIs) {
  for (const char* name : {"ada", "ben"}) log.join(name);
  log.open_round();
  unit("ada");
  EXPECT_THAT(check(0, 0, "ben").error().message, HasSubstr("leased to somebody"));
  EXPECT_TRUE(check(0, 0, "ada"));
  EXPECT_TRUE(check(0, 7, "ben"));
  send("ada", 0);
  leases = current_leases(log.state, leases, now);
  EXPECT_THAT(check(0, 0, "ben").error().message, HasSubstr("is done already"));
}

TEST_F(LeaseTest, AUnitStaysWithASlowMachinePastTheEndOfItsRound) {
  for (const char* name : {"ada", "ben"}) log.join(name);
  log.open_round();
  EXPECT_EQ(unit("ada"), 0u);
  for (int i = 0; i < 4; ++i) {
    send("ben", unit("ben"));
    close_round();
    EXPECT_EQ(ask("ada")->round, 0u) << "the same as before";
    EXPECT_EQ(unit("ada"), 0u);
  }
  EXPECT_TRUE(check(0, 0, "ada"));
  EXPECT_THAT(check(4, 0, "ben").error().message, HasSubstr("leased to somebody"));
  send("ada", 0);
  leases = current_leases(log.state, leases, now);
  EXPECT_THAT(check(4, 0, "ben").error().message, HasSubstr("is done already"));
  close_round();
  EXPECT_TRUE(unit_board(log.state).is_done(0));
}

TEST_F(LeaseTest, WhatIsTooLateGoesToTheNextWithTheNewestSnapshot) {
  for (const char* name : {"ada", "ben"}) log.join(name);
  log.open_round();
  EXPECT_EQ(unit("ada"), 0u);
  for (int i = 0; i < 5; ++i) {
    send("ben", unit("ben"));
    close_round();
  }
  const auto lease = ask("ben");
  ASSERT_TRUE(lease);
  EXPECT_EQ(lease->unit, 0u);
  EXPECT_EQ(lease->round, 5u);
}

// Fresh keys cost nothing, and must not keep everybody else from work.
TEST_F(LeaseTest, NewcomersHoldABoundedNumberOfUnits) {
  endow("ada", 500);
  log.open_round();
  for (uint32_t i = 0; i < kMaxNewcomerLeases; ++i) {
    Lease lease;
    lease.unit = i;
    lease.holder.bytes[0] = static_cast<uint8_t>(i);
    lease.holder.bytes[1] = static_cast<uint8_t>(i >> 8);
    lease.expires = now + kLeaseTime;
    leases.push_back(lease);
  }
  EXPECT_THAT(refusal("fresh"), HasSubstr("as many newcomers are at work as may be"));
  EXPECT_EQ(unit("ada"), kMaxNewcomerLeases);
  leases.erase(leases.begin());
  EXPECT_EQ(unit("fresh"), 0u);
}

TEST_F(LeaseTest, SurvivesItsBytes) {
  log.open_round();
  unit("ada");
  unit("ben");
  leases[1].doubled = true;
  const Bytes bytes = encode_leases(leases);
  EXPECT_EQ(*decode_leases(bytes), leases);
  EXPECT_FALSE(decode_leases(BytesView(bytes).first(bytes.size() - 1)));
}

TEST_F(BlindLeases, AUsersFirstEntryIsAlwaysDoubled) {
  endow("ada", 20);
  endow("ben", 20);
  log.open_round();
  EXPECT_EQ(unit("ada"), 0u);
  EXPECT_EQ(unit("ben"), 0u);
  EXPECT_EQ(unit("ada", 1), 1u);
  EXPECT_EQ(unit("ben", 1), 2u) << "the second word draws no duplicate";
  EXPECT_EQ(unit("ada", 2, kAlways), 3u);
  send("ada", 3);
  EXPECT_EQ(unit("ben", 2), 3u) << "also once the first entry is in";
  send("ben", 3);
  EXPECT_EQ(unit("ada", 3), 4u);
}

// With the n-th entry the probability is max(3 %, 1/n).
TEST_F(BlindLeases, LaterEntriesAreDoubledMoreAndMoreRarely) {
  endow("ada", 20);
  log.open_round();
  std::mt19937_64 random(1);
  for (const uint64_t n : {2u, 4u, 20u, 60u}) {
    while (log.state.user(1).entries.size() + 1 < n) {
      log.send_truth(1, 1000 + static_cast<UnitId>(log.state.entries().size()));
    }
    int doubled = 0;
    for (int i = 0; i < 4000; ++i) {
      const auto lease = choose_lease(log.state, {}, order, {}, {key("ada"), 0, now, random()});
      doubled += lease->doubled ? 1 : 0;
    }
    const double p = std::max(0.03, 1.0 / static_cast<double>(n));
    EXPECT_NEAR(doubled, 4000 * p, 5 * std::sqrt(4000 * p * (1 - p))) << n;
  }
}

TEST_F(BlindLeases, NewcomersAccompanyTheEstablishedBeforeOthers) {
  endow("ada", 20);
  log.open_round();
  EXPECT_EQ(unit("nina"), 0u) << "nobody is there: a fresh one";
  EXPECT_EQ(unit("ada"), 0u) << "which the next to ask duplicates";
  EXPECT_EQ(unit("ada", 1), 1u);
  EXPECT_EQ(unit("noah"), 1u) << "where only one is, before others";
  EXPECT_EQ(unit("olga"), 0u);
  EXPECT_EQ(unit("pete"), 1u);
  EXPECT_EQ(unit("quin"), 2u) << "a unit takes three";
  EXPECT_EQ(unit("rosa"), 2u) << "of another newcomer, where there is nobody else";
}

TEST_F(BlindLeases, AnEntryStaysSealedWhileSomebodyComputesItsDuplicate) {
  endow("ada", 20);
  endow("ben", 20);
  log.open_round();
  EXPECT_EQ(unit("ada"), 0u);
  EXPECT_EQ(unit("nina"), 0u) << "a newcomer with a slow machine";
  send("ada", 0);
  EXPECT_EQ(unit("ben"), 1u);
  send("ben", 1);
  close_round();
  EXPECT_FALSE(log.state.shown(0, 0));
  EXPECT_TRUE(log.state.shown(0, 1));
  log.join("nina");
  send("nina", 0);
  close_round();
  EXPECT_TRUE(log.state.live(*log.state.sealed_by(3, log.state.entries().back().seal)));
  EXPECT_EQ(log.state.user(3).standing.accepted, 1u);
}

TEST_F(BlindLeases, AnEntryIsOpenedOnceItsDuplicateCanNoLongerCome) {
  endow("ada", 20);
  log.open_round();
  EXPECT_EQ(unit("ada"), 0u);
  EXPECT_EQ(unit("nina"), 0u);
  send("ada", 0);
  for (int i = 0; i < 4; ++i) close_round();
  EXPECT_FALSE(log.state.shown(0, 0));
  close_round();
  EXPECT_TRUE(log.state.shown(0, 0));
  leases = current_leases(log.state, leases, now);
  EXPECT_TRUE(leases.empty());
  EXPECT_EQ(ask("nina")->round, 5u);
}

TEST_F(BlindLeases, ANewcomersEntryWaitsForSomebodyToConfirmIt) {
  endow("ada", 20);
  log.join("nina");
  log.open_round();
  EXPECT_EQ(unit("nina"), 0u);
  send("nina", 0);
  close_round();
  EXPECT_FALSE(log.state.shown(0, 0));
  const auto lease = ask("ada");
  ASSERT_TRUE(lease);
  EXPECT_EQ(lease->unit, 0u);
  EXPECT_EQ(lease->round, 0u) << "from the same snapshot, or they could not agree";
  send("ada", 0);
  close_round();
  EXPECT_EQ(log.state.user(2).standing.accepted, 1u);
}

TEST_F(BlindLeases, NobodyMeetsThemselves) {
  endow("ada", 20);
  log.join("nina");
  log.open_round();
  EXPECT_EQ(unit("nina"), 0u);
  send("nina", 0);
  EXPECT_EQ(unit("nina"), 1u);
  send("nina", 1);
  EXPECT_EQ(unit("ada"), 0u);
  EXPECT_EQ(unit("ada", 1), 1u);
  EXPECT_EQ(unit("nina"), 2u);
}

TEST_F(BlindLeases, NewcomersHaveAFifthOnceThreeAreEstablished) {
  for (const char* name : {"ada", "ben"}) endow(name, 20);
  log.open_round();
  for (const char* name : {"ada", "ben"}) {
    for (uint32_t slot = 0; slot < 4; ++slot) unit(name, slot);
  }
  for (const char* name : {"nina", "noah", "olga"}) EXPECT_LT(unit(name), UINT32_MAX);
  endow("cleo", 20);
  EXPECT_THAT(refusal("pete"), HasSubstr("a fifth of this round"));
  for (uint32_t slot = 0; slot < 7; ++slot) unit("cleo", slot);
  EXPECT_THAT(refusal("pete"), HasSubstr("a fifth of this round"));
  unit("cleo", 7);
  EXPECT_LT(unit("pete"), UINT32_MAX) << "four of twenty";
  EXPECT_THAT(refusal("quin"), HasSubstr("a fifth of this round"));
}

TEST_F(BlindLeases, TheBannedGetNone) {
  trust::Policy policy;
  policy.fate = ledger::Fate::banned;
  policy.exam = ledger::Exam::duplicates;
  log = Chronicle(policy);
  endow("mallory", 20);
  endow("ada", 20);
  log.open_round();
  log.send_lie(1, 0);
  log.close_round();
  log.judge_claim(log.claim(2, 1, log.truth_of(1)));
  log.open_round();
  EXPECT_THAT(refusal("mallory"), HasSubstr("is banned"));
}

}  // namespace
}  // namespace cairn::project
