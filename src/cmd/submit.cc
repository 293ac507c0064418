#include <fmt/format.h>

#include "cmd/files.h"
#include "project/contribution.h"

namespace cairn::cmd {
namespace {

struct Options {
  std::filesystem::path directory, file;
};

Result<int> run(const Shared& shared, const Options& options) {
  CAIRN_TRY(auto project, project::Project::open(options.directory, system_environment()));
  const uint64_t limit = project::max_submission_size(project.gradients().size());
  CAIRN_TRY(const Bytes bytes, read_input(options.file, limit));
  const auto accepted = project::submit(project, bytes, system_environment());
  if (!accepted)
    return accepted.error().within(options.file == "-" ? "standard input" : options.file.string());
  const std::string user = project.user_name(accepted->user);
  print(shared,
        Json{{"entry", accepted->entry},
             {"round", accepted->round},
             {"unit", accepted->unit},
             {"userid", accepted->user},
             {"user", user},
             {"event", accepted->event}},
        fmt::format("accepted: entry {} (unit {} of round {}) by {}, sealed until the round closes\n"
                    "next, for whoever coordinates: cairn close {}\n",
                    accepted->entry, accepted->unit, accepted->round, printable(user),
                    shell_word(options.directory)));
  return kDone;
}

}  // namespace

void add_submit(Command app, const Shared& shared) {
  Command command = add_command(app, "submit", "Hand in a gradient; anyone may carry the file",
                                "cairn submit study ada.gradient");
  auto options = std::make_shared<Options>();
  command.add_option("DIR", options->directory, "The project").required();
  command.add_option("FILE", options->file, "What `cairn gradient` wrote (-: standard input)").required();
  set_action(command, [&shared, options] { return run(shared, *options); });
}

}  // namespace cairn::cmd
