// Bytes over a socket that never blocks, with or without TLS: what server and client share. The server waits
// for readiness in a coroutine, the client in poll(). Inside this folder only.
#pragma once

#include <span>
#include <string>

#include "base/bytes.h"
#include "net/tls.h"

namespace cairn::net {

enum class Io : uint8_t {
  done,        // `count` bytes were moved, at least one (a handshake: complete)
  want_read,   // try again when the socket can be read
  want_write,  // try again when it can be written
  closed,      // the peer sends nothing more
  failed,      // error() says why
};

struct IoResult {
  Io state = Io::failed;
  size_t count = 0;
};

// One thread at a time. Never raises SIGPIPE.
class Channel {
 public:
  // Does not own the descriptor, which must not block.
  explicit Channel(int fd) : fd_(fd) {}
  Channel(Channel&&) = default;
  Channel& operator=(Channel&&) = default;

  // From now on everything goes through `tls`, which has been set to accept or connect.
  void secure(Tls tls);
  bool is_secure() const { return tls_ != nullptr; }
  SSL* tls() const { return tls_.get(); }

  IoResult handshake();
  // Reads until `bytes` is full or nothing more is there.
  IoResult read(std::span<uint8_t> bytes);
  IoResult write(BytesView bytes);
  // Says goodbye (close_notify, then the end of the stream), without waiting.
  void finish();

  int fd() const { return fd_; }
  const std::string& error() const { return error_; }

 private:
  IoResult plain_result(ssize_t moved, Io want);
  IoResult tls_result(int result);

  int fd_;
  Tls tls_;
  std::string error_;
};

}  // namespace cairn::net
