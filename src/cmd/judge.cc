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

// What this command has decided so far.
struct Report {
  Json json = Json::array();
  std::string text;

  void add(const project::Project& project, const project::Judgement& judgement) {
    json.push_back(to_json(project, judgement));
    text += to_text(project, judgement);
  }
};

bool is_open(const project::Project& project, trust::ClaimId claim) {
  return project.state().claim(claim).standing.status == trust::Claim::Status::open;
}

std::vector<trust::ClaimId> decided_claims(const project::Project& project) {
  std::vector<trust::ClaimId> decided;
  for (trust::ClaimId id = 1; project.state().has_claim(id); ++id) {
    if (is_open(project, id) && project.state().decided(id)) decided.push_back(id);
  }
  return decided;
}

Status vote(const Shared& shared, project::Project& project, const SigningKey& key,
            const std::optional<SigningKey>& coordinator, Report& report) {
  CAIRN_TRY(const project::EngineOptions engine, shared.engine());
  CAIRN_TRY(project::Trainer trainer, project::Trainer::create(project, engine));
  for (const trust::ClaimId claim : project::claims_for(project, key.public_key())) {
    if (!is_open(project, claim) || project.state().decided(claim)) continue;
    CAIRN_TRY(const project::Judgement judgement,
              project::judge(project, trainer, claim, key, coordinator, progress_line("recomputing")));
    report.add(project, judgement);
  }
  return {};
}

// A judge votes; the coordinator states what the votes decide; one person may be both.
Result<int> run(const Shared& shared, const Options& options) {
  CAIRN_TRY(ledger::KeyRing keys, shared.key_ring(options.directory));
  CAIRN_TRY(auto project, project::Project::open(options.directory, system_environment()));
  std::optional<SigningKey> coordinator;
  if (auto held =
          project::load_role_key(keys, project, project::kCoordinatorKey, project.state().coordinator())) {
    coordinator = *std::move(held);
  }
  Report report;
  for (const trust::ClaimId claim : decided_claims(project)) {
    if (!coordinator || !is_open(project, claim)) continue;
    CAIRN_TRY(const project::Judgement judgement, project::state_verdict(project, *coordinator, claim));
    report.add(project, judgement);
  }
  const auto key = project::load_key(keys, project, options.key);
  const bool judge = key && project.state().judges().contains(key->public_key());
  if (judge) CAIRN_CHECK(vote(shared, project, *key, coordinator, report));
  if (!judge && report.text.empty()) {
    if (!key) return key.error();
    return Error{"key " + options.key +
                 ": is no judge of this project; the root can make it one: cairn root add-judge"};
  }
  if (report.text.empty()) report.text = "no claim is open\n";
  print(shared, report.json, report.text);
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
