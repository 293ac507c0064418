#include "role/disk_limit.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <string>

#include "base/digest.h"
#include "base/file.h"

namespace cairn::role {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kListPrefix = "held-by-";
constexpr uint64_t kMaxListSize = 64 << 20;
constexpr std::chrono::hours kPartIsWritten{1};  // for so long after the last byte of a download

struct KeptFile {
  fs::path file;
  uint64_t size = 0;
  fs::file_time_type used;
};

// What lies in one copy: files that may go, and the size of everything.
struct Kept {
  std::vector<KeptFile> files;
  uint64_t bytes = 0;
};

bool is_copy(const fs::path& folder) {
  return Digest::from_hex(folder.filename().string()).ok();
}

// "blobs/ab/cdef…", "snapshots/ab/cdef…" or "shards/ab/cdef….zst", say, or a part of it that is no longer fetched.
bool may_go(const fs::path& below_copy, fs::file_time_type used) {
  constexpr std::array<std::string_view, 4> kFolders = {"blobs", "shards", "gradients", "snapshots"};
  const std::vector<fs::path> parts(below_copy.begin(), below_copy.end());
  if (parts.size() != 3 || std::ranges::find(kFolders, parts[0].string()) == kFolders.end())
    return false;
  const bool part = parts[2].extension() == ".part";
  if (part && used > fs::file_time_type::clock::now() - kPartIsWritten) return false;
  return Digest::from_hex((parts[1].string() + parts[2].string()).substr(0, 64)).ok();
}

// Files may go while they are looked at, when others make room or a download ends; then they count nothing.
void add_copy(const fs::path& copy, Kept& kept) {
  std::error_code error;
  for (fs::recursive_directory_iterator it(copy, error), end; !error && it != end; it.increment(error)) {
    std::error_code gone;
    if (!it->is_regular_file(gone)) continue;
    const uint64_t size = it->file_size(gone);
    const fs::file_time_type used = it->last_write_time(gone);
    if (gone) continue;
    kept.bytes += size;
    if (may_go(it->path().lexically_relative(copy), used)) kept.files.push_back({it->path(), size, used});
  }
}

Kept look(const fs::path& folder) {
  Kept kept;
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    if (is_copy(it->path())) add_copy(it->path(), kept);
  }
  std::ranges::sort(kept.files, {}, &KeptFile::used);
  return kept;
}

// A list that nobody has locked is of a process that was killed.
bool is_left_over(const fs::path& list) {
  const Descriptor fd(::open(list.c_str(), O_RDONLY | O_CLOEXEC));
  return fd.get() >= 0 && ::flock(fd.get(), LOCK_EX | LOCK_NB) == 0;
}

Status write_whole(int fd, const std::string& text) {
  const auto size = static_cast<ssize_t>(text.size());
  if (::ftruncate(fd, 0) == 0 && ::pwrite(fd, text.data(), text.size(), 0) == size) return {};
  return Error{"the list of what this process needs cannot be written: is the disk full?"};
}

}  // namespace

Result<std::unique_ptr<DiskLimit>> DiskLimit::open(const fs::path& folder, uint64_t bytes,
                                                   Environment& environment) {
  CAIRN_CHECK(make_directory(folder));
  std::unique_ptr<DiskLimit> limit(new DiskLimit(folder, bytes, environment));
  CAIRN_CHECK(limit->begin_list());
  return limit;
}

DiskLimit::~DiskLimit() {
  std::error_code error;
  if (!list_path_.empty()) fs::remove(list_path_, error);
}

Status DiskLimit::begin_list() {
  CAIRN_TRY(const DirectoryLock alone, DirectoryLock::take(folder_));
  CAIRN_CHECK(held());  // which takes away what killed processes left
  list_path_ = folder_ / (std::string(kListPrefix) + std::to_string(environment_.random_word()));
  list_.set(::open(list_path_.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
  if (list_.get() >= 0 && ::flock(list_.get(), LOCK_EX | LOCK_NB) == 0) return {};
  return Error{list_path_.string() + ": cannot be made; is the folder writable?"};
}

Status DiskLimit::hold(const std::vector<fs::path>& files) {
  std::string list;
  for (const fs::path& file : files) list += file.lexically_relative(folder_).string() + "\n";
  CAIRN_TRY(const DirectoryLock alone, DirectoryLock::take(folder_));
  CAIRN_CHECK(write_whole(list_.get(), list));
  const fs::file_time_type now(std::chrono::duration_cast<fs::file_time_type::duration>(
      fs::file_time_type::clock::from_sys(
          std::chrono::sys_time<std::chrono::milliseconds>(std::chrono::milliseconds(environment_.now())))
          .time_since_epoch()));
  std::error_code missing;
  for (const fs::path& file : files) fs::last_write_time(file, now, missing);
  return {};
}

Result<std::set<fs::path>> DiskLimit::held() const {
  std::set<fs::path> files;
  std::error_code error;
  for (fs::directory_iterator it(folder_, error), end; !error && it != end; it.increment(error)) {
    if (!it->path().filename().string().starts_with(kListPrefix)) continue;
    if (is_left_over(it->path())) {
      std::error_code gone;
      fs::remove(it->path(), gone);
      continue;
    }
    CAIRN_TRY(const Bytes list, read_file(it->path(), kMaxListSize));
    std::string line;
    for (const uint8_t byte : list) {
      if (byte != '\n') {
        line += static_cast<char>(byte);
      } else {
        files.insert(folder_ / std::exchange(line, ""));
      }
    }
  }
  return files;
}

Status DiskLimit::make_room(uint64_t bytes) const {
  CAIRN_TRY(const DirectoryLock alone, DirectoryLock::take(folder_));
  Kept kept = look(folder_);
  if (kept.bytes + bytes <= bytes_) return {};
  CAIRN_TRY(const std::set<fs::path> needed, held());
  for (const KeptFile& file : kept.files) {
    if (kept.bytes + bytes <= bytes_) return {};
    std::error_code error;
    if (!needed.contains(file.file) && fs::remove(file.file, error)) kept.bytes -= file.size;
  }
  if (kept.bytes + bytes <= bytes_) return {};
  return Error{folder_.string() + ": logs and what units under way need take " + size_text(kept.bytes) +
               ", and " + size_text(bytes) + " more do not fit into the limit of " + size_text(bytes_) +
               "; raise it with --disk"};
}

std::string size_text(uint64_t bytes) {
  static constexpr std::array<const char*, 5> kUnits = {"bytes", "KiB", "MiB", "GiB", "TiB"};
  size_t unit = 0;
  double value = static_cast<double>(bytes);
  for (; value >= 1024 && unit + 1 < kUnits.size(); value /= 1024) ++unit;
  return unit == 0 ? fmt::format("{} bytes", bytes) : fmt::format("{:.1f} {}", value, kUnits[unit]);
}

}  // namespace cairn::role
