#include <fmt/format.h>

#include "cmd/command.h"
#include "project/account.h"
#include "project/contribution.h"

namespace cairn::cmd {
namespace {

struct Options {
  std::filesystem::path directory;
  std::string name;
  bool join = false;
};

Result<int> run(const Shared& shared, const Options& options) {
  CAIRN_TRY(ledger::KeyRing keys, shared.key_ring(options.directory));
  CAIRN_TRY(auto project, project::Project::open(options.directory, system_environment()));
  Json json = {{"name", options.name}};
  std::string text;
  if (options.join) {
    CAIRN_TRY(json["userid"], project::join(project, keys, options.name, progress_line("joining")));
    text = fmt::format("{} has a key and is user {} in the log\n", options.name, json["userid"].dump());
  } else {
    CAIRN_CHECK(project::add_user(project, keys, options.name));
    text = fmt::format("{} has a key now and joins the log with the first accepted entry\n", options.name);
  }
  CAIRN_TRY(const SigningKey key, project::load_key(keys, project, options.name));
  json["key"] = key.public_key().hex();
  print(shared, json,
        text + fmt::format("next: cairn unit {} --user {}\n", shell_word(options.directory), options.name));
  return kDone;
}

}  // namespace

void add_user(Command app, const Shared& shared) {
  Command command =
      add_command(app, "user", "Become a user: makes your key, outside the project", "cairn user study ada");
  auto options = std::make_shared<Options>();
  command.add_option("DIR", options->directory, "The project").required();
  command.add_option("NAME", options->name, "What others will call you").required();
  command.add_flag("--join", options->join,
                   "Join the log at once, so that the root can endow you (default: with the first entry)");
  set_action(command, [&shared, options] { return run(shared, *options); });
}

}  // namespace cairn::cmd
