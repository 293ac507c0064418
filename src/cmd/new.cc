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
  std::string recipe_template;
  std::filesystem::path weights;
  bool partial = false;
  std::filesystem::path fork;
  uint32_t size = 224;
};

Result<project::Project> make(const Options& options, ledger::KeyRing& keys,
                              std::vector<std::string>& notes) {
  if (options.fork.empty()) {
    project::NewProject wanted;
    wanted.model = options.model;
    wanted.data = options.data;
    wanted.recipe = options.recipe;
    wanted.recipe_template = options.recipe_template;
    wanted.weights = options.weights;
    wanted.fit = options.partial ? weights::Fit::partial : weights::Fit::whole;
    wanted.pictures = {3, options.size, options.size};
    wanted.on_note = [&notes](const std::string& sentence) { notes.push_back(sentence); };
    return project::create_project(options.directory, wanted, keys, system_environment(),
                                   progress_line("importing the data"));
  }
  CAIRN_TRY(const auto parent, project::Project::open(options.fork, system_environment()));
  return project::fork_project(options.directory, parent, keys, system_environment(),
                               progress_line("copying the data"));
}

std::string classes_text(const data::Manifest& manifest) {
  if (manifest.kind == data::Kind::text) return fmt::format("a vocabulary of {}", manifest.vocabulary);
  return plural(manifest.classes.size(), "class", "classes");
}

Result<int> run(const Shared& shared, const Options& options) {
  if (options.directory.empty()) return Error{"DIR: is empty; name a folder to make"};
  CAIRN_TRY(ledger::KeyRing keys, shared.key_ring(options.directory));
  std::vector<std::string> notes;
  CAIRN_TRY(const project::Project made, make(options, keys, notes));
  std::string noted;
  for (const std::string& note : notes) noted += printable(note) + "\n";
  const auto& manifest = made.data().manifest();
  const Json json = {{"directory", options.directory.string()},
                     {"project", made.id().hex()},
                     {"model_digest", made.state().rounds()[0].snapshot.hex()},
                     {"parameters", model::parameter_count(made.graph())},
                     {"images", manifest.count(data::Split::train)},
                     {"classes", manifest.class_count()},
                     {"unit_images", made.recipe().unit_images()},
                     {"memory", memory_json(made)},
                     {"notes", notes}};
  print(shared, json,
        fmt::format(
            "{}: a project to train {} ({} parameters) on {} ({}, {})\n"
            "{}round 0 is open; a unit is {}\n"
            "{}"
            "the keys of root, coordinator and judge are in {}\n"
            "next: cairn user {} NAME\n",
            printable(options.directory.string()),
            options.fork.empty() ? printable(options.model) : "the model of " + shell_word(options.fork),
            model::parameter_count(made.graph()), printable(manifest.name),
            samples(manifest, manifest.count(data::Split::train)), classes_text(manifest), noted,
            samples(manifest, made.recipe().unit_images()), memory_text(made), keys.directory().string(),
            shell_word(options.directory)));
  return kDone;
}

}  // namespace

void add_new(Command app, const Shared& shared) {
  Command command = add_command(
      app, "new", "Make a project: model, data, recipe, an empty log",
      "cairn new study --model lenet --data fashion-mnist\n  cairn new study2 --fork study-mirror");
  auto options = std::make_shared<Options>();
  command.add_option("DIR", options->directory, "Folder to make").required();
  const Option model = command.add_option("--model", options->model, "mlp, lenet, resnet8, or an ONNX file");
  const Option data = command.add_option(
      "--data", options->data,
      "fashion-mnist, a folder that `cairn data import` made, or what that takes for a source");
  const Option size = command
                          .add_option("--size", options->size,
                                      "Where --data is a source of pictures: as in `cairn data import`")
                          .range(1, static_cast<int>(data::kMaxImportSide));
  const Option recipe = command.add_option("--recipe", options->recipe,
                                           "TOML file (default: a commented one is written into DIR)");
  command
      .add_option("--template", options->recipe_template,
                  "The recipe to start from: image-classification (default), fine-tune or language-model")
      .excludes(recipe);
  const Option weights = command.add_option(
      "--weights", options->weights, "Start from these: safetensors or ONNX (default: the model's own)");
  command
      .add_flag("--partial-weights", options->partial,
                "Take what fits of --weights, and begin the rest afresh: for a last layer of other classes")
      .needs(weights);
  command
      .add_option(
          "--fork", options->fork,
          "A project's directory, such as a mirror: go on from its model, with keys and a log of your own")
      .excludes(model.show_default())
      .excludes(data.show_default())
      .excludes(size)
      .excludes(recipe);
  set_action(command, [&shared, options] { return run(shared, *options); });
}

}  // namespace cairn::cmd
