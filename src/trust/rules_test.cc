// Every rule that refuses an event: what it says, and that nothing has changed.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "trust/chronicle.h"
#include "trust/probe.h"

namespace cairn::trust {
namespace {

using testing::HasSubstr;

// Alice (1), Bob (2) and Carol (3) with three closed rounds, and round 3 open with a
// sealed entry of Alice's (10) and one of Bob's (11). Carol's key is also a judge's. Alice has a phone.
struct Rules : testing::Test {
  void SetUp() override {
    for (const char* name : {"alice", "bob", "carol"}) log.join(name);
    for (int r = 0; r < 3; ++r) {
      log.open_round();
      for (UserId user = 1; user <= 3; ++user) log.send_truth(user, user);
      log.close_round();
    }
    log.must(root, ledger::JudgeAdded{carol});
    log.must(alice, ledger::DeviceKeyAdded{phone});
    log.open_round();
    log.send_truth(1, 1);
    log.send_truth(2, 2);
  }

  void refuses(const PublicKey& author, ledger::Body body, const std::string& reason) {
    refuses(log.event(author, std::move(body)), reason);
  }

  void refuses(const ledger::Event& event, const std::string& reason) {
    const State before = log.state;
    const Status status = log.state.apply(event);
    ASSERT_FALSE(status) << "accepted, but should be refused because " << reason;
    EXPECT_THAT(status.error().message, HasSubstr(reason));
    EXPECT_THAT(status.error().message, testing::StartsWith(std::string(kind_name(event.statement.body))));
    EXPECT_EQ(log.state, before);
  }

  static Digest digest(const std::string& text) { return Chronicle::digest(text); }

  const PublicKey root = Chronicle::key("root"), coordinator = Chronicle::key("coordinator"),
                  alice = Chronicle::key("alice"), bob = Chronicle::key("bob"),
                  carol = Chronicle::key("carol"), phone = Chronicle::key("phone"),
                  stranger = Chronicle::key("stranger"), judge = Chronicle::judge(0);
  Chronicle log;
};

TEST_F(Rules, TheLedgerBeginsWithItsGenesis) {
  State empty;
  const Status status = empty.apply(log.event(alice, ledger::Joined{}));
  ASSERT_FALSE(status);
  EXPECT_THAT(status.error().message, HasSubstr("first event of a ledger is its genesis"));
  EXPECT_EQ(empty, State());
}

TEST_F(Rules, TheGenesisIsOneAndSound) {
  refuses(root, ledger::Genesis{}, "has a genesis already");
  ledger::Genesis genesis;
  genesis.root = root;
  log.state = {};
  refuses(alice, genesis, "another key than the root key");
  genesis.judges = {judge, judge};
  refuses(root, genesis, "judges: one is named twice");
  genesis.judges = {judge};
  genesis.policy.judge_votes = 0;
  refuses(root, genesis, "judge_votes");
  ledger::Event event = log.event(root, genesis);
  event.statement.project = digest("another");
  refuses(event, "project: not zero");
}

TEST_F(Rules, NothingOfAnotherProjectOrOutOfTime) {
  ledger::Event event = log.event(stranger, ledger::Joined{});
  event.statement.project = digest("another");
  refuses(event, "signed for another project");
  log.now = 10;
  log.must(bob, ledger::NameChosen{digest("Bob")});
  log.now = 9;
  refuses(stranger, ledger::Joined{}, "time: earlier");
}

TEST_F(Rules, OnlyTheRootKeySetsTheFrame) {
  const std::vector<ledger::Body> bodies = {ledger::SettingsChanged{9, {}}, ledger::CoordinatorMoved{alice},
                                            ledger::JudgeAdded{alice},      ledger::JudgeRemoved{judge},
                                            ledger::Endowed{1, 1},          ledger::Paused{true},
                                            ledger::RolledBack{0},          ledger::VerdictVoided{1}};
  for (const ledger::Body& body : bodies) refuses(coordinator, body, "another key than the project's root");
}

TEST_F(Rules, OnlyTheCoordinatorRunsTheProject) {
  const std::vector<ledger::Body> bodies = {ledger::RoundOpened{4, {}, {}},
                                            log.closing(),
                                            ledger::MismatchFound{1, {}},
                                            ledger::VerdictReached{},
                                            ledger::BlobsDropped{1},
                                            ledger::EntryUnavailable{1},
                                            ledger::EntrySuspended{1},
                                            ledger::PanelDrawn{1, {}},
                                            ledger::LotSealed{}};
  for (const ledger::Body& body : bodies) refuses(root, body, "another key than the coordinator's");
  log.must(root, ledger::CoordinatorMoved{stranger});
  refuses(coordinator, log.closing(), "another key than the coordinator's");
}

TEST_F(Rules, SettingsLookForwardAndKeepTheRange) {
  refuses(root, ledger::SettingsChanged{3, {}}, "round 3 has been opened already");
  Policy policy;
  policy.minimum = 5;
  refuses(root, ledger::SettingsChanged{4, policy}, "the range of reputations is fixed");
  policy = {};
  policy.refresh_rounds = 0;
  refuses(root, ledger::SettingsChanged{4, policy}, "refresh_rounds");
}

TEST_F(Rules, JudgesAreASet) {
  refuses(root, ledger::JudgeAdded{judge}, "is a judge already");
  refuses(root, ledger::JudgeRemoved{bob}, "is no judge");
}

TEST_F(Rules, OnlyNewcomersAreEndowedAndUpwards) {
  refuses(root, ledger::Endowed{9, 1}, "no user 9");
  refuses(root, ledger::Endowed{1, 1}, "user 1 has sent an entry");
  log.join("dave");
  refuses(root, ledger::Endowed{4, 5}, "is not between 0.001 and 0.999");
  refuses(root, ledger::Endowed{4, ledger::kReputationOne}, "reputation: 1.000");
}

TEST_F(Rules, APausedProjectHearsOnlyTheRoot) {
  refuses(root, ledger::Paused{false}, "not paused");
  log.must(root, ledger::Paused{true});
  refuses(root, ledger::Paused{true}, "paused already");
  refuses(stranger, ledger::Joined{}, "the project is paused");
  refuses(coordinator, log.closing(), "the project is paused");
  log.must(root, ledger::Paused{false});
  log.must(stranger, ledger::Joined{});
}

TEST_F(Rules, ARollbackNeedsARoundThatWas) {
  refuses(root, ledger::RolledBack{4}, "round 4 has not been opened yet");
}

TEST_F(Rules, KeysBelongToOneUser) {
  refuses(alice, ledger::Joined{}, "the key is or was one of user 1");
  refuses(phone, ledger::Joined{}, "the key is or was one of user 1");
  refuses(bob, ledger::DeviceKeyAdded{phone}, "the key is or was one of user 1");
  refuses(bob, ledger::KeyRotated{alice}, "the key is or was one of user 1");
  refuses(bob, ledger::DeviceKeyRemoved{phone}, "no device key of user 2");
  refuses(stranger, ledger::NameChosen{}, "no user has");
  log.must(bob, ledger::NameChosen{digest("Bob")});
  refuses(alice, ledger::NameChosen{digest("Bob")}, "name: taken");
}

TEST_F(Rules, JoiningTakesTheWorkThatThePolicyAsksFor) {
  Policy policy;
  policy.join_work = 10;
  log.close_round();
  log.must(root, ledger::SettingsChanged{4, policy});
  log.open_round();
  ledger::Joined joined = log.joined(stranger);
  while (ledger::join_work(log.state.project(), stranger, joined.nonce) >= 10) ++joined.nonce;
  refuses(stranger, joined, "bits where 10 are asked for");
  log.must(stranger, log.joined(stranger));
}

TEST_F(Rules, AUserEvaluatesARoundOnce) {
  refuses(stranger, ledger::Evaluated{0, 1, 2, 3}, "no user has");
  refuses(alice, ledger::Evaluated{4, 1, 2, 3}, "round 4 has not been opened yet");
  refuses(alice, ledger::Evaluated{3, 0, 0, 3}, "images: none");
  refuses(alice, ledger::Evaluated{3, 3, 2, 3}, "correct: 3 of 2 images");
  log.must(phone, ledger::Evaluated{3, 1, 2, 3});
  refuses(alice, ledger::Evaluated{3, 2, 2, 3}, "user 1 has evaluated round 3 already");
  log.must(bob, ledger::Evaluated{3, 2, 2, 4});
  EXPECT_EQ(log.state.rounds()[3].evaluations.at(1), (Evaluation{1, 2, 3}));
  EXPECT_EQ(log.state.rounds()[3].evaluations.at(2), (Evaluation{2, 2, 4}));
}

TEST_F(Rules, DeviceKeysWorkButDoNotManage) {
  refuses(phone, ledger::NameChosen{}, "a device key of user 1, which may not change the account");
  refuses(phone, ledger::DeviceKeyAdded{stranger}, "a device key of user 1");
  refuses(phone, ledger::KeyRotated{stranger}, "a device key of user 1");
  log.must(phone, log.seal(phone, 7, digest("g")));
  log.must(phone, log.opening(10));  // sealed under the main key
}

TEST_F(Rules, RevokedKeysSignNothing) {
  log.must(alice, ledger::DeviceKeyRemoved{phone});
  refuses(phone, log.seal(phone, 7, digest("g")), "a revoked key of user 1");
  refuses(alice, ledger::DeviceKeyAdded{phone}, "is or was one of user 1");
  log.must(alice, ledger::KeyRotated{stranger});
  refuses(alice, log.opening(10), "a revoked key of user 1");
  log.must(stranger, log.opening(10));
}

TEST_F(Rules, AUserHasAtMostSoManyDevices) {
  for (size_t i = 1; i < kMaxDeviceKeys; ++i) {
    log.must(alice, ledger::DeviceKeyAdded{Chronicle::key("device " + std::to_string(i))});
  }
  refuses(alice, ledger::DeviceKeyAdded{stranger}, "has 64 device keys already");
  log.must(alice, ledger::DeviceKeyRemoved{phone});
  log.must(alice, ledger::DeviceKeyAdded{stranger});
}

TEST_F(Rules, EntriesAreSealedInAnOpenRoundOnceForEachUnit) {
  refuses(stranger, log.seal(stranger, 7, digest("g")), "no user has");
  ledger::EntrySealed sealed = log.seal(bob, 2, digest("g"));
  refuses(bob, sealed, "unit 2 of round 3 is done already by user 2, as entry 11");
  sealed.unit = 8;
  sealed.round = 4;
  refuses(bob, sealed, "round 4 is not open");
  sealed.round = 3;
  log.must(bob, sealed);
  sealed.unit = 9;
  refuses(bob, sealed, "seal: used already, by entry 12");
  log.must(bob, log.opening(11));
  refuses(bob, log.seal(bob, 10, digest("h")), "round 3 is being opened and takes no more entries");
}

// Round 3 is open and has entries of units 1 and 2.
struct LateEntries : Rules {
  void advance(uint32_t rounds) {
    for (uint32_t i = 0; i < rounds; ++i) {
      log.close_round();
      log.open_round();
    }
  }
  EntryId late(UserId user, Round round, UnitId unit) {
    return log.send(user, round, unit, log.truth(round, unit));
  }
};

TEST_F(LateEntries, CountInTheRoundInWhichTheyAreOpened) {
  const Reputation before = log.reputation(2);
  advance(2);
  const EntryId id = late(2, 3, 8);
  EXPECT_EQ(log.state.waiting(), (std::vector<EntryId>{id}));
  log.close_round();
  EXPECT_EQ(log.state.entry(id).round, 3u);
  EXPECT_EQ(log.state.entry(id).opened_in, 5u);
  EXPECT_EQ(log.state.rounds()[5].entries, (std::vector<EntryId>{id}));
  EXPECT_EQ(log.state.rounds()[5].standing.weight, log.state.user(2).standing.averaging);
  EXPECT_TRUE(log.state.averaged(id));
  EXPECT_EQ(log.reputation(2), before + 2 * log.state.policy().step) << "entry 11 of round 3, and this one";
}

TEST_F(LateEntries, AreTakenForAsManyRoundsAsThePolicySays) {
  advance(4);
  late(2, 3, 8);
  advance(1);
  refuses(bob, log.seal(bob, 3, 9, digest("g")), "round 3 closed more than 4 rounds ago");
}

TEST_F(LateEntries, MayBeOpenedInARoundAfterTheirSeal) {
  const EntryId held = log.send_truth(3, 8);
  for (EntryId id : {10u, 11u}) log.open_entry(id);
  log.close_opened_round();
  log.open_round();
  const EntryId twin = late(2, 3, 8);
  EXPECT_EQ(log.state.waiting(), (std::vector<EntryId>{held, twin}));
  log.close_round();
  EXPECT_TRUE(log.state.entry(held).standing.confirmed);
  EXPECT_EQ(log.state.entry(held).opened_in, 4u);
}

TEST_F(LateEntries, LapseWithTheirRound) {
  const EntryId held = log.send_truth(3, 8);
  for (EntryId id : {10u, 11u}) log.open_entry(id);
  log.close_opened_round();
  for (int i = 0; i < 4; ++i) {
    log.open_round();
    EXPECT_EQ(log.state.waiting(), (std::vector<EntryId>{held}));
    log.close_opened_round();
  }
  log.open_round();
  EXPECT_EQ(log.state.waiting(), (std::vector<EntryId>{}));
  refuses(carol, log.opening(held), "entry 12 waits no more: round 3 closed more than 4 rounds ago");
}

TEST_F(LateEntries, CannotCopyWhatIsOpened) {
  advance(1);
  refuses(carol, log.seal(carol, 3, 1, log.truth(3, 1)), "unit 1 of round 3 has been opened");
  late(3, 4, 1);
}

TEST_F(LateEntries, OfARoundThatWasRolledBackAreRefused) {
  const EntryId held = log.send_truth(3, 8);
  for (EntryId id : {10u, 11u}) log.open_entry(id);
  log.close_opened_round();
  log.must(root, ledger::RolledBack{3});
  log.open_round();
  refuses(bob, log.seal(bob, 3, 9, digest("g")), "round 3 was rolled back");
  refuses(carol, log.opening(held), "round 3 was rolled back");
  EXPECT_TRUE(log.state.waiting().empty());
}

TEST_F(LateEntries, ThatDifferFromTheirTwinOfAnEarlierRoundAreAMismatch) {
  const EntryId first = log.send_truth(3, 8);
  const EntryId second = log.send(2, 8, digest("wrong"));
  for (EntryId id : {10u, 11u, first}) log.open_entry(id);
  log.close_opened_round();
  log.open_round();
  log.open_entry(second);
  EXPECT_EQ(log.state.mismatches(4),
            (std::vector<ledger::MismatchFound>{{first, digest("wrong")}, {second, log.truth_of(first)}}));
}

TEST_F(Rules, AUnitTakesThreeEntriesByDifferentUsers) {
  const UserId dave = log.join("dave");
  log.send(2, 1, digest("g"));
  log.send(3, 1, digest("g"));
  refuses(log.state.user(dave).key, log.seal(Chronicle::key("dave"), 1, digest("g")),
          "unit 1 of round 3 has 3 entries already");
}

TEST_F(Rules, AMismatchIsOfTwoEntriesOfOneUnitAndIsStated) {
  log.send(3, 1, digest("other"));  // Carol's duplicate of Alice's, entry 12
  log.must(alice, log.opening(10));
  refuses(coordinator, ledger::MismatchFound{10, digest("other")}, "no other entry of the unit has it");
  log.must(bob, log.opening(11));
  log.must(carol, log.opening(12));
  refuses(coordinator, ledger::MismatchFound{10, digest("x")}, "no other entry of the unit has it");
  refuses(coordinator, ledger::MismatchFound{10, log.truth_of(10)}, "so nothing is claimed");
  log.must(coordinator, ledger::MismatchFound{10, digest("other")});
  refuses(coordinator, ledger::MismatchFound{10, digest("other")}, "made already, as claim 1");
  log.must(coordinator, log.closing());
  refuses(coordinator, ledger::RoundOpened{4, {}, {}}, "the mismatch of entry 12 has to be stated before");
  log.must(coordinator, ledger::MismatchFound{12, log.truth_of(10)});
  log.must(coordinator, ledger::RoundOpened{4, {}, {}});
}

TEST_F(Rules, NobodyClaimsAboutWhatCountsNowhere) {
  Policy policy;
  policy.exam = ledger::Exam::duplicates;
  log.close_round();
  log.must(root, ledger::SettingsChanged{4, policy});
  log.open_round();
  const UserId dave = log.join("dave");
  const EntryId entry = log.send_truth(dave, 7);
  log.close_round();
  refuses(alice, ledger::ClaimFiled{entry, digest("w")}, "is a newcomer's that nobody has confirmed");
}

TEST_F(Rules, AnOpeningShowsWhatWasSealed) {
  ledger::EntryOpened opened = log.opening(10);
  refuses(bob, opened, "user 2 sealed no such entry");
  opened.gradient = digest("another");
  refuses(alice, opened, "gradient: not the one that entry 10 sealed");
  log.must(alice, log.opening(10));
  refuses(alice, log.opening(10), "entry 10 is open already");
  log.must(coordinator, log.closing());
  refuses(bob, log.opening(11), "no round is open");
}

TEST_F(Rules, ASealIsBoundToItsAuthor) {
  const ledger::EntrySealed stolen = {3, 8, log.state.entry(10).seal};
  log.must(bob, stolen);
  refuses(bob, log.opening(10), "gradient: not the one that entry 12 sealed");
}

TEST_F(Rules, ClaimsAreAboutLiveUnjudgedEntriesOfOthers) {
  refuses(alice, ledger::ClaimFiled{99, {}}, "there is no entry 99");
  refuses(alice, ledger::ClaimFiled{11, {}}, "entry 11 is still sealed");
  refuses(alice, ledger::ClaimFiled{1, {}}, "entry: the claimant's own");
  log.claim(1, 2, digest("wrong"));
  refuses(alice, ledger::ClaimFiled{2, digest("w")}, "made already, as claim 1");
  refuses(alice, ledger::ClaimFiled{3, {}}, "as many open claims as a reputation of 0.004 allows, 1");
  log.judge_claim(1);
  refuses(carol, ledger::ClaimFiled{2, {}}, "entry 2 has been judged already");
  refuses(bob, ledger::ClaimFiled{1, {}}, "entry 1 is revoked already");
  refuses(alice, log.opening(10), "entry 10 is revoked");
}

TEST_F(Rules, ClaimantsHavePassedTheExam) {
  log.join("dave");
  refuses(Chronicle::key("dave"), ledger::ClaimFiled{1, {}}, "0 accepted entries and may claim with 3");
}

TEST_F(Rules, JudgesVoteOnceAndOnWhatIsNotTheirs) {
  const ClaimId about_carol = log.claim(1, 3, digest("wrong"));
  const ClaimId about_alice = log.claim(3, 1, digest("wrong"));
  refuses(alice, ledger::VoteSealed{about_carol, {}}, "no judge's");
  refuses(carol, ledger::VoteSealed{about_carol, {}}, "the judge is the author of the entry");
  refuses(carol, ledger::VoteSealed{about_alice, {}}, "the judge has claimed about the entry");
  refuses(judge, ledger::VoteSealed{9, {}}, "there is no claim 9");
  log.seal_vote(judge, about_alice, log.truth_of(1));
  refuses(judge, ledger::VoteSealed{about_alice, {}}, "voted on claim 2 already");
  log.open_votes(about_alice);
  log.must(root, ledger::JudgeAdded{stranger});
  refuses(stranger, ledger::VoteSealed{about_alice, {}}, "has the votes that it needs already");
  log.must(root, ledger::JudgeRemoved{judge});
  refuses(judge, ledger::VoteSealed{about_carol, {}}, "no judge's");
}

TEST_F(Rules, AJudgeWhoseUserKeyIsRevokedIsNone) {
  const ClaimId claim = log.claim(1, 2, digest("wrong"));
  log.must(carol, ledger::KeyRotated{stranger});
  refuses(carol, ledger::VoteSealed{claim, {}}, "a revoked key of user 3");
}

// Two equal votes decide; there are three judges.
struct SealedVotes : Rules {
  void SetUp() override {
    Rules::SetUp();
    for (uint32_t i = 1; i < 3; ++i) log.must(root, ledger::JudgeAdded{Chronicle::judge(i)});
    Policy policy;
    policy.judge_votes = 2;
    log.close_round();
    log.must(root, ledger::SettingsChanged{4, policy});
    log.open_round();
    claim = log.claim(1, 2, digest("wrong"));
  }
  ledger::VoteOpened opening(const PublicKey& author) const { return {claim, log.voted.at({claim, author})}; }

  const PublicKey second = Chronicle::judge(1), third = Chronicle::judge(2);
  ClaimId claim = 0;
};

TEST_F(SealedVotes, AreOpenedWhenEnoughAreSealed) {
  refuses(judge, ledger::VoteOpened{claim, {}}, "the judge has sealed no vote on claim 1");
  log.seal_vote(judge, claim, log.truth_of(2));
  refuses(judge, opening(judge), "votes stay sealed until there are 2 on claim 1");
  log.seal_vote(second, claim, digest("another"));
  refuses(judge, ledger::VoteOpened{claim, digest("another")}, "gradient: not the one that the vote sealed");
  log.must(judge, opening(judge));
  refuses(judge, opening(judge), "the vote is opened already");
  refuses(third, ledger::VoteSealed{claim, {}}, "votes on claim 1 are being opened");
  log.must(second, opening(second));
  log.seal_vote(third, claim, log.truth_of(2));  // as they do not decide
  log.must(third, opening(third));
  EXPECT_EQ(log.state.decided(claim), log.truth_of(2));
}

TEST_F(SealedVotes, LapseADayAfterTheOpeningBegan) {
  log.seal_vote(judge, claim, log.truth_of(2));
  log.seal_vote(second, claim, log.truth_of(2));
  log.now += 10 * kVoteDelay;
  log.must(judge, opening(judge));
  log.now += kVoteDelay - 1;
  refuses(third, ledger::VoteSealed{claim, {}}, "are being opened");
  log.now += 1;
  refuses(second, opening(second), "the vote has lapsed");
  refuses(judge, ledger::VoteSealed{claim, {}}, "voted on claim 1 already");
  log.seal_vote(third, claim, log.truth_of(2));
  refuses(second, opening(second), "the judge has sealed no vote");
  log.seal_vote(second, claim, log.truth_of(2));
  log.must(second, opening(second));
  EXPECT_EQ(log.state.decided(claim), log.truth_of(2));
}

// Four of Carol and eight jurors (4 to 11) are drawn, two equal votes of theirs decide. Bob's entry 2 is
// claimed by Alice, each of whom could judge anything else.
struct Panels : Rules {
  void SetUp() override {
    Rules::SetUp();
    for (int i = 0; i < 8; ++i) log.join("juror " + std::to_string(i));
    log.join("newcomer");
    log.close_round();
    for (UserId user = 4; user <= 11; ++user) log.must(root, ledger::Endowed{user, policy.panel_reputation});
    log.must(root, ledger::SettingsChanged{log.state.next_round(), policy});
    log.open_round();
    log.must(coordinator, log.sealed_lot());
    claim = log.claim(1, 2, digest("wrong"));
  }
  void draw() { log.must(coordinator, log.drawing(claim)); }
  const std::vector<UserId>& members() const { return log.state.claim(claim).panel->members; }
  PublicKey member(size_t i) const { return log.state.user(members().at(i)).key; }
  ledger::VoteSealed vote(const PublicKey& author) const {
    return log.voting(author, claim, log.truth_of(2));
  }

  Policy policy = [] {
    Policy panel;
    panel.judges = ledger::Judges::panel;
    panel.panel_size = 4;
    panel.panel_votes = 2;
    panel.panel_reputation = ledger::kReputationOne / 500;
    panel.panel_hours = 5;
    return panel;
  }();
  ClaimId claim = 0;
};

TEST_F(Panels, AreThoseOfLowestRankWithAReputationAndNoPartInIt) {
  draw();
  std::vector<std::pair<Digest, UserId>> ranked;
  for (UserId user = 3; user <= 11; ++user) {
    ranked.emplace_back(ledger::panel_rank(Chronicle::lot(0), *log.state.claim(claim).seal, user), user);
  }
  std::sort(ranked.begin(), ranked.end());
  ASSERT_EQ(members().size(), 4u);
  for (size_t i = 0; i < 4; ++i) EXPECT_EQ(members()[i], ranked[i].second);
  refuses(coordinator, log.drawing(claim), "the panel about claim 1 is drawn already");
}

TEST_F(Panels, AreDrawnByTheLotThatWasSealedBeforeTheClaimWasSigned) {
  refuses(coordinator, ledger::PanelDrawn{claim, Chronicle::lot(1)}, "lot: not the one that was sealed when");
  refuses(coordinator, log.sealed_lot(), "the lot that is sealed has not been opened yet");
  draw();
  refuses(coordinator, ledger::LotSealed{log.state.lots()[0].seal}, "that lot was used before");
  ledger::Event late = log.event(carol, log.claiming(carol, 1, digest("wrong")));
  log.must(coordinator, log.sealed_lot());  // for a claim that the coordinator knows by now
  ASSERT_TRUE(log.tell(late));
  EXPECT_FALSE(log.state.claim(2).lot.has_value());
  refuses(coordinator, ledger::PanelDrawn{2, Chronicle::lot(1)}, "claim 2 has no sealed lot to be drawn by");
  log.seal_vote(judge, 2, log.truth_of(1));  // so the named judges decide at once
}

// Who knows the lot could wait until a friend has the reputation.
TEST_F(Panels, CandidatesAreThoseOfTheClaimsTime) {
  log.must(root, ledger::Endowed{12, ledger::kReputationOne / 2});
  EXPECT_EQ(log.state.claim(claim).candidates.size(), 10u);  // Alice too, until it is drawn
  draw();
  for (UserId user : members()) EXPECT_NE(user, 12u);
}

TEST_F(Panels, DecideWithEqualVotesUnderTheirMainKeys) {
  draw();
  refuses(alice, vote(alice), "no main key of somebody on the panel");
  log.must(member(0), ledger::DeviceKeyAdded{Chronicle::key("tablet")});
  refuses(Chronicle::key("tablet"), vote(Chronicle::key("tablet")), "no main key of somebody on the panel");
  log.seal_vote(member(0), claim, log.truth_of(2));
  refuses(member(0), ledger::VoteOpened{claim, log.truth_of(2)}, "votes stay sealed until there are 2");
  log.seal_vote(member(1), claim, log.truth_of(2));
  log.open_votes(claim);
  EXPECT_EQ(log.state.decided(claim), log.truth_of(2));
  refuses(member(2), vote(member(2)), "has the votes that it needs already");
  log.must(coordinator, log.verdict(claim));
  EXPECT_EQ(log.state.user(1).standing.convictions, 1u);
}

TEST_F(Panels, AMemberWithANewKeyHasVotedAlready) {
  draw();
  const PublicKey before = member(0), after = Chronicle::key("another key");
  log.seal_vote(before, claim, log.truth_of(2));
  log.must(before, ledger::KeyRotated{after});
  refuses(after, vote(after), "voted on claim 1 already");
}

TEST_F(Panels, AMemberWhoWasConvictedOrClaimsJudgesNoMore) {
  draw();
  const EntryId entry = log.send_lie(members()[0] == 3 ? members()[1] : members()[0], 1);
  const PublicKey culprit = log.state.user(log.state.entry(entry).user).key;
  log.must(culprit, log.opening(entry));
  log.must(coordinator, log.closing());
  policy.judges = ledger::Judges::named;
  log.must(root, ledger::SettingsChanged{log.state.next_round(), policy});
  log.open_round();
  log.judge_claim(log.claim(3, entry, log.truth_of(entry)));
  refuses(culprit, vote(culprit), "has lost the reputation that panels ask for");
}

TEST_F(Panels, GiveWayToTheNamedJudgesWhenLate) {
  draw();
  log.seal_vote(member(0), claim, digest("alone"));
  refuses(judge, vote(judge), "claim 1 is for its panel to decide, until 5 hours after it was filed");
  log.now += policy.panel_hours * kHour;
  log.seal_vote(judge, claim, log.truth_of(2));
  refuses(member(0), ledger::VoteOpened{claim, digest("alone")}, "votes stay sealed until there are 2");
  log.must(judge, ledger::VoteOpened{claim, log.truth_of(2)});
  EXPECT_EQ(log.state.decided(claim), log.truth_of(2));
}

TEST_F(Panels, ThatAreNotDrawnGiveWayToo) {
  refuses(judge, vote(judge), "claim 1 is for its panel to decide");
  log.now += policy.panel_hours * kHour;
  log.seal_vote(judge, claim, log.truth_of(2));
}

TEST_F(Panels, GiveWayToTheNamedJudgesWhenTooFew) {
  log.close_round();
  policy.panel_reputation = ledger::kReputationOne / 2;
  log.must(root, ledger::SettingsChanged{log.state.next_round(), policy});
  log.open_round();
  claim = log.claim(3, 1, digest("wrong"));
  EXPECT_TRUE(log.state.claim(claim).candidates.empty());
  refuses(judge, log.voting(judge, claim, log.truth_of(1)), "is for its panel to decide");
  draw();
  EXPECT_TRUE(members().empty());
  log.seal_vote(judge, claim, log.truth_of(1));
}

TEST_F(Panels, StayAsTheyWereDrawnWhenAVerdictIsVoided) {
  draw();
  const std::vector<UserId> drawn = members();
  log.judge_claim(claim);
  log.must(root, ledger::VerdictVoided{claim});
  EXPECT_EQ(members(), drawn);
  EXPECT_EQ(fold(log.events).value(), log.state);
  log.must(coordinator, log.sealed_lot());
  const ClaimId again = log.claim(3, 2, digest("wrong"));  // by another claimant, so by another panel
  log.must(coordinator, log.drawing(again));
  EXPECT_EQ(std::ranges::count(log.state.claim(again).panel->members, 3), 0);
}

TEST_F(Panels, DoNotJudgeTheCoordinatorsOwnClaims) {
  const UnitId unit = 5;
  const EntryId lie = log.send_lie(2, unit);
  log.send_truth(3, unit);
  log.close_round();
  const ClaimId mismatch = log.state.claims_about(lie)[0];
  EXPECT_FALSE(log.state.claim(mismatch).lot.has_value());
  log.seal_vote(judge, mismatch, log.truth_of(lie));
}

TEST_F(Rules, PanelsAreForPoliciesThatWantThem) {
  refuses(coordinator, log.sealed_lot(), "the policy has no panels");
  const ClaimId claim = log.claim(1, 2, digest("wrong"));
  refuses(coordinator, log.drawing(claim), "claim 1 has no sealed lot");
}

TEST_F(Rules, ClaimsAreOpenedOnceTheVotesDecide) {
  const ClaimId claim = log.claim(1, 2, digest("wrong"));
  refuses(alice, ledger::ClaimOpened{claim, digest("wrong")}, "claim 1 stays sealed until the votes decide");
  log.seal_vote(judge, claim, log.truth_of(2));
  log.open_votes(claim);
  refuses(bob, ledger::ClaimOpened{claim, digest("wrong")}, "claim 1 is not the author's");
  refuses(alice, ledger::ClaimOpened{claim, digest("right")}, "gradient: not the one that claim 1 sealed");
  log.must(phone, ledger::ClaimOpened{claim, digest("wrong")});
  refuses(alice, ledger::ClaimOpened{claim, digest("wrong")}, "claim 1 is opened already");
  log.must(coordinator, log.verdict(claim));
  refuses(alice, ledger::ClaimOpened{claim, digest("wrong")}, "claim 1 is settled already");
}

TEST_F(Rules, VerdictsFollowFromTheVotes) {
  const ClaimId claim = log.claim(1, 2, digest("wrong"));
  refuses(coordinator, ledger::VerdictReached{9, true, {}}, "there is no claim 9");
  refuses(coordinator, ledger::VerdictReached{claim, true, {}}, "does not have the equal votes yet");
  log.seal_vote(judge, claim, log.truth_of(2));
  refuses(coordinator, ledger::VerdictReached{claim, true, {}}, "does not have the equal votes yet");
  log.open_votes(claim);
  refuses(coordinator, ledger::VerdictReached{claim, false, digest("w")}, "not the one that the judges got");
  refuses(coordinator, ledger::VerdictReached{claim, true, log.truth_of(2)}, "got what the entry states");
  log.must(coordinator, log.verdict(claim));
  refuses(coordinator, ledger::VerdictReached{claim, false, log.truth_of(2)}, "claim 1 is settled already");
  refuses(judge, ledger::VoteSealed{claim, {}}, "claim 1 is settled already");
}

TEST_F(Rules, AnUpheldVerdictIsNotCalledRejected) {
  log.close_round();
  log.open_round();
  const EntryId entry = log.send_lie(2, 1);
  log.close_round();
  const ClaimId claim = log.claim(1, entry, log.truth_of(entry));
  log.seal_vote(judge, claim, log.truth_of(entry));
  log.open_votes(claim);
  refuses(coordinator, ledger::VerdictReached{claim, false, log.truth_of(entry)}, "something else than");
}

TEST_F(Rules, AppealsAnswerAVerdictOnce) {
  const ClaimId claim = log.claim(1, 2, digest("wrong"));
  refuses(alice, ledger::AppealFiled{claim, {}}, "claim 1 has no verdict");
  refuses(root, ledger::VerdictVoided{claim}, "claim 1 has no verdict");
  log.judge_claim(claim);
  refuses(alice, ledger::AppealFiled{claim, log.truth_of(2)}, "agrees with the verdict");
  log.must(alice, ledger::AppealFiled{claim, digest("wrong")});
  refuses(alice, ledger::AppealFiled{claim, digest("wrong")}, "user 1 has appealed already");
  log.must(root, ledger::VerdictVoided{claim});
  refuses(bob, ledger::AppealFiled{claim, digest("wrong")}, "voided already");
  refuses(root, ledger::VerdictVoided{claim}, "voided already");
  refuses(judge, ledger::VoteSealed{claim, {}}, "claim 1 is settled already");
}

TEST_F(Rules, RoundsOpenAndCloseInTurn) {
  refuses(coordinator, ledger::RoundOpened{4, {}, {}}, "round 3 is still open");
  ledger::RoundClosed closed = log.closing();
  ++closed.openings;
  refuses(coordinator, closed, "openings: 1 where round 3 has 0");
  closed = log.closing();
  ++closed.floor;
  refuses(coordinator, closed, "floor: ");
  closed = log.closing();
  ++closed.round;
  refuses(coordinator, closed, "round 4 is not open");
  log.close_round();
  refuses(coordinator, closed, "round 4 is not open");
  refuses(coordinator, ledger::RoundOpened{5, {}, {}}, "round: 5 where round 4 is the next");
}

TEST(RoundRule, NumbersAndTimesOfThePolicyCloseRoundsAndNothingElse) {
  Policy policy;
  policy.quorum = 2;
  policy.round_time = 1000;
  Chronicle log(policy);
  const UserId ada = log.join("ada"), ben = log.join("ben");
  log.now = 50;
  log.open_round();
  const PublicKey coordinator = Chronicle::key("coordinator");
  const auto closes = [&](ledger::CloseReason reason) {
    ledger::RoundClosed closed = log.closing();
    closed.reason = reason;
    return check(log.state, log.event(coordinator, closed)).ok();
  };
  using enum ledger::CloseReason;
  log.now = 5000;  // late, but nobody has sent anything
  EXPECT_FALSE(closes(maintainer) || closes(quorum) || closes(deadline));
  log.now = 1049;
  const EntryId first = log.send_truth(ada, 0);
  EXPECT_FALSE(closes(maintainer) || closes(quorum) || closes(deadline));
  log.now = 1050;
  EXPECT_TRUE(closes(deadline));
  EXPECT_FALSE(closes(maintainer) || closes(quorum));
  log.send_truth(ben, 1);
  EXPECT_TRUE(closes(quorum));  // the number goes before the time
  EXPECT_FALSE(closes(deadline));
  log.must(log.state.user(ada).key, log.opening(first));
  EXPECT_TRUE(closes(quorum));
}

TEST(RoundRule, CrowdsOfNewcomersCountForNothingOnceSomeAreEstablished) {
  Policy policy;
  policy.quorum = 2;
  Chronicle log(policy);
  std::vector<UserId> known;
  for (const char* name : {"ada", "ben", "cleo"}) {
    known.push_back(log.join(name));
    log.must(Chronicle::key("root"), ledger::Endowed{known.back(), ledger::kReputationOne / 2});
  }
  const UserId fresh = log.join("fresh"), other = log.join("other");
  log.open_round();
  log.send_truth(fresh, 0);
  log.send_truth(other, 1);
  EXPECT_EQ(log.state.close_reason(log.now), std::nullopt);
  log.send_truth(known[0], 2);
  log.send_truth(known[1], 3);
  EXPECT_EQ(log.state.close_reason(log.now), ledger::CloseReason::quorum);
}

TEST_F(Rules, SuspensionWaitsADayAndBlobsAMonth) {
  log.must(coordinator, ledger::EntryUnavailable{1});
  refuses(coordinator, ledger::EntryUnavailable{1}, "known to be unavailable already");
  log.claim(1, 2, digest("wrong"));
  log.now = kSuspensionDelay - 1;
  refuses(coordinator, ledger::EntrySuspended{1}, "for 24 hours");
  refuses(coordinator, ledger::EntrySuspended{2}, "for 24 hours");
  refuses(coordinator, ledger::EntrySuspended{3}, "for 24 hours");
  log.now = kSuspensionDelay;
  log.must(coordinator, ledger::EntrySuspended{1});
  log.must(coordinator, ledger::EntrySuspended{2});
  refuses(coordinator, ledger::EntrySuspended{1}, "entry 1 is suspended");
  refuses(coordinator, ledger::BlobsDropped{99}, "there is no entry 99");
  refuses(coordinator, ledger::BlobsDropped{3}, "neither revoked nor suspended");
  refuses(coordinator, ledger::BlobsDropped{1}, "can be appealed for 30 days");
  log.now = kSuspensionDelay + kAppealWindow;
  log.must(coordinator, ledger::BlobsDropped{1});
  refuses(coordinator, ledger::BlobsDropped{1}, "are gone already");
}

// Or a coordinator could spare a friend whom the judges have found out.
TEST_F(Rules, WhatTheVotesDecideIsNotSuspended) {
  const ClaimId claim = log.claim(1, 2, digest("wrong"));
  log.now = kSuspensionDelay;
  log.seal_vote(judge, claim, log.truth_of(2));
  log.open_votes(claim);
  refuses(coordinator, ledger::EntrySuspended{2}, "decide, so that a verdict has to follow");
}

// The model that its gradient was computed from need not be kept so long.
TEST(Horizon, AnEntryBeyondItCannotBeClaimed) {
  Policy policy;
  policy.horizon = 2;
  policy.exam_entries = 1;
  Chronicle log(policy);
  for (const char* name : {"alice", "bob"}) log.join(name);
  const auto work = [&log] {
    log.open_round();
    const EntryId lie = log.send_lie(2, 1);
    log.send_truth(1, 2);
    log.close_round();
    return lie;
  };
  const EntryId lie = work();
  work();
  EXPECT_TRUE(check(log.state, log.event(Chronicle::key("alice"), ledger::ClaimFiled{lie, {}})).ok());
  work();
  const Status late = check(log.state, log.event(Chronicle::key("alice"), ledger::ClaimFiled{lie, {}}));
  ASSERT_FALSE(late.ok());
  EXPECT_THAT(late.error().message, testing::HasSubstr("entry 1 is older than the policy's horizon of 2 rounds"));
  for (uint64_t word = 0; word < 200; ++word)
    EXPECT_NE(pick_probe(log.state, word << 55), lie) << "nor is it drawn";
}

TEST_F(Rules, AVerdictWhoseEntriesAreGoneIsFinal) {
  const ClaimId claim = log.claim(1, 2, digest("wrong"));
  log.judge_claim(claim);
  log.now = kAppealWindow;
  log.must(coordinator, ledger::BlobsDropped{1});
  refuses(root, ledger::VerdictVoided{claim}, "the blobs of entry 1, which it revoked, are gone");
}

}  // namespace
}  // namespace cairn::trust
