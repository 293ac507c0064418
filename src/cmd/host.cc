#include "role/host.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <charconv>

#include "cmd/command.h"
#include "cmd/console.h"
#include "project/judgement.h"

namespace cairn::cmd {
namespace {

struct Options {
  std::filesystem::path directory;
  std::string listen = "127.0.0.1:8420";
  std::filesystem::path certificate, key;
  std::vector<std::string> trusted_proxies;
  role::RoundRule rule;
  double minutes = 30;
};

// "ADDRESS:PORT", the address of IPv6 in brackets.
Status set_listen(const std::string& text, net::ServerOptions& server) {
  const size_t colon = text.rfind(':');
  const Error wrong{"--listen " + text + ": is no ADDRESS:PORT such as 0.0.0.0:8420 or [::]:8420"};
  if (colon == std::string::npos) return wrong;
  std::string address = text.substr(0, colon);
  const std::string port = text.substr(colon + 1);
  if (address.size() > 2 && address.front() == '[' && address.back() == ']') {
    address = address.substr(1, address.size() - 2);
  }
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), server.port);
  if (address.empty() || error != std::errc() || end != port.data() + port.size()) return wrong;
  server.address = address;
  return {};
}

// The address as the server writes those of its peers.
Result<std::string> plain_address(const std::string& text) {
  for (const int family : {AF_INET, AF_INET6}) {
    in6_addr address;
    char plain[INET6_ADDRSTRLEN];
    if (inet_pton(family, text.c_str(), &address) == 1) {
      return std::string(inet_ntop(family, &address, plain, sizeof plain));
    }
  }
  return Error{"--trusted-proxy " + printable(text) + ": is no IP address such as 127.0.0.1 or ::1"};
}

// What changed since the last look, in one line.
std::string summary(const project::Project& project) {
  const trust::State& state = project.state();
  const auto& round = state.rounds().back();
  return fmt::format("round {}: {} in; {} in the log, {} users, {} claims", state.rounds().size() - 1,
                     plural(round.entries.size(), "entry", "entries"),
                     plural(project.events().size(), "event", "events"), state.users().size(),
                     state.claims().size());
}

void watch(role::Host& host, const Shared& shared) {
  Console console;
  auto latest = std::make_shared<std::string>();
  auto mutex = std::make_shared<std::mutex>();
  std::string shown;
  while (console.wait(500)) {
    host.coordinator().look([latest, mutex](const project::Project& project) {
      const std::lock_guard lock(*mutex);
      *latest = summary(project);
    });
    const std::lock_guard lock(*mutex);
    if (*latest == shown || shared.json) continue;
    shown = *latest;
    console.status(shown + "   (q: stop)");
  }
}

Result<int> run(const Shared& shared, Options options) {
  CAIRN_TRY(const ledger::KeyRing keys, shared.key_ring(options.directory));
  CAIRN_TRY(auto project, project::Project::open(options.directory, system_environment()));
  CAIRN_TRY(const SigningKey key, project::load_key(keys, project, project::kCoordinatorKey));
  net::ServerOptions server;
  CAIRN_CHECK(set_listen(options.listen, server));
  server.tls_certificate = options.certificate;
  server.tls_key = options.key;
  for (const std::string& proxy : options.trusted_proxies) {
    CAIRN_TRY(std::string address, plain_address(proxy));
    server.trusted_proxies.push_back(std::move(address));
  }
  options.rule.longest = static_cast<int64_t>(options.minutes * 60'000);
  const std::string name = project.name();
  CAIRN_TRY(const auto host,
            role::Host::start(std::move(project), key, system_environment(), options.rule, server));
  const std::string url =
      fmt::format("{}://{}:{}", options.certificate.empty() ? "http" : "https",
                  server.address.find(':') == std::string::npos ? server.address : "[" + server.address + "]",
                  host->port());
  print(shared, Json{{"url", url}, {"project", host->coordinator().project_id().hex()}},
        fmt::format("{} is hosted at {}\nvolunteers join with: cairn join {}\n", printable(name), url, url));
  std::fflush(stdout);
  watch(*host, shared);
  host->stop();
  return kDone;
}

}  // namespace

void add_host(Command app, const Shared& shared) {
  Command command =
      add_command(app, "host", "Host a project: hand out units, take gradients, close rounds",
                  "cairn host study --listen 0.0.0.0:8420 --tls-cert cert.pem --tls-key key.pem");
  auto options = std::make_shared<Options>();
  command.add_option("DIR", options->directory, "The project").required();
  command.add_option("--listen", options->listen, "Address and port").show_default();
  const Option certificate =
      command.add_option("--tls-cert", options->certificate, "Certificate with its chain, PEM");
  const Option key = command.add_option("--tls-key", options->key, "The certificate's private key, PEM");
  certificate.needs(key);
  key.needs(certificate);
  command.add_option(
      "--trusted-proxy", options->trusted_proxies,
      "Address of a reverse proxy in front, whose X-Forwarded-For is believed; may be repeated");
  command
      .add_option("--quorum", options->rule.quorum,
                  "Entries that close a round, where the policy leaves that to the maintainer")
      .show_default()
      .range(1, 1'000'000);
  command
      .add_option("--minutes", options->minutes,
                  "The longest that a round with an entry stays open, likewise")
      .show_default()
      .range(0.01, 100'000.0);
  set_action(command, [&shared, options] { return run(shared, *options); });
}

}  // namespace cairn::cmd
