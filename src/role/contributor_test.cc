// What a contributor does when its process dies, its line is cut or its computer sleeps.
#include "role/contributor.h"

#include <gmock/gmock.h>

#include <atomic>

#include "base/file.h"
#include "project/audit.h"
#include "project/evaluation.h"
#include "role/testing.h"
#include "role/unfinished.h"
#include "role/worker.h"

namespace cairn::role {
namespace {

using testing::HasSubstr;

// The clock of computers that sleep, or of a process that computes slowly.
class Clock : public Environment {
 public:
  int64_t now() override {
    return (stands ? int64_t{1} << 40 : system_environment().now()) + (ahead += at_each_look);
  }
  uint64_t random_word() override { return system_environment().random_word(); }
  std::atomic<int64_t> ahead = 0, at_each_look = 0;  // milliseconds
  bool stands = false;
};

// A line on which no submission gets through.
class CutLine : public net::Client {
 public:
  explicit CutLine(std::unique_ptr<net::Client> real) : real_(std::move(real)) {}

  net::Outcome<net::ClientResponse> request(net::Method method, const std::string& target,
                                            const net::Headers& headers, BytesView body,
                                            uint64_t limit) override {
    if (target.starts_with("/v1/entries")) return net::Failure(net::Failure::Kind::network, "cut");
    return real_->request(method, target, headers, body, limit);
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

class Contributing : public testing::Test {
 protected:
  // A run that ends once `units` are accepted or it would have to wait. Counts what it computes.
  Status run(Person& person, Remote& remote, uint32_t units = 1) {
    project::Trainer trainer = person.trainer();
    const Compute compute = [&](trust::Round round, trust::UnitId unit, const Progress& progress) {
      ++computed;
      return trainer.gradient(round, unit, progress);
    };
    Contributor contributor(remote, *person.replica, *person.key, compute,
                            {.name = person.name, .units = units, .outbox = outbox(person)},
                            system_environment());
    contributor.on_news = [this](const ContributorNews& told) { news.push_back(told); };
    contributor.pause = [](int64_t) { return false; };
    const Status status = contributor.run();
    accepted = contributor.accepted();
    return status;
  }
  // The same, cut off before it can hand anything in: as if it had been killed there.
  void compute_only(Person& person) {
    net::ClientOptions options;
    options.server = must(net::parse_url(person.remote->url()));
    options.proxy = "";
    Remote cut(std::make_unique<CutLine>(must(net::Client::open(options))));
    ASSERT_TRUE(run(person, cut).ok());
    ASSERT_EQ(accepted, 0u);
    ASSERT_TRUE(std::filesystem::exists(outbox(person)));
  }
  std::filesystem::path outbox(const Person& person) const {
    return person.replica->project().directory() / "unfinished" / person.name;
  }

  int computed = 0;
  uint64_t accepted = 0;
  std::vector<ContributorNews> news;
};

// Every second round is tested by two of those who took part in the one before, and by nobody else.
TEST_F(Contributing, AModelIsTestedByTwoOfItsAuthorsWhereTheRecipeWantsIt) {
  const Workshop workshop("[evaluation]\nsample = 8\nevery = 2\nimages = 40\n");
  const auto host = workshop.host({.quorum = 3});
  Person ada(workshop, *host, "ada"), ben(workshop, *host, "ben"), cleo(workshop, *host, "cleo");
  for (int round = 0; round < 5; ++round) {
    for (Person* person : {&ada, &ben, &cleo}) {
      project::Trainer trainer = person->trainer();
      Contributor contributor(*person->remote, *person->replica, *person->key, compute_with(trainer),
                              {.name = person->name, .units = 1}, system_environment());
      contributor.evaluate = [&](trust::Round tested) { return trainer.evaluate(tested, {}); };
      contributor.on_news = [this](const ContributorNews& told) { news.push_back(told); };
      ASSERT_TRUE(contributor.run().ok());
    }
    ada.follow_to(static_cast<trust::Round>(round + 1));
  }
  const project::Project& project = ada.replica->project();
  must(ada.replica->sync());
  const auto& rounds = project.state().rounds();
  for (trust::Round round = 0; round < 5; ++round) {
    EXPECT_EQ(rounds[round].evaluations.size(), round == 2 || round == 4 ? project::kEvaluators : 0u)
        << round;
    for (const auto& [user, stated] : rounds[round].evaluations) EXPECT_EQ(stated.images, 40u);
  }
  project::Trainer trainer = ada.trainer();
  const auto found = must(trainer.evaluate(4, {}));
  for (const auto& one : project::stated_evaluations(project, 4, found)) EXPECT_TRUE(one.agrees);
  EXPECT_EQ(std::ranges::count(news, ContributorNews::Kind::evaluated, &ContributorNews::kind), 4);
  // And whoever recomputes everything finds it so.
  EXPECT_EQ(must(project::recompute_some(project, trainer, 100, {})), 15u + 4u);
}

// Whose data may not be given away: the host has none, and contributors have their own.
TEST_F(Contributing, ShardsThatAreThereAlreadyAreNotFetched) {
  const Workshop workshop;
  const auto host = workshop.host({.quorum = 9});
  std::filesystem::create_directory(workshop.path("own"));
  std::filesystem::rename(workshop.directory() / "shards", workshop.path("own") / "shards");
  Person ada(workshop, *host, "ada"), ben(workshop, *host, "ben");
  ada.remote->use_own_data(workshop.path("own"));
  EXPECT_TRUE(run(ada, *ada.remote).ok());
  EXPECT_EQ(accepted, 1u);
  EXPECT_FALSE(run(ben, *ben.remote).ok()) << "the host has no shards to give";
}

TEST_F(Contributing, WhatIsComputedAndNotAcknowledgedIsHandedInByTheNextRun) {
  const Workshop workshop;
  const auto host = workshop.host({.quorum = 9});
  Person ada(workshop, *host, "ada");
  compute_only(ada);
  ASSERT_TRUE(run(ada, *ada.remote).ok());
  EXPECT_EQ(accepted, 1u);
  EXPECT_EQ(computed, 1);  // in all
  EXPECT_FALSE(std::filesystem::exists(outbox(ada)));
  must(ada.replica->sync());
  EXPECT_EQ(ada.replica->project().state().entries().size(), 1u);
}

TEST_F(Contributing, WhatNoRoundTakesAnyMoreIsDroppedWithASentence) {
  const Workshop workshop;
  const auto host = workshop.host({.quorum = 1});
  Person ada(workshop, *host, "ada"), ben(workshop, *host, "ben");
  compute_only(ada);
  ASSERT_TRUE(ben.contribute(5).ok());
  news.clear();
  ASSERT_TRUE(run(ada, *ada.remote).ok());
  ASSERT_FALSE(news.empty());
  EXPECT_EQ(news[0].kind, ContributorNews::Kind::refused);
  EXPECT_FALSE(news[0].message.empty());
  EXPECT_EQ(accepted, 1u);  // the next unit
  EXPECT_EQ(computed, 2);
}

TEST_F(Contributing, WhatIsDamagedIsDroppedWithASentence) {
  const Workshop workshop;
  const auto host = workshop.host({.quorum = 9});
  Person ada(workshop, *host, "ada");
  compute_only(ada);
  Bytes bytes = *read_file(outbox(ada), 1 << 20);
  bytes[bytes.size() / 2] ^= 1;
  ASSERT_TRUE(write_file(outbox(ada), bytes).ok());
  news.clear();
  ASSERT_TRUE(run(ada, *ada.remote).ok());
  ASSERT_FALSE(news.empty());
  EXPECT_THAT(news[0].message, HasSubstr("is of no use"));
  EXPECT_EQ(accepted, 1u);
}

// Found by review: pieces of a unit whose lease had lapsed were refused, and that ended the run.
TEST_F(Contributing, AUnitWhoseLeaseLapsedDuringASleepIsHandedInAllTheSame) {
  const Workshop workshop;
  Clock clock;
  const auto host = must(Host::start(workshop.open(workshop.directory()),
                                     workshop.key(project::kCoordinatorKey), clock, {.quorum = 9}, {}));
  Person ada(workshop, *host, "ada");
  for (const uint64_t piece_size : {uint64_t{1000}, uint64_t{8} << 20}) {
    ada.remote->set_pieces(piece_size);
    project::Trainer trainer = ada.trainer();
    Contributor contributor(*ada.remote, *ada.replica, *ada.key, compute_with(trainer), {"ada", 1}, clock);
    contributor.progress = [&](uint64_t, uint64_t) {
      clock.ahead += 2 * project::kLeaseTime;
      return true;
    };
    const Status status = contributor.run();
    ASSERT_TRUE(status.ok()) << status.error().message;
    EXPECT_EQ(contributor.accepted(), 1u);
  }
}

TEST(Unfinished, OneProcessAtATimeWorksUnderAName) {
  const data::TemporaryDirectory copy;
  const PublicKey ada = SigningKey::from_seed(sha256(Bytes{1}).bytes).public_key();
  const PublicKey ben = SigningKey::from_seed(sha256(Bytes{2}).bytes).public_key();
  auto first = must(Unfinished::open(copy.path(), ada));
  EXPECT_TRUE(Unfinished::open(copy.path(), ben).ok());
  const auto second = Unfinished::open(copy.path(), ada);
  ASSERT_FALSE(second.ok());
  EXPECT_THAT(second.error().message, HasSubstr("give another --name"));
  first.reset();
  EXPECT_TRUE(Unfinished::open(copy.path(), ada).ok());
}

// -- Inside a unit

class InsideAUnit : public testing::Test {
 protected:
  static constexpr uint32_t kBatches = 6;

  std::filesystem::path checkpoint() const { return workshop.path("unfinished") / "unit"; }
  // A process of its own, killed after so many batches.
  Result<work::GradientFile> compute(uint32_t killed_after = kBatches + 1) {
    project::Trainer trainer = ada.trainer();
    Worker worker(ada.replica->project(), trainer, {nullptr, checkpoint(), every}, clock);
    resumed.reset();
    worker.on_resume = [this](trust::UnitId, uint32_t batches) { resumed = batches; };
    return worker.compute(0, 0, [&](uint64_t done, uint64_t) { return done < uint64_t{8} * killed_after; });
  }

  const Workshop workshop{"accumulation = 2\nlocal_steps = 3\n"};
  const std::unique_ptr<Host> host = workshop.host();
  Person ada{workshop, *host, "ada"};
  Clock clock;
  int64_t every = 30'000;
  std::optional<uint32_t> resumed;
};

TEST_F(InsideAUnit, AKillAnywhereCostsTheTimeSinceTheLastCheckpointAndNoBit) {
  const Bytes whole = work::encode(must(ada.trainer().gradient(0, 0, {})));
  clock.stands = true;
  every = 0;  // so that there is one after each batch
  for (uint32_t cut = 1; cut < kBatches; ++cut) {
    EXPECT_FALSE(compute(cut).ok());
    const auto rest = compute();
    ASSERT_TRUE(rest.ok()) << rest.error().message;
    EXPECT_EQ(work::encode(*rest), whole);
    EXPECT_EQ(resumed, cut);
    std::filesystem::remove(checkpoint());
  }
}

TEST_F(InsideAUnit, ShortUnitsWriteNothing) {
  ASSERT_TRUE(compute().ok());
  EXPECT_FALSE(std::filesystem::exists(checkpoint()));
}

TEST_F(InsideAUnit, CheckpointsThatTakeLongAreRare) {
  clock.at_each_look = 20'000;  // so one is written at the second batch, and takes 20 s
  EXPECT_FALSE(compute(3).ok());
  const Bytes first = *read_file(checkpoint(), 1 << 20);
  ASSERT_TRUE(std::filesystem::remove(checkpoint()));
  EXPECT_FALSE(compute(5).ok());
  EXPECT_EQ(*read_file(checkpoint(), 1 << 20), first);  // none since: 2000 s are not over
}

TEST_F(InsideAUnit, WhatIsOfAnotherUnitOrDamagedIsForgotten) {
  clock.at_each_look = 31'000;
  EXPECT_FALSE(compute(4).ok());
  Bytes bytes = *read_file(checkpoint(), 1 << 20);
  bytes[bytes.size() / 2] ^= 1;
  ASSERT_TRUE(write_file(checkpoint(), bytes).ok());
  clock.at_each_look = 0;
  ASSERT_TRUE(compute().ok());
  EXPECT_FALSE(resumed.has_value());
  EXPECT_FALSE(std::filesystem::exists(checkpoint()));
}

}  // namespace
}  // namespace cairn::role
