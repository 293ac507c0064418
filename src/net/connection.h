// One client's connection: request after request, each read, routed, handled and answered before the next one
// is looked at, so pipelined requests are answered in their order. Inside this folder only.
#pragma once

#include <deque>

#include "net/request_head.h"
#include "net/server_state.h"
#include "net/stream.h"

namespace cairn::net {

// What a connection is before its first request.
struct Arrival {
  std::string peer;      // address, for people
  std::string peer_key;  // counted in Peers under this; "" if it is not
  bool trusted_proxy = false;
  std::optional<Response> refusal;  // one too many: told so and closed
  Clock::time_point served_from{};  // its peer is too fast to be served at once
  Tls tls;
};

class Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(std::shared_ptr<Loop> loop, std::shared_ptr<ServerState> state, tcp::socket socket,
             Arrival arrival);
  ~Connection();

  awaitable<void> run();

  // The server stops: closes if nothing is in flight. What is in flight sees it by itself.
  void close_if_idle();
  void abort() { stream_->abort(); }
  // An event of the channel that this connection has subscribed to.
  void deliver(uint64_t id, const std::shared_ptr<const std::string>& text);

 private:
  struct Mailbox;  // where a reply arrives
  struct Upload;   // a body on its way into a sink
  struct QueuedEvent {
    uint64_t id;
    std::shared_ptr<const std::string> text;
  };

  awaitable<bool> serve_one();
  awaitable<void> wait_until(Clock::time_point time);
  awaitable<std::optional<RequestHead>> read_head();
  awaitable<bool> dispatch(RequestHead head);

  // Each answers one request, and says whether the connection can take another.
  awaitable<bool> take_whole(RequestHead head, WholeBody route);
  awaitable<bool> take_streamed(RequestHead head, StreamedBody route);
  awaitable<bool> send_events(RequestHead head, EventStream route);

  awaitable<bool> read_whole(RequestHead& head);
  awaitable<bool> stream_into(const RequestHead& head, std::shared_ptr<Upload> upload);
  awaitable<bool> pump_events(std::optional<uint64_t> last_id);
  awaitable<bool> go_ahead(const RequestHead& head);  // 100 Continue where the client waits for it
  // Fills `bytes` from what was read ahead and from the network, at the body rate or faster.
  awaitable<bool> read_body(std::span<uint8_t> bytes);
  awaitable<bool> break_off(const RequestHead& head);  // after a body that did not come whole

  awaitable<bool> answer(const RequestHead& head, std::shared_ptr<Mailbox> mailbox);
  awaitable<bool> respond(const RequestHead* head, Response response, bool keep_alive);
  awaitable<bool> send_body(const Response& response);
  awaitable<bool> send_file(const FileRange& file);
  awaitable<bool> refuse(const RequestHead* head, Response response);  // and close

  // Work for the pool; the flag is set, and the stream woken, when it is done.
  std::shared_ptr<bool> start_on_pool(std::function<void()> job);
  awaitable<void> finished(std::shared_ptr<bool> done);

  std::optional<Response> check_size(const RequestHead& head, uint64_t max_size) const;
  Reply make_reply(const std::shared_ptr<Mailbox>& mailbox);
  void log(const RequestHead* head, int status, uint64_t bytes) const;
  void take_peer_from_proxy(Request& request) const;
  bool keeps_alive(const RequestHead& head) const { return head.keep_alive && !state_->stopping; }
  bool subscribe(const std::string& channel);
  void unsubscribe();
  const ServerLimits& limits() const { return state_->options.limits; }

  std::shared_ptr<Loop> loop_;
  std::shared_ptr<ServerState> state_;
  std::shared_ptr<Stream> stream_;
  Arrival arrival_;
  std::string input_;  // read and not used yet: part of a head, pipelined requests
  bool idle_ = false;  // between requests
  bool first_ = true;  // the first request has not begun
  Clock::time_point request_start_;

  // The pace of the body being read: how much came, and how long we waited for the client.
  uint64_t body_received_ = 0;
  Clock::duration body_waited_{};

  std::string channel_;  // that it has subscribed to
  std::deque<QueuedEvent> events_;
  size_t event_bytes_ = 0;
};

}  // namespace cairn::net
