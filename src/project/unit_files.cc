#include "project/unit_files.h"

#include "average/packed_snapshot.h"
#include "work/unit.h"

namespace cairn::project {
namespace {

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

Result<UnitFiles> unit_files(const Project& project, trust::Round round, trust::UnitId unit) {
  Collection collection;
  const ledger::Genesis& genesis = project.genesis();
  // Opening the project has fetched these.
  for (const Digest& digest : {genesis.model, genesis.recipe, genesis.manifest})
    collection.add(project.blobs().path(digest), 0);
  const uint64_t parameters = model::parameter_count(project.graph());
  for (const auto& file : project.snapshots().files(project.state().rounds()[round].snapshot))
    collection.add(file, average::packed_size_limit(parameters));
  const data::DataSet& data = project.data();
  const auto images = work::unit_images(project.recipe(), data.groups(data::Split::train), unit);
  CAIRN_TRY(const std::vector<data::Part> parts, data.parts_of(data::Split::train, images));
  for (const data::Part& part : parts)
    collection.add(project.shards().path(part.digest), data::max_file_size(part.size));
  return collection.take();
}

}  // namespace cairn::project
