#include <fmt/format.h>

#include "cmd/command.h"
#include "project/contribution.h"

namespace cairn::cmd {
namespace {

struct Options {
  std::filesystem::path directory;
  std::string user;
  uint32_t slot = 0;
  std::optional<trust::UnitId> returned;
};

Result<int> give_back(const Shared& shared, project::Project& project, const PublicKey& user,
                      trust::UnitId unit) {
  CAIRN_CHECK(project::return_unit(project, user, unit, system_environment()));
  print(shared, Json{{"returned", unit}}, fmt::format("unit {} is free again\n", unit));
  return kDone;
}

Result<int> run(const Shared& shared, const Options& options) {
  CAIRN_TRY(auto project, project::Project::open(options.directory, system_environment()));
  CAIRN_TRY(const SigningKey key, user_key(shared, project, options.user));
  if (options.returned) return give_back(shared, project, key.public_key(), *options.returned);
  if (project.state().paused())
    return Error{options.directory.string() + ": the project is paused by its root; try again later"};
  CAIRN_TRY(const project::Lease lease,
            project::take_unit(project, key.public_key(), system_environment(), options.slot));
  const uint64_t images = project.recipe().unit_images();
  print(shared,
        Json{{"unit", lease.unit}, {"round", lease.round}, {"images", images}, {"expires", lease.expires}},
        fmt::format("unit {} of round {} is yours for an hour: {}\n"
                    "next: cairn gradient {} --unit {} --user {} -o {}.gradient\n",
                    lease.unit, lease.round, samples(project.data().manifest(), images),
                    shell_word(options.directory), lease.unit, options.user, options.user));
  return kDone;
}

}  // namespace

void add_unit(Command app, const Shared& shared) {
  Command command = add_command(app, "unit", "Take the next unit of work", "cairn unit study --user ada");
  auto options = std::make_shared<Options>();
  command.add_option("DIR", options->directory, "The project").required();
  command.add_option("--user", options->user, "Who computes it").required();
  command.add_option("--slot", options->slot, "For several units at once: their numbers from 0 (default: 0)");
  command.add_option("--return", options->returned, "Give this unit back instead");
  set_action(command, [&shared, options] { return run(shared, *options); });
}

}  // namespace cairn::cmd
