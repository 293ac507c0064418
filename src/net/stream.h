// One connection's bytes for a coroutine: reads and writes with deadlines, and waiting for other threads.
// Everything runs on the io thread of the connection. Inside this folder only.
#pragma once

#include <functional>
#include <memory>

#include "net/asio.h"
#include "net/channel.h"

namespace cairn::net {

class Stream : public std::enable_shared_from_this<Stream> {
 public:
  explicit Stream(tcp::socket socket);

  awaitable<bool> accept_tls(Tls tls);

  // Reads up to bytes.size() bytes, at least one; 0: the connection is of no more use (see expired()).
  awaitable<size_t> read_some(std::span<uint8_t> bytes);
  // Everything, each step within `patience`.
  awaitable<bool> write_all(BytesView bytes, Clock::duration patience);
  awaitable<bool> write_all(std::string_view text, Clock::duration patience);

  // Reads and handshakes fail once this has passed.
  void set_deadline(Clock::time_point deadline);
  bool expired() const { return expired_; }

  // Waits until wake() is called, or until `deadline`; may return early, so that a caller looks again.
  awaitable<void> sleep(Clock::time_point deadline = Clock::time_point::max());
  // The same, also after abort().
  awaitable<void> wait_for_wake();
  void wake() { wake_.cancel(); }

  // Everything fails from now on.
  void abort();
  bool aborted() const { return aborted_; }

  // Says goodbye, and takes in for a bounded time and amount what the client still sends, since a reset would
  // keep it from reading the answer.
  awaitable<void> linger();

  auto executor() { return socket_.get_executor(); }
  const std::string& error() const { return channel_.error(); }

 private:
  awaitable<bool> ready(Io want);
  void watch();
  void on_timer();

  tcp::socket socket_;
  Channel channel_;
  asio::steady_timer deadline_timer_;
  asio::steady_timer wake_;
  Clock::time_point deadline_ = Clock::time_point::max();
  bool watching_ = false;
  bool expired_ = false;
  bool aborted_ = false;
};

}  // namespace cairn::net
