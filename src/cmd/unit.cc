#include <fmt/format.h>

#include "cmd/command.h"
#include "project/contribution.h"

namespace cairn::cmd {
namespace {

struct Options {
  std::filesystem::path directory;
  std::string user;
};

Result<int> run(const Shared& shared, const Options& options) {
  CAIRN_TRY(auto project, project::Project::open(options.directory, system_environment()));
  CAIRN_TRY(const SigningKey key, user_key(shared, project, options.user));
  if (project.state().paused())
    return Error{options.directory.string() + ": the project is paused by its root; try again later"};
  CAIRN_TRY(const project::Lease lease, project::take_unit(project, key.public_key(), system_environment()));
  const uint64_t images = project.recipe().unit_images();
  print(shared,
        Json{{"unit", lease.unit}, {"round", lease.round}, {"images", images}, {"expires", lease.expires}},
        fmt::format("unit {} of round {} is yours for an hour: {}\n"
                    "next: cairn gradient {} --unit {} --user {} -o {}.gradient\n",
                    lease.unit, lease.round, plural(images, "image", "images"), shell_word(options.directory),
                    lease.unit, options.user, options.user));
  return kDone;
}

}  // namespace

void add_unit(CLI::App& app, const Shared& shared) {
  auto* command = add_command(app, "unit", "Take the next unit of work", "cairn unit study --user ada");
  auto options = std::make_shared<Options>();
  command->add_option("DIR", options->directory, "The project")->required();
  command->add_option("--user", options->user, "Who computes it")->required();
  set_action(command, [&shared, options] { return run(shared, *options); });
}

}  // namespace cairn::cmd
