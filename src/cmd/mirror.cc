#include <fmt/format.h>

#include "cmd/console.h"
#include "cmd/remote_project.h"
#include "project/retention.h"
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
Result<project::Verification> fetch_files(project::Project& project, const Progress& progress) {
  CAIRN_TRY(const project::Verification verification, project::verify(project, progress));
  for (const data::Split split : data::kSplits) {
    for (uint32_t i = 0; i < project.data().count(split); ++i) {
      CAIRN_CHECK(project.data().sample(split, i));
      CAIRN_CHECK(project.data().label(split, i));
      if (!report(progress, i, project.data().count(split))) return Error{"interrupted"};
    }
  }
  return verification;
}

Json to_json(const project::Project& project, const project::Verification& verified) {
  return {{"events", project.head().size},
          {"root", project.head().root.hex()},
          {"verify", "ok"},
          {"snapshots_attested", verified.attested}};
}

std::string to_text(const project::Project& project, const project::Verification& verified) {
  return fmt::format(
      "{} verified, root {}\n{}", plural(project.head().size, "event", "events"), project.head().root.hex(),
      verified.attested == 0 ? ""
                             : fmt::format("  {} not rebuilt, since files of revoked entries are gone; the "
                                           "coordinator vouches for them\n",
                                           plural(verified.attested, "snapshot", "snapshots")));
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
    auto verified = fetch_files(project, progress_line("fetching and verifying"));
    if (!verified && role::lacks_files(remote->explain(verified.error()))) {
      // Revoked since the log was read, perhaps: then the log says so by now.
      CAIRN_CHECK(replica->sync());
      verified = fetch_files(project, progress_line("fetching and verifying"));
    }
    if (!verified) return verified.error();
    CAIRN_CHECK(project::drop_snapshots(project, project.environment().now()));
    shown = project.head().size;
    print(shared, to_json(project, *verified), to_text(project, *verified));
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
