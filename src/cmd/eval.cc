#include <fmt/format.h>

#include "cmd/command.h"
#include "project/trainer.h"

namespace cairn::cmd {
namespace {

struct Options {
  std::filesystem::path directory;
  std::optional<trust::Round> round;
};

Result<int> run(const Shared& shared, const Options& options) {
  CAIRN_TRY(const project::EngineOptions engine, shared.engine());
  CAIRN_TRY(const auto project, project::Project::open(options.directory, system_environment()));
  const auto latest = static_cast<trust::Round>(project.state().rounds().size() - 1);
  const trust::Round round = options.round.value_or(latest);
  if (round > latest)
    return Error{fmt::format("round {}: has not opened yet; the newest is {}", round, latest)};
  CAIRN_TRY(project::Trainer trainer, project::Trainer::create(project, engine));
  CAIRN_TRY(const work::Evaluation result, trainer.evaluate(round, progress_line("evaluating")));
  const double accuracy = static_cast<double>(result.correct) / static_cast<double>(result.images);
  print(shared,
        Json{{"round", round},
             {"accuracy", accuracy},
             {"correct", result.correct},
             {"images", result.images},
             {"loss", result.loss},
             {"model_digest", project.state().rounds()[round].snapshot.hex()}},
        fmt::format("round {}: test accuracy {:.4f} ({} of {}), loss {:.4f}\n", round, accuracy,
                    result.correct, plural(result.images, "image", "images"), result.loss));
  return kDone;
}

}  // namespace

void add_eval(CLI::App& app, const Shared& shared) {
  auto* command = add_command(app, "eval", "Test the model on the held-out images", "cairn eval study");
  auto options = std::make_shared<Options>();
  command->add_option("DIR", options->directory, "The project")->required();
  command->add_option("--round", options->round,
                      "The model that this round opened with (default: the newest)");
  set_action(command, [&shared, options] { return run(shared, *options); });
}

}  // namespace cairn::cmd
