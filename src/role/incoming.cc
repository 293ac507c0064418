#include "role/incoming.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <charconv>
#include <cstring>

#include "base/descriptor.h"
#include "base/file.h"
#include "role/replies.h"

namespace cairn::role {

using net::Reply;
using net::Response;

namespace {

std::optional<uint64_t> number(std::string_view text) {
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

}  // namespace

Result<ContentRange> parse_content_range(std::string_view text) {
  const Error wrong{"Content-Range: is not of the form `bytes FIRST-LAST/SIZE`"};
  constexpr std::string_view kUnit = "bytes ";
  if (!text.starts_with(kUnit)) return wrong;
  text.remove_prefix(kUnit.size());
  const size_t dash = text.find('-'), slash = text.find('/');
  if (dash == std::string_view::npos || slash == std::string_view::npos || dash > slash) return wrong;
  const auto first = number(text.substr(0, dash)), last = number(text.substr(dash + 1, slash - dash - 1)),
             size = number(text.substr(slash + 1));
  if (!first || !last || !size || *first > *last || *last >= *size) return wrong;
  return ContentRange{*first, *last - *first + 1, *size};
}

// Appends to the file; what came before a cut stays.
class Incoming::Piece : public net::BodySink {
 public:
  Piece(Incoming& incoming, const Digest& seal, uint64_t end, int fd)
      : incoming_(incoming), seal_(seal), end_(end), file_(fd) {}
  ~Piece() override { release(); }

  std::optional<Response> write(BytesView piece) override {
    while (!piece.empty()) {
      const ssize_t written = ::write(file_.get(), piece.data(), piece.size());
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) return disk_fails();
      piece = piece.subspan(static_cast<size_t>(written));
    }
    return std::nullopt;
  }

  // Whoever has the answer may send the next piece at once.
  void finish(Reply reply) override {
    release();
    reply(received_response(end_));
  }

 private:
  void release() {
    if (std::exchange(released_, true)) return;
    file_.close();
    const std::lock_guard lock(incoming_.mutex_);
    incoming_.busy_.erase(seal_);
  }

  Incoming& incoming_;
  Digest seal_;
  uint64_t end_;
  Descriptor file_;
  bool released_ = false;
};

Incoming::Incoming(std::filesystem::path folder, IncomingLimits limits, Environment& environment)
    : folder_(std::move(folder)), limits_(limits), environment_(environment) {
  std::ignore = make_directory(folder_).ok();  // where it cannot be made, receive() says so
}

uint64_t Incoming::received(const Digest& seal) const {
  std::error_code error;
  const uint64_t size = std::filesystem::file_size(path(seal), error);
  return error ? 0 : size;
}

// Whoever has sent nothing for long has given up.
void Incoming::forget_stale() {
  std::error_code error;
  for (std::filesystem::directory_iterator it(folder_, error), end; !error && it != end;
       it.increment(error)) {
    struct stat status {};
    if (::stat(it->path().c_str(), &status) != 0) continue;
    if (int64_t{status.st_mtime} * 1000 + limits_.patience >= environment_.now()) continue;
    std::error_code ignored;
    std::filesystem::remove(it->path(), ignored);
  }
}

std::variant<std::unique_ptr<net::BodySink>, Response> Incoming::receive(const Digest& seal,
                                                                         const ContentRange& range) {
  if (range.size > limits_.file_size) {
    return Response::error(413, std::string(limits_.what) + " of this project has at most " +
                                    std::to_string(limits_.file_size) + " bytes");
  }
  const std::lock_guard lock(mutex_);
  if (busy_.contains(seal)) return Response::try_later(503, "another piece of it is coming already", 1);
  const uint64_t here = received(seal);
  if (range.first != here) {
    return Response::error(409, "the piece begins at byte " + std::to_string(range.first) + ", but " +
                                    std::to_string(here) + " are here");
  }
  if (here == 0) {
    forget_stale();
    std::error_code error;
    const auto files = std::distance(std::filesystem::directory_iterator(folder_, error), {});
    if (!error && static_cast<size_t>(files) >= limits_.files)
      return Response::try_later(503, "too many uploads are under way", 30);
  }
  const int fd = ::open(path(seal).c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  if (fd < 0) return disk_fails();
  busy_.insert(seal);
  return std::make_unique<Piece>(*this, seal, range.first + range.length, fd);
}

std::variant<Incoming::Upload, Response> Incoming::take(const Digest& seal, const Digest& digest,
                                                        const Unpack& unpack) {
  {
    const std::lock_guard lock(mutex_);
    if (!busy_.insert(seal).second) return Response::try_later(503, "it is coming or handed in already", 1);
  }
  const auto packed = map_file(path(seal), limits_.file_size);
  auto gradient = packed ? unpack(*packed) : packed;
  if (gradient && sha256(*gradient) == digest) return Upload{*std::move(gradient), path(seal)};
  let_go(seal, Then::remove);  // it has to come again
  return Response::try_later(503,
                             "upload: the " + std::to_string(packed ? packed->size() : 0) +
                                 " bytes that are here are not " + limits_.what + " of digest " +
                                 digest.hex() + "; send it again",
                             1);
}

void Incoming::let_go(const Digest& seal, Then then) {
  const std::lock_guard lock(mutex_);
  if (then == Then::remove) {
    std::error_code ignored;
    std::filesystem::remove(path(seal), ignored);
  }
  busy_.erase(seal);
}

}  // namespace cairn::role
