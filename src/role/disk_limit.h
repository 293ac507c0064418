// A limit on what copies of hosted projects take on disk. What was used longest ago goes first: models, data
// and gradients can be fetched again. Logs stay.
//
// Several processes may share a folder of copies: each names what its unit needs, and none deletes that, nor
// anything that is not a copy's blob or shard.
#pragma once

#include <filesystem>
#include <memory>
#include <set>
#include <vector>

#include "base/descriptor.h"
#include "base/environment.h"
#include "base/result.h"

namespace cairn::role {

// Safe for several threads and processes.
class DiskLimit {
 public:
  // `folder` holds copies as Replica::open() makes them; at most `bytes` for all of them together.
  static Result<std::unique_ptr<DiskLimit>> open(const std::filesystem::path& folder, uint64_t bytes,
                                                 Environment& environment);
  ~DiskLimit();
  DiskLimit(const DiskLimit&) = delete;
  DiskLimit& operator=(const DiskLimit&) = delete;

  // From now on nobody deletes these files, whether they are here already or not, until the next call or the
  // end of this process. They count as used now.
  Status hold(const std::vector<std::filesystem::path>& files);

  // Deletes what was used longest ago until so many bytes more fit. The error says what to do.
  Status make_room(uint64_t bytes) const;

  uint64_t bytes() const { return bytes_; }

 private:
  DiskLimit(std::filesystem::path folder, uint64_t bytes, Environment& environment)
      : folder_(std::move(folder)), bytes_(bytes), environment_(environment) {}
  Status begin_list();
  Result<std::set<std::filesystem::path>> held() const;

  std::filesystem::path folder_;
  uint64_t bytes_;
  Environment& environment_;
  std::filesystem::path list_path_;  // of what this process holds; locked as long as it lives
  Descriptor list_;
};

// A number of bytes for people, such as "1.2 GiB".
std::string size_text(uint64_t bytes);

}  // namespace cairn::role
