#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "cmd/console.h"
#include "cmd/remote_project.h"
#include "cmd/stretch.h"
#include "role/auditor.h"

namespace cairn::cmd {
namespace {

struct Options {
  RemoteOptions remote;
  std::string name = default_user_name();
  std::optional<trust::EntryId> entry;
  uint32_t probes = 0;
  double fraction = 0.05;
};

Json to_json(const work::Recipe& recipe, const role::Audit& audit) {
  Json json = {{"entry", audit.probe.entry},
               {"match", audit.probe.match()},
               {"published", audit.probe.published.hex()},
               {"recomputed", audit.probe.recomputed.hex()}};
  add_stretch(json, recipe, audit.probe.stretch);
  if (audit.claim) json["claim"] = *audit.claim;
  if (!audit.refusal.empty()) json["refusal"] = audit.refusal;
  return json;
}

std::string to_text(const project::Project& project, const role::Audit& audit) {
  const std::string author = printable(project.user_name(project.state().entry(audit.probe.entry).user));
  if (audit.probe.match()) return fmt::format("entry {} by {}: match\n", audit.probe.entry, author);
  const std::string where = in_steps(project.recipe(), audit.probe.stretch);
  return fmt::format("entry {} by {}: MISMATCH{}\n  published  {}\n  recomputed {}\n  {}\n",
                     audit.probe.entry, author, where, audit.probe.published.hex(),
                     audit.probe.recomputed.hex(),
                     audit.claim ? "claimed" : "not claimed: " + printable(audit.refusal));
}

// Why there is nothing to recompute at present.
std::string idle_reason(const trust::State& state, const PublicKey& auditor) {
  const auto live = state.live_entries();
  if (live.empty()) return "the log shows no entries yet; they are opened when their round closes";
  const auto own = state.user_of(auditor);
  const bool others =
      std::ranges::any_of(live, [&](const trust::LiveEntry& entry) { return !own || entry.user != *own; });
  if (others) return "all entries of others are recomputed or judged; more come with the next rounds";
  return fmt::format("all {} in the log are your own; those of others are recomputed once their round closes",
                     plural(live.size(), "entry", "entries"));
}

// Recomputes `fraction` of what is in the log, forever; so many probes; or one entry.
class Session {
 public:
  Session(const Shared& shared, const Options& options, RemoteProject& opened, const PublicKey& user,
          role::Auditor& auditor)
      : shared_(shared), options_(options), opened_(opened), user_(user), auditor_(auditor) {}

  Status run(project::Trainer& trainer) {
    if (options_.entry) return audit(trainer, *options_.entry);
    uint32_t done = 0;
    while (options_.probes == 0 || done < options_.probes) {
      const auto entry = auditor_.draw(system_environment().random_word());
      if (!entry && !entry.error().may_pass()) return Error{entry.error().message};
      const bool idle = !entry || !*entry || !due(done);
      if (idle) {
        say_once("waiting: " + (entry ? idle_because(*entry) : printable(entry.error().message)));
        if (!console_.wait(2000)) return {};
        continue;
      }
      said_.clear();
      CAIRN_CHECK(audit(trainer, **entry));
      ++done;
      if (!console_.go_on()) return {};
    }
    return {};
  }

 private:
  std::string idle_because(const std::optional<trust::EntryId>& drawn) const {
    if (!drawn) return idle_reason(opened_.replica->project().state(), user_);
    return fmt::format("the share of --fraction {} is recomputed; more comes with more entries",
                       options_.fraction);
  }

  // Until there is something else to say.
  void say_once(const std::string& sentence) {
    if (sentence != std::exchange(said_, sentence)) console_.say(sentence);
  }

  bool due(uint32_t done) const {
    if (options_.probes > 0) return true;
    const auto entries = static_cast<double>(opened_.replica->project().state().live_entries().size());
    return static_cast<double>(done) < options_.fraction * entries;
  }

  Status audit(project::Trainer& trainer, trust::EntryId entry) {
    const auto progress = [this, entry](uint64_t done, uint64_t total) {
      console_.status(fmt::format("recomputing entry {}: {} %   (p: pause, q: quit)", entry,
                                  total == 0 ? 0 : 100 * done / total));
      return console_.go_on();
    };
    const auto audit = auditor_.audit(trainer, entry, progress);
    if (!audit && (interrupted() || audit.error().may_pass())) return {};  // drawn anew, if it goes on
    if (!audit && !options_.entry && role::lacks_files(audit.error())) {   // others can be had
      console_.say(fmt::format("entry {}: left alone, since the host lacks a file that recomputing takes: {}",
                               entry, printable(audit.error().message)));
      return {};
    }
    if (!audit) return Error{audit.error().message};
    print(shared_, to_json(opened_.replica->project().recipe(), *audit),
          to_text(opened_.replica->project(), *audit));
    std::fflush(stdout);
    return {};
  }

  const Shared& shared_;
  const Options& options_;
  RemoteProject& opened_;
  const PublicKey user_;
  role::Auditor& auditor_;
  Console console_;
  std::string said_;  // about waiting
};

Result<int> run(const Shared& shared, const Options& options) {
  CAIRN_TRY(const project::EngineOptions engine, shared.engine());
  CAIRN_TRY(RemoteProject opened, open_remote(options.remote));
  CAIRN_TRY(const SigningKey key, own_key(shared, opened.project(), options.name));
  CAIRN_TRY(project::Trainer trainer, project::Trainer::create(opened.project(), engine));
  role::Auditor auditor(*opened.remote, *opened.replica, key);
  CAIRN_CHECK(Session(shared, options, opened, key.public_key(), auditor).run(trainer));
  return kDone;
}

}  // namespace

void add_audit(Command app, const Shared& shared) {
  Command command = add_command(app, "audit", "Recompute entries of a hosted project and claim what is false",
                                "cairn audit https://example.org --name ada --fraction 0.05");
  auto options = std::make_shared<Options>();
  add_remote_options(command, options->remote);
  command.add_option("--name", options->name, "Who claims").show_default();
  const Option entry = command.add_option("--entry", options->entry, "This entry alone");
  command.add_option("--probes", options->probes, "So many entries, then stop (default: go on)")
      .excludes(entry);
  command.add_option("--fraction", options->fraction, "Share of all entries to recompute while going on")
      .show_default()
      .range(0.0, 1.0);
  set_action(command, [&shared, options] { return run(shared, *options); });
}

}  // namespace cairn::cmd
