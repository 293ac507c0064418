#include <fmt/format.h>

#include "cmd/command.h"
#include "project/verification.h"

namespace cairn::cmd {
namespace {

Result<int> run(const Shared& shared, const std::filesystem::path& directory) {
  CAIRN_TRY(const project::Verification result,
            project::verify(directory, system_environment(), progress_line("verifying")));
  print(
      shared,
      Json{{"verify", "ok"},
           {"events", result.events},
           {"entries", result.entries},
           {"snapshots_rebuilt", result.snapshots},
           {"verdicts", result.verdicts},
           {"model_digest", result.model.hex()},
           {"log_root", result.root.hex()}},
      fmt::format("ok: {}, every signature and rule holds\n"
                  "  {} with their files, {}, {} rebuilt from the files\n"
                  "  model {}\n  log root {}\n",
                  plural(result.events, "event", "events"), plural(result.entries, "entry", "entries"),
                  plural(result.verdicts, "verdict", "verdicts"),
                  plural(result.snapshots, "snapshot", "snapshots"), result.model.hex(), result.root.hex()));
  return kDone;
}

}  // namespace

void add_verify(CLI::App& app, const Shared& shared) {
  auto* command =
      add_command(app, "verify", "Rebuild everything from the log and its files; name what does not follow",
                  "cairn verify study");
  auto directory = std::make_shared<std::filesystem::path>();
  command->add_option("DIR", *directory, "The project")->required();
  set_action(command, [&shared, directory] { return run(shared, *directory); });
}

}  // namespace cairn::cmd
