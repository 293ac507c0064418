#include <fmt/format.h>

#include "cmd/command.h"
#include "cmd/stretch.h"
#include "project/audit.h"
#include "project/judgement.h"

namespace cairn::cmd {
namespace {

struct Options {
  std::filesystem::path directory;
  trust::ClaimId claim = 0;
  std::string user;
};

// What recomputing the entry of the claim, or the stretch of it, gives here.
Result<Digest> recompute(const Shared& shared, const project::Project& project, trust::ClaimId claim) {
  if (!project.state().has_claim(claim)) return Error{fmt::format("claim {}: is not in the log", claim)};
  CAIRN_TRY(const project::EngineOptions engine, shared.engine());
  CAIRN_TRY(project::Trainer trainer, project::Trainer::create(project, engine));
  const std::string what = recomputing(project.recipe(), project.state().claim(claim).stretch);
  return project::recompute_claim(project, trainer, claim, progress_line(what));
}

Result<int> run(const Shared& shared, const Options& options) {
  CAIRN_TRY(auto project, project::Project::open(options.directory, system_environment()));
  CAIRN_TRY(const SigningKey key, user_key(shared, project, options.user));
  CAIRN_TRY(const Digest digest, recompute(shared, project, options.claim));
  CAIRN_CHECK(project::file_appeal(project, key, options.claim, digest));
  print(shared, Json{{"claim", options.claim}, {"recomputed", digest.hex()}},
        fmt::format(
            "the appeal against the verdict on claim {} is in the log; the root decides: cairn root void "
            "{} --claim {}\n",
            options.claim, shell_word(options.directory), options.claim));
  return kDone;
}

}  // namespace

void add_appeal(Command app, const Shared& shared) {
  Command command = add_command(app, "appeal", "Appeal against a verdict, with what recomputing gives here",
                                "cairn appeal study --claim 2 --user mallory");
  auto options = std::make_shared<Options>();
  command.add_option("DIR", options->directory, "The project").required();
  command.add_option("--claim", options->claim, "The claim whose verdict is wrong").required();
  command.add_option("--user", options->user, "Who appeals").required();
  set_action(command, [&shared, options] { return run(shared, *options); });
}

}  // namespace cairn::cmd
