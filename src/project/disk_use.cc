#include "project/disk_use.h"

#include "project/retention.h"

namespace cairn::project {
namespace {

namespace fs = std::filesystem;

uint64_t size_of(const fs::path& file) {
  std::error_code gone;
  const uint64_t size = fs::file_size(file, gone);
  return gone ? 0 : size;
}

class Count {
 public:
  explicit Count(const Project& project) : project_(project) {}

  void add(const fs::path& file) {
    kind_of(file.lexically_relative(project_.directory()).begin()->string()) += size_of(file);
  }

  DiskUse finish(int64_t now) {
    for (const fs::path& file : droppable_snapshots(project_, now)) use_.droppable += size_of(file);
    const std::set<Digest> due = droppable_gradients(project_.state(), now);
    for (const Digest& digest : withdrawn_files(project_.state()))
      (due.contains(digest) ? use_.droppable : use_.withdrawn) += size_of(project_.gradients().path(digest));
    return use_;
  }

 private:
  uint64_t& kind_of(const std::string& folder) {
    if (folder.starts_with(kLogFile)) return use_.log;
    if (folder == "snapshots") return use_.snapshots;
    if (folder == "gradients") return use_.gradients;
    if (folder == "shards") return use_.shards;
    return folder == "blobs" ? use_.blobs : use_.other;
  }

  const Project& project_;
  DiskUse use_;
};

}  // namespace

DiskUse disk_use(const Project& project, int64_t now) {
  Count count(project);
  std::error_code error;
  for (fs::recursive_directory_iterator it(project.directory(), error), end; !error && it != end;
       it.increment(error)) {
    std::error_code gone;
    if (it->is_regular_file(gone)) count.add(it->path());
  }
  return count.finish(now);
}

}  // namespace cairn::project
