#include "project/unit_files.h"

#include "average/snapshot.h"
#include "work/unit.h"

namespace cairn::project {
namespace {

// What does not compress grows a little by being stored.
uint64_t stored(uint64_t bytes) {
  return bytes + bytes / 128 + 1024;
}

class Collection {
 public:
  void add(const std::filesystem::path& file, uint64_t at_most) {
    std::error_code error;
    const uint64_t size = std::filesystem::file_size(file, error);
    files_.bytes += error ? at_most : size;
    files_.files.push_back(file);
  }
  UnitFiles take() { return std::move(files_); }

 private:
  UnitFiles files_;
};

}  // namespace

UnitFiles unit_files(const Project& project, trust::Round round, trust::UnitId unit) {
  Collection collection;
  const ledger::Genesis& genesis = project.genesis();
  // Opening the project has fetched these.
  for (const Digest& digest : {genesis.model, genesis.recipe, genesis.manifest})
    collection.add(project.blobs().path(digest), 0);
  const uint64_t parameters = model::parameter_count(project.graph());
  collection.add(project.blobs().path(project.state().rounds()[round].snapshot),
                 average::parameters_size(parameters));
  const data::DataSet& data = project.data();
  const auto images = work::unit_images(project.recipe(), data.groups(data::Split::train), unit);
  for (const size_t number : data.shards_of(data::Split::train, images)) {
    const data::Shard& shard = data.manifest().of(data::Split::train)[number];
    constexpr uint64_t kIndexEntry = sizeof(uint16_t) + sizeof(uint32_t) + data::kMaxNameSize;
    collection.add(project.shards().path(shard.pixels), stored(shard.count * data.manifest().image_size()));
    collection.add(project.shards().path(shard.index), stored(shard.count * kIndexEntry));
  }
  return collection.take();
}

}  // namespace cairn::project
