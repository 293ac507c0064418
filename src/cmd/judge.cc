#include <fmt/format.h>

#include <map>
#include <utility>

#include "cmd/console.h"
#include "cmd/remote_project.h"
#include "cmd/stretch.h"
#include "project/judgement.h"
#include "role/auditor.h"

namespace cairn::cmd {
namespace {

struct Options {
  RemoteOptions place;
  std::string key = std::string(project::kJudgeKey);
  std::string user;  // instead of the key
  bool once = false;
};

Json to_json(const project::Project& project, const project::Judgement& judgement) {
  Json json = {
      {"claim", judgement.claim}, {"entry", judgement.entry}, {"recomputed", judgement.recomputed.hex()}};
  add_stretch(json, project.recipe(), project.state().claim(judgement.claim).stretch);
  json["verdict"] = !judgement.upheld ? "open" : *judgement.upheld ? "upheld" : "rejected";
  if (judgement.fallen != 0) {
    json["fallen"] = project.user_name(judgement.fallen);
    json["revoked_entries"] = judgement.revoked_entries;
    json["bounty"] = number(judgement.bounty);
  }
  return json;
}

// " in steps 96 to 128 of 512", if that is what the claim is about.
std::string where(const project::Project& project, trust::ClaimId claim) {
  return in_steps(project.recipe(), project.state().claim(claim).stretch);
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
        "claim {}: upheld. Entry {} is false{}: {} falls to the minimum, {} revoked; bounty {}\n",
        judgement.claim, judgement.entry, where(project, judgement.claim), fallen,
        plural(judgement.revoked_entries, "entry is", "entries are"), trust::to_decimal(judgement.bounty));
  }
  return fmt::format(
      "claim {}: rejected. Entry {} is true{}: the claimant {} falls to the minimum, {} revoked\n",
      judgement.claim, judgement.entry, where(project, judgement.claim), fallen,
      plural(judgement.revoked_entries, "entry is", "entries are"));
}

// The key to vote with, which may judge in this project.
Result<SigningKey> judging_key(const project::Project& project, const ledger::KeyRing& keys,
                               const Options& options) {
  const std::string& name = options.user.empty() ? options.key : options.user;
  const bool is_file = name.find('/') != std::string::npos;  // no name has one
  CAIRN_TRY(SigningKey key, is_file ? ledger::read_key_file(name) : project::load_key(keys, project, name));
  CAIRN_CHECK(project::check_may_judge(project, key.public_key(), name));
  return key;
}

// What somebody is told who waits for claims to judge.
std::string nothing_to_judge(const project::Project& project, const PublicKey& key, const Options& options) {
  if (project.state().judges().contains(key)) return "no claim is open for a named judge to decide\n";
  return fmt::format("{} is on no panel whose vote is still wanted\n",
                     printable(options.user.empty() ? options.key : options.user));
}

// Votes on what is claimed in a hosted project; its coordinator states the verdicts.
class Session {
 public:
  Session(const Shared& shared, const Options& options, RemoteProject& opened, const SigningKey& key)
      : shared_(shared),
        options_(options),
        project_(opened.project()),
        judge_(*opened.remote, *opened.replica, key),
        key_(key.public_key()) {}

  // Until told to stop, or once.
  Status run(project::Trainer& trainer) {
    Console console;
    do {
      const auto claims = judge_.open_claims();
      if (!claims && !claims.error().may_pass()) return Error{claims.error().message};
      if (!claims) continue;
      if (claims->empty() && !std::exchange(told_, true)) tell(nothing_to_judge(project_, key_, options_));
      for (const trust::ClaimId claim : *claims) CAIRN_CHECK(vote(trainer, claim));
    } while (!options_.once && console.wait(2000));
    return {};
  }

 private:
  static constexpr int64_t kRetry = 60'000;  // milliseconds

  Status vote(project::Trainer& trainer, trust::ClaimId claim) {
    const int64_t now = system_environment().now();
    const auto failed = failed_.find(claim);
    if (failed != failed_.end() && now - failed->second < kRetry) return {};
    const auto vote = judge_.vote(
        trainer, claim, progress_line(recomputing(project_.recipe(), project_.state().claim(claim).stretch)));
    if (vote) return shown(*vote);
    if (role::lacks_files(vote.error())) {  // nobody can judge it at present
      if (failed == failed_.end())
        tell(fmt::format("claim {}: left alone, since the host lacks a file that recomputing takes: {}\n",
                         claim, printable(vote.error().message)));
      failed_[claim] = now;
      return {};
    }
    // 409: moot or decided by now; the rest is to be tried again.
    if (vote.error().status == 409 || vote.error().may_pass()) return {};
    return Error{vote.error().message};
  }

  Status shown(const role::Judge::Vote& vote) const {
    Json json = {{"claim", vote.claim},
                 {"entry", vote.entry},
                 {"recomputed", vote.recomputed.hex()},
                 {"false", vote.false_entry}};
    add_stretch(json, project_.recipe(), project_.state().claim(vote.claim).stretch);
    print(shared_, json,
          fmt::format("claim {}: entry {} is {}{}\n", vote.claim, vote.entry,
                      vote.false_entry ? "false" : "true", where(project_, vote.claim)));
    std::fflush(stdout);
    return {};
  }

  static void tell(const std::string& line) { std::fputs(line.c_str(), stderr); }

  const Shared& shared_;
  const Options& options_;
  const project::Project& project_;
  role::Judge judge_;
  PublicKey key_;
  bool told_ = false;
  std::map<trust::ClaimId, int64_t> failed_;  // when, for lack of files
};

Result<int> judge_hosted(const Shared& shared, const Options& options) {
  CAIRN_TRY(const project::EngineOptions engine, shared.engine());
  CAIRN_TRY(RemoteProject opened, open_remote(options.place));
  CAIRN_TRY(const ledger::KeyRing keys, shared.key_ring(opened.project().directory()));
  CAIRN_TRY(const SigningKey key, judging_key(opened.project(), keys, options));
  CAIRN_TRY(project::Trainer trainer, project::Trainer::create(opened.project(), engine));
  CAIRN_CHECK(Session(shared, options, opened, key).run(trainer));
  return kDone;
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

Status vote(const Shared& shared, project::Project& project, const SigningKey& key,
            const std::optional<SigningKey>& coordinator, Report& report) {
  CAIRN_TRY(const project::EngineOptions engine, shared.engine());
  CAIRN_TRY(project::Trainer trainer, project::Trainer::create(project, engine));
  const int64_t now = system_environment().now();
  for (const trust::ClaimId claim : project::claims_for(project, key.public_key(), now)) {
    if (!is_open(project, claim) || project.state().decided(claim)) continue;
    CAIRN_TRY(
        const project::Judgement judgement,
        project::judge(project, trainer, claim, key, coordinator,
                       progress_line(recomputing(project.recipe(), project.state().claim(claim).stretch))));
    report.add(project, judgement);
  }
  return {};
}

// A judge votes; the coordinator states what the votes decide; one person may be both.
Result<int> run(const Shared& shared, const Options& options) {
  if (is_url(options.place.url)) return judge_hosted(shared, options);
  const std::filesystem::path directory = options.place.url;
  CAIRN_TRY(ledger::KeyRing keys, shared.key_ring(directory));
  CAIRN_TRY(auto project, project::Project::open(directory, system_environment()));
  std::optional<SigningKey> coordinator;
  if (auto held =
          project::load_role_key(keys, project, project::kCoordinatorKey, project.state().coordinator())) {
    coordinator = *std::move(held);
  }
  Report report;
  if (coordinator) {  // what waited for this key, or for votes from elsewhere
    CAIRN_TRY(const auto verdicts, project::settle_claims(project, *coordinator));
    for (const project::Judgement& verdict : verdicts) report.add(project, verdict);
  }
  const auto key = judging_key(project, keys, options);
  if (key) CAIRN_CHECK(vote(shared, project, *key, coordinator, report));
  if (!key && report.text.empty()) return key.error();
  if (report.text.empty()) report.text = nothing_to_judge(project, key->public_key(), options);
  print(shared, report.json, report.text);
  return kDone;
}

}  // namespace

void add_judge(Command app, const Shared& shared) {
  Command command = add_command(app, "judge", "Decide the open claims by recomputing", "cairn judge study");
  auto options = std::make_shared<Options>();
  add_remote_options(command, options->place, "DIR|URL");
  const Option key =
      command
          .add_option(
              "--key", options->key,
              "A judge's key: its name in the key ring, or the path of a key file, such as ./judge.key")
          .show_default();
  command.add_option("--user", options->user, "Vote as this user, where users are drawn to judge")
      .excludes(key);
  command.add_flag("--once", options->once, "Of a hosted project: decide what is open and stop");
  set_action(command, [&shared, options] { return run(shared, *options); });
}

}  // namespace cairn::cmd
