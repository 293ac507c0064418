// What honest contributors keep of their rate while somebody floods the host.
//
// The host is a process of the program as people run it, with the limits that people have. The flood is
// another process of low priority and comes from another address of this machine: what is measured is what it
// costs the host, not what making it costs this machine. With and without the flood by turns, on the same
// host.
#include <fmt/format.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <charconv>
#include <nlohmann/json.hpp>
#include <thread>

#include "bench/child.h"
#include "bench/net.h"
#include "bench/net_swarm.h"

namespace cairn::bench {
namespace {

using role::must;

constexpr uint32_t kPixels = 2;
constexpr int kHonest = 16;
constexpr auto kThink = std::chrono::milliseconds(100);  // between two entries of one contributor
constexpr int kFloodNice = 10;
constexpr int kFlooders = 16;  // connections that are busy
constexpr int kSlow = 200;     // connections that are not

std::atomic<uint64_t> sent = 0;  // by the flood

// -- The flood

// One connection from 127.0.0.2, opened again whenever the host closes it.
class Flooder {
 public:
  explicit Flooder(uint16_t port) : port_(port) {}
  ~Flooder() { close(); }

  bool send(std::string_view text) {
    if (fd_ < 0) open();
    ++sent;
    if (::send(fd_, text.data(), text.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(text.size())) return true;
    close();
    return false;
  }

  // The body of the answer to a whole request; nothing where none comes.
  std::string ask(std::string_view request) {
    if (!send(request)) return "";
    std::string text;
    size_t size = std::string::npos;
    while (text.size() < size) {
      char piece[4096];
      const ssize_t came = ::recv(fd_, piece, sizeof piece, 0);
      if (came <= 0) {
        close();
        return "";
      }
      text.append(piece, static_cast<size_t>(came));
      if (size == std::string::npos) size = whole_size(text);
    }
    return text.substr(text.find("\r\n\r\n") + 4);
  }

  void end_sending() { ::shutdown(fd_, SHUT_WR); }
  void close() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }

 private:
  static sockaddr_in address(uint32_t host, uint16_t port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(host);
    address.sin_port = htons(port);
    return address;
  }

  void open() {
    fd_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const timeval patience{5, 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    const sockaddr_in from = address(INADDR_LOOPBACK + 1, 0), to = address(INADDR_LOOPBACK, port_);
    std::ignore = ::bind(fd_, reinterpret_cast<const sockaddr*>(&from), sizeof from);
    std::ignore = ::connect(fd_, reinterpret_cast<const sockaddr*>(&to), sizeof to);
  }

  // Of head and body, once the head is there.
  static size_t whole_size(const std::string& text) {
    const size_t head = text.find("\r\n\r\n"), length = text.find("Content-Length: ");
    if (head == std::string::npos) return std::string::npos;
    size_t body = 0;
    if (length < head) std::from_chars(text.data() + length + 16, text.data() + head, body);
    return head + 4 + body;
  }

  uint16_t port_;
  int fd_ = -1;
};

std::string post(const std::string& target, BytesView body) {
  return "POST " + target + " HTTP/1.1\r\nHost: h\r\nContent-Length: " + std::to_string(body.size()) +
         "\r\n\r\n" + std::string(body.begin(), body.end());
}

// A byte of a head now and then; half of them have ended their side of the connection.
void trickle(uint16_t port, int number) {
  Flooder flooder(port);
  for (;;) {
    if (!flooder.send("G") || number % 2 == 0) flooder.close();
    if (number % 4 == 1) flooder.end_sending();
    std::this_thread::sleep_for(std::chrono::milliseconds(500));
  }
}

// Fresh keys ask for units, and hand in entries of the right form, as fast as they are let.
void register_in_bulk(uint16_t port, const Facts& facts, Snapshots& snapshots) {
  const std::string url = "http://127.0.0.1:" + std::to_string(port);
  Flooder flooder(port);
  for (int number = 0;; ++number) {
    const MadeUpContributor fresh(facts, url, 1'000'000 + number);
    const auto lease =
        nlohmann::json::parse(flooder.ask(post("/v1/leases", fresh.lease_request())), nullptr, false);
    if (!lease.is_object() || !lease.contains("unit")) continue;
    const role::RemoteLease unit{lease["unit"], lease["round"], 0};
    flooder.ask(post("/v1/entries", project::encode(fresh.submission(unit, snapshots.of(unit.round)))));
  }
}

// Unknown paths, and bodies that are none.
void send_junk(uint16_t port, const Facts& facts) {
  Flooder flooder(port);
  const std::string bad_entry = post("/v1/entries", Bytes(2000, 7)),
                    bad_lease = post("/v1/leases", Bytes(179, 1));
  role::UnitRequest request;
  request.project = facts.project;
  request.time = system_environment().now();
  const std::string forged = post("/v1/leases", role::encode(request));
  for (;;) {
    flooder.ask("GET /v1/nothing HTTP/1.1\r\nHost: h\r\n\r\n");
    flooder.ask(bad_entry);
    flooder.ask(bad_lease);
    flooder.ask(forged);
    flooder.ask("GET /v1/blobs/" + std::string(64, '0') + " HTTP/1.1\r\nHost: h\r\n\r\n");
  }
}

// -- The honest

class Honest {
 public:
  explicit Honest(const std::filesystem::path& directory, const std::string& url)
      : facts_(facts_of(must(project::Project::open(directory, system_environment())))), snapshots_(url) {
    for (int i = 0; i < kHonest; ++i) people_.push_back(std::make_unique<MadeUpContributor>(facts_, url, i));
    in_parallel(kHonest, [&](int i) {
      while (!one_entry(*people_[static_cast<size_t>(i)])) {
      }
    });
  }

  // Accepted entries a second.
  double rate(double seconds) {
    std::atomic<uint64_t> entries = 0;
    const auto start = Clock::now();
    in_parallel(kHonest, [&](int i) {
      while (seconds_since(start) < seconds) {
        if (one_entry(*people_[static_cast<size_t>(i)])) ++entries;
        std::this_thread::sleep_for(kThink);
      }
    });
    return static_cast<double>(entries) / seconds_since(start);
  }

 private:
  bool one_entry(MadeUpContributor& person) {
    const auto lease = person.lease();
    if (!lease) return later(lease.error());
    const Digest snapshot = snapshots_.of(lease->round);
    if (snapshot == Digest{}) return false;
    const auto done = person.hand_in(person.submission(*lease, snapshot));
    return done.ok() || later(done.error());
  }
  static bool later(const net::Failure& failure) {
    if (!failure.may_pass() && failure.status != 409) throw std::runtime_error(failure.message);
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
    return false;
  }

  Facts facts_;
  Snapshots snapshots_;
  std::vector<std::unique_ptr<MadeUpContributor>> people_;
};

struct FloodedHost {
  explicit FloodedHost(const role::Workshop& workshop) {
    process = start({beside_self("cairn"), "host", workshop.directory().string(), "--keys",
                     workshop.path("keys").string(), "--listen", "127.0.0.1:0", "--no-compute", "--quorum",
                     "1000"});
    const std::string hosted = read_line(process);
    url = hosted.substr(hosted.find("http://"));
    port = static_cast<uint16_t>(std::stoi(url.substr(url.rfind(':') + 1)));
  }
  ~FloodedHost() { end(process); }

  Child process;
  std::string url;
  uint16_t port = 0;
};

void measure_flood(const std::string& kind, const std::string& name, const Options& options, Report& report) {
  const role::Workshop workshop("", kPixels);
  const FloodedHost host(workshop);
  Honest honest(workshop.directory(), host.url);
  std::vector<double> quiet, kept, processor, floods;
  for (int i = 0; i < options.repeats; ++i) {
    const double before = honest.rate(options.seconds);
    const Child flooder = start_self(
        {"--flood", kind, "--port", std::to_string(host.port), "--project", workshop.directory().string()});
    std::this_thread::sleep_for(std::chrono::seconds(1));  // it is under way
    const auto begun = Clock::now();
    const double used = processor_seconds_of(host.process);
    const double during = honest.rate(options.seconds);
    processor.push_back(100 * (processor_seconds_of(host.process) - used) / seconds_since(begun));
    kill(flooder.id, SIGTERM);
    floods.push_back(std::stod(read_line(flooder)));
    end(flooder);
    std::this_thread::sleep_for(std::chrono::seconds(1));  // what it left behind is answered
    quiet.push_back(before);
    kept.push_back(during);
  }
  report.add({.measure = "floods",
              .name = "honest entries without a flood",
              .unit = "/s",
              .runs = quiet,
              .peer = true});
  report.add({.measure = "floods", .name = "  with it", .unit = "/s", .runs = kept, .peer = true});
  report.add({.measure = "floods",
              .name = "  processor of the host meanwhile",
              .unit = "%",
              .runs = processor,
              .peer = true});
  report.add(
      {.measure = "floods", .name = "  sent by the flood", .unit = "/s", .runs = floods, .peer = true});
  report.add({.measure = "floods",
              .name = "rate that the honest keep: " + name,
              .unit = "%",
              .runs = {100 * median(kept) / median(quiet)},
              .at_least = 90});
}

// SIGTERM is for one thread alone, which says how much was sent a second.
void tell_rate_when_ended() {
  sigset_t ending;
  ::sigemptyset(&ending);
  ::sigaddset(&ending, SIGTERM);
  ::pthread_sigmask(SIG_BLOCK, &ending, nullptr);
  std::thread([ending] {
    const auto start = Clock::now();
    int signal = 0;
    ::sigwait(&ending, &signal);
    fmt::print("{}\n", static_cast<double>(sent) / seconds_since(start));
    std::fflush(stdout);
    ::_exit(0);
  }).detach();
}

}  // namespace

int flood(const std::string& kind, uint16_t port, const std::filesystem::path& project) {
  ::setpriority(PRIO_PROCESS, 0, kFloodNice);
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  tell_rate_when_ended();
  const Facts facts = facts_of(must(project::Project::open(project, system_environment())));
  Snapshots snapshots("http://127.0.0.1:" + std::to_string(port));
  in_parallel(kind == "slow" ? kSlow : kFlooders, [&](int i) {
    if (kind == "slow") trickle(port, i);
    if (kind == "fresh") register_in_bulk(port, facts, snapshots);
    send_junk(port, facts);
  });
  return 0;
}

void measure_floods(const Options& options, Report& report) {
  measure_flood("slow", "slow and half-open connections", options, report);
  measure_flood("fresh", "registrations and junk entries", options, report);
  measure_flood("junk", "unknown paths and bad bodies", options, report);
}

}  // namespace cairn::bench
