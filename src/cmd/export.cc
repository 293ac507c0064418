#include "onnx/export.h"

#include <fmt/format.h>

#include "cmd/files.h"
#include "project/trainer.h"

namespace cairn::cmd {
namespace {

struct Options {
  std::filesystem::path directory, file;
};

Result<int> run(const Shared& shared, const Options& options) {
  CAIRN_CHECK(check_output(options.file));
  CAIRN_TRY(const project::EngineOptions engine, shared.engine());
  CAIRN_TRY(const auto project, project::Project::open(options.directory, system_environment()));
  CAIRN_TRY(project::Trainer trainer, project::Trainer::create(project, engine));
  const auto round = static_cast<trust::Round>(project.state().rounds().size() - 1);
  CAIRN_TRY(const std::vector<float> parameters, project.parameters(round));
  CAIRN_TRY(const std::vector<float> statistics,
            trainer.statistics(round, progress_line("batch statistics")));
  CAIRN_TRY(const Bytes bytes, onnx::export_onnx(project.graph(), parameters, statistics));
  CAIRN_CHECK(write_output(options.file, bytes));
  print_about(options.file, shared,
              Json{{"file", options.file.string()}, {"bytes", bytes.size()}, {"round", round}},
              fmt::format("{}: the model of round {} as ONNX, {} bytes\n", options.file.string(), round,
                          bytes.size()));
  return kDone;
}

}  // namespace

void add_export(Command app, const Shared& shared) {
  Command command = add_command(app, "export", "Write the newest model as ONNX, for inference",
                                "cairn export study -o model.onnx");
  auto options = std::make_shared<Options>();
  command.add_option("DIR", options->directory, "The project").required();
  command.add_option("-o,--output", options->file, "File to write (-: standard output)").required();
  set_action(command, [&shared, options] { return run(shared, *options); });
}

}  // namespace cairn::cmd
