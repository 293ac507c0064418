#include <fmt/format.h>

#include "base/threads.h"
#include "cmd/command.h"
#include "data/import.h"

namespace cairn::cmd {
namespace {

struct ImportOptions {
  std::string source;
  std::filesystem::path directory;
  std::string name;
  uint32_t size = 224;
  uint32_t resize = 0;
  bool grey = false;
  uint32_t context = 256;
  std::filesystem::path vocabulary;
};

struct ShowOptions {
  std::filesystem::path directory;
};

constexpr uint64_t kShown = 5;  // of the samples that were left out

Json split_json(const data::Manifest& manifest, data::Split split) {
  return {{"samples", manifest.count(split)}, {"groups", manifest.of(split).size()}};
}

Json to_json(const data::Manifest& manifest) {
  Json json = {{"name", manifest.name},
               {"digest", sha256(data::encode(manifest)).hex()},
               {"kind", manifest.kind == data::Kind::text ? "text" : "images"},
               {"sample_bytes", manifest.sample_size()},
               {"classes", manifest.class_count()},
               {"train", split_json(manifest, data::Split::train)},
               {"test", split_json(manifest, data::Split::test)}};
  if (manifest.kind == data::Kind::text) {
    json["context"] = manifest.context;
  } else {
    json["channels"] = manifest.channels;
    json["height"] = manifest.height;
    json["width"] = manifest.width;
  }
  return json;
}

std::string kind_text(const data::Manifest& manifest) {
  if (manifest.kind == data::Kind::text) {
    return fmt::format("text in pieces of {} tokens, of a vocabulary of {}", manifest.context,
                       manifest.vocabulary);
  }
  return fmt::format("images of {} x {} pixels, {}, in {}", manifest.width, manifest.height,
                     manifest.channels == 1 ? "grey" : fmt::format("{} channels", manifest.channels),
                     plural(manifest.classes.size(), "class", "classes"));
}

std::string to_text(const data::Manifest& manifest) {
  std::string text = fmt::format("{}: {}\n", printable(manifest.name), kind_text(manifest));
  for (const data::Split split : data::kSplits) {
    text += fmt::format("  {}: {} in {}\n", split == data::Split::train ? "training" : "test",
                        plural(manifest.count(split), "sample", "samples"),
                        plural(manifest.of(split).size(), "group", "groups"));
  }
  return text + fmt::format("  manifest: {}\n", sha256(data::encode(manifest)).hex());
}

Result<std::string> skipped_text(const data::Imported& imported) {
  if (imported.skipped == 0) return std::string();
  CAIRN_TRY(const auto first, data::read_report(imported.report, kShown));
  std::string text =
      fmt::format("{} left out; {} names each:\n", plural(imported.skipped, "file was", "files were"),
                  printable(imported.report.string()));
  for (const data::Skipped& one : first)
    text += fmt::format("  {}: {}\n", printable(one.name), printable(one.reason));
  return text + (imported.skipped > kShown ? fmt::format("  and {} more\n", imported.skipped - kShown) : "");
}

Result<Json> skipped_json(const data::Imported& imported) {
  CAIRN_TRY(const auto lines, data::read_report(imported.report, imported.skipped));
  Json list = Json::array();
  for (const data::Skipped& one : lines) list.push_back({{"name", one.name}, {"reason", one.reason}});
  return list;
}

Result<int> import(const Shared& shared, const ImportOptions& options) {
  const uint32_t resize = options.resize == 0 ? options.size : options.resize;
  if (resize < options.size)
    return Error{
        fmt::format("--resize {}: is less than --size {}, which is cut out of it", resize, options.size)};
  const data::ImportRequest request{.source = options.source,
                                    .name = options.name,
                                    .shape = {options.grey ? 1u : 3u, options.size, resize},
                                    .context = options.context,
                                    .vocabulary = options.vocabulary};
  ThreadPool pool(shared.threads > 0 ? shared.threads : hardware_threads());
  CAIRN_TRY(const data::Imported imported,
            data::import_data(request, options.directory, pool, progress_line("importing")));
  Json json = to_json(imported.manifest);
  if (shared.json) {
    CAIRN_TRY(json["skipped"], skipped_json(imported));
  }
  CAIRN_TRY(const std::string skipped, skipped_text(imported));
  print(shared, json,
        to_text(imported.manifest) + skipped +
            fmt::format("next: cairn new DIR --data {}\n", shell_word(options.directory)));
  return kDone;
}

Result<int> show(const Shared& shared, const ShowOptions& options) {
  CAIRN_TRY(const data::Manifest manifest, data::open_data_folder(options.directory));
  print(shared, to_json(manifest), to_text(manifest));
  return kDone;
}

void add_import(Command group, const Shared& shared) {
  Command command = add_command(group, "import", "Bring a data set into the form that projects are made with",
                                "cairn data import /data/imagenet -o imagenet --size 224");
  auto options = std::make_shared<ImportOptions>();
  command
      .add_option("SOURCE", options->source,
                  "fashion-mnist, a folder of pictures by class, of IDX or CIFAR files, or of train-*.tar, "
                  "train.csv or train.txt; or one file of .tar, .csv or .txt")
      .required();
  command.add_option("-o,--output", options->directory, "Folder to make, or to go on with").required();
  command.add_option("--name", options->name, "Of the data set (default: that of SOURCE)");
  command
      .add_option("--size", options->size, "Pixels of each side of the square that is cut out of a picture")
      .range(1, static_cast<int>(data::kMaxImportSide))
      .show_default();
  command
      .add_option("--resize", options->resize,
                  "Pixels of the picture's shorter side before that (default: those of --size)")
      .range(1, static_cast<int>(data::kMaxImportSide));
  command.add_flag("--grey", options->grey, "Pictures become grey: one channel instead of three");
  command.add_option("--context", options->context, "Of text: tokens that a sample predicts")
      .range(1, static_cast<int>(data::kMaxContext))
      .show_default();
  command.add_option("--vocabulary", options->vocabulary,
                     "Of text: a byte pair vocabulary, as tiktoken has them (default: a token is a byte)");
  set_action(command, [&shared, options] { return import(shared, *options); });
}

void add_show(Command group, const Shared& shared) {
  Command command =
      add_command(group, "show", "What a folder that `import` made holds", "cairn data show imagenet");
  auto options = std::make_shared<ShowOptions>();
  command.add_option("DIR", options->directory, "The folder").required();
  set_action(command, [&shared, options] { return show(shared, *options); });
}

}  // namespace

void add_data(Command app, const Shared& shared) {
  const Command group = add_group(app, "data", "Import data sets, and look at them");
  add_import(group, shared);
  add_show(group, shared);
}

}  // namespace cairn::cmd
