// What a running host does by itself about files: those that judges miss, and those that nobody needs any
// more.
#include <atomic>

#include "project/chronicle.h"
#include "project/verification.h"
#include "role/testing.h"

namespace cairn::role {
namespace {

using trust::kAppealWindow;
using trust::kHour;
using trust::kSuspensionDelay;

class Clock : public Environment {
 public:
  int64_t now() override { return system_environment().now() + ahead_; }
  uint64_t random_word() override { return system_environment().random_word(); }
  void advance(int64_t milliseconds) { ahead_ += milliseconds; }

 private:
  std::atomic<int64_t> ahead_ = 0;
};

// Finn's entry 1 and Mallory's false entry 2 are in the average; Finn may claim.
class Upkeep : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(finn.contribute(1).ok());
    ASSERT_TRUE(mallory.lie().ok());
    must(finn.replica->sync());
  }

  std::unique_ptr<Host> start() {
    net::ServerOptions options;
    options.limits.stop_time = std::chrono::milliseconds(200);
    return must(Host::start(must(project::Project::open(workshop.directory(), clock)),
                            workshop.key(project::kCoordinatorKey), clock, {.quorum = 2}, options));
  }

  void claim() {
    Auditor auditor(*finn.remote, *finn.replica, *finn.key);
    must(auditor.claim({2, {}, truth()}));
  }
  // What an honest machine gets for entry 2.
  Digest truth() {
    const trust::Entry entry = finn.replica->project().state().entry(2);
    return sha256(work::encode(must(finn.trainer().gradient(entry.round, entry.unit, {}))));
  }
  Digest snapshot() { return finn.replica->project().state().rounds()[0].snapshot; }
  Digest lie() { return *finn.replica->project().state().entry(2).gradient; }
  BlobStore blobs() const { return BlobStore(workshop.directory() / "blobs"); }
  bool has_gradient(const Digest& digest) const {
    return BlobStore(workshop.directory() / "gradients").has(digest);
  }

  // Wakes the host until its log says so. False: not in a few seconds.
  bool comes(const std::function<bool(const trust::State&)>& wanted, int tries = 300) {
    for (; tries > 0; --tries) {
      must(finn.replica->sync());  // which has the host look at its log, and then see to its duties
      if (wanted(finn.replica->project().state())) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    return false;
  }
  bool becomes_unavailable() {
    return comes([](const trust::State& state) { return state.entry(2).unavailable_since.has_value(); });
  }
  bool becomes(trust::Entry::Status status, int tries = 300) {
    return comes([status](const trust::State& state) { return state.entry(2).standing.status == status; },
                 tries);
  }
  int get(const Digest& digest, const std::string& folder = "/v1/gradients/") {
    net::ClientOptions options;
    options.server = must(net::parse_url("http://127.0.0.1:" + std::to_string(host->port())));
    options.proxy = "";
    const auto answer = must(net::Client::open(options))->get(folder + digest.hex());
    return answer ? 200 : answer.error().status;
  }
  void judge() {
    Person trent(workshop, *host, "trent");
    Judge judge(*trent.remote, *trent.replica, workshop.key(project::kJudgeKey));
    project::Trainer trainer = trent.trainer();
    for (const trust::ClaimId claim : must(judge.open_claims())) must(judge.vote(trainer, claim, {}));
  }

  Clock clock;
  Workshop workshop{"[trust]\nexam_entries = 1\n"};
  std::unique_ptr<Host> host = start();
  Person finn{workshop, *host, "finn"}, mallory{workshop, *host, "mallory"};
};

TEST_F(Upkeep, AMissingSnapshotIsStatedAndAfterADayTheEntryIsSuspended) {
  must(blobs().remove(snapshot()));
  clock.advance(kHour);
  EXPECT_FALSE(finn.replica->project().state().entry(2).unavailable_since.has_value());
  claim();
  ASSERT_TRUE(becomes_unavailable());
  clock.advance(kSuspensionDelay - kHour);
  EXPECT_FALSE(becomes(trust::Entry::Status::suspended, 5));
  clock.advance(kHour);
  ASSERT_TRUE(becomes(trust::Entry::Status::suspended));
  const trust::State& state = finn.replica->project().state();
  EXPECT_EQ(state.claim(1).standing.status, trust::Claim::Status::moot);
  for (trust::UserId user : {1, 2}) EXPECT_EQ(state.user(user).standing.convictions, 0u);
  EXPECT_EQ(project::chronicle(finn.replica->project(), state.size() - 1),
            "entry 2 by mallory is suspended: nobody could judge it for a day, and nobody is punished");
}

TEST_F(Upkeep, ADamagedShardIsNoticed) {
  for (const auto& file : std::filesystem::recursive_directory_iterator(workshop.directory() / "shards")) {
    if (file.is_regular_file()) data::write_plain(file.path(), as_bytes(std::string("damaged")));
  }
  claim();
  EXPECT_TRUE(becomes_unavailable());
}

TEST_F(Upkeep, WhatIsThereAgainWithinADayIsJudged) {
  const Bytes model = must(blobs().get(snapshot(), 1 << 20));
  must(blobs().remove(snapshot()));
  claim();
  ASSERT_TRUE(becomes_unavailable());
  must(blobs().put(model));
  clock.advance(kSuspensionDelay / 2);
  judge();
  EXPECT_TRUE(becomes(trust::Entry::Status::revoked));
}

TEST_F(Upkeep, AJudgeLeavesAClaimAloneThatCannotBeRecomputed) {
  must(blobs().remove(snapshot()));
  claim();
  Person trent(workshop, *host, "trent");
  Judge judge(*trent.remote, *trent.replica, workshop.key(project::kJudgeKey));
  project::Trainer trainer = trent.trainer();
  ASSERT_EQ(must(judge.open_claims()).size(), 1u);
  const auto vote = judge.vote(trainer, 1, {});
  ASSERT_FALSE(vote.ok());
  EXPECT_TRUE(lacks_files(vote.error())) << vote.error().message;
  Auditor auditor(*trent.remote, *trent.replica, *trent.key);
  const auto audit = auditor.audit(trainer, 2, {});
  ASSERT_FALSE(audit.ok());
  EXPECT_TRUE(lacks_files(audit.error())) << audit.error().message;
  must(trent.replica->sync());
  EXPECT_TRUE(trent.replica->project().state().claim(1).votes.empty());
}

TEST_F(Upkeep, FilesOfARevokedEntryAreNotServedAndDroppedAfterAMonth) {
  EXPECT_EQ(get(lie()), 200);
  claim();
  judge();
  ASSERT_TRUE(becomes(trust::Entry::Status::revoked));
  EXPECT_EQ(get(lie()), 410);
  EXPECT_EQ(get(*finn.replica->project().state().entry(1).gradient), 200);
  EXPECT_EQ(get(snapshot(), "/v1/blobs/"), 200);
  EXPECT_TRUE(has_gradient(lie()));
  clock.advance(kAppealWindow - kHour);
  const auto dropped = [](const trust::State& state) { return state.entry(2).dropped; };
  EXPECT_FALSE(comes(dropped, 5));
  clock.advance(25 * kHour);
  ASSERT_TRUE(comes(dropped));
  EXPECT_EQ(get(lie()), 410);
  EXPECT_FALSE(has_gradient(lie()));
  EXPECT_TRUE(has_gradient(*finn.replica->project().state().entry(1).gradient));
}

TEST_F(Upkeep, AMirrorThatComesLaterVerifiesWithoutThem) {
  claim();
  judge();
  ASSERT_TRUE(becomes(trust::Entry::Status::revoked));
  ASSERT_TRUE(finn.contribute(2).ok());  // round 2 opens without the lie that round 1 opened with
  Person late(workshop, *host, "late");
  const auto verified = project::verify(late.replica->project(), {});
  ASSERT_TRUE(verified.ok()) << verified.error().message;
  EXPECT_EQ(verified->attested, 1u);
  EXPECT_EQ(verified->snapshots, 2u);
}

TEST_F(Upkeep, AfterARestartTheyAreStillNotServed) {
  claim();
  judge();
  ASSERT_TRUE(becomes(trust::Entry::Status::revoked));
  const Digest file = lie();
  host.reset();
  host = start();
  EXPECT_EQ(get(file), 410);
}

}  // namespace
}  // namespace cairn::role
