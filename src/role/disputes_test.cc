// Disputes about a few local steps of a unit, from the lie to the verdict, and what a host refuses of them.
#include "role/disputes.h"

#include <gmock/gmock.h>

#include "project/dispute.h"
#include "role/testing.h"

namespace cairn::role {
namespace {

using testing::HasSubstr;

constexpr std::string_view kRecipe =
    "local_steps = 8\ntrace = 2\n[inner]\noptimizer = \"adamw\"\n[trust]\nexam_entries = 1\n";
constexpr uint32_t kStretchImages = 2 * 8;

// Finn's entry 1 is true. In Mallory's, number 2, the third of eight local steps is false, in the second
// stretch of four. What Mallory computes from there on is true again.
class DisputedSteps : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(finn.contribute(1).ok());
    must(lie(mallory, 3));
    must(finn.replica->sync());
    for (Person* person : {&finn, &trent}) person->remote->set_pieces(50'000);
  }

  // Everything is true but what the steps before have led to.
  net::Outcome<std::vector<ledger::Receipt>> lie(Person& person, uint32_t steps) {
    must(person.replica->sync());
    const RemoteLease lease = must(person.remote->take_unit(sign_request(*person.key, person.request())));
    person.follow_to(lease.round);
    project::Trainer trainer = person.trainer();
    work::GradientState reached;
    const auto keep = [&](const work::GradientState& state) {
      if (state.batches == steps) reached = state;
    };
    must(trainer.gradient(lease.round, lease.unit, {}, {}, {{}, keep}));
    for (float& parameter : reached.parameters) parameter += 0.01f;
    const auto file = must(trainer.gradient(lease.round, lease.unit, {}, {}, {std::move(reached), {}}));
    return submit(person, file);
  }
  net::Outcome<std::vector<ledger::Receipt>> submit(Person& person, const work::GradientFile& file) {
    return person.remote->submit(project::encode(
        must(project::make_submission(person.replica->project(), *person.key, person.name, file))));
  }

  project::Probe probe(trust::EntryId entry) {
    project::Trainer trainer = finn.trainer();
    return must(project::probe(finn.replica->project(), trainer, entry, {}));
  }
  net::Outcome<trust::ClaimId> claim(Person& person, const project::Probe& found) {
    return Auditor(*person.remote, *person.replica, *person.key).claim(found);
  }
  // Says it without handing anything in before.
  net::Outcome<std::vector<ledger::Receipt>> say_claim(const project::Probe& found) {
    const project::Project& project = finn.replica->project();
    return finn.remote->say(
        {project.sign(*finn.key, project::claim_body(project, finn.key->public_key(), found))});
  }

  // The vote of the named judge on the only claim that is open, and the images that it took.
  Judge::Vote judge() {
    Judge judge(*trent.remote, *trent.replica, workshop.key(project::kJudgeKey));
    project::Trainer trainer = trent.trainer();
    const auto claims = must(judge.open_claims());
    EXPECT_EQ(claims.size(), 1u);
    judged_images = 0;
    uint64_t last = 0;
    const auto count = [&](uint64_t done, uint64_t) {
      judged_images += done > last ? done - last : done;
      last = done;
      return true;
    };
    const auto vote = must(judge.vote(trainer, claims.at(0), count));
    must(finn.replica->sync());
    return vote;
  }

  const trust::State& state() const { return finn.replica->project().state(); }
  trust::Claim::Status status(trust::ClaimId id) const { return state().claim(id).standing.status; }
  bool host_has(const Digest& blob) const { return BlobStore(workshop.directory() / "blobs").has(blob); }

  Workshop workshop{std::string(kRecipe)};
  std::unique_ptr<Host> host = workshop.host({.quorum = 2});
  Person finn{workshop, *host, "finn"}, mallory{workshop, *host, "mallory"}, trent{workshop, *host, "trent"};
  uint64_t judged_images = 0;
};

TEST_F(DisputedSteps, CostTheJudgeThoseStepsAlone) {
  project::Trainer trainer = finn.trainer();
  Auditor auditor(*finn.remote, *finn.replica, *finn.key);
  const Audit audit = must(auditor.audit(trainer, 2, {}));
  ASSERT_TRUE(audit.claim.has_value()) << audit.refusal;
  ASSERT_TRUE(audit.probe.stretch.has_value());
  EXPECT_EQ(audit.probe.stretch->index, 1u);
  EXPECT_EQ(project::steps_text(finn.replica->project().recipe(), audit.probe.stretch), "steps 2 to 4 of 8");
  const Digest before = audit.probe.stretch->before;
  EXPECT_TRUE(host_has(before));

  const Judge::Vote vote = judge();
  EXPECT_TRUE(vote.false_entry);
  EXPECT_EQ(vote.recomputed, audit.probe.recomputed);
  EXPECT_EQ(judged_images, kStretchImages);
  EXPECT_EQ(status(1), trust::Claim::Status::upheld);
  EXPECT_EQ(state().entry(2).standing.status, trust::Entry::Status::revoked);
  EXPECT_GT(state().claim(1).standing.bounty, 0u);
  EXPECT_FALSE(host_has(before)) << "no claim needs it any more";
  EXPECT_FALSE(trent.replica->project().blobs().has(before));
}

TEST_F(DisputedSteps, AreTrueInAnHonestEntry) {
  const project::Probe honest = probe(1);
  EXPECT_TRUE(honest.match());
  EXPECT_FALSE(honest.stretch.has_value());
}

TEST_F(DisputedSteps, AreComputedFromTheSnapshotWhereTheStateIsLost) {
  const project::Probe found = probe(2);
  must(claim(finn, found));
  ASSERT_TRUE(BlobStore(workshop.directory() / "blobs").remove(found.stretch->before).ok());
  EXPECT_TRUE(judge().false_entry);
  EXPECT_EQ(judged_images, 2 * kStretchImages);
  EXPECT_EQ(status(1), trust::Claim::Status::upheld);
}

// Or an accomplice could have a false entry found true for good.
TEST_F(DisputedSteps, ThatAreTrueClearNobody) {
  const project::Probe found = probe(2);
  const work::GradientHead file = must(project::stated_head(finn.replica->project(), 2));
  project::Probe true_one = found;
  true_one.stretch = project::stretch_of(file, *state().entry(2).gradient, 0);
  true_one.state.clear();
  must(claim(finn, true_one));
  EXPECT_FALSE(judge().false_entry);
  EXPECT_EQ(judged_images, kStretchImages);
  EXPECT_EQ(status(1), trust::Claim::Status::rejected);
  EXPECT_TRUE(state().live(2));
  EXPECT_EQ(state().entry(1).standing.status, trust::Entry::Status::revoked) << "the false claimant falls";

  ASSERT_TRUE(trent.contribute(1).ok());
  ASSERT_TRUE(finn.contribute(1).ok());
  trent.follow_to(2);
  must(claim(trent, found));
  must(finn.replica->sync());
  Person third(workshop, *host, "third");
  Judge named(*third.remote, *third.replica, workshop.key(project::kJudgeKey));
  project::Trainer trainer = third.trainer();
  const auto claims = must(named.open_claims());
  ASSERT_EQ(claims.size(), 1u);
  EXPECT_TRUE(must(named.vote(trainer, claims[0], {})).false_entry);
}

TEST_F(DisputedSteps, AreClaimedAsTheFileStatesThem) {
  project::Probe found = probe(2);
  const ledger::Stretch honest = *found.stretch;
  found.stretch->after = found.recomputed;
  EXPECT_EQ(say_claim(found).error().status, 409);
  found.stretch = honest;
  found.stretch->before = sha256(Bytes{1});
  EXPECT_EQ(say_claim(found).error().status, 409);
  found.stretch = honest;
  found.stretch->index = 4;
  EXPECT_THAT(say_claim(found).error().message, HasSubstr("has 4 stretches"));
  found.stretch = honest;
  found.entry = 9;
  EXPECT_EQ(say_claim(found).error().status, 409);
  EXPECT_TRUE(state().claims().empty());
}

TEST_F(DisputedSteps, NeedTheStateBeforeThem) {
  const project::Probe found = probe(2);
  EXPECT_EQ(say_claim(found).error().status, 503) << "send it first";
  project::Probe another = found;
  another.state[another.state.size() / 2] ^= 1;
  EXPECT_EQ(claim(finn, another).error().status, 503) << "it is not what the file commits to";
  EXPECT_FALSE(host_has(found.stretch->before));
  must(claim(finn, found));
  EXPECT_TRUE(host_has(found.stretch->before));
}

// Nobody fills the host's disk with what no file commits to.
TEST_F(DisputedSteps, TakeStatesOfThoseWhoMayClaimAlone) {
  const project::Probe found = probe(2);
  const auto send = [&](Person& person, const Digest& digest, trust::EntryId entry) {
    const auto ticket = [&] {
      UnitRequest request = person.request();
      request.kind = UnitRequest::Kind::state;
      request.unit = entry;
      return sign_request(*person.key, request);
    };
    const auto sent = person.remote->send_state(digest, found.state, ticket);
    return sent ? 0 : sent.error().status;
  };
  EXPECT_EQ(send(trent, found.stretch->before, 2), 403) << "is not in the log";
  EXPECT_EQ(send(finn, sha256(found.state), 1), 403) << "the claimant's own entry";
  EXPECT_EQ(send(mallory, found.stretch->before, 2), 403);
  EXPECT_EQ(send(finn, sha256(Bytes{3}), 2), 403) << "no file states it";
  EXPECT_EQ(send(finn, found.stretch->before, 17), 403);
  EXPECT_EQ(send(finn, found.stretch->before, 2), 0);
}

// Whoever may not claim is told so, and goes on auditing.
TEST_F(DisputedSteps, AreAuditedByThoseWhoMayNotClaimToo) {
  must(trent.replica->sync());
  project::Trainer trainer = trent.trainer();
  const Audit audit = must(Auditor(*trent.remote, *trent.replica, *trent.key).audit(trainer, 2, {}));
  EXPECT_FALSE(audit.probe.match());
  EXPECT_FALSE(audit.claim.has_value());
  EXPECT_THAT(audit.refusal, HasSubstr("is not in the log"));
  EXPECT_FALSE(trent.replica->project().gradients().has(*state().entry(2).gradient))
      << "fetched for this alone";
}

// A claim that nobody signed must not take away what an honest one has handed in.
TEST_F(DisputedSteps, AreNotClaimedInAnothersName) {
  const project::Probe found = probe(2);
  const project::Project& project = finn.replica->project();
  ledger::Statement forged =
      project.sign(*mallory.key, project::claim_body(project, mallory.key->public_key(), found));
  forged.author = finn.key->public_key();
  EXPECT_EQ(finn.remote->say({forged}).error().status, 400);
}

TEST_F(DisputedSteps, AreInEveryFileOfTheProject) {
  must(mallory.replica->sync());
  const RemoteLease lease = must(mallory.remote->take_unit(sign_request(*mallory.key, mallory.request())));
  mallory.follow_to(lease.round);
  work::GradientFile file = must(mallory.trainer().gradient(lease.round, lease.unit, {}));
  ASSERT_EQ(file.trace.size(), 3u);
  file.trace.pop_back();
  EXPECT_THAT(submit(mallory, file).error().message, HasSubstr("gradient"));
}

// A coordinator who lets a misquotation into the log convicts nobody but the claimant.
TEST_F(DisputedSteps, ThatAreMisquotedAreFoundTrue) {
  project::Probe found = probe(2);
  host.reset();
  project::Project project = workshop.open(workshop.directory());
  found.entry = 1;  // Finn's own, and true
  found.stretch = ledger::Stretch{1, sha256(Bytes{1}), sha256(Bytes{2})};
  found.state.clear();
  const auto claim = must(project::file_claim(project, *mallory.key, found));
  project::Trainer trainer = must(project::Trainer::create(project, finn.engine));
  const auto judgement = must(project::judge(project, trainer, claim, workshop.key(project::kJudgeKey),
                                             workshop.key(project::kCoordinatorKey), {}));
  EXPECT_EQ(judgement.upheld, std::optional(false));
  EXPECT_EQ(judgement.fallen, 2u) << "Mallory";
  EXPECT_TRUE(project.state().live(1));
}

}  // namespace
}  // namespace cairn::role
