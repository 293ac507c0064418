#include "project/retention.h"

#include <gtest/gtest.h>

#include "trust/chronicle.h"

namespace cairn::project {
namespace {

using trust::Chronicle;
using trust::EntryId;

// Mallory (1) has computed unit 1 as Ada (2) has, and lied about unit 2; Ada claims that.
struct Retention : testing::Test {
  void SetUp() override {
    for (const char* name : {"mallory", "ada"}) log.join(name);
    log.open_round();
    shared = log.send_truth(1, 1);
    lie = log.send_lie(1, 2);
    log.send_truth(2, 1);
    for (uint32_t unit = 3; unit < 6; ++unit) log.send_truth(2, unit);
    log.close_round();
    log.judge_claim(log.claim(2, lie, log.truth_of(lie)));
  }
  Digest file(EntryId entry) const { return *log.state.entry(entry).gradient; }

  Chronicle log;
  EntryId shared = 0, lie = 0;
};

TEST_F(Retention, FilesOfRevokedEntriesAreWithdrawnUnlessALiveOneHasTheSame) {
  ASSERT_EQ(log.state.entry(shared).standing.status, trust::Entry::Status::revoked);
  EXPECT_EQ(withdrawn_files(log.state), std::set<Digest>{file(lie)});
}

TEST_F(Retention, FilesOfSuspendedEntriesToo) {
  const EntryId honest = 4;
  log.must(Chronicle::key("coordinator"), ledger::EntryUnavailable{honest});
  EXPECT_FALSE(withdrawn_files(log.state).contains(file(honest)));
  log.now += trust::kSuspensionDelay;
  log.must(Chronicle::key("coordinator"), ledger::EntrySuspended{honest});
  EXPECT_TRUE(withdrawn_files(log.state).contains(file(honest)));
}

TEST_F(Retention, FilesOfRevokedEntriesMayGoAfterThirtyDays) {
  EXPECT_EQ(droppable_gradients(log.state, log.now), std::set<Digest>());
  EXPECT_EQ(droppable_gradients(log.state, log.now + trust::kAppealWindow), std::set<Digest>{file(lie)});
}

TEST_F(Retention, AVoidedVerdictBringsThemBack) {
  log.must(Chronicle::key("root"), ledger::VerdictVoided{1});
  EXPECT_EQ(withdrawn_files(log.state), std::set<Digest>());
}

TEST_F(Retention, WhatASnapshotOrANameSharesIsServed) {
  log.must(Chronicle::key("ada"), ledger::NameChosen{file(lie)});
  EXPECT_EQ(withdrawn_files(log.state), std::set<Digest>());
}

// -- Models

struct Models : testing::Test {
  void SetUp() override {
    trust::Policy policy;
    policy.horizon = 3;
    policy.exam_entries = 1;
    log = Chronicle(policy);
    for (const char* name : {"mallory", "ada"}) log.join(name);
    for (int round = 0; round < 6; ++round) work();
  }
  void work() {
    log.open_round();
    log.send_lie(1, 1);
    log.send_truth(2, 2);
    log.close_round();
  }
  std::vector<trust::Round> kept() const {
    std::vector<trust::Round> rounds;
    for (trust::Round round = 0; round < log.state.next_round(); ++round) {
      if (keeps_snapshot(log.state, round, log.now)) rounds.push_back(round);
    }
    return rounds;
  }
  Chronicle log{trust::Policy()};
};

TEST_F(Models, AreKeptForTheHorizon) {
  EXPECT_EQ(kept(), (std::vector<trust::Round>{3, 4, 5}));
  work();
  EXPECT_EQ(kept(), (std::vector<trust::Round>{4, 5, 6}));
}

TEST_F(Models, AreKeptWhileTheirEntriesAreDisputed) {
  const EntryId lie = 7;  // of round 3
  const trust::ClaimId claim = log.claim(2, lie, log.truth_of(lie));
  for (int round = 0; round < 4; ++round) work();
  EXPECT_EQ(kept(), (std::vector<trust::Round>{3, 7, 8, 9}));
  log.judge_claim(claim);
  EXPECT_EQ(kept(), (std::vector<trust::Round>{3, 7, 8, 9})) << "there may be an appeal";
  log.now += trust::kAppealWindow;
  EXPECT_EQ(kept(), (std::vector<trust::Round>{7, 8, 9}));
}

TEST_F(Models, OfALateEntryAreKeptAsLongAsIt) {
  log.open_round();
  log.send_truth(2, 3);
  const auto late = log.send(2, 5, 9, Chronicle::truth(5, 9));
  log.close_round();
  ASSERT_EQ(log.state.entry(late).opened_in, 6u);
  for (int round = 0; round < 2; ++round) work();
  EXPECT_EQ(kept(), (std::vector<trust::Round>{5, 6, 7, 8})) << "round 5 has settled, but not the late entry";
}

}  // namespace
}  // namespace cairn::project
