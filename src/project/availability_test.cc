#include "project/availability.h"

#include <gtest/gtest.h>

#include "trust/chronicle.h"

namespace cairn::project {
namespace {

using trust::Chronicle;
using trust::kSuspensionDelay;

using Statements = std::vector<ledger::Body>;

// Entry 1 of Ada's, which Ben may claim.
struct Availability : testing::Test {
  void SetUp() override {
    for (const char* name : {"ada", "ben"}) log.join(name);
    log.open_round();
    log.send_truth(1, 1);
    for (uint32_t unit = 2; unit < 5; ++unit) log.send_truth(2, unit);
    log.close_round();
  }
  Statements say(bool lacks) {
    Statements statements = availability_statements(
        log.state, lacks ? std::set<trust::EntryId>{1} : std::set<trust::EntryId>{}, log.now);
    for (const ledger::Body& body : statements) log.must(Chronicle::key("coordinator"), body);
    return statements;
  }
  trust::ClaimId claim() { return log.claim(2, 1, Chronicle::digest("wrong")); }

  const Statements unavailable = {ledger::EntryUnavailable{1}}, suspended = {ledger::EntrySuspended{1}};
  Chronicle log;
};

TEST_F(Availability, MattersOnceAnEntryIsClaimed) {
  EXPECT_EQ(say(true), Statements());
  claim();
  EXPECT_EQ(say(false), Statements());
  EXPECT_EQ(say(true), unavailable);
  EXPECT_EQ(say(true), Statements());  // is said once
}

TEST_F(Availability, AClaimThatNobodyDecidesForADaySuspendsTheEntry) {
  claim();
  log.now = kSuspensionDelay - 1;
  EXPECT_EQ(say(false), Statements());
  log.now = kSuspensionDelay;
  EXPECT_EQ(say(false), suspended);
  EXPECT_EQ(log.state.claim(1).standing.status, trust::Claim::Status::moot);
  EXPECT_EQ(log.state.user(2).standing.convictions, 0u);
  EXPECT_EQ(say(false), Statements());
}

TEST_F(Availability, WhatTheVotesDecideIsLeftToTheVerdict) {
  const trust::ClaimId id = claim();
  log.seal_vote(Chronicle::judge(0), id, log.truth_of(1));
  log.open_votes(id);
  log.now = kSuspensionDelay;
  EXPECT_EQ(say(true), unavailable);
}

// An old statement does not shorten the time of a later claim, where the files are there.
TEST_F(Availability, WhatIsThereAgainIsJudgedAsUsual) {
  const trust::ClaimId first = claim();
  EXPECT_EQ(say(true), unavailable);
  log.judge_claim(first);
  log.must(Chronicle::key("root"), ledger::VerdictVoided{first});
  log.now = kSuspensionDelay;
  claim();
  EXPECT_EQ(say(false), Statements());
  EXPECT_EQ(say(true), suspended);
}

TEST_F(Availability, APausedProjectIsLeftAlone) {
  claim();
  log.must(Chronicle::key("root"), ledger::Paused{true});
  log.now = kSuspensionDelay;
  EXPECT_EQ(say(true), Statements());
}

}  // namespace
}  // namespace cairn::project
