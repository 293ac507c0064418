#include <fmt/format.h>

#include "cmd/remote_project.h"
#include "project/audit.h"
#include "project/verification.h"

namespace cairn::cmd {
namespace {

struct Options {
  RemoteOptions place;
  uint32_t recompute = 0;
};

struct Checked {
  project::Verification log;
  uint32_t recomputed = 0;
};

Result<Checked> check(const Shared& shared, const project::Project& project, uint32_t recompute) {
  Checked checked;
  CAIRN_TRY(checked.log, project::verify(project, progress_line("verifying")));
  if (recompute == 0) return checked;
  CAIRN_TRY(const project::EngineOptions engine, shared.engine());
  CAIRN_TRY(project::Trainer trainer, project::Trainer::create(project, engine));
  CAIRN_TRY(checked.recomputed,
            project::recompute_some(project, trainer, recompute, progress_line("recomputing")));
  return checked;
}

// Copies in the cache of `cairn join URL` and others are named by their project.
bool is_cached_copy(const std::filesystem::path& place) {
  std::error_code error;
  return Digest::from_hex(std::filesystem::canonical(place, error).filename().string()).ok();
}

Result<Checked> verify(const Shared& shared, const Options& options) {
  if (is_url(options.place.url)) {
    CAIRN_TRY(RemoteProject opened, open_remote(options.place));
    return check(shared, opened.project(), options.recompute);
  }
  auto checked = [&]() -> Result<Checked> {
    CAIRN_TRY(const auto project, project::Project::open(options.place.url, system_environment()));
    return check(shared, project, options.recompute);
  }();
  if (!checked && is_cached_copy(options.place.url)) {
    return Error{
        checked.error().message + "; " + options.place.url +
        " is a copy in a cache, which has only what was needed so far: `cairn verify URL` checks the "
        "project where it is hosted, and `cairn mirror URL DIR` makes a copy that has everything"};
  }
  return checked;
}

Result<int> run(const Shared& shared, const Options& options) {
  CAIRN_TRY(const Checked checked, verify(shared, options));
  const project::Verification& result = checked.log;
  print(shared,
        Json{{"verify", "ok"},
             {"events", result.events},
             {"entries", result.entries},
             {"snapshots_rebuilt", result.snapshots},
             {"snapshots_attested", result.attested},
             {"verdicts", result.verdicts},
             {"recomputed", checked.recomputed},
             {"model_digest", result.model.hex()},
             {"log_root", result.root.hex()}},
        fmt::format(
            "ok: {}, every signature and rule holds\n"
            "  {} with their files, {}, {} rebuilt from the files{}{}\n"
            "  model {}\n  log root {}\n",
            plural(result.events, "event", "events"), plural(result.entries, "entry", "entries"),
            plural(result.verdicts, "verdict", "verdicts"), plural(result.snapshots, "snapshot", "snapshots"),
            result.attested == 0
                ? ""
                : fmt::format("\n  {} not rebuilt, since files of revoked entries are gone; the coordinator "
                              "vouches for them",
                              plural(result.attested, "snapshot", "snapshots")),
            checked.recomputed == 0
                ? ""
                : fmt::format("\n  {} at random recomputed: all true",
                              plural(checked.recomputed, "entry or verdict", "entries and verdicts")),
            result.model.hex(), result.root.hex()));
  return kDone;
}

}  // namespace

void add_verify(Command app, const Shared& shared) {
  Command command =
      add_command(app, "verify", "Rebuild everything from the log and its files; name what does not follow",
                  "cairn verify study\n  cairn verify https://example.org --recompute 10");
  auto options = std::make_shared<Options>();
  add_remote_options(command, options->place, "DIR|URL");
  command.add_option("--recompute", options->recompute,
                     "Also recompute so many entries and verdicts, drawn at random");
  set_action(command, [&shared, options] { return run(shared, *options); });
}

}  // namespace cairn::cmd
