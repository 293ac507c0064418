// Accepted entries a second, and the latency of leases.
#include <fmt/format.h>

#include <barrier>
#include <random>
#include <semaphore>
#include <thread>

#include "bench/net.h"
#include "bench/net_swarm.h"
#include "ledger/sqlite.h"

namespace cairn::bench {
namespace {

using role::must;
using role::RemoteLease;

// 2x2 pixels: the smallest gradient that the built-in model has.
constexpr uint32_t kPixels = 2;
constexpr uint32_t kQuorum = 1000;                     // entries of a round: several rounds close in each run
constexpr auto kPause = std::chrono::milliseconds(2);  // of who is told to try again

std::string url_of(const role::Host& host) {
  return "http://127.0.0.1:" + std::to_string(host.port());
}

// Commits a second of 300 bytes each, every one on disk before the next begins.
double bare_commits(double seconds) {
  const data::TemporaryDirectory folder;
  auto connection = must(
      ledger::sqlite::Connection::open(folder / "bare.sqlite", ledger::sqlite::Mode::create, nullptr, 1000));
  must(connection.text("PRAGMA journal_mode=WAL"));
  must(connection.run("PRAGMA synchronous=FULL"));
  must(connection.run("CREATE TABLE events(number INTEGER PRIMARY KEY, bytes BLOB NOT NULL)"));
  const Bytes event(300, 7);
  const auto start = Clock::now();
  uint64_t commits = 0;
  for (; seconds_since(start) < seconds; ++commits) {
    auto query = must(connection.prepare("INSERT INTO events(number, bytes) VALUES(?, ?)"));
    must(query.bind(1, commits).bind(2, event).run());
  }
  return static_cast<double>(commits) / seconds_since(start);
}

// Counts the batches of the host by what it tells its subscribers: one event for each batch that changed the
// log.
class BatchCounter {
 public:
  explicit BatchCounter(const std::string& url) {
    net::ClientOptions options;
    options.server = must(net::parse_url(url));
    client_ = must(net::Client::open(options));
    thread_ = std::thread([this] {
      std::ignore = client_->events("/v1/events", {}, [this](const net::ReceivedEvent&) {
        ++count_;
        return true;
      });
    });
  }
  ~BatchCounter() {
    client_->cancel();
    thread_.join();
  }
  uint64_t count() const { return count_; }

 private:
  std::unique_ptr<net::Client> client_;
  std::atomic<uint64_t> count_ = 0;
  std::thread thread_;
};

struct EntriesRun {
  double entries = 0, late = 0, rounds = 0, batches = 0, wall = 0, processor = 0;
  std::vector<double> lease_ms, submit_ms;
};

// One contributor until the time is over: leases, makes a gradient up, hands it in, checks the receipt.
class Worker {
 public:
  Worker(MadeUpContributor& contributor, Snapshots& snapshots)
      : contributor_(contributor), snapshots_(snapshots) {}

  // Whether an entry was accepted; what came too late, or must be tried again, is no failure.
  bool one_entry(EntriesRun& run) {
    const auto start = Clock::now();
    const auto lease = contributor_.lease();
    if (!lease) return later(lease.error());
    run.lease_ms.push_back(seconds_since(start) * 1e3);
    const Digest snapshot = snapshots_.of(lease->round);
    if (snapshot == Digest{}) return false;
    const project::Submission submission = contributor_.submission(*lease, snapshot);
    const auto sent = Clock::now();
    const auto done = contributor_.hand_in(submission);
    if (!done) {
      ++run.late;
      return later(done.error());
    }
    run.submit_ms.push_back(seconds_since(sent) * 1e3);
    ++run.entries;
    return true;
  }

 private:
  static bool later(const net::Failure& failure) {
    if (failure.status != 409 && failure.status != 503) throw std::runtime_error(failure.message);
    std::this_thread::sleep_for(kPause);
    return false;
  }

  MadeUpContributor& contributor_;
  Snapshots& snapshots_;
};

// A host lets newcomers in a few at a time.
void join_with_an_entry(MadeUpContributor& contributor, Snapshots& snapshots) {
  static std::counting_semaphore<> door(32);
  door.acquire();
  EntriesRun first;
  for (Worker worker(contributor, snapshots); !worker.one_entry(first);) {
  }
  door.release();
}

void add_up(const std::vector<EntriesRun>& parts, EntriesRun& whole) {
  for (const EntriesRun& part : parts) {
    whole.entries += part.entries;
    whole.late += part.late;
    whole.lease_ms.insert(whole.lease_ms.end(), part.lease_ms.begin(), part.lease_ms.end());
    whole.submit_ms.insert(whole.submit_ms.end(), part.submit_ms.begin(), part.submit_ms.end());
  }
}

EntriesRun run_entries(const Options& options, uint64_t& gradient_bytes) {
  const role::Workshop workshop("", kPixels);
  const Facts facts = facts_of(workshop.open(workshop.directory()));
  const auto host = roomy_host(workshop, {.quorum = kQuorum});
  Snapshots snapshots(url_of(*host));
  BatchCounter batches(url_of(*host));
  EntriesRun whole;
  std::vector<EntriesRun> parts(static_cast<size_t>(options.clients));
  Clock::time_point start;
  double processor = 0;
  uint64_t batches_before = 0;
  // Everybody has joined before the clock starts.
  std::barrier joined(options.clients, [&]() noexcept {
    start = Clock::now();
    processor = processor_seconds();
    batches_before = batches.count();
  });
  in_parallel(options.clients, [&](int i) {
    MadeUpContributor contributor(facts, url_of(*host), i);
    join_with_an_entry(contributor, snapshots);
    Worker worker(contributor, snapshots);
    joined.arrive_and_wait();
    while (seconds_since(start) < options.seconds) worker.one_entry(parts[static_cast<size_t>(i)]);
  });
  whole.wall = seconds_since(start);
  whole.processor = processor_seconds() - processor;
  whole.batches = static_cast<double>(batches.count() - batches_before);
  add_up(parts, whole);
  gradient_bytes = facts.parameters * facts.bits / 8;
  return whole;
}

template <typename Value>
std::vector<double> each(const std::vector<EntriesRun>& runs, Value value) {
  std::vector<double> values;
  for (const EntriesRun& run : runs) values.push_back(value(run));
  return values;
}

struct LeaseRun {
  std::vector<double> paced_ms, at_once_ms;
};

// Everybody has an entry in the log. First everybody asks at a moment of their own, then, all units given
// back, everybody at the same moment.
LeaseRun run_leases(const Options& options) {
  const role::Workshop workshop("", kPixels);
  const Facts facts = facts_of(workshop.open(workshop.directory()));
  const auto host = roomy_host(workshop, {.quorum = kQuorum});
  const int clients = options.lease_clients;
  LeaseRun run;
  run.paced_ms.resize(static_cast<size_t>(clients));
  run.at_once_ms.resize(static_cast<size_t>(clients));
  Snapshots snapshots(url_of(*host));
  std::barrier together(clients);
  in_parallel(clients, [&](int i) {
    MadeUpContributor contributor(facts, url_of(*host), i);
    join_with_an_entry(contributor, snapshots);
    std::mt19937 random(static_cast<uint32_t>(i));
    const double delay = std::uniform_real_distribution<double>(0, options.seconds)(random);
    const auto timed_lease = [&](std::vector<double>& times) {
      const auto start = Clock::now();
      const RemoteLease lease = must(contributor.lease());
      times[static_cast<size_t>(i)] = seconds_since(start) * 1e3;
      return lease.unit;
    };
    together.arrive_and_wait();
    std::this_thread::sleep_for(std::chrono::duration<double>(delay));
    const trust::UnitId unit = timed_lease(run.paced_ms);
    together.arrive_and_wait();
    contributor.give_back(unit);
    together.arrive_and_wait();
    timed_lease(run.at_once_ms);
  });
  return run;
}

}  // namespace

void measure_entries(const Options& options, Report& report) {
  std::vector<EntriesRun> runs;
  std::vector<double> commits;
  uint64_t gradient_bytes = 0;
  for (int i = 0; i < options.repeats; ++i) {
    commits.push_back(bare_commits(1));
    runs.push_back(run_entries(options, gradient_bytes));
  }
  const auto add = [&](const char* name, const char* unit, std::vector<double> values) {
    report.add({"entries", name, unit, std::move(values)});
  };
  report.add({"entries",
              fmt::format("accepted entries, {} clients, {} bytes each", options.clients, gradient_bytes),
              "/s", each(runs, [](const EntriesRun& run) { return run.entries / run.wall; }), 1000});
  report.add({.measure = "entries",
              .name = "bare SQLite commits, each on disk",
              .unit = "/s",
              .runs = commits,
              .peer = true});
  add("  processor time of an entry, host and client", "us",
      each(runs, [](const EntriesRun& run) { return run.processor / run.entries * 1e6; }));
  add("  entries in a batch that is made durable together", "",
      each(runs, [](const EntriesRun& run) { return run.entries / std::max(run.batches, 1.0); }));
  add("  submissions that came too late for their round", "",
      each(runs, [](const EntriesRun& run) { return run.late; }));
  for (const auto& [share, name] : {std::pair(0.5, "p50"), std::pair(0.99, "p99")}) {
    add(fmt::format("  from submission to receipt, {}", name).c_str(), "ms",
        each(runs, [share = share](const EntriesRun& run) { return quantile(run.submit_ms, share); }));
    add(fmt::format("  from request to lease, {}", name).c_str(), "ms",
        each(runs, [share = share](const EntriesRun& run) { return quantile(run.lease_ms, share); }));
  }
}

void measure_leases(const Options& options, Report& report) {
  std::vector<LeaseRun> runs;
  std::vector<double> commits;
  for (int i = 0; i < options.repeats; ++i) {
    commits.push_back(1e3 / bare_commits(1));
    runs.push_back(run_leases(options));
  }
  const auto add = [&](const std::string& when, double share, const char* name,
                       std::vector<double> LeaseRun::*times) {
    std::vector<double> values;
    for (const LeaseRun& run : runs) values.push_back(quantile(run.*times, share));
    report.add(
        {"leases", fmt::format("lease, {} clients {}, {}", options.lease_clients, when, name), "ms", values});
  };
  const std::string paced = fmt::format("within {:g} s", options.seconds);
  add(paced, 0.5, "p50", &LeaseRun::paced_ms);
  add(paced, 0.99, "p99", &LeaseRun::paced_ms);
  add("at once", 0.5, "p50", &LeaseRun::at_once_ms);
  add("at once", 0.99, "p99", &LeaseRun::at_once_ms);
  report.add(
      {.measure = "leases", .name = "a bare SQLite commit", .unit = "ms", .runs = commits, .peer = true});
}

}  // namespace cairn::bench
