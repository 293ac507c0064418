// Importing a data set: what a project maintainer's files become, once.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "base/progress.h"
#include "data/shard_store.h"
#include "data/source.h"

namespace cairn::data {

// What `--data` names: "fashion-mnist" as Debian's dataset-fashion-mnist installs it, or a folder of IDX
// files.
Result<std::unique_ptr<Source>> open_source(std::string_view name_or_path);

// Stores shards of about 32 MiB and the pages that list them. On an error the store may hold shards that
// nothing refers to. Holds one shard in memory.
Result<Manifest> import_source(Source& source, ShardStore& store, ThreadPool& pool, const Progress& progress);

}  // namespace cairn::data
