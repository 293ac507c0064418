#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>

#include "base/file.h"
#include "net/http_client.h"

namespace cairn::net {
namespace {

using Kind = Failure::Kind;

constexpr size_t kPiece = 256 << 10;

// FILE.part: what has come so far.
class PartFile {
 public:
  static Result<std::unique_ptr<PartFile>> open(const std::filesystem::path& file) {
    std::filesystem::path path = file;
    path += ".part";
    const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    struct stat info {};
    if (fd < 0 || ::fstat(fd, &info) != 0) {
      if (fd >= 0) ::close(fd);
      return Error{path.string() + ": cannot open: " + std::strerror(errno)};
    }
    return std::unique_ptr<PartFile>(new PartFile(fd, std::move(path), static_cast<uint64_t>(info.st_size)));
  }
  ~PartFile() { ::close(fd_); }
  PartFile(const PartFile&) = delete;
  PartFile& operator=(const PartFile&) = delete;

  uint64_t size() const { return size_; }

  Status append(BytesView bytes) {
    while (!bytes.empty()) {
      const ssize_t put = ::pwrite(fd_, bytes.data(), bytes.size(), static_cast<off_t>(size_));
      if (put < 0 && errno == EINTR) continue;
      if (put < 0) return failed("write");
      size_ += static_cast<uint64_t>(put);
      bytes = bytes.subspan(static_cast<size_t>(put));
    }
    return {};
  }

  Status clear() {
    if (::ftruncate(fd_, 0) != 0) return failed("shorten");
    size_ = 0;
    return {};
  }

  // Hands on what is there.
  Status replay(const std::function<Status(BytesView)>& sink) const {
    if (!sink || size_ == 0) return {};
    CAIRN_TRY(const std::shared_ptr<const OpenFile> file, OpenFile::open(path_));
    Bytes piece(kPiece);
    for (uint64_t offset = 0; offset < size_; offset += piece.size()) {
      piece.resize(std::min<uint64_t>(kPiece, size_ - offset));
      CAIRN_CHECK(file->read(offset, piece));
      CAIRN_CHECK(sink(piece));
    }
    return {};
  }

  Status sync() const { return ::fsync(fd_) == 0 ? Status() : failed("write"); }
  void remove() const { ::unlink(path_.c_str()); }

  Status rename_to(const std::filesystem::path& file) const {
    if (::rename(path_.c_str(), file.c_str()) != 0) return failed("rename");
    return sync_directory(file.has_parent_path() ? file.parent_path() : ".");
  }

 private:
  PartFile(int fd, std::filesystem::path path, uint64_t size)
      : fd_(fd), path_(std::move(path)), size_(size) {}
  Error failed(const char* action) const {
    return {path_.string() + ": cannot " + action + ": " + std::strerror(errno)};
  }

  int fd_;
  std::filesystem::path path_;
  uint64_t size_;
};

// "bytes 5-9/10" or "bytes */10".
struct ContentRange {
  std::optional<uint64_t> first;
  uint64_t total = 0;
};

bool take_number(std::string_view& text, uint64_t& value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc()) return false;
  text.remove_prefix(static_cast<size_t>(end - text.data()));
  return true;
}

bool take(std::string_view& text, std::string_view prefix) {
  if (!text.starts_with(prefix)) return false;
  text.remove_prefix(prefix.size());
  return true;
}

std::optional<ContentRange> parse_content_range(std::string_view text) {
  ContentRange range;
  uint64_t first = 0;
  uint64_t last = 0;
  if (!take(text, "bytes ")) return std::nullopt;
  if (take(text, "*/")) {
    if (take_number(text, range.total) && text.empty()) return range;
    return std::nullopt;
  }
  if (!take_number(text, first) || !take(text, "-") || !take_number(text, last) || !take(text, "/")) {
    return std::nullopt;
  }
  if (!take_number(text, range.total) || !text.empty() || last < first || last + 1 != range.total) {
    return std::nullopt;
  }
  range.first = first;
  return range;
}

// What a response to a request for the rest means for the part that is there.
struct Plan {
  uint64_t skip = 0;              // bytes of the body that are there already
  std::optional<uint64_t> total;  // of the whole
  bool complete = false;          // nothing is missing
};

Outcome<Plan> plan(const ResponseReader& response, const Download& download, uint64_t have) {
  Plan plan;
  const std::optional<ContentRange> range = parse_content_range(response.headers().get("Content-Range"));
  if (response.status() == 200) {
    plan.skip = have;
    plan.total = response.content_length();
  } else if (range && response.status() == 206 && range->first == have) {
    plan.total = range->total;
  } else if (range && response.status() == 416 && range->total == have) {
    plan.total = have;
    plan.complete = true;
  } else {
    return Failure(Kind::invalid,
                   download.target + ": the server's answer does not fit the part that is there");
  }
  if (plan.total && *plan.total > download.max_size) {
    return Failure(Kind::invalid, download.target + ": has " + std::to_string(*plan.total) +
                                      " bytes where at most " + std::to_string(download.max_size) +
                                      " are expected");
  }
  if (plan.total && *plan.total < have) {
    return Failure(Kind::invalid, download.target + ": is shorter than the part that is there");
  }
  return plan;
}

// Reads the body into the part.
Outcome<void> receive(Exchange& exchange, const Download& download, Plan plan, PartFile& part) {
  Bytes bytes(kPiece);
  uint64_t skip = plan.skip;
  while (true) {
    CAIRN_TRY(const size_t got, exchange.read_body(bytes));
    if (got == 0) break;
    const size_t old = std::min<uint64_t>(skip, got);
    skip -= old;
    const BytesView fresh = BytesView(bytes).subspan(old, got - old);
    if (fresh.size() > download.max_size - part.size()) {
      return Failure(Kind::invalid, download.target + ": is longer than the " +
                                        std::to_string(download.max_size) + " bytes expected");
    }
    CAIRN_CHECK(part.append(fresh));
    if (download.sink && !fresh.empty()) CAIRN_CHECK(download.sink(fresh));
    if (!report(download.progress, part.size(), plan.total.value_or(0))) {
      return Failure(Kind::cancelled, "cancelled");
    }
  }
  if (skip > 0 || (plan.total && part.size() != *plan.total)) {
    return Failure(Kind::invalid, download.target + ": the server sent another number of bytes than it said");
  }
  return {};
}

Outcome<void> complete(const Download& download, const PartFile& part) {
  CAIRN_CHECK(part.sync());
  if (download.check) {
    if (const Status status = download.check(); !status) {
      return Failure(Kind::invalid, download.target + ": " + status.error().message);
    }
  }
  CAIRN_CHECK(part.rename_to(download.file));
  return {};
}

}  // namespace

Outcome<void> HttpClient::download(const Download& download) {
  CAIRN_TRY(const std::unique_ptr<PartFile> part, PartFile::open(download.file));
  if (part->size() > download.max_size) CAIRN_CHECK(part->clear());
  CAIRN_CHECK(part->replay(download.sink));
  Outgoing outgoing;
  outgoing.target = download.target;
  outgoing.headers = download.headers;
  if (part->size() > 0) {
    CAIRN_CHECK(outgoing.headers.set("Range", "bytes=" + std::to_string(part->size()) + "-"));
  }
  CAIRN_TRY(const std::unique_ptr<Exchange> exchange, start(outgoing));
  const int status = exchange->response().status();
  if (status != 200 && status != 206 && status != 416) return refusal(*exchange, outgoing);
  Outcome<void> outcome;
  const Outcome<Plan> planned = plan(exchange->response(), download, part->size());
  if (!planned) outcome = planned.error();
  if (outcome && !planned->complete) outcome = receive(*exchange, download, *planned, *part);
  if (outcome && planned->complete) (void)exchange->read_whole_body(kPiece);
  settle(*exchange);
  if (outcome) outcome = complete(download, *part);
  if (!outcome && outcome.error().kind == Kind::invalid) part->remove();  // what is there is of no use
  return outcome;
}

}  // namespace cairn::net
