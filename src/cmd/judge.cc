#include <fmt/format.h>

#include "cmd/command.h"
#include "project/judgement.h"

namespace cairn::cmd {
namespace {

struct Options {
  std::filesystem::path directory;
  std::string key = std::string(project::kJudgeKey);
};

Json to_json(const project::Project& project, const project::Judgement& judgement) {
  Json json = {
      {"claim", judgement.claim}, {"entry", judgement.entry}, {"recomputed", judgement.recomputed.hex()}};
  json["verdict"] = !judgement.upheld ? "open" : *judgement.upheld ? "upheld" : "rejected";
  if (judgement.fallen != 0) {
    json["fallen"] = project.user_name(judgement.fallen);
    json["revoked_entries"] = judgement.revoked_entries;
    json["bounty"] = number(judgement.bounty);
  }
  return json;
}

std::string to_text(const project::Project& project, const project::Judgement& judgement) {
  if (!judgement.upheld) {
    return fmt::format("claim {}: voted; the verdict waits for more votes or for the coordinator\n",
                       judgement.claim);
  }
  const std::string fallen =
      judgement.fallen == trust::kCoordinator ? "nobody" : printable(project.user_name(judgement.fallen));
  if (*judgement.upheld) {
    return fmt::format(
        "claim {}: upheld. Entry {} is false: {} falls to the minimum, {} revoked; bounty {}\n",
        judgement.claim, judgement.entry, fallen,
        plural(judgement.revoked_entries, "entry is", "entries are"), trust::to_decimal(judgement.bounty));
  }
  return fmt::format(
      "claim {}: rejected. Entry {} is true: the claimant {} falls to the minimum, {} revoked\n",
      judgement.claim, judgement.entry, fallen, plural(judgement.revoked_entries, "entry is", "entries are"));
}

Result<int> run(const Shared& shared, const Options& options) {
  CAIRN_TRY(const project::EngineOptions engine, shared.engine());
  CAIRN_TRY(ledger::KeyRing keys, shared.key_ring(options.directory));
  CAIRN_TRY(auto project, project::Project::open(options.directory, system_environment()));
  CAIRN_TRY(const SigningKey key, project::load_key(keys, project, options.key));
  std::optional<SigningKey> coordinator;
  if (auto loaded = project::load_key(keys, project, project::kCoordinatorKey))
    coordinator = *std::move(loaded);
  CAIRN_TRY(project::Trainer trainer, project::Trainer::create(project, engine));

  Json json = Json::array();
  std::string text;
  for (const trust::ClaimId claim : project::claims_for(project, key.public_key())) {
    if (project.state().claim(claim).standing.status != trust::Claim::Status::open) continue;  // moot by now
    CAIRN_TRY(const project::Judgement judgement,
              project::judge(project, trainer, claim, key, coordinator, progress_line("recomputing")));
    json.push_back(to_json(project, judgement));
    text += to_text(project, judgement);
  }
  if (coordinator) {  // what waited for this key, or for votes from elsewhere
    CAIRN_TRY(const auto verdicts, project::settle_claims(project, *coordinator));
    for (const project::Judgement& verdict : verdicts) {
      json.push_back(to_json(project, verdict));
      text += to_text(project, verdict);
    }
  }
  if (text.empty()) text = "no claim is open\n";
  print(shared, json, text);
  return kDone;
}

}  // namespace

void add_judge(CLI::App& app, const Shared& shared) {
  auto* command =
      add_command(app, "judge", "Decide the open claims by recomputing (judge)", "cairn judge study");
  auto options = std::make_shared<Options>();
  command->add_option("DIR", options->directory, "The project")->required();
  command->add_option("--key", options->key, "Name of the judge's key in the key ring")
      ->capture_default_str();
  set_action(command, [&shared, options] { return run(shared, *options); });
}

}  // namespace cairn::cmd
