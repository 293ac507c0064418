#include "data/import.h"

#include <algorithm>

#include "base/text.h"
#include "data/idx.h"

namespace cairn::data {
namespace {

constexpr uint64_t kShardTarget = 32 << 20;  // bytes of samples
constexpr uint64_t kShardSamples = 1 << 17;  // so that their names fit an index

// Stores a shard's two blobs.
Result<Shard> store_shard(const Samples& samples, ShardStore& store, ThreadPool& pool) {
  Shard shard;
  shard.count = samples.count;
  CAIRN_TRY(shard.samples, store.put(samples.bytes, &pool));
  const Index index{chunk_digests(samples.bytes), samples.entries};
  CAIRN_TRY(shard.index, store.put(encode_index(index, samples.count)));
  return shard;
}

Result<std::vector<Group>> store_pages(const std::vector<Shard>& shards, ShardStore& store) {
  std::vector<Group> groups;
  for (size_t first = 0; first < shards.size(); first += kGroupShards) {
    const size_t last = std::min(shards.size(), first + kGroupShards);
    const std::vector<Shard> page(shards.begin() + static_cast<ptrdiff_t>(first),
                                  shards.begin() + static_cast<ptrdiff_t>(last));
    Group group;
    for (const Shard& shard : page) group.count += shard.count;
    CAIRN_TRY(group.page, store.put(encode_page(page)));
    groups.push_back(group);
  }
  return groups;
}

Result<std::vector<Shard>> import_split(Source& source, Split split, ShardStore& store, ThreadPool& pool,
                                        const std::function<bool(uint64_t)>& stored) {
  const uint64_t per_shard =
      std::clamp<uint64_t>(kShardTarget / source.description().sample_size(), 1, kShardSamples);
  std::vector<Shard> shards;
  for (uint64_t first = 0; first < source.count(split); first += per_shard) {
    const uint64_t count = std::min(per_shard, source.count(split) - first);
    CAIRN_TRY(const Samples samples, source.read(split, first, static_cast<uint32_t>(count), pool));
    if (samples.count > 0) {
      CAIRN_TRY(const Shard shard, store_shard(samples, store, pool));
      shards.push_back(shard);
    }
    if (!stored(first + count)) return Error{"the import was stopped"};
  }
  return shards;
}

}  // namespace

Result<std::unique_ptr<Source>> open_source(std::string_view name_or_path) {
  if (name_or_path != "fashion-mnist") {
    const std::filesystem::path path(name_or_path);
    std::error_code error;
    if (!std::filesystem::is_directory(path, error)) {
      return Error{path.string() +
                   ": is neither a directory nor the name of a known data set (fashion-mnist)"};
    }
    const std::string name = std::filesystem::canonical(path, error).filename().string();
    return open_idx_folder(path, check_name(name, kMaxNameSize) ? name : "data", {});
  }
  const std::filesystem::path folder = "/usr/share/datasets/fashion-mnist";
  std::error_code error;
  if (!std::filesystem::exists(folder, error)) {
    return Error{"fashion-mnist: " + folder.string() +
                 " is missing; install Debian's package dataset-fashion-mnist"};
  }
  return open_idx_folder(folder, "fashion-mnist",
                         {"T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker",
                          "Bag", "Ankle boot"});
}

Result<Manifest> import_source(Source& source, ShardStore& store, ThreadPool& pool,
                               const Progress& progress) {
  Manifest manifest = source.description();
  const uint64_t total = source.count(Split::train) + source.count(Split::test);
  uint64_t before = 0;
  for (const Split split : kSplits) {
    const auto stored = [&](uint64_t done) { return report(progress, before + done, total); };
    CAIRN_TRY(const std::vector<Shard> shards, import_split(source, split, store, pool, stored));
    CAIRN_TRY(manifest.groups[static_cast<size_t>(split)], store_pages(shards, store));
    before += source.count(split);
  }
  if (manifest.groups[0].empty()) return Error{manifest.name + ": has no training sample that can be read"};
  return manifest;
}

}  // namespace cairn::data
