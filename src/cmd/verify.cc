#include <fmt/format.h>

#include "cmd/remote_project.h"
#include "project/verification.h"

namespace cairn::cmd {
namespace {

Result<project::Verification> verify(const RemoteOptions& options) {
  if (is_url(options.url)) {
    CAIRN_TRY(const RemoteProject opened, open_remote(options));
    return project::verify(opened.replica->project(), progress_line("verifying"));
  }
  CAIRN_TRY(const auto project, project::Project::open(options.url, system_environment()));
  return project::verify(project, progress_line("verifying"));
}

Result<int> run(const Shared& shared, const RemoteOptions& options) {
  CAIRN_TRY(const project::Verification result, verify(options));
  print(shared,
        Json{{"verify", "ok"},
             {"events", result.events},
             {"entries", result.entries},
             {"snapshots_rebuilt", result.snapshots},
             {"snapshots_attested", result.attested},
             {"verdicts", result.verdicts},
             {"model_digest", result.model.hex()},
             {"log_root", result.root.hex()}},
        fmt::format(
            "ok: {}, every signature and rule holds\n"
            "  {} with their files, {}, {} rebuilt from the files{}\n"
            "  model {}\n  log root {}\n",
            plural(result.events, "event", "events"), plural(result.entries, "entry", "entries"),
            plural(result.verdicts, "verdict", "verdicts"), plural(result.snapshots, "snapshot", "snapshots"),
            result.attested == 0
                ? ""
                : fmt::format("\n  {} not rebuilt, since files of revoked entries are gone; the coordinator "
                              "vouches for them",
                              plural(result.attested, "snapshot", "snapshots")),
            result.model.hex(), result.root.hex()));
  return kDone;
}

}  // namespace

void add_verify(Command app, const Shared& shared) {
  Command command =
      add_command(app, "verify", "Rebuild everything from the log and its files; name what does not follow",
                  "cairn verify study\n  cairn verify https://example.org");
  auto options = std::make_shared<RemoteOptions>();
  add_remote_options(command, *options, "DIR|URL");
  set_action(command, [&shared, options] { return run(shared, *options); });
}

}  // namespace cairn::cmd
