#include "data/import.h"

#include <algorithm>
#include <optional>

#include "base/text.h"
#include "data/idx.h"

namespace cairn::data {
namespace {

constexpr uint64_t kShardTarget = 4 << 20;  // bytes of pixels
constexpr uint64_t kShardImages = 1 << 18;  // so that their names fit an index

struct LabeledImages {
  IdxImages images;
  Bytes labels;
};

struct SplitFiles {
  Split split;
  const char* file_prefix;
  const char* name_prefix;
};
constexpr SplitFiles kSplitFiles[] = {{Split::train, "train", "train-"}, {Split::test, "t10k", "test-"}};

bool is_there(const std::filesystem::path& path) {
  std::error_code error;
  return std::filesystem::exists(path, error);
}

// The plain file, else the compressed one.
std::filesystem::path find_file(const DataLocation& location, const std::string& name) {
  const std::filesystem::path plain = location.directory / name;
  const std::filesystem::path compressed = location.directory / (name + ".gz");
  return !is_there(plain) && is_there(compressed) ? compressed : plain;
}

Result<std::optional<LabeledImages>> read_split(const DataLocation& location, const SplitFiles& files) {
  const auto image_file = find_file(location, std::string(files.file_prefix) + "-images-idx3-ubyte");
  const auto label_file = find_file(location, std::string(files.file_prefix) + "-labels-idx1-ubyte");
  if (files.split == Split::test && !is_there(image_file) && !is_there(label_file)) return {std::nullopt};
  LabeledImages result;
  CAIRN_TRY(result.images, read_idx_images(image_file));
  CAIRN_TRY(result.labels, read_idx_labels(label_file));
  if (result.labels.size() != result.images.count) {
    return Error{label_file.string() + ": has " + std::to_string(result.labels.size()) + " labels, but " +
                 image_file.filename().string() + " has " + std::to_string(result.images.count) + " images"};
  }
  return {std::move(result)};
}

Status check_labels(const DataLocation& location, const SplitFiles& files, const Bytes& labels,
                    size_t classes) {
  const auto wrong = std::ranges::find_if(labels, [&](uint8_t label) { return label >= classes; });
  if (wrong == labels.end()) return {};
  return Error{find_file(location, std::string(files.file_prefix) + "-labels-idx1-ubyte").string() +
               ": label " + std::to_string(wrong - labels.begin() + 1) + " is " + std::to_string(*wrong) +
               ", but there are " + std::to_string(classes) + " classes"};
}

std::string image_name(const char* prefix, size_t number, size_t count) {
  const std::string digits = std::to_string(number);
  const size_t width = std::max<size_t>(5, std::to_string(count).size());
  return prefix + std::string(width - digits.size(), '0') + digits;
}

Result<std::vector<Shard>> store_shards(const LabeledImages& data, const char* prefix, ShardStore& store,
                                        const std::function<bool(uint64_t)>& stored) {
  const uint64_t image_size = uint64_t{data.images.height} * data.images.width;
  const size_t per_shard = std::clamp<uint64_t>(kShardTarget / image_size, 1, kShardImages);
  std::vector<Shard> shards;
  for (size_t first = 0; first < data.labels.size(); first += per_shard) {
    const size_t count = std::min(per_shard, data.labels.size() - first);
    std::vector<IndexEntry> index;
    for (size_t i = first; i < first + count; ++i) {
      index.push_back({data.labels[i], image_name(prefix, i + 1, data.labels.size())});
    }
    const BytesView pixels(data.images.pixels);
    Shard shard{static_cast<uint32_t>(count), {}, {}};
    CAIRN_TRY(shard.pixels, store.put(pixels.subspan(first * image_size, count * image_size)));
    CAIRN_TRY(shard.index, store.put(encode_index(index)));
    shards.push_back(shard);
    if (!stored(first + count)) return Error{"the import was stopped"};
  }
  return shards;
}

std::vector<std::string> numbered_classes(const Bytes& labels) {
  std::vector<std::string> names;
  for (size_t i = 0; i <= *std::ranges::max_element(labels); ++i) names.push_back(std::to_string(i));
  return names;
}

}  // namespace

Result<DataLocation> find_data(std::string_view name_or_path) {
  if (name_or_path != "fashion-mnist") {
    const std::filesystem::path path(name_or_path);
    std::error_code error;
    if (!std::filesystem::is_directory(path, error)) {
      return Error{path.string() +
                   ": is neither a directory nor the name of a known data set (fashion-mnist)"};
    }
    const std::string name = std::filesystem::canonical(path, error).filename().string();
    return DataLocation{path, check_name(name, kMaxNameSize) ? name : "data", {}};
  }
  DataLocation location{"/usr/share/datasets/fashion-mnist",
                        "fashion-mnist",
                        {"T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker",
                         "Bag", "Ankle boot"}};
  if (!is_there(location.directory)) {
    return Error{"fashion-mnist: " + location.directory.string() +
                 " is missing; install Debian's package dataset-fashion-mnist"};
  }
  return location;
}

Result<Manifest> import_idx_directory(const DataLocation& location, ShardStore& store,
                                      const Progress& progress) {
  Manifest manifest{location.name, location.classes, 1, 0, 0, {}};
  std::vector<std::pair<SplitFiles, LabeledImages>> splits;
  uint64_t total = 0;
  for (const SplitFiles& files : kSplitFiles) {
    CAIRN_TRY(std::optional<LabeledImages> data, read_split(location, files));
    if (!data) continue;
    if (manifest.classes.empty()) manifest.classes = numbered_classes(data->labels);
    CAIRN_CHECK(check_labels(location, files, data->labels, manifest.classes.size()));
    if (manifest.height == 0) {
      manifest.height = data->images.height;
      manifest.width = data->images.width;
    }
    if (data->images.height != manifest.height || data->images.width != manifest.width) {
      return Error{location.directory.string() +
                   ": the test images have another size than the training images"};
    }
    total += data->labels.size();
    splits.emplace_back(files, std::move(*data));
  }
  uint64_t before = 0;
  for (const auto& [files, data] : splits) {
    const auto stored = [&](uint64_t done) { return report(progress, before + done, total); };
    CAIRN_TRY(manifest.shards[static_cast<size_t>(files.split)],
              store_shards(data, files.name_prefix, store, stored));
    before += data.labels.size();
  }
  return manifest;
}

}  // namespace cairn::data
