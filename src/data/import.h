// Importing a data set: what a project maintainer's files become, once.
//
// A data folder holds what comes out: `manifest`, `shards/` (data/shard_store.h), `skipped.txt` where
// something was left out, and while the import is not finished `import/`, from which it goes on
// (data/journal.h). The manifest is written last, so that a part is never taken for the whole.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "base/progress.h"
#include "data/dataset.h"
#include "data/image.h"
#include "data/journal.h"
#include "data/source.h"

namespace cairn::data {

inline constexpr const char* kManifestFile = "manifest";
inline constexpr const char* kShardFolder = "shards";

struct ImportRequest {
  std::string source = {};  // "fashion-mnist" as Debian's dataset-fashion-mnist installs it, or a path
  std::string name = {};    // of the data set; empty: that of the source
  PictureShape shape = {};  // of pictures that have to be decoded
  uint32_t context = 256;   // of text: tokens that a sample predicts
  std::filesystem::path vocabulary = {};  // of text: data/vocabulary.h; empty: a token is a byte
};

struct Imported {
  Manifest manifest;
  uint64_t skipped = 0;  // samples that were left out; `report` names them
  std::filesystem::path report;
};

// Makes `directory` a data folder, or goes on making it where that was interrupted: by whatever, without
// doing anything twice but what was under way. Refused where it holds a data set, or the beginnings of
// another one. One process at a time: others wait. Holds one shard in memory, and the pictures under way.
Result<Imported> import_data(const ImportRequest& request, const std::filesystem::path& directory,
                             ThreadPool& pool, const Progress& progress);

// What a data folder holds; refused where its import is not finished. is_data_folder() says whether there is
// anything of the kind.
Result<Manifest> open_data_folder(const std::filesystem::path& directory);
bool is_data_folder(const std::filesystem::path& directory);

// All pages, samples, indexes and the vocabulary, in the store's other place: as links to the same files
// where the file system allows. Nothing is unpacked: whoever reads a sample checks it.
Status link_shards(const DataSet& data, const ShardStore& from, const ShardStore& to,
                   const Progress& progress);

// Stores shards of about 32 MiB and the pages that list them. What the journal knows is not made again.
Result<Manifest> import_source(Source& source, ShardStore& store, Journal& journal, ThreadPool& pool,
                               const Progress& progress);

}  // namespace cairn::data
