// cairn-forge: what a cheater would use. Makes gradients false and signs them like true ones.
#include <fmt/format.h>

#include <filesystem>

#include "base/file.h"
#include "cmd/console.h"
#include "cmd/remote_project.h"
#include "cmd/run.h"
#include "project/contribution.h"
#include "role/contributor.h"
#include "sim/attack.h"

namespace {

using namespace cairn;
using cmd::Command;

struct Options {
  cmd::RemoteOptions remote;
  std::filesystem::path directory, input, output;
  std::string user = "mallory", attack = "sign-flip";
  uint64_t seed = 1;
  uint32_t every = 1, rounds = 0;
  std::optional<uint32_t> step;
};

// Everything is computed truly but that local step, so that only recomputing the steps near it shows the lie.
Result<work::GradientFile> with_false_step(const project::Project& project, project::Trainer& trainer,
                                           const work::GradientHead& truth, uint32_t step, uint64_t seed) {
  const work::Recipe& recipe = project.recipe();
  if (step >= recipe.local_steps) {
    return Error{"--step: a unit of this project has " + std::to_string(recipe.local_steps) +
                 " local steps, numbered from 0"};
  }
  work::GradientState reached;
  const auto keep = [&](const work::GradientState& state) {
    if (state.batches == (step + 1) * recipe.accumulation) reached = state;
  };
  CAIRN_CHECK(trainer.gradient(truth.round, truth.unit, {}, {}, {{}, keep}));
  return trainer.gradient(truth.round, truth.unit, {}, {}, {sim::falsify(std::move(reached), seed), {}});
}

// A submission on files: the same with a false gradient.
Result<int> forge_file(const cmd::Shared& shared, const Options& options) {
  CAIRN_TRY(const sim::Attack attack, sim::attack_from_name(options.attack));
  CAIRN_TRY(const auto project, project::Project::open(options.directory, system_environment()));
  CAIRN_TRY(const auto keys, shared.key_ring(options.directory));
  CAIRN_TRY(const SigningKey key, project::load_key(keys, project, options.user));
  const uint64_t limit = project::max_submission_size(project.gradients().size());
  CAIRN_TRY(const Bytes bytes, read_file(options.input, limit));
  CAIRN_TRY(const project::Submission honest, project::decode_submission(bytes));
  CAIRN_TRY(const SharedBytes file, project.gradients().unpack(honest.gradient));
  CAIRN_TRY(const work::GradientFile truth, work::decode_gradient_file(file));
  work::GradientFile lie;
  if (options.step) {
    CAIRN_TRY(const project::EngineOptions engine, shared.engine());
    CAIRN_TRY(project::Trainer trainer, project::Trainer::create(project, engine));
    CAIRN_TRY(lie, with_false_step(project, trainer, truth, *options.step, options.seed));
  } else {
    lie = sim::falsify(truth, attack, options.seed);
  }
  CAIRN_TRY(const project::Submission forged, project::make_submission(project, key, options.user, lie));
  CAIRN_CHECK(write_file(options.output, project::encode(forged)));
  return cmd::kDone;
}

// Takes part like anybody else, and makes every so-manieth gradient false.
Result<int> cheat(const cmd::Shared& shared, const Options& options) {
  CAIRN_TRY(const sim::Attack attack, sim::attack_from_name(options.attack));
  CAIRN_TRY(const project::EngineOptions engine, shared.engine());
  CAIRN_TRY(cmd::RemoteProject opened, cmd::open_remote(options.remote));
  CAIRN_TRY(const SigningKey key, cmd::own_key(shared, opened.project(), options.user));
  CAIRN_TRY(project::Trainer trainer, project::Trainer::create(opened.project(), engine));
  const role::Compute honest = role::compute_with(trainer);
  uint64_t computed = 0;
  const role::Compute compute = [&](trust::Round round, trust::UnitId unit,
                                    const Progress& progress) -> Result<work::GradientFile> {
    CAIRN_TRY(work::GradientFile truth, honest(round, unit, progress));
    if (++computed % options.every != 0) return truth;
    if (options.step)
      return with_false_step(opened.project(), trainer, truth, *options.step, options.seed + computed);
    return sim::falsify(std::move(truth), attack, options.seed + computed);
  };
  role::Contributor contributor(*opened.remote, *opened.replica, key, compute,
                                {.name = options.user, .rounds = options.rounds}, system_environment());
  cmd::Console console;
  contributor.progress = [&console](uint64_t, uint64_t) { return console.go_on(); };
  contributor.pause = [&console](int64_t milliseconds) { return console.wait(milliseconds); };
  CAIRN_CHECK(contributor.run());
  return cmd::kDone;
}

void add_attack_options(Command command, Options& options) {
  command.add_option("--user", options.user, "Who signs it").show_default();
  command.add_option("--attack", options.attack, "sign-flip, noise, scale or zero").show_default();
  command.add_option("--step", options.step, "Falsify what this local step gives instead (from 0)");
  command.add_option("--seed", options.seed, "Of the noise").show_default();
}

void add_file(Command app, const cmd::Shared& shared, Options& options) {
  const Command command = app.add_command("file", "Make a submission false", "");
  command.add_option("DIR", options.directory, "The project").required();
  command.add_option("FILE", options.input, "An honest submission").required();
  command.add_option("-o,--output", options.output, "File to write").required();
  add_attack_options(command, options);
  cmd::set_action(command, [&shared, &options] { return forge_file(shared, options); });
}

void add_join(Command app, const cmd::Shared& shared, Options& options) {
  const Command command = app.add_command("join", "Take part in a hosted project and cheat", "");
  cmd::add_remote_options(command, options.remote);
  command.add_option("--every", options.every, "Make every so-manieth gradient false")
      .range(1, 1'000'000)
      .show_default();
  command.add_option("--rounds", options.rounds, "Stop after so many rounds");
  add_attack_options(command, options);
  cmd::set_action(command, [&shared, &options] { return cheat(shared, options); });
}

void add_commands(Command app, const cmd::Shared& shared) {
  static Options options;  // of the one command that runs
  add_file(app, shared, options);
  add_join(app, shared, options);
}

}  // namespace

int main(int argc, char** argv) {
  return cmd::run_program(
      {"cairn-forge", "Makes gradients false, for tests and demonstrations",
       "Example:\n  cairn-forge join http://127.0.0.1:8420 --user mallory --every 10", add_commands},
      argc, argv);
}
