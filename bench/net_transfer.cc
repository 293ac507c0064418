// Large uploads over TLS, and what clients cost that are only connected.
#include <fmt/format.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <thread>

#include "base/file.h"
#include "bench/child.h"
#include "bench/net.h"
#include "bench/net_swarm.h"
#include "net/test_parts.h"

namespace cairn::bench {
namespace {

using role::must;

constexpr uint64_t kMiB = 1 << 20;
constexpr uint64_t kBodySize = 100 * kMiB;
constexpr uint32_t kManyPixels = 640;                 // of the built-in model a gradient of 100 MiB
constexpr uint32_t kNever = 1'000'000;                // entries that close a round
constexpr auto kLongIdle = std::chrono::minutes(30);  // nobody is sent away while we measure

net::ServerOptions tls_options(const net::testing::Certificate& certificate) {
  net::ServerOptions options;
  options.tls_certificate = certificate.certificate;
  options.tls_key = certificate.key;
  return options;
}

// A host for uploads: takes any body, and answers with its digest.
Result<std::unique_ptr<net::Server>> sink(const net::testing::Certificate& certificate) {
  return net::Server::start(tls_options(certificate), [](const net::Request&) {
    return net::StreamedBody{
        kBodySize, [](const net::Request&) { return std::make_unique<net::testing::HashingSink>(); }};
  });
}

// MiB a second.
double rate_of(uint64_t bytes, const std::function<void()>& work) {
  const auto start = Clock::now();
  work();
  return static_cast<double>(bytes) / kMiB / seconds_since(start);
}

double resident_mib() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmRSS:")) return std::stod(line.substr(6)) / 1024;
  }
  return 0;
}

// MiB a second of large gradients, from the first byte to the receipt: sent in pieces, hashed, checked and
// put into the log by a host as people run it. Making them up and taking units is not counted.
std::vector<double> rates_of_entries(const Options& options, std::vector<double>& processor) {
  const net::testing::Directory folder;
  const auto certificate = net::testing::make_certificate(folder);
  const role::Workshop workshop("", kManyPixels);
  const Facts facts = facts_of(workshop.open(workshop.directory()));
  const auto host = roomy_host(workshop, {.quorum = kNever}, tls_options(certificate));
  net::ClientOptions client;
  client.ca_file = certificate.certificate;
  MadeUpContributor ada(facts, "https://127.0.0.1:" + std::to_string(host->port()), 0, client);
  const Digest snapshot = workshop.open(workshop.directory()).state().rounds().back().snapshot;
  std::vector<double> rates;
  for (int i = 0; i < options.repeats; ++i) {
    double seconds = 0, used = 0, mib = 0;
    for (const auto begun = Clock::now(); mib == 0 || seconds_since(begun) < options.seconds;) {
      const project::Submission submission = ada.submission(must(ada.lease()), snapshot);
      const auto start = Clock::now();
      const double before = processor_seconds();
      must(ada.hand_in(submission));
      seconds += seconds_since(start);
      used += processor_seconds() - before;
      mib += static_cast<double>(submission.gradient.size()) / kMiB;
    }
    rates.push_back(mib / seconds);
    processor.push_back(used * 1e3 * 100 / mib);
  }
  return rates;
}

}  // namespace

void measure_upload(const Options& options, Report& report) {
  const net::testing::Directory folder;
  const auto certificate = net::testing::make_certificate(folder);
  const auto server = must(sink(certificate));
  Bytes body(kBodySize);
  for (size_t i = 0; i < body.size(); ++i) body[i] = static_cast<uint8_t>(i * 2654435761u >> 13);
  must(write_file(folder / "body", body));
  const Digest digest = sha256(body);
  net::ClientOptions client_options;
  client_options.server = must(net::parse_url("https://127.0.0.1:" + std::to_string(server->port())));
  client_options.ca_file = certificate.certificate;
  const auto client = must(net::Client::open(client_options));
  net::Upload upload;
  upload.target = "/";
  upload.file = folder / "body";
  upload.length = kBodySize;
  std::vector<double> uploads, hashes, processor;
  for (int i = 0; i < options.repeats; ++i) {
    const auto start = Clock::now();
    const double before = processor_seconds();
    uint64_t bytes = 0;
    for (; bytes == 0 || seconds_since(start) < options.seconds / 2; bytes += kBodySize) {
      const auto answer = must(client->upload(upload));
      if (std::string(answer.body.begin(), answer.body.end()) != digest.hex())
        throw std::runtime_error("the upload arrived as something else");
    }
    uploads.push_back(static_cast<double>(bytes) / kMiB / seconds_since(start));
    processor.push_back((processor_seconds() - before) * 1e3 * kBodySize / static_cast<double>(bytes));
    hashes.push_back(rate_of(kBodySize, [&] { sha256(body); }));
  }
  report.add({"upload", "upload of 100 MiB over TLS, hashed as it comes", "MiB/s", uploads, 250});
  report.add({"upload", "  processor time of it, server and client", "ms", processor});
  report.add({.measure = "upload",
              .name = "SHA-256 of the same bytes in memory",
              .unit = "MiB/s",
              .runs = hashes,
              .peer = true});
  std::vector<double> entry_processor;
  const std::vector<double> entries = rates_of_entries(options, entry_processor);
  report.add({"upload", "gradients of 100 MiB over TLS, until they are accepted", "MiB/s", entries});
  report.add({"upload", "  processor time of 100 MiB, host and contributor", "ms", entry_processor});
}

int be_idle_clients(uint16_t port, const std::filesystem::path& certificate, int clients) {
  prctl(PR_SET_PDEATHSIG, SIGTERM);  // not to stay when the host ends by an error
  net::ClientOptions options;
  options.server = must(net::parse_url("https://127.0.0.1:" + std::to_string(port)));
  options.ca_file = certificate;
  std::vector<std::unique_ptr<net::Client>> connected;
  for (int i = 0; i < clients; ++i) {
    connected.push_back(must(net::Client::open(options)));
    must(connected.back()->get("/v1/project"));
  }
  fmt::print("connected\n");
  std::fflush(stdout);
  for (;;) pause();
}

// Prints its resident memory without and with the clients, in MiB.
int serve_idle_clients(int clients) {
  const net::testing::Directory folder;
  const auto certificate = net::testing::make_certificate(folder);
  const role::Workshop workshop;
  net::ServerOptions options = tls_options(certificate);
  options.limits.idle_time = kLongIdle;
  const auto host = roomy_host(workshop, {}, options);
  const double before = resident_mib();
  const Child child =
      start_self({"--be-idle", std::to_string(clients), "--port", std::to_string(host->port()),
                  "--certificate", certificate.certificate.string()});
  read_line(child);
  const double after = resident_mib();
  const uint64_t open = host->counters().open_connections;
  end(child);
  if (open < static_cast<uint64_t>(clients)) throw std::runtime_error("clients were sent away");
  fmt::print("{} {}\n", before, after);
  return 0;
}

void measure_idle(const Options& options, Report& report) {
  for (const int clients : {0, 1000, 5000}) {
    std::vector<double> runs;
    for (int i = 0; i < options.repeats; ++i) {
      const Child server = start_self({"--serve-idle", std::to_string(std::max(clients, 1))});
      const std::string line = read_line(server);
      waitpid(server.id, nullptr, 0);
      close(server.output);
      runs.push_back(std::stod(clients == 0 ? line : line.substr(line.find(' '))));
    }
    Figure figure{"idle", fmt::format("resident memory with {} idle TLS clients", clients), "MiB", runs};
    if (clients == 5000) figure.at_most = 512;
    report.add(std::move(figure));
  }
}

}  // namespace cairn::bench
