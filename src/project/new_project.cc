#include "project/new_project.h"

#include <unistd.h>

#include <algorithm>

#include "average/snapshot.h"
#include "base/file.h"
#include "base/threads.h"
#include "data/import.h"
#include "data/pixel_statistics.h"
#include "exact/backend.h"
#include "ledger/sqlite_store.h"
#include "model/builtin.h"
#include "onnx/sandbox.h"
#include "project/offered_precision.h"
#include "project/policy_settings.h"
#include "work/batch.h"
#include "work/settings.h"
#include "work/templates.h"

namespace cairn::project {
namespace {

namespace fs = std::filesystem;

// A directory beside the final place, removed unless it was moved there.
class Scaffold {
 public:
  explicit Scaffold(const fs::path& place)
      : place_(place), directory_(place.lexically_normal().string() + ".new" + std::to_string(::getpid())) {}
  ~Scaffold() {
    std::error_code error;
    if (!moved_) fs::remove_all(directory_, error);
  }
  Scaffold(const Scaffold&) = delete;
  Scaffold& operator=(const Scaffold&) = delete;

  const fs::path& directory() const { return directory_; }
  Status move() {
    std::error_code error;
    fs::rename(directory_, place_, error);
    if (error) return Error{place_.string() + ": cannot be made: " + error.message()};
    moved_ = true;
    return {};
  }

 private:
  fs::path place_, directory_;
  bool moved_ = false;
};

fs::path without_trailing_slash(const fs::path& path) {
  return path.has_filename() ? path : path.parent_path();
}

Status check_place(const fs::path& directory) {
  std::error_code error;
  if (!fs::exists(directory, error)) return {};
  if (fs::is_directory(directory, error) && fs::is_empty(directory, error)) return {};
  return Error{directory.string() + ": is there already; choose another folder"};
}

struct ProjectKeys {
  SigningKey root = SigningKey::generate();
  SigningKey coordinator = SigningKey::generate();
  SigningKey judge = SigningKey::generate();

  Status save(KeyRing& ring, const std::string& project) const {
    CAIRN_CHECK(ring.add(project, std::string(kRootKey), root));
    CAIRN_CHECK(ring.add(project, std::string(kCoordinatorKey), coordinator));
    return ring.add(project, std::string(kJudgeKey), judge);
  }
};

struct Settings {
  std::string text;
  work::Recipe recipe;
  ledger::Policy policy;
};

Result<const work::Template*> template_of(const NewProject& wanted) {
  if (!wanted.recipe.empty()) return nullptr;
  if (wanted.recipe_template.empty()) return &work::templates().front();
  const work::Template* chosen = work::find_template(wanted.recipe_template);
  if (chosen != nullptr) return chosen;
  std::string names;
  for (const work::Template& one : work::templates())
    names += (names.empty() ? "" : ", ") + std::string(one.name);
  return Error{"--template " + wanted.recipe_template + ": there is none of that name; there are " + names};
}

Result<Settings> parsed_settings(std::string text, const std::string& name) {
  Settings settings;
  settings.text = std::move(text);
  CAIRN_TRY(settings.recipe, work::parse_recipe(settings.text, name));
  CAIRN_TRY(settings.policy, parse_policy(settings.text, name));
  return settings;
}

Result<Settings> read_settings(const NewProject& wanted, const work::Template* chosen) {
  if (chosen != nullptr)
    return parsed_settings(std::string(chosen->recipe) + "\n" + policy_toml(ledger::Policy{}),
                           "the template");
  CAIRN_TRY(const Bytes bytes, read_file(wanted.recipe, work::kMaxSettingsSize));
  return parsed_settings({bytes.begin(), bytes.end()}, wanted.recipe.string());
}

// A template that normalizes pixels does so as these data need it.
Result<Settings> suited_settings(Settings settings, const work::Template* chosen, const data::DataSet& data) {
  constexpr uint32_t kMeasured = 2048;      // images
  constexpr double kLeastDeviation = 0.01;  // of images of one colour
  if (chosen == nullptr || !chosen->own_pixels || data.manifest().kind != data::Kind::images) return settings;
  CAIRN_TRY(data::PixelStatistics found, data::pixel_statistics(data, kMeasured));
  for (double& deviation : found.deviation) deviation = std::max(deviation, kLeastDeviation);
  return parsed_settings(work::with_pixels(settings.text, found.mean, found.deviation), "the template");
}

struct StartingModel {
  model::Graph graph;
  std::vector<float> parameters;
};

// One image as the model sees it.
model::Shape image_shape(const work::Recipe& recipe, const data::Manifest& manifest) {
  const work::InputSize size = work::input_size(recipe, manifest);
  return {1, manifest.channels, size.height, size.width};
}

Result<StartingModel> named_model(const std::string& name, const model::Shape& input,
                                  const data::Manifest& manifest, uint64_t seed) {
  const auto classes = static_cast<int64_t>(manifest.classes.size());
  if (std::ranges::find(model::builtin_names(), name) != model::builtin_names().end()) {
    if (manifest.kind == data::Kind::text)
      return Error{"--model " + name +
                   ": is for images, and this data is text; give a language model as an ONNX file"};
    CAIRN_TRY(model::Graph graph, model::builtin_model(name, input, classes));
    std::vector<float> parameters = model::initial_parameters(graph, seed);
    return StartingModel{std::move(graph), std::move(parameters)};
  }
  if (!fs::exists(name))
    return Error{"--model " + name + ": is neither mlp, lenet or resnet8 nor an ONNX file"};
  CAIRN_TRY(onnx::ImportedModel imported, onnx::import_onnx_file(name));
  return StartingModel{std::move(imported.graph), std::move(imported.parameters)};
}

std::string list_text(const std::vector<std::string>& names) {
  constexpr size_t kShown = 8;
  std::string text;
  for (size_t i = 0; i < std::min(names.size(), kShown); ++i) text += (i == 0 ? "" : ", ") + names[i];
  if (names.size() > kShown) text += " and " + std::to_string(names.size() - kShown) + " more";
  return text;
}

Result<StartingModel> starting_model(const NewProject& wanted, const work::Recipe& recipe,
                                     const data::Manifest& manifest) {
  CAIRN_TRY(StartingModel model,
            named_model(wanted.model, image_shape(recipe, manifest), manifest, recipe.seed));
  if (wanted.weights.empty()) return model;
  CAIRN_TRY(weights::LoadedWeights loaded,
            weights::load_weights(model.graph, model.parameters, wanted.weights, wanted.fit));
  if (wanted.on_note && !loaded.kept.empty())
    wanted.on_note("not in " + wanted.weights.string() + ", so begun afresh: " + list_text(loaded.kept));
  if (wanted.on_note && !loaded.surplus.empty())
    wanted.on_note("in " + wanted.weights.string() + ", but not in the model: " + list_text(loaded.surplus));
  model.parameters = std::move(loaded.parameters);
  return model;
}

std::string shape_text(const model::Shape& shape) {
  std::string text;
  for (const int64_t size : shape) {
    if (!text.empty()) text += 'x';
    text += std::to_string(size);
  }
  return text;
}

Status check_text_model(const model::Graph& graph, const data::Manifest& manifest) {
  const model::Shape& input = graph.shapes[graph.input];
  const model::Shape text = {1, manifest.context};
  if (input != text)
    return Error{"model: takes inputs of " + shape_text(input) + " where pieces of the text are " +
                 shape_text(text)};
  if (model::token_limit(graph) < manifest.vocabulary) {
    return Error{"model: has an embedding of " + std::to_string(model::token_limit(graph)) +
                 " tokens where the text has " + std::to_string(manifest.vocabulary)};
  }
  if (model::rows_per_sample(graph) != manifest.context)
    return Error{"model: does not predict at each of the " + std::to_string(manifest.context) +
                 " tokens of a piece of text"};
  return {};
}

Status check_image_model(const model::Graph& graph, const work::Recipe& recipe,
                         const data::Manifest& manifest) {
  const model::Shape& input = graph.shapes[graph.input];
  const model::Shape& output = graph.shapes[graph.output];
  const model::Shape image = image_shape(recipe, manifest);
  const model::Shape flat = {1, image[1] * image[2] * image[3]};
  if (output.size() > 2) {
    return Error{"model: predicts at each of " + std::to_string(output[1]) +
                 " positions of a sample, where the data has one label for each sample"};
  }
  if (model::token_limit(graph) > 0) {
    return Error{"model: begins with an embedding of whole numbers, where the data has images"};
  }
  if (input == image || input == flat) return {};
  return Error{"model: takes inputs of " + shape_text(input) + " where the images are " + shape_text(image)};
}

// The model takes the samples of the data and tells as many classes.
Status check_fit(const model::Graph& graph, const work::Recipe& recipe, const data::Manifest& manifest) {
  const bool text = manifest.kind == data::Kind::text;
  CAIRN_CHECK(text ? check_text_model(graph, manifest) : check_image_model(graph, recipe, manifest));
  const auto classes = static_cast<int64_t>(work::sample_form(recipe, manifest).classes);
  if (graph.shapes[graph.output].back() >= classes) return {};
  return Error{"model: tells " + std::to_string(graph.shapes[graph.output].back()) +
               " classes where the data has " + std::to_string(classes)};
}

struct Contents {
  ledger::Genesis genesis;
  average::Snapshot start;
};

// Brings the shards into the project: those of a data folder, or of a source that is imported right here.
Result<data::Manifest> take_data(const fs::path& directory, const NewProject& wanted,
                                 const Progress& progress) {
  if (data::is_data_folder(wanted.data)) {
    CAIRN_TRY(data::Manifest manifest, data::open_data_folder(wanted.data));
    const data::ShardStore from(fs::path(wanted.data) / data::kShardFolder);
    const data::DataSet data(manifest, from);
    CAIRN_CHECK(data::link_shards(data, from, data::ShardStore(directory / "shards"), progress));
    return manifest;
  }
  ThreadPool pool(hardware_threads());
  CAIRN_TRY(data::Imported imported,
            data::import_data({.source = wanted.data, .shape = wanted.pictures}, directory, pool, progress));
  std::error_code error;
  fs::remove(directory / data::kManifestFile, error);  // a project has it among its blobs
  return std::move(imported.manifest);
}

// Stores everything that the genesis event names.
Result<Contents> store_contents(const fs::path& directory, const std::string& name, const NewProject& wanted,
                                const Progress& progress) {
  CAIRN_TRY(const work::Template* chosen, template_of(wanted));
  CAIRN_TRY(Settings settings, read_settings(wanted, chosen));
  BlobStore blobs(directory / "blobs");
  CAIRN_TRY(const data::Manifest manifest, take_data(directory, wanted, progress));
  const data::ShardStore shards(directory / "shards");
  CAIRN_TRY(settings, suited_settings(std::move(settings), chosen, data::DataSet(manifest, shards)));
  if (Status fits = work::check_recipe(settings.recipe, manifest); !fits)
    return fits.error().within("recipe");
  CAIRN_TRY(const StartingModel model, starting_model(wanted, settings.recipe, manifest));
  if (Status offered = check_offered(model.graph, settings.recipe.precision); !offered)
    return offered.error().within("recipe");
  CAIRN_CHECK(check_fit(model.graph, settings.recipe, manifest));

  Contents contents;
  CAIRN_TRY(contents.start, average::starting_snapshot(model.parameters));
  ledger::Genesis& genesis = contents.genesis;
  genesis.policy = settings.policy;
  genesis.arithmetic_version = exact::kArithmeticVersion;
  CAIRN_TRY(genesis.name, blobs.put(as_bytes(name)));
  CAIRN_TRY(genesis.model, blobs.put(model::encode(model.graph)));
  CAIRN_TRY(genesis.manifest, blobs.put(data::encode(manifest)));
  CAIRN_TRY(genesis.recipe, blobs.put(work::encode(settings.recipe)));
  CAIRN_TRY(genesis.parameters, blobs.put(average::encode_parameters(contents.start)));
  CAIRN_CHECK(write_file(directory / "recipe.toml", as_bytes(settings.text)));
  return contents;
}

Status append_first_events(const fs::path& log, const ProjectKeys& keys, const ledger::Statement& genesis,
                           const average::Snapshot& start, Environment& environment) {
  CAIRN_TRY(const auto store, ledger::create_sqlite_store(log));
  CAIRN_TRY(ledger::Transaction transaction, store->begin());
  const int64_t now = environment.now();
  CAIRN_TRY(const uint64_t first, transaction.append({now, genesis}));
  CAIRN_ASSERT(first == 0);
  const ledger::RoundOpened opened{0, average::parameters_digest(start), average::grid_digest(start)};
  const auto statement =
      ledger::sign_statement(keys.coordinator, ledger::statement_digest(genesis), store->head(), opened);
  CAIRN_TRY(const uint64_t second, transaction.append({now, statement}));
  CAIRN_ASSERT(second == 1);
  return transaction.commit();
}

Status copy_shards(const Project& parent, data::ShardStore& shards, const Progress& progress) {
  const data::DataSet& data = parent.data();
  const auto copy = [&](const Digest& part) -> Status {
    CAIRN_TRY(const Bytes bytes, parent.shards().get(part, data::kMaxShardSize));
    if (auto put = shards.put(bytes); !put) return put.error();
    return {};
  };
  if (data.manifest().tokens != Digest()) CAIRN_CHECK(copy(data.manifest().tokens));
  const size_t total = data.groups(data::Split::train).size() + data.groups(data::Split::test).size();
  uint64_t done = 0;
  for (const data::Split split : data::kSplits) {
    for (size_t group = 0; group < data.groups(split).size(); ++group) {
      CAIRN_CHECK(copy(data.manifest().of(split)[group].page));
      CAIRN_TRY(const std::vector<data::Shard> page, data.shards(split, group));
      for (const data::Shard& shard : page) {
        CAIRN_CHECK(copy(shard.samples));
        CAIRN_CHECK(copy(shard.index));
      }
      if (!report(progress, ++done, total)) return Error{"interrupted"};
    }
  }
  return {};
}

// The recipe as people read it, which a mirror does not have.
Status copy_recipe(const fs::path& from, const fs::path& to) {
  std::error_code error;
  if (!fs::exists(from / "recipe.toml", error)) return {};
  CAIRN_TRY(const Bytes text, read_file(from / "recipe.toml", work::kMaxSettingsSize));
  return write_file(to / "recipe.toml", text);
}

// The same for a project that goes on from another: by digest all is as it was but for the parameters.
Result<Contents> copy_contents(const fs::path& directory, const std::string& name, const Project& parent,
                               const Progress& progress) {
  BlobStore blobs(directory / "blobs");
  data::ShardStore shards(directory / "shards");
  CAIRN_CHECK(copy_shards(parent, shards, progress));
  Contents contents;
  ledger::Genesis& genesis = contents.genesis;
  genesis = parent.genesis();
  CAIRN_CHECK(blobs.put(model::encode(parent.graph())));
  CAIRN_CHECK(blobs.put(data::encode(parent.data().manifest())));
  CAIRN_CHECK(blobs.put(work::encode(parent.recipe())));
  CAIRN_TRY(const std::vector<float> parameters, parent.parameters(parent.state().next_round() - 1));
  CAIRN_TRY(contents.start, average::starting_snapshot(parameters));
  genesis.policy = parent.state().policy();
  genesis.fork_of = parent.head().root;
  CAIRN_TRY(genesis.name, blobs.put(as_bytes(name)));
  CAIRN_TRY(genesis.parameters, blobs.put(average::encode_parameters(contents.start)));
  CAIRN_CHECK(copy_recipe(parent.directory(), directory));
  return contents;
}

// Signs the genesis, opens the first round, and puts the directory in its place.
Result<Project> found(Scaffold& scaffold, const fs::path& directory, Contents contents, KeyRing& ring,
                      Environment& environment) {
  const ProjectKeys keys;
  contents.genesis.root = keys.root.public_key();
  contents.genesis.coordinator = keys.coordinator.public_key();
  contents.genesis.judges = {keys.judge.public_key()};
  const auto genesis =
      ledger::sign_statement(keys.root, Digest{}, {0, ledger::MerkleTree().root()}, contents.genesis);
  CAIRN_CHECK(
      append_first_events(scaffold.directory() / kLogFile, keys, genesis, contents.start, environment));
  CAIRN_CHECK(keys.save(ring, ledger::statement_digest(genesis).hex()));
  CAIRN_CHECK(scaffold.move());
  return Project::open(directory, environment);
}

std::string project_name(const fs::path& directory) {
  return fs::absolute(directory).filename().string();
}

}  // namespace

Result<Project> create_project(const std::filesystem::path& place, const NewProject& wanted, KeyRing& ring,
                               Environment& environment, const Progress& progress) {
  const fs::path directory = without_trailing_slash(place);
  CAIRN_CHECK(check_place(directory));
  Scaffold scaffold(directory);
  CAIRN_CHECK(make_directory(scaffold.directory()));
  CAIRN_TRY(Contents contents,
            store_contents(scaffold.directory(), project_name(directory), wanted, progress));
  return found(scaffold, directory, std::move(contents), ring, environment);
}

Result<Project> fork_project(const std::filesystem::path& place, const Project& parent, KeyRing& ring,
                             Environment& environment, const Progress& progress) {
  const fs::path directory = without_trailing_slash(place);
  CAIRN_CHECK(check_place(directory));
  Scaffold scaffold(directory);
  CAIRN_CHECK(make_directory(scaffold.directory()));
  CAIRN_TRY(Contents contents,
            copy_contents(scaffold.directory(), project_name(directory), parent, progress));
  return found(scaffold, directory, std::move(contents), ring, environment);
}

}  // namespace cairn::project
