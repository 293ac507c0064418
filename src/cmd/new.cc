#include <fmt/format.h>

#include "cmd/command.h"
#include "project/new_project.h"

namespace cairn::cmd {
namespace {

struct Options {
  std::filesystem::path directory;
  std::string model = "lenet";
  std::string data = "fashion-mnist";
  std::filesystem::path recipe;
};

Result<int> run(const Shared& shared, const Options& options) {
  if (options.directory.empty()) return Error{"DIR: is empty; name a folder to make"};
  CAIRN_TRY(ledger::KeyRing keys, shared.key_ring(options.directory));
  const project::NewProject wanted{options.model, options.data, options.recipe};
  CAIRN_TRY(const project::Project made,
            project::create_project(options.directory, wanted, keys, system_environment(),
                                    progress_line("importing the data")));
  const auto& manifest = made.data().manifest();
  const Json json = {{"directory", options.directory.string()},
                     {"project", made.id().hex()},
                     {"model_digest", made.state().rounds()[0].snapshot.hex()},
                     {"parameters", model::parameter_count(made.graph())},
                     {"images", manifest.count(data::Split::train)},
                     {"classes", manifest.classes.size()},
                     {"unit_images", made.recipe().unit_images()}};
  print(shared, json,
        fmt::format("{}: a project to train {} ({} parameters) on {} ({} images, {} classes)\n"
                    "round 0 is open; a unit is {}\n"
                    "the keys of root, coordinator and judge are in {}\n"
                    "next: cairn user {} NAME\n",
                    printable(options.directory.string()), printable(options.model),
                    model::parameter_count(made.graph()), printable(manifest.name),
                    manifest.count(data::Split::train), manifest.classes.size(),
                    plural(made.recipe().unit_images(), "image", "images"), keys.directory().string(),
                    shell_word(options.directory)));
  return kDone;
}

}  // namespace

void add_new(Command app, const Shared& shared) {
  Command command = add_command(app, "new", "Make a project: model, data, recipe, an empty log",
                                "cairn new study --model lenet --data fashion-mnist");
  auto options = std::make_shared<Options>();
  command.add_option("DIR", options->directory, "Folder to make").required();
  command.add_option("--model", options->model, "mlp, lenet, resnet8, or an ONNX file").show_default();
  command.add_option("--data", options->data, "fashion-mnist, or a folder of IDX files").show_default();
  command.add_option("--recipe", options->recipe, "TOML file (default: a commented one is written into DIR)");
  set_action(command, [&shared, options] { return run(shared, *options); });
}

}  // namespace cairn::cmd
