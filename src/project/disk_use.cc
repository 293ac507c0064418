#include "project/disk_use.h"

#include <algorithm>

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
  explicit Count(const Project& project) : project_(project) {
    for (const trust::Entry& entry : project.state().entries()) {
      if (entry.gradient) gradients_.insert(*entry.gradient);
    }
  }

  void add(const fs::path& file) {
    const fs::path place = file.lexically_relative(project_.directory());
    const std::string folder = place.begin()->string();
    kind_of(folder, place) += size_of(file);
  }

  DiskUse finish(int64_t now) {
    for (const fs::path& file : droppable_snapshots(project_, now)) use_.droppable += size_of(file);
    const std::set<Digest> due = droppable_gradients(project_.state(), now);
    for (const Digest& digest : withdrawn_files(project_.state()))
      (due.contains(digest) ? use_.droppable : use_.withdrawn) += size_of(project_.blobs().path(digest));
    return use_;
  }

 private:
  uint64_t& kind_of(const std::string& folder, const fs::path& place) {
    if (folder.starts_with(kLogFile)) return use_.log;
    if (folder == "snapshots") return use_.snapshots;
    if (folder == "shards") return use_.shards;
    if (folder != "blobs") return use_.other;
    const std::vector<fs::path> parts(place.begin(), place.end());
    const auto digest = parts.size() == 3 ? Digest::from_hex(parts[1].string() + parts[2].string())
                                          : Result<Digest>(Error{"no blob"});
    if (!digest) return use_.other;
    return gradients_.contains(*digest) ? use_.gradients : use_.blobs;
  }

  const Project& project_;
  std::set<Digest> gradients_;
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
