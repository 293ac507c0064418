// The proposal's own stories, told as ledgers.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "trust/chronicle.h"

namespace cairn::trust {
namespace {

using ledger::kReputationOne;

constexpr Reputation kThousandth = kReputationOne / 1000;

// `rounds` rounds in which every user sends `units` true entries.
void work(Chronicle& log, const std::vector<UserId>& users, int rounds, uint32_t units) {
  for (int r = 0; r < rounds; ++r) {
    log.open_round();
    UnitId unit = 0;
    for (UserId user : users) {
      for (uint32_t i = 0; i < units; ++i) log.send_truth(user, unit++);
    }
    log.close_round();
  }
}

TEST(Story, EachGradientRaisesReputationByAThousandth) {
  Chronicle log;
  const UserId bob = log.join("bob");
  EXPECT_EQ(log.reputation(bob), kThousandth);
  work(log, {bob}, 5, 2);
  EXPECT_EQ(log.reputation(bob), 11 * kThousandth);
}

TEST(Story, NobodyGrowsByMoreThanFourStepsARound) {
  Chronicle log;
  const UserId bob = log.join("bob");
  work(log, {bob}, 1, 9);
  EXPECT_EQ(log.reputation(bob), 5 * kThousandth);
  EXPECT_EQ(log.state.live_entries().size(), 9u);
}

TEST(Story, ReputationStopsAtTheMaximum) {
  Chronicle log;
  const UserId bob = log.join("bob");
  log.must(Chronicle::key("root"), ledger::Endowed{bob, 998 * kThousandth});
  work(log, {bob}, 3, 1);
  EXPECT_EQ(log.reputation(bob), 999 * kThousandth);
}

TEST(Story, ExponentialGrowthStartsFromTheSmallestNumber) {
  Policy policy;
  policy.growth = ledger::Growth::exponential;
  policy.minimum = kReputationOne / 100'000'000;
  Chronicle log(policy);
  const UserId bob = log.join("bob");
  EXPECT_EQ(to_decimal(log.reputation(bob)), "0.00000001");
  work(log, {bob}, 1, 1);
  EXPECT_EQ(log.reputation(bob), 10'190u);
}

TEST(Story, OlderEntriesShowBobsPresentReputation) {
  Chronicle log;
  const UserId bob = log.join("bob");
  work(log, {bob}, 34, 4);
  const LiveEntry first = log.state.live_entries().front();
  EXPECT_EQ(first.id, 1u);
  EXPECT_EQ(to_decimal(first.reputation), "0.137");
}

TEST(Story, BobsOlderGradientsBecomeEffectiveAtARefreshAndSlowly) {
  Chronicle log;
  const UserId bob = log.join("bob");
  work(log, {bob}, 15, 4);
  EXPECT_EQ(log.state.weight(1), kThousandth) << "the sixteenth round refreshes";
  work(log, {bob}, 1, 4);
  EXPECT_EQ(log.reputation(bob), 65 * kThousandth);
  EXPECT_EQ(log.state.weight(1), 21 * kThousandth) << "by at most 0.02";
  work(log, {bob}, 16, 4);
  EXPECT_EQ(log.state.weight(1), 41 * kThousandth);
}

TEST(Story, MalloryWhoLiesOnceInTenFalls) {
  Chronicle log;
  const UserId alice = log.join("alice");
  const UserId mallory = log.join("mallory");
  work(log, {alice, mallory}, 9, 1);
  log.open_round();
  const EntryId false_one = log.send_lie(mallory, 0);
  log.send_truth(alice, 1);
  log.close_round();
  EXPECT_EQ(log.reputation(mallory), 11 * kThousandth);

  log.judge_claim(log.claim(alice, false_one, log.truth_of(false_one)));

  EXPECT_EQ(log.reputation(mallory), kThousandth);
  EXPECT_EQ(log.reputation(alice), 11 * kThousandth + 5 * kThousandth)
      << "half of what was above the minimum";
  EXPECT_EQ(log.state.live_entries().size(), 10u);
  for (const LiveEntry& entry : log.state.live_entries()) EXPECT_EQ(entry.user, alice);
}

TEST(Story, TheFalseClaimantSuffersWhatTheLiarWouldHave) {
  const auto after = [](bool entry_is_true) {
    Chronicle log;
    const UserId alice = log.join("alice");
    const UserId bob = log.join("bob");
    work(log, {alice, bob}, 9, 1);
    log.open_round();
    const EntryId entry = entry_is_true ? log.send_truth(bob, 0) : log.send_lie(bob, 0);
    log.send_truth(alice, 1);
    log.close_round();
    const Digest found = entry_is_true ? Chronicle::digest("nonsense") : log.truth_of(entry);
    log.judge_claim(log.claim(alice, entry, found));
    return std::move(log.state);
  };
  const State liar = after(false);
  const State claimant = after(true);
  EXPECT_EQ(liar.user(2).standing, claimant.user(1).standing);
  for (const LiveEntry& entry : claimant.live_entries()) EXPECT_EQ(entry.user, 2u);
  EXPECT_EQ(claimant.user(2).standing.reputation, 11 * kThousandth) << "the accused gains nothing";
}

TEST(Story, TheConvictedStartAgainAsNewcomers) {
  Chronicle log;
  const UserId alice = log.join("alice");
  const UserId mallory = log.join("mallory");
  work(log, {alice, mallory}, 4, 1);
  log.open_round();
  const EntryId entry = log.send_lie(mallory, 0);
  log.close_round();
  log.judge_claim(log.claim(alice, entry, log.truth_of(entry)));
  work(log, {alice, mallory}, 2, 1);
  EXPECT_EQ(log.reputation(mallory), 3 * kThousandth);
  const EntryId latest = static_cast<EntryId>(log.state.entries().size()) - 1;
  ASSERT_EQ(log.state.entry(latest).user, alice);
  const Status claim = check(
      log.state, log.event(Chronicle::key("mallory"), ledger::ClaimFiled{latest, Chronicle::digest("x")}));
  ASSERT_FALSE(claim) << "the exam is to be passed again";
  EXPECT_THAT(claim.error().message, testing::HasSubstr("has 2 accepted entries"));
}

TEST(Story, WhereThePolicyBansTheyDoNot) {
  Policy policy;
  policy.fate = ledger::Fate::banned;
  Chronicle log(policy);
  const UserId alice = log.join("alice");
  const UserId mallory = log.join("mallory");
  work(log, {alice, mallory}, 4, 1);
  log.open_round();
  const EntryId entry = log.send_lie(mallory, 0);
  log.close_round();
  log.judge_claim(log.claim(alice, entry, log.truth_of(entry)));
  log.open_round();
  const Status again = log.tell(Chronicle::key("mallory"), log.seal(Chronicle::key("mallory"), 0, {}));
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().message, "entry sealed: user 2 is banned");
}

// Two auditors, a liar, and a claim each about the same false entry.
struct TwoClaims : testing::Test {
  void SetUp() override {
    alice = log.join("alice");
    carol = log.join("carol");
    mallory = log.join("mallory");
    work(log, {alice, carol, mallory}, 5, 1);
    log.open_round();
    entry = log.send_lie(mallory, 0);
    log.close_round();
  }
  Chronicle log;
  UserId alice = 0, carol = 0, mallory = 0;
  EntryId entry = 0;
};

TEST_F(TwoClaims, TheEarliestCorrectOneIsPaid) {
  const ClaimId first = log.claim(alice, entry, log.truth_of(entry));
  const ClaimId second = log.claim(carol, entry, log.truth_of(entry));
  log.judge_claim(second);
  EXPECT_EQ(log.reputation(alice), 9 * kThousandth);
  EXPECT_EQ(log.reputation(carol), 6 * kThousandth);
  EXPECT_EQ(log.state.claim(first).standing.status, Claim::Status::upheld);
  EXPECT_EQ(log.state.claim(first).standing.bounty, 3 * kThousandth);
}

TEST_F(TwoClaims, WhoDoesNotShowWhatTheyGotIsNotPaid) {
  const ClaimId silent = log.claim(alice, entry, log.truth_of(entry));
  const ClaimId shown = log.claim(carol, entry, log.truth_of(entry));
  log.seal_vote(Chronicle::judge(0), silent, log.truth_of(entry));
  log.open_votes(silent);
  log.must(Chronicle::key("carol"), ledger::ClaimOpened{shown, log.truth_of(entry)});
  log.must(Chronicle::key("coordinator"), log.verdict(silent));
  EXPECT_EQ(log.state.claim(silent).standing.status, Claim::Status::upheld);
  EXPECT_EQ(log.reputation(alice), 6 * kThousandth);
  EXPECT_EQ(log.reputation(carol), 9 * kThousandth);
  EXPECT_EQ(log.reputation(mallory), kThousandth);
}

TEST_F(TwoClaims, AWrongDigestIsNotPaid) {
  const ClaimId first = log.claim(alice, entry, Chronicle::digest("wrong"));
  log.claim(carol, entry, log.truth_of(entry));
  log.judge_claim(first);
  EXPECT_EQ(log.reputation(alice), 6 * kThousandth);
  EXPECT_EQ(log.reputation(carol), 9 * kThousandth);
  EXPECT_EQ(log.reputation(mallory), kThousandth);
}

TEST_F(TwoClaims, IfEveryDigestIsWrongTheCulpritFallsAndNobodyIsPaid) {
  log.judge_claim(log.claim(alice, entry, Chronicle::digest("wrong")));
  EXPECT_EQ(log.reputation(alice), 6 * kThousandth);
  EXPECT_EQ(log.reputation(mallory), kThousandth);
}

TEST_F(TwoClaims, TheCoordinatorsOwnClaimEarnsNobodyABounty) {
  log.open_round();
  entry = log.send_lie(mallory, 0);
  log.send_truth(alice, 0);
  log.close_round();
  ASSERT_EQ(log.state.claim(1).entry, entry);
  ASSERT_EQ(log.state.claim(1).claimant, kCoordinator);
  log.claim(carol, entry, log.truth_of(entry));
  log.judge_claim(1);
  EXPECT_EQ(log.reputation(carol), 6 * kThousandth);
  EXPECT_EQ(log.reputation(mallory), kThousandth);
}

TEST_F(TwoClaims, AboutOtherEntriesOfTheCulpritAreMoot) {
  const EntryId older = 3;
  ASSERT_EQ(log.state.entry(older).user, mallory);
  const ClaimId moot = log.claim(carol, older, Chronicle::digest("wrong"));
  log.judge_claim(log.claim(alice, entry, log.truth_of(entry)));
  EXPECT_EQ(log.state.claim(moot).standing.status, Claim::Status::moot);
  EXPECT_EQ(log.reputation(carol), 6 * kThousandth);
  EXPECT_FALSE(log.tell(Chronicle::judge(0), log.voting(Chronicle::judge(0), moot, log.truth_of(older))));
}

TEST_F(TwoClaims, BothFallIfTheEntryIsTrue) {
  const EntryId true_entry = 3;
  const ClaimId first = log.claim(alice, true_entry, Chronicle::digest("wrong"));
  const ClaimId second = log.claim(carol, true_entry, Chronicle::digest("also wrong"));
  log.judge_claim(first);
  EXPECT_EQ(log.reputation(alice), kThousandth);
  EXPECT_EQ(log.reputation(carol), kThousandth);
  EXPECT_EQ(log.state.claim(second).standing.status, Claim::Status::rejected);
  EXPECT_EQ(log.reputation(mallory), 7 * kThousandth);
}

TEST_F(TwoClaims, AnOpenClaimChangesNoWeight) {
  const std::vector<LiveEntry> before = log.state.live_entries();
  log.claim(alice, entry, log.truth_of(entry));
  EXPECT_EQ(log.state.live_entries(), before);
}

TEST_F(TwoClaims, AVoidedVerdictLeavesNoTrace) {
  const std::vector<User> before = log.state.users();
  const std::vector<LiveEntry> live = log.state.live_entries();
  const ClaimId claim = log.claim(alice, entry, log.truth_of(entry));
  log.judge_claim(claim);
  ASSERT_NE(log.state.live_entries(), live);
  log.must(Chronicle::key("root"), ledger::VerdictVoided{claim});
  EXPECT_EQ(log.state.live_entries(), live);
  for (UserId id : {alice, carol, mallory}) {
    EXPECT_EQ(log.state.user(id).standing, before[id - 1].standing);
  }
  EXPECT_EQ(log.state.claim(claim).standing.status, Claim::Status::voided);

  log.judge_claim(log.claim(carol, entry, log.truth_of(entry)));  // judged anew
  EXPECT_EQ(log.reputation(carol), 9 * kThousandth);
}

TEST_F(TwoClaims, GrowthSinceAVoidedVerdictIsGrownFromTheRestoredReputation) {
  const ClaimId claim = log.claim(alice, entry, log.truth_of(entry));
  log.judge_claim(claim);
  work(log, {mallory}, 2, 1);
  EXPECT_EQ(log.reputation(mallory), 3 * kThousandth);
  log.must(Chronicle::key("root"), ledger::VerdictVoided{claim});
  EXPECT_EQ(log.reputation(mallory), 9 * kThousandth);
  EXPECT_EQ(log.reputation(alice), 6 * kThousandth);
}

// Mallory's file departs from the truth in its second stretch of three.
struct StretchClaims : testing::Test {
  StretchClaims() {
    alice = log.join("alice");
    bob = log.join("bob");
    mallory = log.join("mallory");
    work(log, {alice, bob, mallory}, 5, 1);
    log.open_round();
    false_one = log.send_lie(mallory, 0);
    twin = log.send_lie(bob, 0);
    true_one = log.send_truth(alice, 1);
    log.close_round();
  }
  Status try_claim(const std::string& name, EntryId entry, const ledger::Stretch& about) const {
    const PublicKey author = Chronicle::key(name);
    return check(log.state, log.event(author, log.claiming(author, entry, about, Chronicle::digest("x"))));
  }
  Claim::Status status(ClaimId id) const { return log.state.claim(id).standing.status; }
  Chronicle log;
  UserId alice = 0, bob = 0, mallory = 0;
  EntryId false_one = 0, twin = 0, true_one = 0;
};

TEST_F(StretchClaims, ThatAreTrueConvictAndPayLikeOthers) {
  const Reputation before = log.reputation(alice);
  const ClaimId claim = log.claim_stretch(alice, false_one, 1);
  log.judge_claim(claim);
  EXPECT_EQ(status(claim), Claim::Status::upheld);
  EXPECT_EQ(log.reputation(mallory), kThousandth);
  EXPECT_EQ(log.reputation(alice), before + log.state.claim(claim).standing.bounty);
  EXPECT_GT(log.state.claim(claim).standing.bounty, 0u);
  EXPECT_EQ(log.state.entry(false_one).standing.status, Entry::Status::revoked);
}

// Nobody computed the unit, but the same file is false whoever sent it.
TEST_F(StretchClaims, RefuteEverybodyWhoSentTheSameFile) {
  ASSERT_TRUE(log.state.entry(twin).standing.confirmed);
  log.judge_claim(log.claim_stretch(alice, false_one, 1));
  EXPECT_TRUE(log.state.refuted(twin));
  EXPECT_FALSE(log.state.entry(twin).standing.confirmed);
  EXPECT_FALSE(log.state.averaged(twin));
  EXPECT_TRUE(log.state.live(twin)) << "who sent it is not convicted yet";
  log.judge_claim(log.claim_stretch(alice, twin, 1));
  EXPECT_EQ(log.reputation(bob), kThousandth);
}

// Or an accomplice could have a false entry found true for good.
TEST_F(StretchClaims, AboutATrueStretchDoNotClearTheEntry) {
  const ClaimId wrong = log.claim_stretch(bob, false_one, 0);
  const ClaimId right = log.claim_stretch(alice, false_one, 1);
  log.judge_claim(wrong);
  EXPECT_EQ(status(wrong), Claim::Status::rejected);
  EXPECT_EQ(log.reputation(bob), kThousandth) << "the false claimant falls";
  EXPECT_EQ(status(right), Claim::Status::open);
  EXPECT_TRUE(log.state.live(false_one));
  log.judge_claim(right);
  EXPECT_EQ(log.reputation(mallory), kThousandth);
}

TEST_F(StretchClaims, GoOnTrulyFromAFalseStateWithoutBeingWrong) {
  const ClaimId late = log.claim_stretch(alice, false_one, 2);
  log.judge_claim(late);
  EXPECT_EQ(status(late), Claim::Status::rejected) << "the last stretch follows from the state before it";
}

TEST_F(StretchClaims, AreJudgedOnceForEachStretch) {
  const ledger::Stretch first = log.stretch(true_one, 0);
  log.judge_claim(log.claim(bob, true_one, first, Chronicle::digest("nonsense")));
  const Status again = try_claim("mallory", true_one, first);
  ASSERT_FALSE(again);
  EXPECT_THAT(again.error().message, testing::HasSubstr("stretch: has been judged already, by claim 1"));
  EXPECT_TRUE(try_claim("mallory", true_one, log.stretch(true_one, 1)));
  log.must(Chronicle::key("root"), ledger::VerdictVoided{1});
  EXPECT_TRUE(try_claim("mallory", true_one, first)) << "as if it had never been judged";
}

TEST_F(StretchClaims, BeginWithTheSnapshot) {
  ledger::Stretch first = log.stretch(false_one, 0);
  first.before = Chronicle::digest("another model");
  const Status claimed = try_claim("alice", false_one, first);
  ASSERT_FALSE(claimed);
  EXPECT_THAT(claimed.error().message, testing::HasSubstr("the first stretch begins with"));
}

// One claimant about one place at a time, and what is sealed about one place stays so while another is
// judged.
TEST_F(StretchClaims, AboutOtherPlacesStaySealed) {
  const ClaimId first = log.claim_stretch(bob, false_one, 0);
  const ClaimId second = log.claim_stretch(alice, false_one, 1);
  EXPECT_FALSE(try_claim("alice", false_one, log.stretch(false_one, 2)));
  for (const PublicKey& judge : log.jury(first)) log.seal_vote(judge, first, log.true_about(first));
  log.open_votes(first);
  const ledger::ClaimOpened opening{second, log.claimed.at(second)};
  EXPECT_FALSE(check(log.state, log.event(Chronicle::key("alice"), opening)));
  log.open_claims(first);
  EXPECT_TRUE(log.state.claim(first).gradient.has_value());
}

// Who recomputed the whole unit knows about every stretch.
TEST_F(StretchClaims, FallWithAVerdictOnTheWholeEntry) {
  const ClaimId stretch = log.claim(bob, true_one, log.stretch(true_one, 1), Chronicle::digest("nonsense"));
  const ClaimId whole = log.claim(mallory, true_one, Chronicle::digest("more nonsense"));
  log.judge_claim(whole);
  EXPECT_EQ(status(stretch), Claim::Status::rejected);
  EXPECT_EQ(log.reputation(bob), kThousandth);
}

// They can only contradict each other if judges erred.
TEST_F(StretchClaims, NothingOfAUnitIsAveragedWhileVerdictsContradictEachOther) {
  log.open_round();
  const EntryId one = log.send_truth(alice, 7);
  const EntryId other = log.send_truth(bob, 7);
  log.close_round();
  log.judge_claim(log.claim(mallory, one, Chronicle::digest("nonsense")));
  ASSERT_FALSE(log.state.refuted(other));
  const UserId dora = log.join("dora");
  work(log, {dora}, 3, 1);
  const ClaimId claim = log.claim(dora, other, log.stretch(other, 1), Chronicle::digest("y"));
  for (const PublicKey& judge : log.jury(claim)) log.seal_vote(judge, claim, Chronicle::digest("y"));
  log.open_votes(claim);
  log.open_claims(claim);
  log.must(Chronicle::key("coordinator"), log.verdict(claim));
  EXPECT_TRUE(log.state.refuted(one));
  EXPECT_FALSE(log.state.entry(one).standing.confirmed);
  EXPECT_FALSE(log.state.chosen(log.state.entry(one).round, 7).has_value());
}

TEST(Story, ASuspendedEntryPunishesNobody) {
  Chronicle log;
  const UserId alice = log.join("alice");
  const UserId bob = log.join("bob");
  work(log, {alice, bob}, 3, 1);
  const ClaimId claim = log.claim(alice, 2, Chronicle::digest("wrong"));
  log.must(Chronicle::key("coordinator"), ledger::EntryUnavailable{2});
  EXPECT_FALSE(log.tell(Chronicle::key("coordinator"), ledger::EntrySuspended{2}));
  log.now += kSuspensionDelay;
  log.must(Chronicle::key("coordinator"), ledger::EntrySuspended{2});
  EXPECT_EQ(log.state.claim(claim).standing.status, Claim::Status::moot);
  EXPECT_EQ(log.reputation(alice), 4 * kThousandth);
  EXPECT_EQ(log.reputation(bob), 4 * kThousandth);
  EXPECT_EQ(log.state.live_entries().size(), 5u);
  EXPECT_FALSE(log.state.averaged(2));
}

TEST(Story, ARollbackTakesTheRoundsThatAreThere) {
  Chronicle log;
  const UserId bob = log.join("bob");
  work(log, {bob}, 3, 1);
  log.must(Chronicle::key("root"), ledger::RolledBack{1});
  work(log, {bob}, 1, 1);
  EXPECT_TRUE(log.state.averaged(1));
  EXPECT_FALSE(log.state.averaged(2));
  EXPECT_FALSE(log.state.averaged(3));
  EXPECT_TRUE(log.state.averaged(4));
  EXPECT_EQ(log.reputation(bob), 5 * kThousandth) << "honest work is not lost";
}

TEST(Story, SettingsHoldFromTheirRoundOn) {
  Policy generous;
  generous.step = 10 * kThousandth;
  Chronicle log;
  const UserId bob = log.join("bob");
  log.must(Chronicle::key("root"), ledger::SettingsChanged{1, generous});
  work(log, {bob}, 1, 1);
  EXPECT_EQ(log.reputation(bob), 2 * kThousandth);
  work(log, {bob}, 1, 1);
  EXPECT_EQ(log.reputation(bob), 12 * kThousandth);
}

TEST(Story, SeveralJudgesDecideByEqualVotes) {
  Policy policy;
  policy.judge_votes = 2;
  Chronicle log(policy, 3);
  const UserId alice = log.join("alice");
  const UserId bob = log.join("bob");
  work(log, {alice, bob}, 3, 1);
  const ClaimId claim = log.claim(alice, 2, Chronicle::digest("wrong"));
  log.seal_vote(Chronicle::judge(0), claim, Chronicle::digest("a broken judge"));
  log.seal_vote(Chronicle::judge(1), claim, log.truth_of(2));
  log.open_votes(claim);
  EXPECT_EQ(log.state.decided(claim), std::nullopt);
  log.seal_vote(Chronicle::judge(2), claim, log.truth_of(2));
  log.open_votes(claim);
  EXPECT_EQ(log.state.decided(claim), log.truth_of(2));
  log.must(Chronicle::key("coordinator"), log.verdict(claim));
  EXPECT_EQ(log.state.user(alice).standing.convictions, 1u);
}

}  // namespace
}  // namespace cairn::trust
