#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "base/power.h"
#include "cmd/join_report.h"
#include "cmd/remote_project.h"
#include "exact/signature.h"
#include "role/unfinished.h"
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

class Session {
 public:
  Session(const Shared& shared, const Options& options, RemoteProject& opened, const SigningKey& key,
          role::DiskLimit& disk)
      : options_(options),
        opened_(opened),
        key_(key),
        disk_(disk),
        report_(shared, console_, opened.project(), key.public_key()) {}

  Status run(const project::EngineOptions& engine) {
    CAIRN_TRY(const auto unfinished,
              role::Unfinished::open(opened_.project().directory(), key_.public_key()));
    CAIRN_TRY(project::Trainer trainer, project::Trainer::create(opened_.project(), engine));
    if (const std::string notice = memory_notice(trainer, engine.memory_limit); !notice.empty())
      report_.say("memory", notice);
    role::Worker worker(opened_.project(), trainer, {&disk_, unfinished->unit()}, system_environment());
    worker.on_resume = [this](trust::UnitId unit, uint32_t batches) { report_.resumed(unit, batches); };
    const role::Compute compute = [&worker](trust::Round round, trust::UnitId unit,
                                            const Progress& progress) {
      return worker.compute(round, unit, progress);
    };
    role::Contributor contributor(*opened_.remote, *opened_.replica, key_, compute,
                                  {options_.name, options_.units, options_.rounds, unfinished->submission()},
                                  system_environment());
    contributor.evaluate = [&](trust::Round round) {
      return trainer.evaluate(round, [this](uint64_t, uint64_t) { return powered() && console_.go_on(); });
    };
    contributor.on_news = [this](const role::ContributorNews& news) { report_.news(news); };
    contributor.progress = [this](uint64_t done, uint64_t total) { return advance(done, total); };
    contributor.pause = [this](int64_t milliseconds) { return console_.wait(milliseconds); };
    CAIRN_CHECK(contributor.run());
    std::ignore = opened_.replica->sync().ok();  // for the last figures; the work is done
    report_.end(options_.name, contributor.accepted());
    return {};
  }

 private:
  using Clock = std::chrono::steady_clock;

  // Looks for mains power every few seconds, and waits for it.
  bool powered() {
    const auto now = Clock::now();
    if (!options_.mains || now < power_seen_ + std::chrono::seconds(5)) return true;
    power_seen_ = now;
    if (on_battery()) report_.say("battery", "on battery: waiting for mains power");
    while (on_battery()) {
      if (!console_.wait(2000)) return false;
    }
    return true;
  }

  bool advance(uint64_t done, uint64_t total) {
    report_.progress(done, total);
    const auto before = Clock::now();
    const bool goes_on = powered() && console_.go_on();
    report_.paused(std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - before).count());
    return goes_on;
  }

  const Options& options_;
  RemoteProject& opened_;
  const SigningKey& key_;
  role::DiskLimit& disk_;
  Console console_;
  JoinReport report_;
  Clock::time_point power_seen_;
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
  CAIRN_CHECK(Session(shared, options, opened, key, *disk).run(engine));
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
