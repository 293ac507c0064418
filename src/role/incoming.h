// What is large and comes in pieces before what speaks of it, each a file in a folder of the project:
// gradients by the seals of their entries, training states by their digests. A piece goes on where the file
// ends, so a cut costs what was in flight, and a restart of the host nothing. Never held in memory while it
// comes.
//
// Safe from any thread. Functions may block on the disk.
#pragma once

#include <filesystem>
#include <functional>
#include <mutex>
#include <set>
#include <variant>

#include "base/digest.h"
#include "base/environment.h"
#include "base/shared_bytes.h"
#include "net/server.h"

namespace cairn::role {

struct IncomingLimits {
  const char* what = "a gradient";
  uint64_t file_size = 0;                    // bytes of one, packed
  size_t files = 1024;                       // at once; who comes later waits
  int64_t patience = 2 * 60 * 60 * 1000;     // milliseconds without a byte; then the file is thrown away
  uint64_t piece_size = uint64_t{64} << 20;  // bytes of one request
};

// "bytes FIRST-LAST/SIZE" (RFC 9110, section 14.4).
struct ContentRange {
  uint64_t first = 0, length = 0, size = 0;
};
Result<ContentRange> parse_content_range(std::string_view text);

class Incoming {
 public:
  // Makes the folder.
  Incoming(std::filesystem::path folder, IncomingLimits limits, Environment& environment);

  const IncomingLimits& limits() const { return limits_; }

  // Bytes that are here; 0 where nothing is.
  uint64_t received(const Digest& seal) const;

  // Takes one piece of what belongs to that seal, or says why not. Its answer is what received() is then.
  std::variant<std::unique_ptr<net::BodySink>, net::Response> receive(const Digest& seal,
                                                                      const ContentRange& range);

  // All of it, if what `unpack` makes of what is here has that digest; it is then the caller's until
  // let_go(), who may move the file elsewhere. Refused while a piece of it comes or another caller has it.
  struct Upload {
    SharedBytes content;         // unpacked
    std::filesystem::path file;  // as it came
  };
  using Unpack = std::function<Result<SharedBytes>(const SharedBytes& packed)>;
  std::variant<Upload, net::Response> take(const Digest& seal, const Digest& digest, const Unpack& unpack);
  enum class Then : uint8_t { keep, remove };
  void let_go(const Digest& seal, Then then);

 private:
  class Piece;

  std::filesystem::path path(const Digest& seal) const { return folder_ / seal.hex(); }
  void forget_stale();

  std::filesystem::path folder_;
  IncomingLimits limits_;
  Environment& environment_;
  std::mutex mutex_;
  std::set<Digest> busy_;  // that a piece is coming of, or that somebody took
};

}  // namespace cairn::role
