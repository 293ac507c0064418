#include "onnx/export.h"

#include <fmt/format.h>

#include <array>

#include "cmd/files.h"
#include "project/trainer.h"
#include "weights/pytorch.h"
#include "weights/safetensors.h"

namespace cairn::cmd {
namespace {

struct Options {
  std::filesystem::path directory, file;
  std::string format;
};

struct Format {
  enum class Kind : uint8_t { onnx, safetensors, pytorch } kind;
  const char *name, *title, *ending, *other_ending;
};
constexpr std::array<Format, 3> kFormats = {
    {{Format::Kind::onnx, "onnx", "ONNX", ".onnx", ".onnx"},
     {Format::Kind::safetensors, "safetensors", "safetensors", ".safetensors", ".safetensors"},
     {Format::Kind::pytorch, "pytorch", "a PyTorch state_dict", ".pt", ".pth"}}};

// What --format says, or the file's ending; standard output gets ONNX.
Result<Format> format_of(const Options& options) {
  const std::string ending = options.file == "-" ? ".onnx" : options.file.extension().string();
  for (const Format& format : kFormats) {
    const bool by_name = options.format == format.name;
    const bool by_ending = ending == format.ending || ending == format.other_ending;
    if (by_name || (options.format.empty() && by_ending)) return format;
  }
  return Error{options.file.string() +
               ": its ending names no format; use .onnx, .safetensors, .pt or .pth, or add --format"};
}

struct Model {
  const model::Graph& graph;
  std::vector<float> parameters, statistics;
};

Result<Bytes> encoded(const Format& format, const Model& model) {
  if (format.kind == Format::Kind::onnx)
    return onnx::export_onnx(model.graph, model.parameters, model.statistics);
  CAIRN_TRY(const auto tensors, weights::state_dict(model.graph, model.parameters, model.statistics));
  if (const auto names = weights::made_up_names(tensors); !names.empty()) {
    fmt::print(stderr,
               "{} of the imported file's names, such as {}, were made up by its exporter: PyTorch knows "
               "them by none of its own\n",
               names.size(), printable(names.front()));
  }
  if (format.kind == Format::Kind::safetensors) return weights::encode_safetensors(tensors);
  return weights::encode_pytorch(tensors);
}

Result<int> run(const Shared& shared, const Options& options) {
  CAIRN_CHECK(check_output(options.file));
  CAIRN_TRY(const Format format, format_of(options));
  CAIRN_TRY(const project::EngineOptions engine, shared.engine());
  CAIRN_TRY(const auto project, project::Project::open(options.directory, system_environment()));
  CAIRN_TRY(project::Trainer trainer, project::Trainer::create(project, engine));
  const auto round = static_cast<trust::Round>(project.state().rounds().size() - 1);
  CAIRN_TRY(std::vector<float> parameters, project.parameters(round));
  CAIRN_TRY(std::vector<float> statistics, trainer.statistics(round, progress_line("batch statistics")));
  CAIRN_TRY(const Bytes bytes,
            encoded(format, {project.graph(), std::move(parameters), std::move(statistics)}));
  CAIRN_CHECK(write_output(options.file, bytes));
  print_about(options.file, shared,
              Json{{"file", options.file.string()},
                   {"format", format.name},
                   {"bytes", bytes.size()},
                   {"round", round}},
              fmt::format("{}: the model of round {} as {}, {} bytes\n", options.file.string(), round,
                          format.title, bytes.size()));
  return kDone;
}

}  // namespace

void add_export(Command app, const Shared& shared) {
  Command command =
      add_command(app, "export", "Write the newest model for inference, or its weights for other programs",
                  "cairn export study -o model.onnx\n         cairn export study -o model.pt");
  auto options = std::make_shared<Options>();
  command.add_option("DIR", options->directory, "The project").required();
  command.add_option("-o,--output", options->file, "File to write (-: standard output)").required();
  command.add_option("--format", options->format, "What to write, where the file's ending does not say it")
      .one_of({"onnx", "safetensors", "pytorch"});
  set_action(command, [&shared, options] { return run(shared, *options); });
}

}  // namespace cairn::cmd
