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

TEST_F(Retention, AVoidedVerdictBringsThemBack) {
  log.must(Chronicle::key("root"), ledger::VerdictVoided{1});
  EXPECT_EQ(withdrawn_files(log.state), std::set<Digest>());
}

TEST_F(Retention, WhatASnapshotOrANameSharesIsServed) {
  log.must(Chronicle::key("ada"), ledger::NameChosen{file(lie)});
  EXPECT_EQ(withdrawn_files(log.state), std::set<Digest>());
}

}  // namespace
}  // namespace cairn::project
