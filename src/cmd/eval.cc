#include <fmt/format.h>

#include "cmd/command.h"
#include "project/evaluation.h"

namespace cairn::cmd {
namespace {

struct Options {
  std::filesystem::path directory;
  std::optional<trust::Round> round;
  std::string user;
};

Json to_json(const project::Project& project, const std::vector<project::StatedEvaluation>& stated) {
  Json json = Json::array();
  for (const project::StatedEvaluation& one : stated) {
    json.push_back({{"userid", one.user}, {"user", project.user_name(one.user)}, {"agrees", one.agrees}});
  }
  return json;
}

std::string to_text(const project::Project& project, const std::vector<project::StatedEvaluation>& stated) {
  std::string text;
  for (const project::StatedEvaluation& one : stated) {
    text += fmt::format(
        "  {} stated {}\n", printable(project.user_name(one.user)),
        one.agrees ? "the same"
                   : fmt::format("otherwise, which is wrong: {} of {}, loss {:.4f}", one.statement.correct,
                                 answers(project.data().manifest(), one.statement.images),
                                 project::stated_loss(one.statement)));
  }
  return text;
}

// Signs what was found, where a user is named.
Status state_it(const Shared& shared, project::Project& project, const Options& options, trust::Round round,
                const work::Evaluation& found) {
  if (options.user.empty()) return {};
  CAIRN_TRY(const SigningKey key, user_key(shared, project, options.user));
  return project::state_evaluation(project, key, round, found);
}

Result<int> run(const Shared& shared, const Options& options) {
  CAIRN_TRY(const project::EngineOptions engine, shared.engine());
  CAIRN_TRY(auto project, project::Project::open(options.directory, system_environment()));
  const auto latest = static_cast<trust::Round>(project.state().rounds().size() - 1);
  const trust::Round round = options.round.value_or(latest);
  if (round > latest)
    return Error{fmt::format("round {}: has not opened yet; the newest is {}", round, latest)};
  CAIRN_TRY(project::Trainer trainer, project::Trainer::create(project, engine));
  CAIRN_TRY(const work::Evaluation result, trainer.evaluate(round, progress_line("evaluating")));
  CAIRN_CHECK(state_it(shared, project, options, round, result));
  const auto stated = project::stated_evaluations(project, round, result);
  const double accuracy = static_cast<double>(result.correct) / static_cast<double>(result.images);
  print(shared,
        Json{{"round", round},
             {"accuracy", accuracy},
             {"correct", result.correct},
             {"images", result.images},
             {"loss", result.loss},
             {"model_digest", project.state().rounds()[round].snapshot.hex()},
             {"stated", to_json(project, stated)}},
        fmt::format("round {}: test accuracy {:.4f} ({} of {}), loss {:.4f}\n{}", round, accuracy,
                    result.correct, answers(project.data().manifest(), result.images), result.loss,
                    to_text(project, stated)));
  return kDone;
}

}  // namespace

void add_eval(Command app, const Shared& shared) {
  Command command =
      add_command(app, "eval", "Test the model on the held-out images; says who stated the same",
                  "cairn eval study --user ada");
  auto options = std::make_shared<Options>();
  command.add_option("DIR", options->directory, "The project").required();
  command.add_option("--round", options->round,
                     "The model that this round opened with (default: the newest)");
  command.add_option("--user", options->user, "Who signs the result and puts it in the log");
  set_action(command, [&shared, options] { return run(shared, *options); });
}

}  // namespace cairn::cmd
