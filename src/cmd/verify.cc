#include <fmt/format.h>

#include "base/file.h"
#include "cmd/remote_project.h"
#include "project/audit.h"
#include "project/verification.h"

namespace cairn::cmd {
namespace {

struct Options {
  RemoteOptions place;
  uint32_t recompute = 0;
  std::vector<std::string> against;
};

struct Checked {
  project::Verification log;
  uint32_t recomputed = 0;
};

Result<Checked> check(const Shared& shared, const project::Project& project, uint32_t recompute) {
  Checked checked;
  CAIRN_TRY(checked.log, project::verify(project, progress_line("verifying")));
  if (recompute == 0) return checked;
  CAIRN_TRY(const project::EngineOptions engine, shared.engine());
  CAIRN_TRY(project::Trainer trainer, project::Trainer::create(project, engine));
  CAIRN_TRY(checked.recomputed,
            project::recompute_some(project, trainer, recompute, progress_line("recomputing")));
  return checked;
}

// Copies in the cache of `cairn join URL` and others are named by their project.
bool is_cached_copy(const std::filesystem::path& place) {
  std::error_code error;
  return Digest::from_hex(std::filesystem::canonical(place, error).filename().string()).ok();
}

// What the coordinator showed somebody else: another address of the host, a mirror's directory, or a file.
Result<std::string> checkpoint_of(const Options& options, const std::string& place) {
  if (is_url(place)) {
    net::ClientOptions client;
    client.ca_file = options.place.ca_file;
    CAIRN_TRY(const auto remote, role::Remote::open(place, client));
    CAIRN_TRY(std::string note, remote->checkpoint());
    return note;
  }
  std::filesystem::path file = place;
  if (std::error_code error; std::filesystem::is_directory(file, error)) file /= role::kCheckpointFile;
  CAIRN_TRY(const Bytes bytes, read_file(file, ledger::kMaxNoteSize));
  return std::string(bytes.begin(), bytes.end());
}

// Theirs are read first: what they saw by then, the host has to show us, too.
Result<RemoteProject> open_and_compare(const Options& options) {
  std::vector<std::string> notes;
  for (const std::string& place : options.against) {
    CAIRN_TRY(notes.emplace_back(), checkpoint_of(options, place));
  }
  CAIRN_TRY(RemoteProject opened, open_remote(options.place));
  for (size_t i = 0; i < notes.size(); ++i) {
    if (const Status same = opened.replica->compare(notes[i]); !same)
      return same.error().within("--against " + options.against[i]);
  }
  return opened;
}

Result<Checked> verify(const Shared& shared, const Options& options) {
  if (is_url(options.place.url)) {
    CAIRN_TRY(RemoteProject opened, open_and_compare(options));
    return check(shared, opened.project(), options.recompute);
  }
  if (!options.against.empty()) return Error{"--against: compares what a host shows; give its URL"};
  auto checked = [&]() -> Result<Checked> {
    CAIRN_TRY(const auto project, project::Project::open(options.place.url, system_environment()));
    return check(shared, project, options.recompute);
  }();
  if (!checked && is_cached_copy(options.place.url)) {
    return Error{
        checked.error().message + "; " + options.place.url +
        " is a copy in a cache, which has only what was needed so far: `cairn verify URL` checks the "
        "project where it is hosted, and `cairn mirror URL DIR` makes a copy that has everything"};
  }
  return checked;
}

Result<int> run(const Shared& shared, const Options& options) {
  CAIRN_TRY(const Checked checked, verify(shared, options));
  const project::Verification& result = checked.log;
  print(shared,
        Json{{"verify", "ok"},
             {"events", result.events},
             {"entries", result.entries},
             {"snapshots_rebuilt", result.snapshots},
             {"snapshots_attested", result.attested},
             {"verdicts", result.verdicts},
             {"recomputed", checked.recomputed},
             {"model_digest", result.model.hex()},
             {"log_root", result.root.hex()}},
        fmt::format(
            "ok: {}, every signature and rule holds\n"
            "  {} with their files, {}, {} rebuilt from the files{}{}\n"
            "  model {}\n  log root {}\n",
            plural(result.events, "event", "events"), plural(result.entries, "entry", "entries"),
            plural(result.verdicts, "verdict", "verdicts"), plural(result.snapshots, "snapshot", "snapshots"),
            result.attested == 0
                ? ""
                : fmt::format("\n  {} not rebuilt, since files of revoked entries are gone; the coordinator "
                              "vouches for them",
                              plural(result.attested, "snapshot", "snapshots")),
            checked.recomputed == 0
                ? ""
                : fmt::format("\n  {} at random recomputed: all true",
                              plural(checked.recomputed, "entry or verdict", "entries and verdicts")),
            result.model.hex(), result.root.hex()));
  return kDone;
}

}  // namespace

void add_verify(Command app, const Shared& shared) {
  Command command = add_command(
      app, "verify", "Rebuild everything from the log and its files; name what does not follow",
      "cairn verify study\n  cairn verify https://example.org --recompute 10 --against my-mirror");
  auto options = std::make_shared<Options>();
  add_remote_options(command, options->place, "DIR|URL");
  command.add_option("--recompute", options->recompute,
                     "Also recompute so many entries and verdicts, drawn at random");
  command.add_option("--against", options->against,
                     "A mirror's directory, a checkpoint's file or another URL of the host: whether it shows "
                     "everybody the same log");
  set_action(command, [&shared, options] { return run(shared, *options); });
}

}  // namespace cairn::cmd
