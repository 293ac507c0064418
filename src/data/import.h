// Importing a data set: what a project maintainer's files become, once.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/progress.h"
#include "data/manifest.h"
#include "data/shard_store.h"

namespace cairn::data {

struct DataLocation {
  std::filesystem::path directory;
  std::string name;                  // of the data set
  std::vector<std::string> classes;  // names; empty: "0", "1", … up to the largest label
};

// What `--data` names: "fashion-mnist" as Debian's dataset-fashion-mnist installs it, or a directory.
Result<DataLocation> find_data(std::string_view name_or_path);

// Reads {train,t10k}-{images-idx3,labels-idx1}-ubyte, plain or with .gz, and stores shards of about 4 MiB.
// The test pair may be missing. Images get the names train-00001, … and test-00001, … in the order of the
// files. On an error the store may hold shards that nothing refers to.
Result<Manifest> import_idx_directory(const DataLocation& location, ShardStore& store,
                                      const Progress& progress);

}  // namespace cairn::data
