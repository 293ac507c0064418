#include "data/import.h"

#include <algorithm>

#include "base/file.h"
#include "data/open_source.h"

namespace cairn::data {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t kShardTarget = 32 << 20;  // bytes of samples
constexpr uint64_t kShardSamples = 1 << 17;  // so that their names fit an index

constexpr const char* kImportFolder = "import";
constexpr const char* kReportFile = "skipped.txt";

bool is_there(const fs::path& path) {
  std::error_code error;
  return fs::exists(path, error);
}

// Stores a shard's two blobs.
Result<Shard> store_shard(const Samples& samples, ShardStore& store, ThreadPool& pool) {
  Shard shard;
  shard.count = samples.count;
  if (shard.count == 0) return shard;
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

// One import at work.
struct Work {
  Source& source;
  ShardStore& store;
  Journal& journal;
  ThreadPool& pool;

  Result<Shard> make(Split split, uint64_t number, uint64_t first, uint32_t count) {
    const auto made = journal.shard(split, number);
    if (made && (made->count == 0 || (store.has(made->samples) && store.has(made->index)))) return *made;
    CAIRN_TRY(const Samples samples, source.read(split, first, count, pool));
    CAIRN_TRY(const Shard shard, store_shard(samples, store, pool));
    CAIRN_CHECK(journal.add(split, number, shard, samples.skipped));
    return shard;
  }

  Result<std::vector<Shard>> make_split(Split split, const std::function<bool(uint64_t)>& stored) {
    const uint64_t per_shard =
        std::clamp<uint64_t>(kShardTarget / source.description().sample_size(), 1, kShardSamples);
    const uint64_t all = source.count(split);
    if (all > per_shard * kMaxShards)
      return Error{source.description().name + ": would fill more than the 65536 shards of a data set"};
    std::vector<Shard> shards;
    for (uint64_t first = 0; first < all; first += per_shard) {
      const auto count = static_cast<uint32_t>(std::min(per_shard, all - first));
      CAIRN_TRY(const Shard shard, make(split, first / per_shard, first, count));
      if (shard.count > 0) shards.push_back(shard);
      if (!stored(first + count)) return Error{"the import was stopped; the same command goes on with it"};
    }
    return shards;
  }
};

// What an import was begun with, so that it is not gone on with another.
Digest identity(const ImportRequest& request) {
  std::error_code error;
  ByteWriter writer;
  for (const std::string& text : {request.source, fs::absolute(request.source, error).string(), request.name,
                                  request.vocabulary.string()}) {
    writer.string(text);
  }
  for (const uint32_t number :
       {request.shape.channels, request.shape.side, request.shape.resize, request.context}) {
    writer.u32(number);
  }
  return sha256(writer.bytes());
}

Result<std::unique_ptr<Source>> open_listed(const ImportRequest& request, const fs::path& folder,
                                            Journal& journal, const Progress& progress) {
  if (!journal.listed()) {
    CAIRN_CHECK(journal.restart_listing());
    std::error_code error;
    for (const char* name : {"train.list", "test.list", "classes", "train.tokens", "test.tokens"})
      fs::remove(folder / name, error);
  }
  const OnSkipped on_skipped = [&](const Skipped& skipped) { return journal.skip(skipped); };
  CAIRN_TRY(auto source, open_source(request, folder, on_skipped, progress));
  const uint64_t train = source->count(Split::train), test = source->count(Split::test);
  if (train > kMaxImages || test > kMaxImages) {
    return Error{request.source + ": has more samples than the " + std::to_string(kMaxImages) +
                 " of a data set"};
  }
  CAIRN_CHECK(journal.listed() ? journal.check_listed(train, test) : journal.set_listed(train, test));
  return source;
}

// The report first: once the manifest is there, nobody looks into the import's folder again.
Status finish(const Manifest& manifest, const Journal& journal, const fs::path& directory) {
  std::error_code error;
  if (journal.skipped() > 0) {
    fs::copy_file(journal.report(), directory / kReportFile, fs::copy_options::overwrite_existing, error);
    if (error) return Error{(directory / kReportFile).string() + ": cannot be made: " + error.message()};
  }
  CAIRN_CHECK(write_file(directory / kManifestFile, encode(manifest)));
  fs::remove_all(directory / kImportFolder, error);
  return {};
}

Status link_file(const fs::path& from, const fs::path& to) {
  if (is_there(to)) return {};
  CAIRN_CHECK(make_directory(to.parent_path()));
  std::error_code error;
  fs::create_hard_link(from, to, error);
  if (!error) return {};
  CAIRN_TRY(const Bytes bytes, read_file(from, max_file_size(kMaxShardSize)));  // another file system
  return write_file(to, bytes);
}

// Of a source that cannot be read there is nothing to go on with.
void forget_import(const fs::path& directory) {
  std::error_code error;
  fs::remove_all(directory / kImportFolder, error);
  fs::remove(directory, error);  // if that was all
}

}  // namespace

Result<Manifest> import_source(Source& source, ShardStore& store, Journal& journal, ThreadPool& pool,
                               const Progress& progress) {
  Manifest manifest = source.description();
  const uint64_t total = source.count(Split::train) + source.count(Split::test);
  uint64_t before = 0;
  Work work{source, store, journal, pool};
  for (const Split split : kSplits) {
    const auto stored = [&](uint64_t done) { return report(progress, before + done, total); };
    CAIRN_TRY(const std::vector<Shard> shards, work.make_split(split, stored));
    CAIRN_TRY(manifest.groups[static_cast<size_t>(split)], store_pages(shards, store));
    before += source.count(split);
  }
  for (const Bytes& extra : source.extras()) {
    if (auto stored = store.put(extra, &pool); !stored) return stored.error();
  }
  if (manifest.groups[0].empty())
    return Error{manifest.name + ": has no training sample that can be read; " + journal.report().string() +
                 " says why"};
  return manifest;
}

Result<Imported> import_data(const ImportRequest& request, const fs::path& directory, ThreadPool& pool,
                             const Progress& progress) {
  CAIRN_CHECK(make_directory(directory));
  CAIRN_TRY(const DirectoryLock alone, DirectoryLock::take(directory));
  if (is_there(directory / kManifestFile))
    return Error{directory.string() + ": holds a data set already; choose another folder"};
  const bool is_new = !is_there(directory / kImportFolder);
  CAIRN_TRY(const auto journal, Journal::open(directory / kImportFolder, identity(request)));
  auto source = open_listed(request, directory / kImportFolder, *journal, progress);
  if (!source) {
    if (is_new) forget_import(directory);
    return source.error();
  }
  ShardStore store(directory / kShardFolder);
  CAIRN_TRY(Manifest manifest, import_source(**source, store, *journal, pool, progress));
  CAIRN_CHECK(finish(manifest, *journal, directory));
  return Imported{std::move(manifest), journal->skipped(), directory / kReportFile};
}

bool is_data_folder(const fs::path& directory) {
  return is_there(directory / kManifestFile) || is_there(directory / kImportFolder / "journal");
}

Result<Manifest> open_data_folder(const fs::path& directory) {
  if (!is_there(directory / kManifestFile) && is_data_folder(directory)) {
    return Error{directory.string() +
                 ": its import is not finished; the same `cairn data import` goes on with it"};
  }
  if (!is_data_folder(directory))
    return Error{directory.string() + ": holds no data set; `cairn data import` makes one"};
  CAIRN_TRY(const Bytes bytes, read_file(directory / kManifestFile, kMaxManifestSize));
  Result<Manifest> manifest = decode_manifest(bytes);
  if (!manifest) return manifest.error().within((directory / kManifestFile).string());
  return manifest;
}

Status link_shards(const DataSet& data, const ShardStore& from, const ShardStore& to,
                   const Progress& progress) {
  const auto link = [&](const Digest& part) { return link_file(from.path(part), to.path(part)); };
  if (data.manifest().tokens != Digest()) CAIRN_CHECK(link(data.manifest().tokens));
  const uint64_t total = data.groups(Split::train).size() + data.groups(Split::test).size();
  uint64_t done = 0;
  for (const Split split : kSplits) {
    for (size_t group = 0; group < data.groups(split).size(); ++group) {
      CAIRN_TRY(const std::vector<Shard> shards, data.shards(split, group));
      CAIRN_CHECK(link(data.manifest().of(split)[group].page));
      for (const Shard& shard : shards) {
        CAIRN_CHECK(link(shard.samples));
        CAIRN_CHECK(link(shard.index));
      }
      if (!report(progress, ++done, total)) return Error{"interrupted"};
    }
  }
  return {};
}

}  // namespace cairn::data
