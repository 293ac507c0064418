// Slow machines beside fast ones: they neither hold up the rounds nor compute for nothing. Time is virtual,
// so that how fast this machine is decides nothing.
#include <condition_variable>
#include <map>

#include "role/testing.h"

namespace cairn::role {
namespace {

constexpr int64_t kMinute = 60'000;
constexpr int64_t kFast = kMinute, kSlow = 20 * kMinute;  // that a unit takes

// A clock that goes on to the next moment at which somebody has something to do, once everybody sleeps.
class VirtualTime : public Environment {
 public:
  int64_t now() override { return now_; }
  uint64_t random_word() override { return system_environment().random_word(); }

  // False: it is over.
  bool sleep(int64_t milliseconds) {
    std::unique_lock lock(mutex_);
    const auto place = sleepers_.emplace(now_ + milliseconds, false);
    --awake_;
    changed_.notify_all();
    changed_.wait(lock, [&] { return place->second || over_; });
    sleepers_.erase(place);
    return !over_;
  }

  void begin(int sleepers) { awake_ = sleepers; }
  // Whoever has come and will never sleep again.
  void leave() {
    const std::lock_guard lock(mutex_);
    --awake_;
    changed_.notify_all();
  }
  void wait_until_all_sleep() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return awake_ == 0; });
  }
  // Wakes whoever has slept longest of those whose time comes next. False: nobody is left.
  bool go_on() {
    const std::lock_guard lock(mutex_);
    const auto next = std::ranges::find_if(sleepers_, [](const auto& sleeper) { return !sleeper.second; });
    if (next == sleepers_.end()) return false;
    now_ = std::max(now_.load(), next->first);
    next->second = true;
    ++awake_;
    changed_.notify_all();
    return true;
  }
  void end() {
    const std::lock_guard lock(mutex_);
    over_ = true;
    changed_.notify_all();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::atomic<int64_t> now_ = system_environment().now();
  std::multimap<int64_t, bool> sleepers_;  // when, and whether they were woken
  int awake_ = 0;
  bool over_ = false;
};

// People whose units take so long, working for a host until so many rounds are over.
class Crowd {
 public:
  Crowd(const std::string& policy, uint32_t quorum) : workshop_(policy) {
    net::ServerOptions options;
    options.limits.stop_time = std::chrono::milliseconds(200);
    host_ = must(Host::start(must(project::Project::open(workshop_.directory(), time_)),
                             workshop_.key(project::kCoordinatorKey), time_, {.quorum = quorum}, options));
    observer_ = std::make_unique<Person>(workshop_, *host_, "observer");
  }

  void add(const std::string& name, int64_t unit_time) {
    people_.emplace_back(std::make_unique<Person>(workshop_, *host_, name), unit_time);
  }

  // Virtual milliseconds until that round opens.
  int64_t work_until(trust::Round round) {
    const int64_t began = time_.now();
    time_.begin(static_cast<int>(people_.size()));
    std::vector<std::thread> threads;
    for (auto& [person, unit_time] : people_)
      threads.emplace_back([this, &person = *person, time = unit_time] { contribute(person, time); });
    while (time_.wait_until_all_sleep(), open_round() < round && time_.go_on()) continue;
    const int64_t took = time_.now() - began;
    time_.end();
    for (std::thread& thread : threads) thread.join();
    return took;
  }

  const trust::State& state() const { return observer_->replica->project().state(); }
  std::vector<trust::EntryId> entries_of(const std::string& name) const {
    const auto user = observer_->replica->project().user_named(name);
    return user ? state().user(*user).entries : std::vector<trust::EntryId>{};
  }

 private:
  // Averaging takes the host its own time, which does not count.
  trust::Round open_round() {
    for (int tries = 0; tries < 3000; ++tries) {
      must(observer_->replica->sync());
      if (const auto open = state().open_round()) return *open;
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    throw std::runtime_error("no round opens");
  }

  void contribute(Person& person, int64_t unit_time) {
    project::Trainer trainer = person.trainer();
    bool over = false;
    const Compute compute = [&](trust::Round round, trust::UnitId unit,
                                const Progress& progress) -> Result<work::GradientFile> {
      over = !time_.sleep(unit_time);
      if (over) return Error{"the test is over"};
      return trainer.gradient(round, unit, progress);
    };
    Contributor contributor(*person.remote, *person.replica, *person.key, compute, {.name = person.name},
                            time_);
    contributor.progress = [&](uint64_t, uint64_t) { return !over; };
    contributor.pause = [&](int64_t milliseconds) { return time_.sleep(milliseconds); };
    EXPECT_TRUE(contributor.run().ok()) << person.name;
    time_.leave();
  }

  VirtualTime time_;
  Workshop workshop_;
  std::unique_ptr<Host> host_;
  std::unique_ptr<Person> observer_;
  std::vector<std::pair<std::unique_ptr<Person>, int64_t>> people_;
};

class SlowBesideFast : public testing::TestWithParam<const char*> {
 protected:
  static constexpr trust::Round kRounds = 5;
  static constexpr uint32_t kQuorum = 18;

  static void add_fast(Crowd& crowd) {
    for (const char* name : {"ada", "ben", "cleo"}) crowd.add(name, kFast);
  }
};

TEST_P(SlowBesideFast, ChangesTheRateOfRoundsByLessThanAFifthAndCounts) {
  Crowd fast(GetParam(), kQuorum), mixed(GetParam(), kQuorum);
  add_fast(fast);
  add_fast(mixed);
  for (const char* name : {"sam", "tom", "una"}) mixed.add(name, kSlow);
  const int64_t without = fast.work_until(kRounds);
  const int64_t with = mixed.work_until(kRounds);
  EXPECT_LE(5 * with, 6 * without) << with / 1000 << " s instead of " << without / 1000;
  EXPECT_LE(5 * without, 6 * with) << with / 1000 << " s instead of " << without / 1000;

  size_t late = 0;
  for (const char* name : {"sam", "tom", "una"}) {
    const auto entries = mixed.entries_of(name);
    // One unit fewer, since newcomers may have to wait until others leave them a place.
    EXPECT_GE(entries.size() + 1, static_cast<size_t>(with / kSlow)) << name << " computed for nothing";
    EXPECT_FALSE(entries.empty()) << name;
    for (const trust::EntryId id : entries) {
      const trust::Entry& entry = mixed.state().entry(id);
      if (!entry.opened_in) continue;  // sealed in the round that is open
      EXPECT_TRUE(mixed.state().averaged(id) || mixed.state().entry(id).standing.confirmed) << name;
      late += *entry.opened_in > entry.round ? 1 : 0;
    }
  }
  EXPECT_GT(late, 0u) << "some of it was computed from the snapshot of a round that had closed";
}

INSTANTIATE_TEST_SUITE_P(UnderEachExam, SlowBesideFast,
                         testing::Values("", "[trust]\nexam = \"duplicates\"\n"),
                         [](const auto& param) { return param.index == 0 ? "Entries" : "Duplicates"; });

}  // namespace
}  // namespace cairn::role
