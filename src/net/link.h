// The client's side of a connection: made, used and given up by one thread that waits in poll(), and broken
// off by any. Inside this folder only.
#pragma once

#include <atomic>
#include <chrono>

#include "net/channel.h"
#include "net/client.h"
#include "net/proxy.h"

namespace cairn::net {

using Clock = std::chrono::steady_clock;

// A flag that poll() sees. set() is safe in any thread and in signal handlers.
class CancelFlag {
 public:
  CancelFlag();
  ~CancelFlag();
  CancelFlag(const CancelFlag&) = delete;
  CancelFlag& operator=(const CancelFlag&) = delete;

  void set();
  void clear();
  bool is_set() const { return set_; }
  int fd() const { return fd_; }

 private:
  int fd_;
  std::atomic<bool> set_{false};
};

// What is needed to get to the server.
struct Destination {
  Url server;
  std::optional<Proxy> proxy;
  SSL_CTX* tls = nullptr;  // null: plain
  bool verify = true;
  SSL_SESSION* session = nullptr;  // to resume; may be null
  std::chrono::milliseconds connect_time;
};

class Link {
 public:
  static Outcome<std::unique_ptr<Link>> connect(const Destination& destination, const CancelFlag& cancel);
  ~Link();
  Link(const Link&) = delete;
  Link& operator=(const Link&) = delete;

  // At least one byte, or 0 where the server has ended the stream.
  Outcome<size_t> read(std::span<uint8_t> bytes, Clock::time_point deadline);
  // The same without waiting; nullopt: nothing is there.
  Outcome<std::optional<size_t>> read_now(std::span<uint8_t> bytes);
  // As much as can be sent at once, at least one byte; 0: instead, the server has sent something.
  Outcome<size_t> write(BytesView bytes, Clock::time_point deadline);
  Outcome<void> write_all(BytesView bytes, std::chrono::milliseconds stall);
  // Waits until something can be read (true) or the deadline is there.
  Outcome<bool> wait_readable(Clock::time_point deadline);
  // For a kept connection: nothing has come and it is not closed.
  bool is_fresh();

  SSL* tls() const { return channel_.tls(); }

 private:
  Link(int fd, const CancelFlag& cancel) : channel_(fd), cancel_(cancel) {}
  Outcome<void> tunnel(const Destination& destination, Clock::time_point deadline);
  Outcome<void> secure(const Destination& destination, Clock::time_point deadline);
  // 0: the deadline has come; else the poll() events of the socket.
  Outcome<short> wait(short events, Clock::time_point deadline);
  Failure broken(const std::string& what) const;

  Channel channel_;
  const CancelFlag& cancel_;
};

}  // namespace cairn::net
