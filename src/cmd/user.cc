#include <fmt/format.h>

#include "cmd/command.h"
#include "project/contribution.h"

namespace cairn::cmd {
namespace {

struct Options {
  std::filesystem::path directory;
  std::string name;
};

Result<int> run(const Shared& shared, const Options& options) {
  CAIRN_TRY(ledger::KeyRing keys, shared.key_ring(options.directory));
  CAIRN_TRY(const auto opened, project::Project::open(options.directory, system_environment()));
  CAIRN_TRY(const PublicKey key, project::add_user(opened, keys, options.name));
  print(shared, Json{{"name", options.name}, {"key", key.hex()}},
        fmt::format("{} has a key now and joins the log with the first accepted entry\n"
                    "next: cairn unit {} --user {}\n",
                    options.name, options.directory.string(), options.name));
  return kDone;
}

}  // namespace

void add_user(CLI::App& app, const Shared& shared) {
  auto* command =
      add_command(app, "user", "Become a user: makes your key, outside the project", "cairn user study ada");
  auto options = std::make_shared<Options>();
  command->add_option("DIR", options->directory, "The project")->required();
  command->add_option("NAME", options->name, "What others will call you")->required();
  set_action(command, [&shared, options] { return run(shared, *options); });
}

}  // namespace cairn::cmd
