// How far an import has come, so that the next one goes on there, whatever ended this one.
//
// A record counts once it is whole; the shard that it speaks of is on disk before.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <utility>

#include "data/append_file.h"
#include "data/skipped.h"

namespace cairn::data {

// In a folder of its own: `journal`, and the report `skipped.txt` as far as it goes. One thread at a time.
class Journal {
 public:
  // Goes on with what is there, if it is an import of `what`, or begins. What a crash left half-written is
  // cut off.
  static Result<std::unique_ptr<Journal>> open(const std::filesystem::path& folder, const Digest& what);

  // Before it is known which samples the source has, nothing else is: skip() may be called.
  bool listed() const { return counts_.has_value(); }
  Status restart_listing();
  Status skip(const Skipped& skipped);
  Status set_listed(uint64_t train, uint64_t test);
  // Refuses a source that has changed its number of samples.
  Status check_listed(uint64_t train, uint64_t test) const;

  // Nothing where the shard has yet to be made; a shard of count 0 where none of its samples could be read.
  std::optional<Shard> shard(Split split, uint64_t number) const;
  // `shard` is on disk, and these of its samples were left out. Durable once it returns.
  Status add(Split split, uint64_t number, const Shard& shard, const std::vector<Skipped>& skipped);

  uint64_t skipped() const { return lines_; }
  std::filesystem::path report() const { return folder_ / "skipped.txt"; }

 private:
  explicit Journal(std::filesystem::path folder) : folder_(std::move(folder)) {}
  std::filesystem::path path() const { return folder_ / "journal"; }
  Status load(const Digest& what);
  bool take(BytesView payload, const Digest& what, Status& status);
  Status append(BytesView payload);

  std::filesystem::path folder_;
  std::unique_ptr<AppendFile> file_, report_;
  bool begun_ = false;
  std::optional<std::pair<uint64_t, uint64_t>> counts_;
  std::map<std::pair<Split, uint64_t>, Shard> shards_;
  uint64_t report_size_ = 0, lines_ = 0;  // of the report
};

}  // namespace cairn::data
