// Blind duplicates and the newcomers' exam, told as ledgers.
#include <gtest/gtest.h>

#include "trust/chronicle.h"

namespace cairn::trust {
namespace {

using ledger::kReputationOne;

constexpr Reputation kThousandth = kReputationOne / 1000;

// Ada and Ben have passed the exam, Nina and Noah are newcomers.
struct Duplicates : testing::Test {
  explicit Duplicates(ledger::Exam exam = ledger::Exam::duplicates) {
    Policy policy;
    policy.exam = exam;
    log = Chronicle(policy);
    ada = log.join("ada");
    ben = log.join("ben");
    nina = log.join("nina");
    noah = log.join("noah");
    for (UserId user : {ada, ben}) log.must(Chronicle::key("root"), ledger::Endowed{user, kThousandth});
    log.open_round();
  }
  uint32_t steps(UserId user) const {
    return static_cast<uint32_t>((log.reputation(user) - kThousandth) / kThousandth);
  }
  Chronicle log;
  UserId ada = 0, ben = 0, nina = 0, noah = 0;
};

struct DuplicatesWithoutExam : Duplicates {
  DuplicatesWithoutExam() : Duplicates(ledger::Exam::entries) {}
};

TEST_F(Duplicates, EqualDigestsConfirmBothAndOneIsAveraged) {
  const EntryId first = log.send_truth(ada, 0);
  const EntryId second = log.send_truth(ben, 0);
  const EntryId alone = log.send_truth(ada, 1);
  log.close_round();
  EXPECT_TRUE(log.state.entry(first).standing.confirmed);
  EXPECT_TRUE(log.state.entry(second).standing.confirmed);
  EXPECT_FALSE(log.state.entry(alone).standing.confirmed);
  EXPECT_TRUE(log.state.averaged(first));
  EXPECT_FALSE(log.state.averaged(second));
  EXPECT_EQ(steps(ben), 1u) << "the second grows like an accepted one";
  EXPECT_EQ(log.state.live_entries().size(), 3u);
  EXPECT_FALSE(log.state.live_entries()[1].chosen);
  EXPECT_EQ(log.state.rounds()[0].standing.weight, 2 * kThousandth) << "a unit weighs once";
}

TEST_F(Duplicates, ATwinTakesThePlaceOfARevokedOne) {
  const EntryId first = log.send_truth(ada, 0);
  const EntryId second = log.send_truth(ben, 0);
  const EntryId lie = log.send_lie(ada, 1);
  log.close_round();
  log.judge_claim(log.claim(ben, lie, log.truth_of(lie)));
  EXPECT_FALSE(log.state.averaged(first));
  EXPECT_TRUE(log.state.averaged(second));
  log.must(Chronicle::key("root"), ledger::VerdictVoided{1});
  EXPECT_TRUE(log.state.averaged(first));
  EXPECT_FALSE(log.state.averaged(second));
}

TEST_F(Duplicates, ATwinThatToldTheSameLieDoesNot) {
  const EntryId first = log.send_lie(ada, 0);
  const EntryId second = log.send_lie(ben, 0);
  const UserId carol = log.join("carol");
  log.close_round();
  EXPECT_TRUE(log.state.entry(second).standing.confirmed);
  EXPECT_TRUE(log.state.live(second));
  log.open_round();
  log.must(Chronicle::key("root"), ledger::Endowed{carol, kThousandth});
  log.judge_claim(log.claim(carol, first, log.truth_of(first)));
  EXPECT_FALSE(log.state.averaged(second));
  EXPECT_TRUE(log.state.refuted(second));
  EXPECT_FALSE(log.state.entry(second).standing.confirmed);
  log.judge_claim(log.claim(carol, second, log.truth_of(second)));
  EXPECT_EQ(log.state.user(ben).standing.convictions, 1u);
}

TEST_F(Duplicates, AMismatchBecomesClaimsThatPayNobody) {
  const EntryId lie = log.send_lie(ada, 0);
  const EntryId truth = log.send_truth(ben, 0);
  log.close_round();
  ASSERT_EQ(log.state.claims().size(), 2u);
  EXPECT_EQ(log.state.claim(1).entry, lie);
  EXPECT_EQ(log.state.claim(2).entry, truth);
  log.judge_claim(1);
  EXPECT_EQ(log.state.user(ada).standing.convictions, 1u);
  EXPECT_FALSE(log.state.passed_exam(ada)) << "an endowment is gone with the reputation";
  EXPECT_TRUE(log.state.averaged(truth));
  EXPECT_TRUE(log.state.entry(truth).standing.confirmed);
  log.judge_claim(2);
  EXPECT_EQ(log.state.claim(2).standing.status, Claim::Status::rejected);
  EXPECT_EQ(steps(ben), 1u);
}

TEST_F(Duplicates, ANewcomerCountsOnceConfirmed) {
  const EntryId alone = log.send_truth(nina, 0);
  log.send_truth(ada, 1);
  const EntryId duplicate = log.send_truth(nina, 1);
  log.close_round();
  EXPECT_FALSE(log.state.live(alone));
  EXPECT_FALSE(log.state.averaged(alone));
  EXPECT_TRUE(log.state.live(duplicate));
  EXPECT_EQ(steps(nina), 1u);
  EXPECT_EQ(log.state.user(nina).standing.accepted, 1u);
  EXPECT_EQ(log.state.live_entries().size(), 2u);
}

TEST_F(Duplicates, AConfirmedNewcomerIsAveragedWhereNobodyElseIs) {
  const EntryId first = log.send_truth(nina, 0);
  const EntryId second = log.send_truth(noah, 0);
  log.close_round();
  EXPECT_TRUE(log.state.averaged(first));
  EXPECT_FALSE(log.state.averaged(second));
  log.open_round();
  const EntryId newcomer = log.send_truth(nina, 1);
  const EntryId established = log.send_truth(ada, 1);
  log.close_round();
  EXPECT_TRUE(log.state.averaged(established)) << "though the newcomer's was sealed before";
  EXPECT_TRUE(log.state.live(newcomer));
}

TEST_F(Duplicates, ThreeConfirmedEntriesPassTheExam) {
  for (UnitId unit = 0; unit < 3; ++unit) {
    EXPECT_FALSE(log.state.passed_exam(nina));
    log.send_truth(ada, unit);
    log.send_truth(nina, unit);
    if (unit == 2) {
      EXPECT_FALSE(log.state.entry(log.send_truth(nina, 7)).standing.trusted) << "sealed before it passed";
    }
    log.close_round();
    log.open_round();
  }
  EXPECT_TRUE(log.state.passed_exam(nina));
  EXPECT_FALSE(log.state.live(7));
  const EntryId alone = log.send_truth(nina, 3);
  log.close_round();
  EXPECT_TRUE(log.state.averaged(alone));
}

TEST_F(Duplicates, AWrongNewcomerLeavesNoTrace) {
  const EntryId truth = log.send_truth(ada, 0);
  const EntryId lie = log.send_lie(nina, 0);
  log.close_round();
  ASSERT_EQ(log.state.claims().size(), 1u) << "only who has passed is asked";
  EXPECT_EQ(log.state.claim(1).entry, truth);
  log.judge_claim(1);
  EXPECT_EQ(log.state.claim(1).standing.status, Claim::Status::rejected);
  EXPECT_TRUE(log.state.averaged(truth));
  EXPECT_FALSE(log.state.live(lie));
  EXPECT_EQ(log.state.user(nina).standing.convictions, 0u);
  EXPECT_EQ(steps(nina), 0u);
}

TEST_F(Duplicates, ANewcomerWhomTheJudgesFindRightGrows) {
  const EntryId lie = log.send_lie(ada, 0);
  const EntryId truth = log.send_truth(nina, 0);
  log.close_round();
  EXPECT_TRUE(log.state.averaged(lie)) << "an open claim changes no weight";
  log.judge_claim(1);
  EXPECT_EQ(log.state.user(ada).standing.convictions, 1u);
  EXPECT_TRUE(log.state.averaged(truth));
  EXPECT_EQ(steps(nina), 1u);
  log.must(Chronicle::key("root"), ledger::VerdictVoided{1});
  EXPECT_FALSE(log.state.live(truth));
  EXPECT_EQ(steps(nina), 0u);
}

TEST_F(Duplicates, OfTwoNewcomersWhoDifferNobodyIsAsked) {
  log.send_truth(nina, 0);
  log.send_lie(noah, 0);
  log.close_round();
  EXPECT_TRUE(log.state.claims().empty());
  EXPECT_TRUE(log.state.live_entries().empty());
}

TEST_F(DuplicatesWithoutExam, EverybodyIsAskedAndCountsAtOnce) {
  const EntryId lie = log.send_lie(nina, 0);
  log.send_truth(noah, 0);
  log.close_round();
  EXPECT_TRUE(log.state.averaged(lie));
  ASSERT_EQ(log.state.claims().size(), 2u);
  log.judge_claim(1);
  EXPECT_EQ(log.state.user(nina).standing.convictions, 1u);
}

}  // namespace
}  // namespace cairn::trust
