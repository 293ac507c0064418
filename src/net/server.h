// An HTTP/1.1 server (RFC 9110, RFC 9112; TLS 1.2 and 1.3) with server-sent events.
//
// A few io threads do nothing but move bytes; a pool of other threads runs whatever may block. A request's
// fate is decided on its head: the Router, on an io thread, refuses it, or says how its body is to be taken.
// Every limit is in ServerLimits, is answered with a status code and {"error": "one sentence"}, and is listed
// in docs/operating/limits.md.
//
// Request bodies need a Content-Length. Chunked ones get a 411: all who upload know the size beforehand, a
// route can judge it before the first byte comes, and there is only one way to say where a request ends.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "net/message.h"

namespace cairn::net {

// Takes a body piece by piece. Its functions are called one after the other, each on some thread of the pool,
// and may block: the client is read only as fast as the sink takes. Destroyed without finish(): the
// connection broke, the client was too slow, the server stops, or write() refused.
class BodySink {
 public:
  virtual ~BodySink() = default;
  // A piece of the body, 64 KiB or more except for the last. A response ends the upload: it is sent, and the
  // connection closed.
  virtual std::optional<Response> write(BytesView piece) = 0;
  // The body has come whole. The sink is destroyed once this has returned; the reply may be called later.
  virtual void finish(Reply reply) = 0;
};

using Handler = std::function<void(Request request, Reply reply)>;

// The body is read whole, then the handler is called on the pool. For requests without a body: {0, handler}.
struct WholeBody {
  uint64_t max_size = 0;  // bytes; more gets a 413
  Handler handler;
};

// `open` is called on the pool, and gives the sink or a refusal.
struct StreamedBody {
  uint64_t max_size = 0;  // bytes; more gets a 413
  std::function<std::variant<std::unique_ptr<BodySink>, Response>(const Request& head)> open;
};

// One server-sent event. Ids rise within a channel; event names have no line breaks, data may have.
struct Event {
  uint64_t id = 0;
  std::string name;
  std::string data;
};

// The client gets what `replay` gives, then what is published to the channel from the moment on at which the
// route was decided, each id once and in order.
struct EventStream {
  std::string channel;
  // Called on the pool with the id that the client saw last, if it says so; may be empty.
  std::function<std::vector<Event>(std::optional<uint64_t> after)> replay;
};

using Route = std::variant<Response, WholeBody, StreamedBody, EventStream>;

// Sees a head (no body), on an io thread: must neither block nor throw. Called by several threads at once.
using Router = std::function<Route(const Request& head)>;

struct ServerLimits {
  size_t head_size = 16 << 10;   // bytes of request line and headers together: 431
  size_t target_size = 4 << 10;  // bytes: 414
  size_t headers = 64;           // 431
  // Bytes of bodies read whole, of all connections together, beside each route's own limit (413): 503.
  uint64_t buffered_bodies = 256 << 20;
  size_t connections = 10'000;       // in all: 503
  size_t connections_per_peer = 64;  // per IPv4 address or IPv6 /64: 429
  // Of all connections of such a peer together: requests, and connections themselves. Who is faster than the
  // pace after a burst is not refused but read more slowly, and costs nothing meanwhile. 0: no limit.
  uint32_t requests_per_second = 500;
  uint32_t request_burst = 2000;
  size_t queued_work = 1'000;          // requests that wait for a thread of the pool: 503
  size_t subscribers = 2'000;          // event streams in all: 503
  size_t events_per_subscriber = 256;  // queued; a subscriber that falls behind is dropped
  size_t event_bytes_per_subscriber = 1 << 20;

  std::chrono::milliseconds head_time{10'000};  // from first byte (or TLS hello) to the end of the head: 408
  std::chrono::milliseconds idle_time{75'000};  // between requests: closed
  std::chrono::milliseconds reply_time{120'000};  // from a whole request to its reply: 503
  std::chrono::milliseconds body_grace{10'000};   // a body may be slower than body_rate for so long: then 408
  uint64_t body_rate = 4 << 10;                   // bytes a second
  std::chrono::milliseconds write_time{30'000};   // without progress: closed
  std::chrono::milliseconds heartbeat{15'000};    // between comments in a quiet event stream
  std::chrono::milliseconds stop_time{10'000};    // for what is in flight when the server stops
};

struct ServerOptions {
  std::string address = "127.0.0.1";  // "0.0.0.0", "::" (both families), or an interface's address
  uint16_t port = 0;                  // 0: any free one
  // PEM files, the certificate with its chain. Both or neither; neither: plain HTTP.
  std::filesystem::path tls_certificate;
  std::filesystem::path tls_key;
  int io_threads = 2;
  int pool_threads = 4;
  // Addresses of reverse proxies: nothing of theirs is counted per peer, and Request::peer is the last
  // address of their X-Forwarded-For.
  std::vector<std::string> trusted_proxies;
  // Gets one line for each request answered or refused, on any thread; what clients sent is escaped in it.
  std::function<void(const std::string& line)> log;
  ServerLimits limits;
};

// For operators. Counted from the start.
struct ServerCounters {
  uint64_t connections = 0;
  uint64_t open_connections = 0;  // at present
  uint64_t requests = 0;          // whose head was routed
  uint64_t refused = 0;           // by the server's own limits and rules
  uint64_t subscribers = 0;       // at present
  uint64_t dropped_subscribers = 0;
  uint64_t body_bytes = 0;  // received
};

// Safe to call from several threads.
class Server {
 public:
  static Result<std::unique_ptr<Server>> start(ServerOptions options, Router router);
  virtual ~Server() = default;  // stops

  virtual uint16_t port() const = 0;

  // Hands the event to all subscribers of the channel. Never blocks. Ids must rise within a channel.
  virtual void publish(const std::string& channel, const Event& event) = 0;

  // Reads the certificate and its key again; connections made from now on use them.
  virtual Status reload_certificate() = 0;

  virtual ServerCounters counters() const = 0;

  // Accepts nothing more, closes idle connections and event streams, lets what is in flight finish for
  // limits.stop_time, then breaks it off. Returns when no thread of the server runs any more. Not to be
  // called from a handler.
  virtual void stop() = 0;

 protected:
  Server() = default;
};

}  // namespace cairn::net
