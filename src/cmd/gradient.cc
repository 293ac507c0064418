#include <fmt/format.h>

#include "cmd/files.h"
#include "project/contribution.h"
#include "project/dump.h"

namespace cairn::cmd {
namespace {

struct Options {
  std::filesystem::path directory, file, dump;
  trust::UnitId unit = 0;
  std::optional<trust::Round> round;
  std::string user;
  bool all = false;
};

Result<work::GradientFile> compute(const Shared& shared, const project::Project& project,
                                   const Options& options) {
  CAIRN_TRY(const project::EngineOptions engine, shared.engine());
  CAIRN_TRY(project::Trainer trainer, project::Trainer::create(project, engine, options.all));
  const auto round = options.round ? options.round : project.state().open_round();
  if (!round) return Error{options.directory.string() + ": no round is open"};
  if (!project.state().current(*round))
    return Error{"--round " + std::to_string(*round) +
                 ": entries of that round are not taken any more, or not yet"};
  if (options.dump.empty()) return trainer.gradient(*round, options.unit, progress_line("computing"));
  return project::dump_gradient(project, trainer, *round, options.unit, options.all, options.dump,
                                progress_line("computing"));
}

Result<int> run(const Shared& shared, const Options& options) {
  CAIRN_CHECK(check_output(options.file));
  if (options.dump == "-") return Error{"--dump -: a dump goes into a file, not to standard output"};
  if (!options.dump.empty()) CAIRN_CHECK(check_output(options.dump));
  CAIRN_TRY(const auto project, project::Project::open(options.directory, system_environment()));
  CAIRN_TRY(const SigningKey key, user_key(shared, project, options.user));
  CAIRN_TRY(const work::GradientFile gradient, compute(shared, project, options));
  CAIRN_TRY(const project::Submission submission,
            project::make_submission(project, key, options.user, gradient, progress_line("joining")));
  CAIRN_CHECK(write_output(options.file, project::encode(submission)));
  const Digest digest = std::get<ledger::EntryOpened>(submission.opened.body).gradient;
  print_about(
      options.file, shared,
      Json{{"unit", gradient.unit},
           {"round", gradient.round},
           {"images", gradient.samples},
           {"loss", gradient.loss},
           {"gradient", digest.hex()},
           {"file", options.file.string()}},
      fmt::format("unit {} of round {}: {}, training loss {:.4f}\n  gradient {}\nnext: cairn submit {} {}\n",
                  gradient.unit, gradient.round, samples(project.data().manifest(), gradient.samples),
                  gradient.loss, digest.hex(), shell_word(options.directory), shell_word(options.file)));
  return kDone;
}

}  // namespace

void add_gradient(Command app, const Shared& shared) {
  Command command = add_command(app, "gradient", "Compute the gradient of a unit and sign it",
                                "cairn gradient study --unit 3 --user ada -o ada.gradient");
  auto options = std::make_shared<Options>();
  command.add_option("DIR", options->directory, "The project").required();
  command.add_option("--unit", options->unit, "Which unit; `cairn unit` gives one").required();
  command.add_option("--round", options->round, "Whose model to start from (default: the open round's)");
  command.add_option("--user", options->user, "Who computes").required();
  command.add_option("-o,--output", options->file, "File to write, for `cairn submit` (-: standard output)")
      .required();
  const Option dump = command.add_option(
      "--dump", options->dump, "Also write batch, labels, parameters and float gradients as NumPy's .npz");
  command.add_flag("--all", options->all, "With --dump: every forward tensor too").needs(dump);
  set_action(command, [&shared, options] { return run(shared, *options); });
}

}  // namespace cairn::cmd
