// Large submissions that come in pieces: each a file named by the digest of what it will be, in a folder of
// the project. A piece goes on where the file ends, so a cut costs what was in flight, and a restart of the
// host nothing. Never held in memory while it comes.
//
// Safe from any thread. Functions may block on the disk.
#pragma once

#include <filesystem>
#include <map>
#include <mutex>
#include <set>
#include <variant>

#include "base/digest.h"
#include "base/environment.h"
#include "base/shared_bytes.h"
#include "net/server.h"

namespace cairn::role {

struct IncomingLimits {
  uint64_t file_size = 0;                    // bytes of one submission
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
  uint64_t received(const Digest& digest) const;

  // Takes one piece of what is to have that digest, or says why not. Its answer is what received() is then.
  std::variant<std::unique_ptr<net::BodySink>, net::Response> receive(const Digest& digest,
                                                                      const ContentRange& range);

  // All of it, if it is all here and has that digest; it is then the caller's until let_go(). Refused while a
  // piece of it comes or another caller has it.
  std::variant<SharedBytes, net::Response> take(const Digest& digest);
  enum class Then : uint8_t { keep, remove };
  void let_go(const Digest& digest, Then then);

 private:
  class Piece;

  struct Hashed {
    uint64_t bytes = 0;
    Hasher hasher;
  };

  std::filesystem::path path(const Digest& digest) const { return folder_ / digest.hex(); }
  Hashed hashed_until(const Digest& digest, uint64_t bytes);
  bool complete(const Digest& digest, BytesView bytes);
  void forget_stale();

  std::filesystem::path folder_;
  IncomingLimits limits_;
  Environment& environment_;
  std::mutex mutex_;
  std::set<Digest> busy_;            // that a piece is coming of, or that somebody took
  std::map<Digest, Hashed> hashed_;  // what has come since the host began
};

}  // namespace cairn::role
