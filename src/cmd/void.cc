#include <fmt/format.h>

#include "cmd/command.h"
#include "project/judgement.h"

namespace cairn::cmd {
namespace {

struct Options {
  std::filesystem::path directory;
  trust::ClaimId claim = 0;
};

Result<int> run(const Shared& shared, const Options& options) {
  CAIRN_TRY(ledger::KeyRing keys, shared.key_ring(options.directory));
  CAIRN_TRY(auto project, project::Project::open(options.directory, system_environment()));
  CAIRN_TRY(const SigningKey root, project::load_key(keys, project, project::kRootKey));
  CAIRN_CHECK(project::void_verdict(project, root, options.claim));
  print(shared, Json{{"claim", options.claim}, {"verdict", "voided"}},
        fmt::format("the verdict on claim {} is void: reputations and entries are as if it had never been\n",
                    options.claim));
  return kDone;
}

}  // namespace

void add_void(CLI::App& app, const Shared& shared) {
  auto* command = add_command(app, "void", "Void a verdict, as if it had never been (root)",
                              "cairn void study --claim 2");
  auto options = std::make_shared<Options>();
  command->add_option("DIR", options->directory, "The project")->required();
  command->add_option("--claim", options->claim, "The claim whose verdict falls")->required();
  set_action(command, [&shared, options] { return run(shared, *options); });
}

}  // namespace cairn::cmd
