// A hosted project from the first contribution to a verdict, over real connections in one process.
#include "ledger/sqlite_store.h"
#include "project/chronicle.h"
#include "project/copy.h"
#include "project/invites.h"
#include "project/rounds.h"
#include "project/verification.h"
#include "role/testing.h"

namespace cairn::role {
namespace {

TEST(Host, EntriesOfSeveralContributorsBecomeTheNextModel) {
  const Workshop workshop;
  const auto host = workshop.host({.quorum = 4});
  Person ada(workshop, *host, "ada"), ben(workshop, *host, "ben");
  ASSERT_TRUE(ada.contribute(2).ok());
  ASSERT_TRUE(ben.contribute(2).ok());
  ada.follow_to(1);
  const trust::State& state = ada.replica->project().state();
  EXPECT_EQ(state.rounds().size(), 2u);  // the fourth entry closed the first round
  EXPECT_EQ(state.live_entries().size(), 4u);
  EXPECT_NE(state.rounds()[0].snapshot, state.rounds()[1].snapshot);
  const auto verified = project::verify(ada.replica->project(), {});
  ASSERT_TRUE(verified.ok()) << verified.error().message;
  EXPECT_EQ(verified->snapshots, 2u);
}

TEST(Host, ALiarIsClaimedJudgedAndGone) {
  const Workshop workshop("[trust]\nexam_entries = 1\n");
  const auto host = workshop.host({.quorum = 2});
  Person finn(workshop, *host, "finn"), mallory(workshop, *host, "mallory");
  ASSERT_TRUE(finn.contribute(1).ok());
  ASSERT_TRUE(mallory.lie().ok());
  Auditor auditor(*finn.remote, *finn.replica, *finn.key);
  project::Trainer trainer = finn.trainer();
  const auto drawn = must(auditor.draw(1));
  ASSERT_TRUE(drawn.has_value());  // finn's own entry is not drawn
  const Audit audit = must(auditor.audit(trainer, *drawn, {}));
  EXPECT_FALSE(audit.probe.match());
  ASSERT_TRUE(audit.claim.has_value()) << audit.refusal;

  Person trent(workshop, *host, "trent");
  Judge judge(*trent.remote, *trent.replica, workshop.key(project::kJudgeKey));
  project::Trainer judging = trent.trainer();
  for (const trust::ClaimId claim : must(judge.open_claims())) {
    EXPECT_TRUE(must(judge.vote(judging, claim, {})).false_entry);
  }
  must(judge.open_claims());  // catches up with the verdict
  const trust::State& state = trent.replica->project().state();
  EXPECT_EQ(state.claim(1).standing.status, trust::Claim::Status::upheld);
  EXPECT_EQ(state.entry(2).standing.status, trust::Entry::Status::revoked);
}

// Mallory's false entry is claimed by Finn; Uma and Vera are all that a panel could have.
class Panel : public testing::Test {
 protected:
  explicit Panel(const std::string& policy = "panel_votes = 2\n")
      : workshop("[trust]\nexam_entries = 1\njudges = \"panel\"\npanel_reputation = 0.002\n" + policy) {}

  void SetUp() override {
    for (Person* honest : {&finn, &uma, &vera}) ASSERT_TRUE(honest->contribute(1).ok());
    ASSERT_TRUE(mallory.lie().ok());
    must(finn.replica->sync());
    Auditor auditor(*finn.remote, *finn.replica, *finn.key);
    project::Trainer trainer = finn.trainer();
    ASSERT_TRUE(must(auditor.audit(trainer, 4, {})).claim.has_value());
  }

  // How many claims wait for that key, each of which it votes on.
  size_t judge(Person& person, const SigningKey& key) {
    Judge judge(*person.remote, *person.replica, key);
    project::Trainer trainer = person.trainer();
    const auto claims = must(judge.open_claims());
    for (const trust::ClaimId claim : claims) EXPECT_TRUE(must(judge.vote(trainer, claim, {})).false_entry);
    return claims.size();
  }
  trust::Claim::Status status() {
    must(finn.replica->sync());
    return finn.replica->project().state().claim(1).standing.status;
  }

  const Workshop workshop;
  std::unique_ptr<Host> host = workshop.host({.quorum = 4});
  Person finn{workshop, *host, "finn"}, uma{workshop, *host, "uma"}, vera{workshop, *host, "vera"},
      mallory{workshop, *host, "mallory"}, trent{workshop, *host, "trent"};
};

TEST_F(Panel, OfUsersDecidesAClaim) {
  const SigningKey named = workshop.key(project::kJudgeKey);
  EXPECT_EQ(judge(trent, named), 0u);  // it is not theirs to decide
  EXPECT_EQ(judge(finn, *finn.key), 0u);
  EXPECT_EQ(judge(mallory, *mallory.key), 0u);
  EXPECT_EQ(judge(uma, *uma.key), 1u);
  EXPECT_EQ(judge(uma, *uma.key), 0u);
  EXPECT_EQ(status(), trust::Claim::Status::open);
  EXPECT_EQ(judge(vera, *vera.key), 1u);
  EXPECT_EQ(status(), trust::Claim::Status::upheld);
  const trust::State& state = finn.replica->project().state();
  EXPECT_EQ(state.claim(1).panel->members.size(), 2u);
  EXPECT_EQ(state.entry(4).standing.status, trust::Entry::Status::revoked);
  EXPECT_GT(state.claim(1).standing.bounty, 0u);
  EXPECT_EQ(state.lots().size(), 2u);  // the next claim is drawn by another
  const auto verified = project::verify(finn.replica->project(), {});
  EXPECT_TRUE(verified.ok()) << verified.error().message;
}

TEST_F(Panel, IsDrawnByTheLotThatWasSealedBeforeARestart) {
  host.reset();
  host = workshop.host({.quorum = 4});
  Person again(workshop, *host, "uma");
  Auditor accuser(*again.remote, *again.replica, *again.key);
  must(accuser.claim({1, {}, sha256(as_bytes(std::string("nothing")))}));
  must(again.replica->sync());
  const trust::State& state = again.replica->project().state();
  EXPECT_EQ(state.claim(2).lot, 1u);
  ASSERT_TRUE(state.claim(2).panel.has_value());
  EXPECT_EQ(state.claim(2).panel->members.size(), 2u);
}

struct SmallPanel : Panel {
  SmallPanel() : Panel("panel_votes = 3\n") {}
};

TEST_F(SmallPanel, LeavesTheClaimToTheNamedJudges) {
  EXPECT_EQ(judge(uma, *uma.key), 0u);
  const auto may = project::check_may_judge(uma.replica->project(), trent.key->public_key(), "trent");
  EXPECT_NE(may.error().message.find("key trent: is neither a judge's nor a user's"), std::string::npos);
  EXPECT_EQ(judge(trent, workshop.key(project::kJudgeKey)), 1u);
  EXPECT_EQ(status(), trust::Claim::Status::upheld);
}

TEST(Host, APrivateProjectTakesInvitedPeopleAlone) {
  const Workshop workshop;
  auto project = workshop.open(workshop.directory());
  const std::string code = must(project::add_invite(project, 1, system_environment()));
  const auto host = workshop.host({.quorum = 9, .invited_only = true});
  Person ada(workshop, *host, "ada"), ben(workshop, *host, "ben");
  EXPECT_NE(ada.contribute(1).error().message.find("by invitation"), std::string::npos);
  EXPECT_EQ(ada.lie_without_a_lease().error().status, 409);
  ada.remote->set_invite("WRONG-CODE");
  EXPECT_NE(ada.contribute(1).error().message.find("unknown or used up"), std::string::npos);
  std::string typed = code;  // in capitals and without dashes
  std::erase(typed, '-');
  std::ranges::transform(typed, typed.begin(),
                         [](char letter) { return static_cast<char>(std::toupper(letter)); });
  ada.remote->set_invite(typed);
  EXPECT_TRUE(ada.contribute(1).ok());
  ada.remote->set_invite("");
  EXPECT_TRUE(ada.contribute(1).ok());  // is a user by now
  ben.remote->set_invite(code);
  EXPECT_NE(ben.contribute(1).error().message.find("unknown or used up"), std::string::npos);
}

TEST(Host, AContributorLeavesWhenItsRoundsAreOver) {
  const Workshop workshop;
  const auto host = workshop.host({.quorum = 3});
  Person ada(workshop, *host, "ada");
  ASSERT_TRUE(ada.contribute(0, 2).ok());
  const trust::State& state = ada.replica->project().state();
  EXPECT_EQ(state.open_round(), trust::Round{2});
  EXPECT_EQ(state.entries().size(), 6u);
}

// Ben's machine is so slow that a round closes while it computes.
TEST(Host, TheWorkOfASlowMachineCountsInALaterRound) {
  const Workshop workshop;
  const auto host = workshop.host({.quorum = 2});
  Person ada(workshop, *host, "ada"), ben(workshop, *host, "ben");
  project::Trainer trainer = ben.trainer();
  const Compute slow = [&](trust::Round round, trust::UnitId unit, const Progress& progress) {
    if (round == 0) {
      EXPECT_TRUE(ada.contribute(2).ok());
    }
    return trainer.gradient(round, unit, progress);
  };
  Contributor contributor(*ben.remote, *ben.replica, *ben.key, slow, {"ben", 2}, system_environment());
  std::vector<trust::Round> accepted;
  contributor.on_news = [&](const ContributorNews& news) {
    if (news.kind == ContributorNews::Kind::accepted) accepted.push_back(news.round);
  };
  ASSERT_TRUE(contributor.run().ok());
  EXPECT_EQ(accepted, (std::vector<trust::Round>{0, 1}));
  ben.follow_to(2);
  const trust::State& state = ben.replica->project().state();
  ASSERT_EQ(state.rounds().size(), 3u);
  EXPECT_EQ(state.rounds()[1].entries.size(), 2u);
  EXPECT_EQ(state.entry(3).round, 0u);
  EXPECT_EQ(state.entry(3).opened_in, 1u);
  const auto verified = project::verify(ben.replica->project(), {});
  ASSERT_TRUE(verified.ok()) << verified.error().message;
  EXPECT_EQ(verified->snapshots, 3u);
}

TEST(Host, AFalseClaimCostsTheClaimant) {
  const Workshop workshop("[trust]\nexam_entries = 1\n");
  const auto host = workshop.host({.quorum = 2});
  Person ada(workshop, *host, "ada"), frank(workshop, *host, "frank");
  ASSERT_TRUE(ada.contribute(1).ok());
  ASSERT_TRUE(frank.contribute(1).ok());
  must(frank.replica->sync());
  Auditor accuser(*frank.remote, *frank.replica, *frank.key);
  must(accuser.claim({1, {}, sha256(as_bytes(std::string("nothing")))}));
  Judge judge(*ada.remote, *ada.replica, workshop.key(project::kJudgeKey));
  project::Trainer judging = ada.trainer();
  ASSERT_EQ(must(judge.open_claims()).size(), 1u);
  EXPECT_FALSE(must(judge.vote(judging, 1, {})).false_entry);
  must(judge.open_claims());
  const trust::State& state = ada.replica->project().state();
  EXPECT_EQ(state.claim(1).standing.status, trust::Claim::Status::rejected);
  EXPECT_EQ(state.entry(2).standing.status, trust::Entry::Status::revoked);
  const uint64_t last = ada.replica->project().head().size - 1;
  EXPECT_EQ(project::chronicle(ada.replica->project(), last),
            "the judges find entry 1 by ada true: frank falls to the lowest reputation, 1 entry is removed");
}

TEST(Host, AnAnswerThatGotLostIsGivenAgain) {
  const Workshop workshop;
  const auto host = workshop.host({.quorum = 9});
  Person ada(workshop, *host, "ada");
  const RemoteLease lease = must(ada.remote->take_unit(sign_request(*ada.key, ada.request())));
  const auto file = must(ada.trainer().gradient(lease.round, lease.unit, {}));
  const Bytes submission =
      project::encode(must(project::make_submission(ada.replica->project(), *ada.key, "ada", file)));
  const auto first = must(ada.remote->submit(submission));
  ASSERT_EQ(first.size(), 3u);  // joined, name, seal
  const auto again = must(ada.remote->submit(submission));
  ASSERT_EQ(again.size(), 1u);
  EXPECT_EQ(again[0], first[2]);
}

TEST(Host, ReceiptsAreHonouredByTheLog) {
  const Workshop workshop;
  const auto host = workshop.host({.quorum = 9});
  Person ada(workshop, *host, "ada");
  const auto receipts = must(ada.lie());  // a lie is kept like anything else
  must(ada.replica->sync());
  const ledger::MerkleTree& log = ada.replica->project().store().tree();
  for (const ledger::Receipt& receipt : receipts) {
    EXPECT_TRUE(ledger::signature_valid(receipt, host->coordinator().key()));
    EXPECT_TRUE(ledger::receipt_honoured(receipt, log).ok());
    ledger::Receipt other = receipt;
    other.event.bytes[0] ^= 1;
    EXPECT_FALSE(ada.replica->keep({other}).ok());
  }
}

TEST(Host, RequestsOfOthersAndOfOtherTimesAreRefused) {
  const Workshop workshop;
  const auto host = workshop.host();
  Person ada(workshop, *host, "ada");
  UnitRequest late = ada.request();
  late.time -= 2 * kMaxClockDifference;
  const auto refused = ada.remote->take_unit(sign_request(*ada.key, late));
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().status, 403);
  EXPECT_NE(refused.error().sentence.find("behind"), std::string::npos) << refused.error().sentence;
  UnitRequest stolen = sign_request(*ada.key, ada.request());
  stolen.slot = 1;
  EXPECT_EQ(ada.remote->take_unit(stolen).error().status, 403);
  UnitRequest foreign = ada.request();
  foreign.project.bytes[0] ^= 1;
  EXPECT_EQ(ada.remote->take_unit(sign_request(*ada.key, foreign)).error().status, 403);
}

// A seal by itself would fill units and close rounds with nothing, an opening before its time would shut
// everybody else out of the round.
TEST(Host, SealsAndOpeningsComeWithTheirGradientOnly) {
  const Workshop workshop;
  const auto host = workshop.host({.quorum = 9});
  Person ada(workshop, *host, "ada"), ben(workshop, *host, "ben");
  const RemoteLease lease = must(ada.remote->take_unit(sign_request(*ada.key, ada.request())));
  const auto file = must(ada.trainer().gradient(lease.round, lease.unit, {}));
  const auto submission = must(project::make_submission(ada.replica->project(), *ada.key, "ada", file));
  EXPECT_EQ(ada.remote->say({*submission.joined, submission.sealed}).error().status, 409);
  EXPECT_EQ(ada.remote->say({*submission.joined}).error().status, 409);
  must(ada.remote->submit(project::encode(submission)));
  EXPECT_EQ(ada.remote->say({submission.opened}).error().status, 409);
  EXPECT_TRUE(ben.contribute(1).ok());  // the round still takes entries
}

TEST(Host, AUnitThatIsGivenBackGoesToTheNext) {
  const Workshop workshop;
  const auto host = workshop.host();
  Person ada(workshop, *host, "ada"), ben(workshop, *host, "ben");
  const RemoteLease lease = must(ada.remote->take_unit(sign_request(*ada.key, ada.request())));
  UnitRequest back = ada.request();
  back.kind = UnitRequest::Kind::give_back;
  back.unit = lease.unit;
  EXPECT_EQ(ben.remote->return_unit(sign_request(*ben.key, back)).error().status, 409);  // not ben's
  must(ada.remote->return_unit(sign_request(*ada.key, back)));
  EXPECT_EQ(must(ben.remote->take_unit(sign_request(*ben.key, ben.request()))).unit, lease.unit);
}

TEST(Host, WhoStopsInTheMiddleGivesTheUnitBack) {
  const Workshop workshop;
  const auto host = workshop.host();
  Person ada(workshop, *host, "ada"), ben(workshop, *host, "ben");
  project::Trainer trainer = ada.trainer();
  Contributor contributor(*ada.remote, *ada.replica, *ada.key, compute_with(trainer), {"ada"},
                          system_environment());
  contributor.progress = [](uint64_t, uint64_t) { return false; };
  std::optional<trust::UnitId> unit;
  contributor.on_news = [&](const ContributorNews& news) { unit = news.unit; };
  ASSERT_TRUE(contributor.run().ok());
  EXPECT_EQ(contributor.accepted(), 0u);
  ASSERT_TRUE(unit.has_value());
  EXPECT_EQ(must(ben.remote->take_unit(sign_request(*ben.key, ben.request()))).unit, *unit);
}

TEST(Host, GoesOnAfterARestart) {
  const Workshop workshop;
  auto host = workshop.host({.quorum = 9});
  {
    Person ada(workshop, *host, "ada");
    ASSERT_TRUE(ada.contribute(1).ok());
  }
  host.reset();
  host = workshop.host({.quorum = 2});
  Person ada(workshop, *host, "ada");
  ASSERT_TRUE(ada.contribute(1).ok());
  ada.follow_to(1);
  EXPECT_EQ(ada.replica->project().state().rounds().size(), 2u);
}

// As after a kill between the two transactions of a close.
TEST(Host, OpensTheRoundThatItsPredecessorDidNotComeTo) {
  const Workshop workshop;
  {
    const auto host = workshop.host({.quorum = 9});
    Person ada(workshop, *host, "ada");
    ASSERT_TRUE(ada.contribute(1).ok());
  }
  {
    project::Project project = workshop.open(workshop.directory());
    must(project::close_round(project, workshop.key(project::kCoordinatorKey)));
    EXPECT_FALSE(project.state().open_round());
  }
  const auto host = workshop.host({.quorum = 9});
  Person ada(workshop, *host, "ada");
  ASSERT_TRUE(ada.contribute(1).ok());
  must(ada.replica->sync());
  const trust::State& state = ada.replica->project().state();
  EXPECT_EQ(state.open_round(), trust::Round{1});
  EXPECT_TRUE(project::verify(ada.replica->project(), {}).ok());
}

// Averaging takes as long as a gradient cannot be read.
TEST(Host, AnswersWhileTheNextModelIsAveraged) {
  const Workshop workshop;
  const auto host = workshop.host({.quorum = 2});
  Person ada(workshop, *host, "ada");
  const auto receipts = must(ada.lie());
  must(ada.replica->sync());
  const project::Project project = workshop.open(workshop.directory());
  const auto staged = must(project.store().staged());
  const auto opening = must(ledger::decode_statement(staged.at(0).bytes));
  const auto blob = project.gradients().path(std::get<ledger::EntryOpened>(opening.body).gradient);
  std::filesystem::rename(blob, workshop.path("hidden"));
  ASSERT_TRUE(ada.contribute(1).ok());
  EXPECT_TRUE(ada.remote->checkpoint().ok());
  std::thread repair([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
    std::filesystem::rename(workshop.path("hidden"), blob);
  });
  const auto lease = ada.remote->take_unit(sign_request(*ada.key, ada.request()));
  repair.join();
  ASSERT_TRUE(lease.ok()) << lease.error().message;
  EXPECT_EQ(lease->round, 1u) << "it was held until the next round opened";
}

// Newcomers have a tenth of the sequencer's time, and the next one's turn came with the next duty only.
TEST(Host, BugASecondNewcomerWaitedForAMinute) {
  const Workshop workshop;
  const auto host = workshop.host({.quorum = 99});
  Person ada(workshop, *host, "ada");
  const auto began = std::chrono::steady_clock::now();
  for (int i = 0; i < 30; ++i) {
    const SigningKey newcomer = SigningKey::from_seed(sha256(as_bytes(std::to_string(i))).bytes);
    must(ada.remote->take_unit(sign_request(newcomer, ada.request())));
  }
  EXPECT_LT(std::chrono::steady_clock::now() - began, std::chrono::seconds(30));
}

TEST(Host, ThePolicyClosesRoundsWhereItSaysWhen) {
  const Workshop workshop("[trust]\nquorum = 3\n");
  const auto host = workshop.host({.quorum = 1});  // which then has no say
  Person ada(workshop, *host, "ada");
  ASSERT_TRUE(ada.contribute(2).ok());
  must(ada.replica->sync());
  EXPECT_EQ(ada.replica->project().state().rounds().size(), 1u);
  ASSERT_TRUE(ada.contribute(1).ok());
  ada.follow_to(1);
  EXPECT_EQ(ada.replica->project().state().rounds().size(), 2u);
}

// Passes everything on, but the last receipt of an answer has another signature.
class ForgedReceipts : public net::Client {
 public:
  explicit ForgedReceipts(std::unique_ptr<net::Client> real) : real_(std::move(real)) {}

  net::Outcome<net::ClientResponse> request(net::Method method, const std::string& target,
                                            const net::Headers& headers, BytesView body,
                                            uint64_t limit) override {
    auto response = real_->request(method, target, headers, body, limit);
    if (response && target == "/v1/entries") {
      std::string text(response->body.begin(), response->body.end());
      char& digit = text[text.find("\"}]}") - 1];
      digit = digit == '0' ? '1' : '0';
      response->body.assign(text.begin(), text.end());
    }
    return response;
  }
  net::Outcome<void> download(const net::Download& download) override { return real_->download(download); }
  net::Outcome<net::ClientResponse> upload(const net::Upload& upload) override {
    return real_->upload(upload);
  }
  net::Outcome<void> events(const std::string& target, const std::optional<std::string>& last_id,
                            const std::function<bool(const net::ReceivedEvent&)>& callback) override {
    return real_->events(target, last_id, callback);
  }
  void cancel() override { real_->cancel(); }
  void reset() override { real_->reset(); }
  const net::Url& server() const override { return real_->server(); }

 private:
  std::unique_ptr<net::Client> real_;
};

TEST(Host, AnAcceptanceWithoutTheCoordinatorsSignatureIsNotBelieved) {
  const Workshop workshop;
  const auto host = workshop.host();
  Person ada(workshop, *host, "ada");
  net::ClientOptions options;
  options.server = must(net::parse_url("http://127.0.0.1:" + std::to_string(host->port())));
  options.proxy = "";
  Remote forged(std::make_unique<ForgedReceipts>(must(net::Client::open(options))));
  project::Trainer trainer = ada.trainer();
  Contributor contributor(forged, *ada.replica, *ada.key, compute_with(trainer), {"ada", 1},
                          system_environment());
  const Status status = contributor.run();
  ASSERT_FALSE(status.ok());
  EXPECT_NE(status.error().message.find("not signed by the project's coordinator"), std::string::npos)
      << status.error().message;
  EXPECT_EQ(contributor.accepted(), 0u);
}

// -- Coordinators that are not honest

class Misbehaviour : public testing::Test {
 protected:
  // The project as it is now, for a coordinator who wants to go on from here twice.
  void copy(const std::string& name) {
    std::filesystem::copy(workshop.directory(), workshop.path(name),
                          std::filesystem::copy_options::recursive);
  }
  // What somebody who followed one host says of another.
  net::Outcome<void> follow(Person& person, const Host& host) {
    person.remote = must(Remote::open("http://127.0.0.1:" + std::to_string(host.port())));
    const auto replica =
        Replica::open(*person.remote, workshop.path("cache of " + person.name), system_environment());
    if (!replica) return net::Failure(net::Failure::Kind::invalid, replica.error().message);
    return {};
  }

  Workshop workshop;
};

TEST_F(Misbehaviour, DroppingAcknowledgedEntriesIsNoticed) {
  copy("old");
  auto host = workshop.host({.quorum = 9});
  Person ada(workshop, *host, "ada");
  ASSERT_TRUE(ada.contribute(1).ok());
  must(ada.replica->sync());
  ada.replica.reset();
  host.reset();
  const auto older = workshop.host({.quorum = 9}, workshop.path("old"));
  const auto followed = follow(ada, *older);
  ASSERT_FALSE(followed.ok());
  EXPECT_NE(followed.error().message.find("were dropped"), std::string::npos) << followed.error().message;
}

TEST_F(Misbehaviour, TwoHistoriesForTwoPeopleAreNoticed) {
  copy("other");
  auto host = workshop.host({.quorum = 9});
  auto other = workshop.host({.quorum = 9}, workshop.path("other"));
  Person ada(workshop, *host, "ada"), ben(workshop, *other, "ben");
  ASSERT_TRUE(ada.contribute(1).ok());
  ASSERT_TRUE(ben.contribute(2).ok());
  must(ada.replica->sync());
  ada.replica.reset();
  const auto followed = follow(ada, *other);
  ASSERT_FALSE(followed.ok());
  EXPECT_NE(followed.error().message.find("does not continue"), std::string::npos)
      << followed.error().message;
}

// A log that was changed and signed again, as a coordinator might who also runs another program.
class ForgedLog : public Misbehaviour {
 protected:
  // Appends a statement of the coordinator without asking the rules.
  void append(const ledger::Body& body) {
    const auto store = must(ledger::open_sqlite_store(workshop.directory() / project::kLogFile));
    const auto project = workshop.open(workshop.directory());
    auto transaction = must(store->begin());
    const ledger::Event event{project.state().time(),
                              project.sign(workshop.key(project::kCoordinatorKey), body)};
    must(transaction.append(event));
    must(transaction.commit());
  }
  // What a stranger's copy says who gets the log straight from its events.
  Status follow_directly() {
    const auto store = must(ledger::open_sqlite_store(workshop.directory() / project::kLogFile));
    const auto events = must(store->read_range(0, store->size()));
    must(
        project::begin_copy(workshop.path("stranger"), [&]() -> Result<ledger::Event> { return events[0]; }));
    std::filesystem::copy(workshop.directory() / "blobs", workshop.path("stranger") / "blobs",
                          std::filesystem::copy_options::recursive);
    project::Project copy = workshop.open(workshop.path("stranger"));
    CAIRN_CHECK(copy.follow(0, events));
    const auto verified = project::verify(copy, {});
    return verified ? Status() : Status(verified.error());
  }
};

TEST_F(ForgedLog, ClosingARoundEarlyIsNamedWithItsEvent) {
  const Workshop strict("[trust]\nquorum = 3\n");
  {
    const auto host = strict.host();
    Person ada(strict, *host, "ada");
    ASSERT_TRUE(ada.contribute(1).ok());
  }
  project::Project project = strict.open(strict.directory());
  const ledger::RoundClosed early{0, ledger::CloseReason::quorum, 0, project.state().floor_at_close()};
  const ledger::Event event{project.state().time(),
                            project.sign(strict.key(project::kCoordinatorKey), early)};
  const uint64_t size = project.head().size;
  const Status followed = project.follow(size, std::span(&event, 1));
  ASSERT_FALSE(followed.ok());
  EXPECT_NE(followed.error().message.find("event " + std::to_string(size)), std::string::npos);
  EXPECT_NE(followed.error().message.find("does not close for that reason"), std::string::npos);
}

TEST_F(ForgedLog, AWrongSnapshotIsNamedWithItsEvent) {
  append(ledger::RoundClosed{0, ledger::CloseReason::maintainer, 0, 0});
  append(ledger::RoundOpened{1, sha256(as_bytes("another model")), sha256(as_bytes("another grid"))});
  const Status followed = follow_directly();
  ASSERT_FALSE(followed.ok());
  EXPECT_NE(followed.error().message.find("event 3 (round opened)"), std::string::npos)
      << followed.error().message;
}

}  // namespace
}  // namespace cairn::role
