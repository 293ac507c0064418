#include <fmt/format.h>

#include "cmd/console.h"
#include "cmd/remote_project.h"
#include "project/verification.h"

namespace cairn::cmd {
namespace {

struct Options {
  RemoteOptions remote;
  std::filesystem::path directory;
  bool once = false;
};

// Everything that the project is made of, so that the copy stands by itself. What a liar's revocation took
// away is not served any more, nor needed.
Status fetch_files(project::Project& project, const Progress& progress) {
  CAIRN_TRY(const project::Verification verification, project::verify(project, progress));
  std::ignore = verification;
  for (const data::Split split : data::kSplits) {
    for (uint32_t i = 0; i < project.data().count(split); ++i) {
      CAIRN_CHECK(project.data().pixels(split, i));
      CAIRN_CHECK(project.data().label(split, i));
      if (!report(progress, i, project.data().count(split))) return Error{"interrupted"};
    }
  }
  return {};
}

Result<int> run(const Shared& shared, const Options& options) {
  net::ClientOptions client;
  client.ca_file = options.remote.ca_file;
  CAIRN_TRY(const auto remote, role::Remote::open(options.remote.url, client));
  CAIRN_TRY(const auto replica, role::Replica::open_at(*remote, options.directory, system_environment()));
  uint64_t shown = 0;
  Console console;
  do {
    if (auto synced = replica->sync(); !synced && !synced.error().may_pass())
      return Error{synced.error().message};
    project::Project& project = replica->project();
    if (project.head().size == shown) continue;
    CAIRN_CHECK(fetch_files(project, progress_line("fetching and verifying")));
    shown = project.head().size;
    print(shared, Json{{"events", shown}, {"root", project.head().root.hex()}, {"verify", "ok"}},
          fmt::format("{} verified, root {}\n", plural(shown, "event", "events"), project.head().root.hex()));
    std::fflush(stdout);
  } while (!options.once && console.wait(2000));
  return kDone;
}

}  // namespace

void add_mirror(Command app, const Shared& shared) {
  Command command =
      add_command(app, "mirror", "Follow a hosted project into a directory of your own, verifying",
                  "cairn mirror https://example.org study-mirror");
  auto options = std::make_shared<Options>();
  add_remote_options(command, options->remote);
  command.add_option("DIR", options->directory, "Where the copy lies").required();
  command.add_flag("--once", options->once, "Catch up and stop");
  set_action(command, [&shared, options] { return run(shared, *options); });
}

}  // namespace cairn::cmd
