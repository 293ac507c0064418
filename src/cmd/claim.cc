#include <fmt/format.h>

#include "cmd/remote_project.h"
#include "cmd/stretch.h"
#include "project/audit.h"
#include "role/auditor.h"

namespace cairn::cmd {
namespace {

struct Options {
  RemoteOptions place;
  std::optional<trust::EntryId> entry;
  std::string image;
  std::optional<trust::Round> round;
  std::string user;
  std::string digest;
};

Result<trust::EntryId> entry_of(const project::Project& project, const Options& options) {
  if (options.entry) return *options.entry;
  CAIRN_TRY(const auto found, project::entries_with_image(project, options.image, options.round));
  if (found.empty()) return Error{"image " + options.image + ": no live entry holds it"};
  if (found.size() > 1) {
    std::string list;
    for (const trust::EntryId entry : found) list += fmt::format("{}{}", list.empty() ? "" : ", ", entry);
    return Error{"image " + options.image + ": entries " + list +
                 " hold it; name one with --entry or --round"};
  }
  return found[0];
}

// What is false of the entry: recomputed here, twice, unless it was computed elsewhere.
Result<project::Probe> recomputed(const Shared& shared, const project::Project& project, trust::EntryId entry,
                                  const Options& options) {
  const Digest published = *project.state().entry(entry).gradient;
  if (!options.digest.empty()) {
    const auto digest = Digest::from_hex(options.digest);
    if (!digest) return digest.error().within("--digest");
    return project::Probe{entry, published, *digest};
  }
  CAIRN_TRY(const project::EngineOptions engine, shared.engine());
  CAIRN_TRY(project::Trainer trainer, project::Trainer::create(project, engine));
  CAIRN_TRY(project::Probe found, project::probe(project, trainer, entry, progress_line("recomputing")));
  if (found.match()) {
    return Error{
        fmt::format("entry {}: recomputing gives the same digest, so a claim would cost you your reputation; "
                    "none is filed",
                    entry)};
  }
  CAIRN_TRY(const Digest again,
            project::probe_again(project, trainer, found,
                                 progress_line(recomputing(project.recipe(), found.stretch) + " again")));
  if (again != found.recomputed) {
    return Error{
        "this machine computed two different digests for the same unit, so it is not sound; no claim is "
        "filed; "
        "run `cairn selftest`"};
  }
  return found;
}

// What to claim, which the rules would take as things stand.
Result<project::Probe> find(const Shared& shared, const project::Project& project, const SigningKey& key,
                            const Options& options) {
  CAIRN_TRY(const trust::EntryId entry, entry_of(project, options));
  CAIRN_CHECK(project::check_claim(project, key.public_key(), entry));
  return recomputed(shared, project, entry, options);
}

void report(const Shared& shared, const project::Project& project, const Options& options,
            const project::Probe& found, trust::ClaimId claim, const std::string& next) {
  const std::string culprit = project.user_name(project.state().entry(found.entry).user);
  Json json = {
      {"claim", claim}, {"entry", found.entry}, {"against", culprit}, {"recomputed", found.recomputed.hex()}};
  add_stretch(json, project.recipe(), found.stretch);
  const std::string where = in_steps(project.recipe(), found.stretch);
  print(shared, json,
        fmt::format("claim {}: {} says that entry {} by {} is false{}\n{}", claim, options.user, found.entry,
                    printable(culprit), where, next));
}

Result<int> claim_hosted(const Shared& shared, const Options& options) {
  CAIRN_TRY(RemoteProject opened, open_remote(options.place));
  CAIRN_TRY(const SigningKey key, user_key(shared, opened.project(), options.user));
  CAIRN_TRY(const project::Probe found, find(shared, opened.project(), key, options));
  role::Auditor auditor(*opened.remote, *opened.replica, key);
  const auto claim = auditor.claim(found);
  if (!claim) return Error{claim.error().message};
  report(shared, opened.project(), options, found, *claim, "the judges recompute it now\n");
  return kDone;
}

Result<int> run(const Shared& shared, const Options& options) {
  if (is_url(options.place.url)) return claim_hosted(shared, options);
  const std::filesystem::path directory = options.place.url;
  CAIRN_TRY(auto project, project::Project::open(directory, system_environment()));
  CAIRN_TRY(const SigningKey key, user_key(shared, project, options.user));
  CAIRN_TRY(const project::Probe found, find(shared, project, key, options));
  CAIRN_TRY(const trust::ClaimId claim, project::file_claim(project, key, found));
  report(shared, project, options, found, claim, "next: cairn judge " + shell_word(directory) + "\n");
  return kDone;
}

}  // namespace

void add_claim(Command app, const Shared& shared) {
  Command command = add_command(app, "claim", "Claim that an entry is false; it is recomputed here first",
                                "cairn claim study --image train-00017 --user ada");
  auto options = std::make_shared<Options>();
  add_remote_options(command, options->place, "DIR|URL");
  const Command what = command.add_choice("which entry");
  what.add_option("--entry", options->entry, "By its number");
  what.add_option("--image", options->image, "By the name of an image in it");
  command.add_option("--round", options->round, "With --image: the round of the entry");
  command.add_option("--user", options->user, "Who claims").required();
  command.add_option("--digest", options->digest, "Claim with a digest that was computed elsewhere");
  set_action(command, [&shared, options] { return run(shared, *options); });
}

}  // namespace cairn::cmd
