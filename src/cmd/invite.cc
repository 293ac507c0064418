#include <fmt/format.h>

#include "cmd/command.h"
#include "project/invites.h"

namespace cairn::cmd {
namespace {

struct Options {
  std::filesystem::path directory;
  uint32_t uses = 1;
};

Result<int> run(const Shared& shared, const Options& options) {
  CAIRN_TRY(auto project, project::Project::open(options.directory, system_environment()));
  CAIRN_TRY(const std::string code, project::add_invite(project, options.uses, system_environment()));
  print(shared, Json{{"invite", code}, {"uses", options.uses}},
        fmt::format(
            "{}\ngood for {}; it is not shown again. Whom you give it to types: cairn join URL --invite {}\n",
            code, plural(options.uses, "newcomer", "newcomers"), code));
  return kDone;
}

}  // namespace

void add_invite(Command app, const Shared& shared) {
  Command command =
      add_command(app, "invite", "Make a code that lets newcomers into a project that is hosted --private",
                  "cairn invite study --uses 10");
  auto options = std::make_shared<Options>();
  command.add_option("DIR", options->directory, "The project").required();
  command.add_option("--uses", options->uses, "How many newcomers it lets in")
      .range(1, static_cast<int>(project::kMaxInviteUses))
      .show_default();
  set_action(command, [&shared, options] { return run(shared, *options); });
}

}  // namespace cairn::cmd
