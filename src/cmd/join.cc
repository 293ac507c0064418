#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "base/power.h"
#include "cmd/console.h"
#include "cmd/remote_project.h"
#include "exact/signature.h"
#include "role/worker.h"

namespace cairn::cmd {
namespace {

struct Options {
  RemoteOptions remote;
  std::string name = default_user_name();
  uint32_t units = 0, rounds = 0;
  bool mains = false;
  std::string invite;
  uint64_t disk = uint64_t{20} << 30;  // bytes that copies of projects may take
};

// A machine that computes other bits would be accused of fraud: it is told before it starts.
Status check_machine(const project::EngineOptions& engine) {
  ThreadPool pool(engine.threads);
  const auto backend = exact::make_backend(engine.isa, pool);
  if (exact::combined_signature(exact::selftest_signatures(*backend)) == exact::expected_signature())
    return {};
  return Error{
      "this machine computes other bits than every sound one, so its gradients would count as false; "
      "`cairn selftest` shows more"};
}

// Where the user stands, by the local copy of the log.
std::string standing(const project::Project& project, const PublicKey& key) {
  const trust::State& state = project.state();
  const auto user = state.user_of(key);
  if (!user) return "not in the log yet";
  const trust::Reputation own = state.user(*user).standing.reputation;
  const auto rank = 1 + std::ranges::count_if(state.users(), [&](const trust::User& other) {
                      return other.standing.reputation > own;
                    });
  double weight = 0, all = 0;
  for (const trust::LiveEntry& entry : state.live_entries()) {
    if (!state.averaged(entry.id)) continue;
    const auto one = static_cast<double>(state.weight(entry.id));
    all += one;
    if (entry.user == *user) weight += one;
  }
  return fmt::format("reputation {}, rank {} of {}, {:.1f} % of the model", trust::to_decimal(own), rank,
                     state.users().size(), all > 0 ? 100 * weight / all : 0.0);
}

class Session {
 public:
  Session(const Shared& shared, const Options& options, RemoteProject& opened, const SigningKey& key,
          role::DiskLimit& disk)
      : shared_(shared), options_(options), opened_(opened), key_(key), disk_(disk) {}

  Status run(const project::EngineOptions& engine) {
    CAIRN_TRY(project::Trainer trainer, project::Trainer::create(opened_.project(), engine));
    role::Worker worker(opened_.project(), trainer, {&disk_, own_file("unit")}, system_environment());
    worker.on_resume = [this](trust::UnitId unit, uint32_t batches) {
      console_.say(fmt::format("unit {}: goes on after {}, computed before", unit,
                               plural(batches, "batch", "batches")));
    };
    const role::Compute compute = [&worker](trust::Round round, trust::UnitId unit,
                                            const Progress& progress) {
      return worker.compute(round, unit, progress);
    };
    role::Contributor contributor(*opened_.remote, *opened_.replica, key_, compute,
                                  {options_.name, options_.units, options_.rounds, own_file("submission")},
                                  system_environment());
    contributor.on_news = [this](const role::ContributorNews& news) { show(news); };
    contributor.progress = [this](uint64_t done, uint64_t total) { return advance(done, total); };
    contributor.pause = [this](int64_t milliseconds) { return console_.wait(milliseconds); };
    Status status = contributor.run();
    accepted_ = contributor.accepted();
    return status;
  }
  uint64_t accepted() const { return accepted_; }

 private:
  // Of this user in the copy, which others may share: what outlives a crash.
  std::filesystem::path own_file(const std::string& what) const {
    return opened_.project().directory() / "unfinished" / (key_.public_key().hex() + "." + what);
  }

  void show(const role::ContributorNews& news) {
    using Kind = role::ContributorNews::Kind;
    news_ = news;
    if (news.kind == Kind::waiting) {
      console_.say("waiting: " + printable(news.message));
    } else if (news.kind == Kind::refused) {
      console_.say(fmt::format("unit {} was not taken: {}", news.unit, printable(news.message)));
    } else if (news.kind == Kind::accepted && !shared_.json) {
      fmt::print("unit {} of round {} accepted, loss {:.4f}; {}\n", news.unit, news.round, news.loss,
                 standing(opened_.project(), key_.public_key()));
      std::fflush(stdout);
    }
    where_ = standing(opened_.project(), key_.public_key());
  }

  // Looks for mains power every few seconds, and waits for it.
  bool powered() {
    const auto now = std::chrono::steady_clock::now();
    if (!options_.mains || now < power_seen_ + std::chrono::seconds(5)) return true;
    power_seen_ = now;
    if (on_battery()) console_.say("on battery: waiting for mains power");
    while (on_battery()) {
      if (!console_.wait(2000)) return false;
    }
    return true;
  }

  bool advance(uint64_t done, uint64_t total) {
    console_.status(fmt::format("{}: {} accepted, {}; unit {}: {} %   (p: pause, q: quit)", options_.name,
                                news_.accepted, where_, news_.unit, total == 0 ? 0 : 100 * done / total));
    return powered() && console_.go_on();
  }

  const Shared& shared_;
  const Options& options_;
  RemoteProject& opened_;
  const SigningKey& key_;
  role::DiskLimit& disk_;
  Console console_;
  std::chrono::steady_clock::time_point power_seen_;
  role::ContributorNews news_;
  std::string where_;
  uint64_t accepted_ = 0;
};

// A host gives up on who sends less than 4 KiB a second (docs/operating/limits.md).
Status check_options(const Options& options) {
  const uint64_t limit = options.remote.upload_limit;
  if (limit == 0 || limit >= 8 << 10) return {};
  return Error{"--upload-limit: is below 8K, too slow for a host to wait for; leave it out or give more"};
}

Result<int> run(const Shared& shared, const Options& options) {
  CAIRN_TRY(const project::EngineOptions engine, shared.engine());
  CAIRN_CHECK(check_options(options));
  CAIRN_CHECK(check_machine(engine));
  CAIRN_TRY(RemoteProject opened, open_remote(options.remote));
  CAIRN_TRY(const SigningKey key, own_key(shared, opened.project(), options.name));
  opened.remote->set_invite(options.invite);
  // Pieces of about ten seconds: what a cut costs on a slow line.
  if (const uint64_t limit = options.remote.upload_limit; limit > 0)
    opened.remote->set_pieces(std::clamp<uint64_t>(10 * limit, 64 << 10, 8 << 20));
  CAIRN_TRY(const auto disk, role::DiskLimit::open(opened.cache, options.disk, system_environment()));
  opened.remote->set_make_room([&disk](uint64_t bytes) { return disk->make_room(bytes); });
  Session session(shared, options, opened, key, *disk);
  CAIRN_CHECK(session.run(engine));
  std::ignore = opened.replica->sync().ok();  // for the last figures; the work is done
  print(
      shared,
      Json{
          {"user", options.name}, {"project", opened.project().id().hex()}, {"accepted", session.accepted()}},
      fmt::format("{} in this run; {}\n", plural(session.accepted(), "unit accepted", "units accepted"),
                  standing(opened.project(), key.public_key())));
  return kDone;
}

}  // namespace

void add_join(Command app, const Shared& shared) {
  Command command = add_command(app, "join", "Compute for a hosted project: all it takes to help",
                                "cairn join https://example.org --name ada\n"
                                "  cairn join https://example.org --threads 2 --memory 2G --disk 5G --mains");
  auto options = std::make_shared<Options>();
  add_remote_options(command, options->remote);
  command.add_option("--name", options->name, "Who you are in this project").show_default();
  command.add_option("--units", options->units, "Stop after so many accepted units (default: when told to)");
  command.add_option("--rounds", options->rounds,
                     "Stop after so many rounds, the open one included (default: when told to)");
  command
      .add_option(
          "--upload-limit", options->remote.upload_limit,
          "Bytes a second that gradients may take of the line, such as 500K; at least 8K (default: all)")
      .size();
  command
      .add_option(
          "--disk", options->disk,
          "What copies of projects may take on disk, such as 20G (default); what was used longest ago "
          "goes first")
      .size();
  command.add_option("--invite", options->invite, "The code that lets you into a project of invited people");
  command.add_flag("--mains", options->mains, "On a laptop: compute only while it is plugged in");
  set_action(command, [&shared, options] { return run(shared, *options); });
}

}  // namespace cairn::cmd
