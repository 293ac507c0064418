// What all connections of a server share. Inside this folder only.
#pragma once

#include <array>
#include <atomic>
#include <map>
#include <mutex>
#include <set>
#include <unordered_map>
#include <unordered_set>

#include "net/asio.h"
#include "net/server.h"
#include "net/tls.h"
#include "net/work_pool.h"

namespace cairn::net {

class Connection;

// An io thread's world. Touched by that thread only, except for `io`.
struct Loop {
  asio::io_context io{1};
  std::unordered_set<Connection*> connections;
  std::unordered_map<std::string, std::unordered_set<Connection*>> subscribers;  // by channel
  // Where any connection may read to. What is in it is good until the next co_await, so that idle connections
  // need no buffers of their own.
  std::array<uint8_t, 16 << 10> scratch;
};

// What each peer takes of the server. Safe to call from several threads.
class Peers {
 public:
  explicit Peers(const ServerLimits& limits) : limits_(limits) {}

  bool enter(const std::string& key);  // false: it has as many connections as it may
  void leave(const std::string& key);
  // Counts one request, and says from when on it may be served.
  Clock::time_point pace(const std::string& key, Clock::time_point now);

  size_t known() const;  // for tests

 private:
  struct Peer {
    size_t connections = 0;
    // When the requests so far would be over at the greatest pace: the cell of the generic cell rate
    // algorithm.
    Clock::time_point due{};
  };
  void forget_idle(Clock::time_point now);

  const ServerLimits& limits_;
  mutable std::mutex mutex_;
  std::unordered_map<std::string, Peer> peers_;
  size_t forget_at_ = 1024;  // peers; twice as many as were left the last time
};

// An amount that may not be exceeded. Safe to use from several threads.
class Budget {
 public:
  bool take(uint64_t amount, uint64_t limit) {
    uint64_t used = used_.load();
    do {
      if (amount > limit || used > limit - amount) return false;
    } while (!used_.compare_exchange_weak(used, used + amount));
    return true;
  }
  void give_back(uint64_t amount) { used_ -= amount; }
  uint64_t used() const { return used_; }

 private:
  std::atomic<uint64_t> used_{0};
};

struct ServerState {
  ServerState(ServerOptions given, Router route)
      : options(std::move(given)),
        router(std::move(route)),
        trusted_proxies(options.trusted_proxies.begin(), options.trusted_proxies.end()),
        pool(options.pool_threads, options.log),
        peers(options.limits) {}

  void log(const std::string& line) const {
    if (options.log) options.log(line);
  }

  const ServerOptions options;
  const Router router;
  const std::set<std::string> trusted_proxies;
  WorkPool pool;
  Peers peers;
  Budget connections;  // open, refused ones not among them
  Budget refusals;     // connections that are being told that they are one too many
  Budget subscribers;
  Budget buffered_bodies;  // bytes
  std::atomic<bool> stopping{false};
  std::atomic<uint64_t> accepted{0};
  std::atomic<uint64_t> requests{0};
  std::atomic<uint64_t> refused{0};
  std::atomic<uint64_t> dropped_subscribers{0};
  std::atomic<uint64_t> body_bytes{0};
};

}  // namespace cairn::net
