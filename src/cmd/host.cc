#include "role/host.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <unistd.h>

#include <charconv>
#include <csignal>
#include <future>
#include <mutex>
#include <utility>

#include "cmd/console.h"
#include "cmd/own_machine.h"
#include "project/chronicle.h"
#include "role/remote.h"

namespace cairn::cmd {
namespace {

struct Options {
  std::filesystem::path directory;
  std::string listen = "127.0.0.1:8420";
  std::filesystem::path certificate, key;
  std::vector<std::string> trusted_proxies;
  role::HostRule rule;
  double minutes = 30;
  std::string reachable_at;
  std::string name = default_user_name();
  bool idle = false;

  Options() { rule.keep_free = uint64_t{1} << 30; }
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

// Asks for the project under the address that volunteers use, as one of them would.
Status check_reachable(const std::string& url, const Digest& project) {
  net::ClientOptions client;
  client.connect_time = std::chrono::seconds(10);
  client.stall_time = std::chrono::seconds(20);
  CAIRN_TRY(const auto remote, role::Remote::open(url, client));
  const auto found = remote->project();
  if (!found) {
    return Error{
        "--check-reachable " + url + ": cannot be reached from here: " + found.error().message +
        "; docs/operating/hosting.md shows ways around a router (few routers let a machine inside reach "
        "itself by its outer address: then ask somebody outside)"};
  }
  if (*found != project) return Error{"--check-reachable " + url + ": hosts another project"};
  return {};
}

// How the open round stands, in one line.
std::string summary(const project::Project& project) {
  const trust::State& state = project.state();
  const auto& round = state.rounds().back();
  return fmt::format("round {}: {} in; {} in the log, {} users, {} claims", state.rounds().size() - 1,
                     plural(round.sealed.size(), "entry", "entries"),
                     plural(project.events().size(), "event", "events"), state.users().size(),
                     state.claims().size());
}

// Tells what happens as it happens. Looked at by the coordinator's thread, shown by the program's.
class Watch {
 public:
  explicit Watch(uint64_t events) : told_(events) {}

  void look(const project::Project& project) {
    const std::lock_guard lock(mutex_);
    for (; told_ < project.head().size; ++told_) {
      if (std::string sentence = project::chronicle(project, told_); !sentence.empty())
        news_.push_back(std::move(sentence));
    }
    status_ = summary(project);
  }

  // `own`: units that the host's own machine has computed.
  void show(Console& console, const Shared& shared, uint64_t own) {
    const std::lock_guard lock(mutex_);
    for (const std::string& sentence : news_) {
      console.clear();
      print(shared, Json{{"news", sentence}}, printable(sentence) + "\n");
      std::fflush(stdout);
    }
    if (!status_.empty())
      console.status(
          fmt::format("{}; {} by this machine   (q: stop)", status_, plural(own, "unit", "units")));
    news_.clear();
  }

 private:
  std::mutex mutex_;
  uint64_t told_;  // events
  std::vector<std::string> news_;
  std::string status_;
};

// The address under which this machine reaches its own server.
std::string own_address(const std::string& address) {
  if (address == "0.0.0.0") return "127.0.0.1";
  if (address == "::") return "[::1]";
  return address.find(':') == std::string::npos ? address : "[" + address + "]";
}

// And the one for others: a server that listens everywhere is reached by this machine's name.
std::string public_address(const std::string& address) {
  char name[256] = "";
  const bool everywhere = address == "0.0.0.0" || address == "::";
  if (everywhere && ::gethostname(name, sizeof name - 1) == 0 && name[0] != '\0') return name;
  return own_address(address);
}

std::string url_of(const net::ServerOptions& server, const std::string& address, uint16_t port) {
  return fmt::format("{}://{}:{}", server.tls_certificate.empty() ? "http" : "https", address, port);
}

Result<net::ServerOptions> server_options(const Options& options) {
  net::ServerOptions server;
  CAIRN_CHECK(set_listen(options.listen, server));
  server.tls_certificate = options.certificate;
  server.tls_key = options.key;
  for (const std::string& proxy : options.trusted_proxies) {
    CAIRN_TRY(std::string address, plain_address(proxy));
    server.trusted_proxies.push_back(std::move(address));
  }
  return server;
}

volatile std::sig_atomic_t hangup_seen = 0;

void on_hangup(int) {
  hangup_seen = 1;
}

// A certificate that is renewed in place: looked at now and then, and at once after SIGHUP.
class Renewal {
 public:
  explicit Renewal(const net::ServerOptions& server)
      : certificate_(server.tls_certificate), key_(server.tls_key) {
    if (certificate_.empty()) return;
    served_ = times();
    if (::isatty(STDIN_FILENO) == 1) return;  // there it says that the terminal is gone
    struct sigaction action {};
    action.sa_handler = on_hangup;
    sigaction(SIGHUP, &action, nullptr);
  }

  // What there is to say, or nothing. A pair that does not fit, because it is just being written, is tried
  // again as long as the old one is served.
  std::string look(role::Host& host) {
    const bool asked = hangup_seen != 0;
    hangup_seen = 0;
    if (certificate_.empty() || (!asked && ++turns_ % kTurns != 0)) return "";
    const Times now = times();
    if (!asked && now == served_) return "";
    const Status loaded = host.reload_certificate();
    if (loaded) served_ = now;
    std::string sentence = loaded ? "the certificate was read again: new connections use it"
                                  : "the new certificate is not used: " + loaded.error().message;
    const bool again = std::exchange(said_, loaded ? "" : sentence) == sentence;
    return again && !asked ? "" : sentence;
  }

 private:
  static constexpr int kTurns = 20;  // of half a second
  using Times = std::pair<std::filesystem::file_time_type, std::filesystem::file_time_type>;

  Times times() const {
    std::error_code error;
    return {std::filesystem::last_write_time(certificate_, error),
            std::filesystem::last_write_time(key_, error)};
  }

  const std::filesystem::path certificate_, key_;
  Times served_;
  int turns_ = 0;
  std::string said_;  // why the files are not served
};

void watch(role::Host& host, OwnMachine& machine, const Shared& shared, Renewal& renewal, uint64_t events) {
  Console console;
  const auto seen = std::make_shared<Watch>(events);  // a look may come after the last of these turns
  while (console.wait(500)) {
    host.coordinator().look([seen](const project::Project& project) { seen->look(project); });
    seen->show(console, shared, machine.accepted());
    if (const std::string why = machine.message(); !why.empty())
      console.say("this machine computes no more: " + printable(why));
    if (const std::string renewed = renewal.look(host); !renewed.empty()) console.say(printable(renewed));
  }
  machine.stop();
  std::promise<void> looked;  // once more, for what happened last
  const bool looks = host.coordinator().look([&](const project::Project& project) {
    seen->look(project);
    looked.set_value();
  });
  if (looks) looked.get_future().wait();
  seen->show(console, shared, machine.accepted());
}

// The host trusts itself: its own certificate may be for another name than the one by which it calls itself.
Status start_own_machine(OwnMachine& machine, const Shared& shared, const Options& options,
                         const std::string& url) {
  if (options.idle) return {};
  net::ClientOptions client;
  client.verify_tls = false;
  client.proxy = "";
  CAIRN_TRY(auto remote, role::Remote::open(url, client));
  return machine.start(shared, options.directory, std::move(remote), options.name);
}

Result<SigningKey> coordinator_key(const Shared& shared, const project::Project& project) {
  CAIRN_TRY(const ledger::KeyRing keys, shared.key_ring(project.directory()));
  auto key = project::load_role_key(keys, project, project::kCoordinatorKey, project.state().coordinator());
  if (key) return key;
  return Error{key.error().message +
               "; to go on by yourself from where this project stands: cairn new FORK --fork " +
               shell_word(project.directory())};
}

Result<int> run(const Shared& shared, Options options) {
  CAIRN_TRY(auto project, project::Project::open(options.directory, system_environment()));
  CAIRN_TRY(const SigningKey key, coordinator_key(shared, project));
  CAIRN_TRY(const net::ServerOptions server, server_options(options));
  options.rule.longest = static_cast<int64_t>(options.minutes * 60'000);
  const std::string name = project.name();
  const uint64_t events = project.head().size;
  const std::string memory = memory_text(project);
  const Json need = memory_json(project);
  Renewal renewal(server);
  CAIRN_TRY(const auto host,
            role::Host::start(std::move(project), key, system_environment(), options.rule, server));
  const std::string url = url_of(server, public_address(server.address), host->port());
  print(shared, Json{{"url", url}, {"project", host->coordinator().project_id().hex()}, {"memory", need}},
        fmt::format("{} is hosted at {}\n{}volunteers join with: cairn join {}\n", printable(name), url,
                    memory, url));
  std::fflush(stdout);
  if (!options.reachable_at.empty()) {
    CAIRN_CHECK(check_reachable(options.reachable_at, host->coordinator().project_id()));
    print(shared, Json{{"reachable", options.reachable_at}}, "reached at " + options.reachable_at + "\n");
    std::fflush(stdout);
  }
  OwnMachine machine;
  CAIRN_CHECK(
      start_own_machine(machine, shared, options, url_of(server, own_address(server.address), host->port())));
  watch(*host, machine, shared, renewal, events);
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
  command.add_option("--name", options->name, "Who this machine computes as").show_default();
  command.add_flag("--no-compute", options->idle,
                   "Host only; else this machine computes, too, when it has time");
  command.add_option("--check-reachable", options->reachable_at,
                     "The URL that volunteers use: ask there once, and stop if this project does not answer");
  command.add_flag("--private", options->rule.invited_only,
                   "Take newcomers with a code of `cairn invite` alone; everybody may still read");
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
  command
      .add_option("--keep-free", options->rule.keep_free,
                  "Bytes of disk that stay free: with fewer, no unit is handed out")
      .size()
      .show_default();
  set_action(command, [&shared, options] { return run(shared, *options); });
}

}  // namespace cairn::cmd
