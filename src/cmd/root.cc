// cairn root: what the holder of the root key decides.
#include <fmt/format.h>

#include "base/file.h"
#include "cmd/command.h"
#include "project/judgement.h"
#include "project/policy_settings.h"
#include "trust/reputation.h"
#include "work/settings.h"

namespace cairn::cmd {
namespace {

struct Options {
  std::filesystem::path directory, recipe;
  std::string user, reputation, key;
  std::optional<trust::Round> round;
  trust::ClaimId claim = 0;
};

// A project and the key to decide about it.
struct Root {
  project::Project project;
  SigningKey key;

  Status state(ledger::Body body) {
    const auto added = project.add(key, std::move(body));
    return added ? Status() : added.error();
  }
};

Result<Root> open(const Shared& shared, const Options& options) {
  CAIRN_TRY(auto project, project::Project::open(options.directory, system_environment()));
  CAIRN_TRY(SigningKey key, root_key(shared, project));
  return Root{std::move(project), std::move(key)};
}

Result<int> endow(const Shared& shared, const Options& options) {
  const auto reputation = trust::from_decimal(options.reputation);
  if (!reputation) return reputation.error().within("reputation " + options.reputation);
  CAIRN_TRY(Root root, open(shared, options));
  const auto user = root.project.user_named(options.user);
  if (!user) {
    return Error{"user " + options.user + ": is not in the log; `cairn user " + options.directory.string() +
                 " " + options.user + " --join` puts them there"};
  }
  CAIRN_CHECK(root.state(ledger::Endowed{*user, *reputation}));
  print(shared, Json{{"userid", *user}, {"user", options.user}, {"reputation", number(*reputation)}},
        fmt::format("{} starts with a reputation of {}\n", options.user, trust::to_decimal(*reputation)));
  return kDone;
}

Result<int> set_paused(const Shared& shared, const Options& options, bool paused) {
  CAIRN_TRY(Root root, open(shared, options));
  CAIRN_CHECK(root.state(ledger::Paused{paused}));
  print(shared, Json{{"paused", paused}},
        paused ? fmt::format("paused: takes only what the root says, until cairn root resume {}\n",
                             shell_word(options.directory))
               : "resumed\n");
  return kDone;
}

Result<int> pause(const Shared& shared, const Options& options) {
  return set_paused(shared, options, true);
}
Result<int> resume(const Shared& shared, const Options& options) {
  return set_paused(shared, options, false);
}

Result<int> rollback(const Shared& shared, const Options& options) {
  CAIRN_TRY(Root root, open(shared, options));
  const trust::Round newest = root.project.state().next_round() - 1;
  CAIRN_CHECK(root.state(ledger::RolledBack{*options.round}));
  print(shared, Json{{"from_round", *options.round}, {"to_round", newest}},
        fmt::format("entries of rounds {} to {} are averaged no more; they stay in the log\n"
                    "the next round opens without them: cairn close {}\n",
                    *options.round, newest, shell_word(options.directory)));
  return kDone;
}

Result<int> void_verdict(const Shared& shared, const Options& options) {
  CAIRN_TRY(Root root, open(shared, options));
  CAIRN_CHECK(project::void_verdict(root.project, root.key, options.claim));
  print(shared, Json{{"claim", options.claim}, {"verdict", "voided"}},
        fmt::format("the verdict on claim {} is void: reputations and entries are as if it had never been\n",
                    options.claim));
  return kDone;
}

// -- Settings

Json to_json(trust::Round round, const ledger::Policy& policy) {
  Json json = {{"from_round", round}};
  for (const project::PolicySetting& setting : project::policy_settings(policy))
    json[setting.table][setting.key] = Json::literal(setting.value);
  return json;
}

// A recipe file may be handed in whole; what it says besides the policy cannot change and has to be as it
// was.
Status check_recipe_unchanged(const project::Project& project, const std::string& text,
                              const std::string& name) {
  CAIRN_TRY(const work::SettingsTable tables, work::parse_settings(text, name));
  const bool policy_only = std::ranges::all_of(
      tables, [](const auto& entry) { return entry.key == "trust" || entry.key == "averaging"; });
  if (policy_only) return {};
  CAIRN_TRY(const work::Recipe recipe, work::parse_recipe(text, name));
  if (recipe == project.recipe()) return {};
  return Error{
      name + ": differs from the project's recipe, which is fixed; only [trust] and [averaging] can change"};
}

// A policy under which no claim could be decided is worth a word.
std::string judges_text(const trust::State& state, const ledger::Policy& policy) {
  const auto eligible = std::ranges::count_if(state.users(), [&](const trust::User& user) {
    return !user.standing.banned && user.standing.reputation >= policy.panel_reputation;
  });
  if (policy.judges == ledger::Judges::panel && eligible < policy.panel_votes) {
    return fmt::format("note: a panel needs {} with a reputation of {} or more, and there {} {}\n",
                       plural(policy.panel_votes, "user", "users"),
                       trust::to_decimal(policy.panel_reputation), eligible == 1 ? "is" : "are", eligible);
  }
  if (state.judges().size() >= policy.judge_votes) return "";
  return fmt::format("note: a verdict needs {} and there are {}\n",
                     plural(policy.judge_votes, "vote", "votes"),
                     plural(state.judges().size(), "judge", "judges"));
}

Result<int> change_settings(const Shared& shared, const Options& options) {
  CAIRN_TRY(Root root, open(shared, options));
  const trust::State& state = root.project.state();
  const trust::Round round = options.round.value_or(state.next_round());
  const std::string name = options.recipe.string();
  CAIRN_TRY(const Bytes bytes, read_file(options.recipe, work::kMaxSettingsSize));
  const std::string text(bytes.begin(), bytes.end());
  CAIRN_CHECK(check_recipe_unchanged(root.project, text, name));
  CAIRN_TRY(const ledger::Policy policy, project::parse_policy_change(text, name, state.policy_for(round)));
  if (policy == state.policy_for(round)) return Error{name + ": says what holds already; nothing is changed"};
  CAIRN_CHECK(root.state(ledger::SettingsChanged{round, policy}));
  print(shared, to_json(round, policy),
        fmt::format("from round {} on:\n\n{}{}", round, project::policy_toml(policy),
                    judges_text(state, policy)));
  return kDone;
}

Result<int> settings(const Shared& shared, const Options& options) {
  if (!options.recipe.empty()) return change_settings(shared, options);
  CAIRN_TRY(const auto project, project::Project::open(options.directory, system_environment()));
  const trust::Round round = options.round.value_or(project.state().next_round());
  const ledger::Policy& policy = project.state().policy_for(round);
  print(shared, to_json(round, policy), project::policy_toml(policy));
  return kDone;
}

// -- Roles

Result<int> judges(const Shared& shared, const Root& root, const std::string& text) {
  const trust::State& state = root.project.state();
  Json json = {{"judges", Json::array()}};
  for (const PublicKey& judge : state.judges()) json["judges"].push_back(judge.hex());
  print(shared, json, text + judges_text(state, state.policy()));
  return kDone;
}

Result<int> add_judge(const Shared& shared, const Options& options) {
  CAIRN_TRY(Root root, open(shared, options));
  CAIRN_TRY(const PublicKey key, public_key(shared, root.project, options.key));
  CAIRN_CHECK(root.state(ledger::JudgeAdded{key}));
  return judges(shared, root,
                fmt::format("{} is a judge now: cairn judge {} --key NAME\n", key.hex(),
                            shell_word(options.directory)));
}

Result<int> remove_judge(const Shared& shared, const Options& options) {
  CAIRN_TRY(Root root, open(shared, options));
  CAIRN_TRY(const PublicKey key, public_key(shared, root.project, options.key));
  CAIRN_CHECK(root.state(ledger::JudgeRemoved{key}));
  return judges(shared, root, fmt::format("{} is no judge any more; its votes stay\n", key.hex()));
}

Result<int> move_coordinator(const Shared& shared, const Options& options) {
  CAIRN_TRY(Root root, open(shared, options));
  CAIRN_TRY(const PublicKey key, public_key(shared, root.project, options.key));
  const PublicKey before = root.project.state().coordinator();
  if (key == before) return Error{"key " + key.hex() + ": is the coordinator's already"};
  CAIRN_CHECK(root.state(ledger::CoordinatorMoved{key}));
  print(shared, Json{{"coordinator", key.hex()}, {"was", before.hex()}},
        fmt::format("{} coordinates now: it closes rounds and states verdicts\n", key.hex()));
  return kDone;
}

// -- The command line

void add_people(Command group, const Shared& shared, const std::shared_ptr<Options>& options) {
  Command command = add_verb(group, shared,
                             {"endow", "Start a known person with a reputation, before their first entry",
                              "cairn root endow study ada 0.25", endow},
                             options);
  command.add_option("USER", options->user, "Who, by name; `cairn user --join` puts them in the log")
      .required();
  command.add_option("REPUTATION", options->reputation, "A decimal, such as 0.25").required();
  const Verb<Options> verbs[] = {
      {"add-judge", "Give a key a judge's vote", "cairn root add-judge study 5f0c…", add_judge},
      {"remove-judge", "Take it back", "cairn root remove-judge study judge", remove_judge},
      {"move-coordinator", "Let another key close rounds and state verdicts",
       "cairn root move-coordinator study 5f0c…", move_coordinator}};
  for (const auto& verb : verbs) {
    add_verb(group, shared, verb, options)
        .add_option("KEY", options->key, "Public key: 64 hexadecimal digits, or a name in the key ring")
        .required();
  }
}

void add_course(Command group, const Shared& shared, const std::shared_ptr<Options>& options) {
  Command command = add_verb(group, shared,
                             {"settings", "Print the policy, or change it from a round on",
                              "cairn root settings study policy.toml --from-round 12", settings},
                             options);
  command.add_option("FILE", options->recipe,
                     "TOML with [trust] and [averaging]; what it does not name stays (default: print)");
  command.add_option("--from-round", options->round, "The first round under it (default: the next)");
  add_verb(group, shared, {"pause", "Take nothing but the root's word", "cairn root pause study", pause},
           options);
  add_verb(group, shared, {"resume", "Take entries again", "cairn root resume study", resume}, options);
  add_verb(group, shared,
           {"rollback", "Average the entries of a round and all later ones no more",
            "cairn root rollback study --round 7", rollback},
           options)
      .add_option("--round", options->round, "The first round that no longer counts")
      .required();
  add_verb(
      group, shared,
      {"void", "Void a verdict, as if it had never been", "cairn root void study --claim 2", void_verdict},
      options)
      .add_option("--claim", options->claim, "The claim whose verdict falls")
      .required();
}

}  // namespace

void add_root(Command app, const Shared& shared) {
  const Command group = add_group(app, "root", "What the holder of the root key decides");
  auto options = std::make_shared<Options>();
  add_course(group, shared, options);
  add_people(group, shared, options);
}

}  // namespace cairn::cmd
