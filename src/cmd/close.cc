#include <fmt/format.h>

#include "cmd/command.h"
#include "project/judgement.h"
#include "project/retention.h"
#include "project/rounds.h"

namespace cairn::cmd {
namespace {

struct Options {
  std::filesystem::path directory;
};

Result<int> run(const Shared& shared, const Options& options) {
  CAIRN_TRY(ledger::KeyRing keys, shared.key_ring(options.directory));
  CAIRN_TRY(auto project, project::Project::open(options.directory, system_environment()));
  CAIRN_TRY(const SigningKey coordinator,
            project::load_role_key(keys, project, project::kCoordinatorKey, project.state().coordinator()));
  project::ClosedRound closed{.round = project.state().next_round() - 1};  // if it is closed already
  if (project.state().open_round()) {
    CAIRN_TRY(closed, project::close_round(project, coordinator));
  }
  CAIRN_TRY(const project::OpenedRound next,
            project::open_round(project, coordinator, project::average_of(project)));
  if (project::settling_is_due(project.state(), coordinator.public_key())) {
    CAIRN_CHECK(project::settle_claims(project, coordinator));  // seals the lot that panels are drawn by
  }
  CAIRN_CHECK(project::drop_snapshots(project, project.environment().now()));
  print(shared,
        Json{{"round", closed.round},
             {"entries", closed.openings},
             {"lapsed", closed.lapsed},
             {"mismatches", closed.mismatches},
             {"next_round", next.round},
             {"model_digest", next.snapshot.hex()}},
        fmt::format("round {} is closed with {}; round {} opens with model {}\n{}", closed.round,
                    plural(closed.openings, "entry", "entries"), next.round, next.snapshot.hex(),
                    closed.mismatches == 0 ? ""
                                           : fmt::format("duplicates differ: {} for the judges\n",
                                                         plural(closed.mismatches, "claim", "claims"))));
  return kDone;
}

}  // namespace

void add_close(Command app, const Shared& shared) {
  Command command =
      add_command(app, "close", "Close the round and open the next with the new average (coordinator)",
                  "cairn close study");
  auto options = std::make_shared<Options>();
  command.add_option("DIR", options->directory, "The project").required();
  set_action(command, [&shared, options] { return run(shared, *options); });
}

}  // namespace cairn::cmd
