#include <fmt/format.h>

#include "base/philox.h"
#include "cmd/command.h"
#include "cmd/stretch.h"
#include "project/audit.h"

namespace cairn::cmd {
namespace {

struct Options {
  std::filesystem::path directory;
  std::optional<trust::EntryId> entry;
  std::string user;
  std::optional<uint64_t> draw;
};

// The auditor's own entries are left out, where the auditor is named.
Result<trust::EntryId> drawn_entry(const Shared& shared, const project::Project& project,
                                   const Options& options) {
  trust::UserId auditor = 0;
  if (!options.user.empty()) {
    CAIRN_TRY(const SigningKey key, user_key(shared, project, options.user));
    auditor = project.state().user_of(key.public_key()).value_or(0);
  }
  uint64_t random = system_environment().random_word();
  if (options.draw) {
    const auto words = RandomSequence(*options.draw, RandomStream::probe).at(0);
    random = uint64_t{words[0]} << 32 | words[1];
  }
  return project::draw_entry(project, auditor, random);
}

Result<int> run(const Shared& shared, const Options& options) {
  CAIRN_TRY(const project::EngineOptions engine, shared.engine());
  CAIRN_TRY(const auto project, project::Project::open(options.directory, system_environment()));
  trust::EntryId entry = options.entry.value_or(0);
  if (!options.entry) {
    CAIRN_TRY(entry, drawn_entry(shared, project, options));
  }
  CAIRN_TRY(project::Trainer trainer, project::Trainer::create(project, engine));
  CAIRN_TRY(const project::Probe probe,
            project::probe(project, trainer, entry, progress_line("recomputing")));
  const trust::UserId user = project.state().entry(entry).user;
  const std::string name = project.user_name(user);
  const std::string advice = probe.match() ? ""
                                           : fmt::format("next: cairn claim {} --entry {} --user NAME\n",
                                                         shell_word(options.directory), entry);
  Json json = {{"entry", entry},
               {"userid", user},
               {"user", name},
               {"match", probe.match()},
               {"published", probe.published.hex()},
               {"recomputed", probe.recomputed.hex()}};
  add_stretch(json, project.recipe(), probe.stretch);
  const std::string where = in_steps(project.recipe(), probe.stretch);
  print(shared, json,
        fmt::format("entry {} by {}: {}\n  published  {}\n  recomputed {}\n{}", entry, printable(name),
                    probe.match() ? "match" : "mismatch" + where, probe.published.hex(),
                    probe.recomputed.hex(), advice));
  return kDone;
}

}  // namespace

void add_probe(Command app, const Shared& shared) {
  Command command = add_command(app, "probe", "Recompute somebody's gradient: match or mismatch",
                                "cairn probe study --entry 12");
  auto options = std::make_shared<Options>();
  command.add_option("DIR", options->directory, "The project").required();
  command.add_option("--entry", options->entry, "Which entry (default: drawn by the rule of probing)");
  command.add_option("--user", options->user, "Who probes: their own entries are not drawn");
  command.add_option("--draw", options->draw,
                     "Seed of the draw, so that it can be repeated (default: unpredictable)");
  set_action(command, [&shared, options] { return run(shared, *options); });
}

}  // namespace cairn::cmd
