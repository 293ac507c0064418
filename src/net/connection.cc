#include "net/connection.h"

#include <algorithm>
#include <chrono>

#include "net/event_text.h"
#include "net/response_head.h"

namespace cairn::net {
namespace {

constexpr size_t kPiece = 256 << 10;      // bytes of a streamed body at a time
constexpr size_t kOneWrite = 16 << 10;    // a body of up to so many bytes goes out with its head
constexpr size_t kEventBatch = 64 << 10;  // bytes of events in one write
constexpr int kRetryAfter = 5;            // seconds

std::string date_now() {
  return http_date(std::time(nullptr));
}

BytesView body_view(const Response& response) {
  if (const auto* text = std::get_if<std::string>(&response.body)) return as_bytes(*text);
  if (const auto* bytes = std::get_if<Bytes>(&response.body)) return *bytes;
  if (const auto* shared = std::get_if<std::shared_ptr<const Bytes>>(&response.body)) return **shared;
  return {};
}

}  // namespace

struct Connection::Mailbox {
  std::optional<Response> response;
};

struct Connection::Upload {
  std::unique_ptr<BodySink> sink;
  std::optional<Response> refusal;
  std::optional<Response> written;  // what the latest write() said; the pool's while one is under way
  Bytes pieces[2];                  // one is filled while the sink looks at the other
};

Connection::Connection(std::shared_ptr<Loop> loop, std::shared_ptr<ServerState> state, tcp::socket socket,
                       Arrival arrival)
    : loop_(std::move(loop)),
      state_(std::move(state)),
      stream_(std::make_shared<Stream>(std::move(socket))),
      arrival_(std::move(arrival)) {
  loop_->connections.insert(this);
}

Connection::~Connection() {
  loop_->connections.erase(this);
  if (!arrival_.peer_key.empty()) state_->peers.leave(arrival_.peer_key);
  (arrival_.refusal ? state_->refusals : state_->connections).give_back(1);
}

void Connection::close_if_idle() {
  if (idle_ || !channel_.empty()) stream_->abort();
}

awaitable<void> Connection::run() {
  const auto self = shared_from_this();
  co_await wait_until(arrival_.served_from);
  stream_->set_deadline(Clock::now() + limits().head_time);
  if (arrival_.tls) {
    const bool secured = co_await stream_->accept_tls(std::move(arrival_.tls));
    if (!secured) co_return;
  }
  if (arrival_.refusal) {
    Response refusal = *arrival_.refusal;
    co_await refuse(nullptr, std::move(refusal));
    co_return;
  }
  bool more = true;
  while (more && !state_->stopping) more = co_await serve_one();
  if (!stream_->aborted()) co_await stream_->linger();
}

awaitable<bool> Connection::serve_one() {
  std::optional<RequestHead> head = co_await read_head();
  if (!head) co_return false;
  if (!arrival_.peer_key.empty()) co_await wait_until(state_->peers.pace(arrival_.peer_key, Clock::now()));
  if (stream_->aborted()) co_return false;
  ++state_->requests;
  const bool more = co_await dispatch(std::move(*head));
  co_return more;
}

awaitable<void> Connection::wait_until(Clock::time_point time) {
  while (Clock::now() < time && !stream_->aborted() && !state_->stopping) co_await stream_->sleep(time);
}

awaitable<std::optional<RequestHead>> Connection::read_head() {
  const auto patience = first_ || !input_.empty() ? limits().head_time : limits().idle_time;
  stream_->set_deadline(Clock::now() + patience);
  while (true) {
    HeadScan scan = scan_head(input_, limits());
    if (scan.refusal) {
      co_await refuse(nullptr, std::move(*scan.refusal));
      co_return std::nullopt;
    }
    if (scan.size > 0) {
      request_start_ = Clock::now();
      auto parsed = parse_head(std::string_view(input_).substr(scan.skip, scan.size), limits());
      input_.erase(0, scan.skip + scan.size);
      first_ = false;
      if (auto* refusal = std::get_if<Response>(&parsed)) {
        co_await refuse(nullptr, std::move(*refusal));
        co_return std::nullopt;
      }
      auto& head = std::get<RequestHead>(parsed);
      take_peer_from_proxy(head.request);
      co_return std::move(head);
    }
    idle_ = input_.empty();
    if (idle_ && state_->stopping) co_return std::nullopt;
    const size_t count = co_await stream_->read_some(loop_->scratch);
    idle_ = false;
    if (count == 0) {
      if (stream_->expired() && !input_.empty()) {
        co_await refuse(nullptr, Response::error(408, "the request's head took too long to come"));
      }
      co_return std::nullopt;
    }
    if (input_.empty() && !first_) stream_->set_deadline(Clock::now() + limits().head_time);
    input_.append(reinterpret_cast<const char*>(loop_->scratch.data()), count);
  }
}

void Connection::take_peer_from_proxy(Request& request) const {
  request.peer = arrival_.peer;
  if (!arrival_.trusted_proxy) return;
  if (request.headers.count("X-Forwarded-For") != 1) return;
  std::string_view chain = request.header("X-Forwarded-For");
  const size_t comma = chain.rfind(',');
  if (comma != std::string_view::npos) chain.remove_prefix(comma + 1);
  while (chain.starts_with(' ')) chain.remove_prefix(1);
  boost::system::error_code error;
  const auto address = asio::ip::make_address(std::string(chain), error);
  if (!error) request.peer = address.to_string();
}

awaitable<bool> Connection::dispatch(RequestHead head) {
  Route route = state_->router(head.request);
  bool more = false;
  if (auto* response = std::get_if<Response>(&route)) {
    const bool keep = keeps_alive(head) && head.request.content_length == 0;  // its body stays unread
    more = co_await respond(&head, std::move(*response), keep);
  } else if (auto* whole = std::get_if<WholeBody>(&route)) {
    more = co_await take_whole(std::move(head), std::move(*whole));
  } else if (auto* streamed = std::get_if<StreamedBody>(&route)) {
    more = co_await take_streamed(std::move(head), std::move(*streamed));
  } else {
    more = co_await send_events(std::move(head), std::move(std::get<EventStream>(route)));
  }
  co_return more;
}

std::optional<Response> Connection::check_size(const RequestHead& head, uint64_t max_size) const {
  if (head.request.content_length > max_size) {
    return Response::error(
        413, max_size == 0 ? "this request takes no body"
                           : "the body may have at most " + std::to_string(max_size) + " bytes here");
  }
  if (state_->pool.waiting() >= limits().queued_work) {
    return Response::try_later(503, "the server is busy; try again soon", kRetryAfter);
  }
  return std::nullopt;
}

// -- Bodies that are read whole
// --------------------------------------------------------------------------------

awaitable<bool> Connection::take_whole(RequestHead head, WholeBody route) {
  if (auto refusal = check_size(head, route.max_size)) {
    co_return co_await refuse(&head, std::move(*refusal));
  }
  const uint64_t size = head.request.content_length;
  if (!state_->buffered_bodies.take(size, limits().buffered_bodies)) {
    co_return co_await refuse(
        &head, Response::try_later(503, "too many bodies are under way; try again soon", kRetryAfter));
  }
  const std::shared_ptr<void> returned(nullptr,
                                       [this, size](void*) { state_->buffered_bodies.give_back(size); });
  const bool complete = co_await read_whole(head);
  if (!complete) co_return co_await break_off(head);
  const auto mailbox = std::make_shared<Mailbox>();
  auto request = std::make_shared<Request>(std::move(head.request));
  head.request = Request{};
  head.request.method = request->method;
  head.request.path = request->path;
  head.request.headers = request->headers;
  head.request.peer = request->peer;
  state_->pool.post([request, handler = std::move(route.handler), reply = make_reply(mailbox)] {
    handler(std::move(*request), reply);
  });
  co_return co_await answer(head, mailbox);
}

awaitable<bool> Connection::read_whole(RequestHead& head) {
  const bool ready = co_await go_ahead(head);
  if (!ready) co_return false;
  Bytes& body = head.request.body;
  // Memory grows as the body comes, not as it is announced.
  while (body.size() < head.request.content_length) {
    const size_t had = body.size();
    body.resize(std::min<uint64_t>(head.request.content_length, had + kPiece));
    const bool came = co_await read_body(std::span(body).subspan(had));
    if (!came) co_return false;
  }
  co_return true;
}

awaitable<bool> Connection::go_ahead(const RequestHead& head) {
  body_received_ = 0;
  body_waited_ = {};
  if (!head.expects_continue || !input_.empty()) co_return true;
  const bool sent = co_await stream_->write_all("HTTP/1.1 100 Continue\r\n\r\n", limits().write_time);
  co_return sent;
}

awaitable<bool> Connection::read_body(std::span<uint8_t> bytes) {
  const size_t ahead = std::min(input_.size(), bytes.size());
  std::copy_n(input_.begin(), ahead, bytes.begin());
  input_.erase(0, ahead);
  bytes = bytes.subspan(ahead);
  body_received_ += ahead;
  while (!bytes.empty()) {
    const auto earned = std::chrono::duration<double>(static_cast<double>(body_received_) /
                                                      static_cast<double>(limits().body_rate));
    const auto allowed = limits().body_grace + std::chrono::duration_cast<Clock::duration>(earned);
    const auto start = Clock::now();
    stream_->set_deadline(start + allowed - body_waited_);
    const size_t count = co_await stream_->read_some(bytes);
    if (count == 0) co_return false;
    body_waited_ += Clock::now() - start;
    body_received_ += count;
    state_->body_bytes += count;
    bytes = bytes.subspan(count);
  }
  co_return true;
}

awaitable<bool> Connection::break_off(const RequestHead& head) {
  if (!stream_->expired()) {
    stream_->abort();  // the client is gone
    co_return false;
  }
  co_return co_await refuse(
      &head, Response::error(408, "the body came more slowly than " + std::to_string(limits().body_rate) +
                                      " bytes a second"));
}

// -- Bodies that are streamed
// ----------------------------------------------------------------------------------

awaitable<bool> Connection::take_streamed(RequestHead head, StreamedBody route) {
  if (auto refusal = check_size(head, route.max_size)) {
    co_return co_await refuse(&head, std::move(*refusal));
  }
  const auto upload = std::make_shared<Upload>();
  const auto request = std::make_shared<Request>(head.request);
  upload->refusal = Response::error(500, "the upload could not begin; this is a fault of the server");
  const std::shared_ptr<bool> done = start_on_pool([upload, request, open = std::move(route.open)] {
    auto opened = open(*request);
    upload->refusal.reset();
    if (auto* refusal = std::get_if<Response>(&opened)) upload->refusal = std::move(*refusal);
    if (auto* sink = std::get_if<std::unique_ptr<BodySink>>(&opened)) upload->sink = std::move(*sink);
  });
  co_await finished(done);
  const bool more = co_await stream_into(head, upload);
  state_->pool.post([upload] { upload->sink.reset(); });  // it may block while it cleans up
  co_return more;
}

awaitable<bool> Connection::stream_into(const RequestHead& head, std::shared_ptr<Upload> upload) {
  bool came = upload->refusal.has_value() || co_await go_ahead(head);
  auto pending = std::make_shared<bool>(true);
  uint64_t remaining = head.request.content_length;
  for (int turn = 0; remaining > 0 && came && !upload->refusal; turn ^= 1) {
    Bytes& piece = upload->pieces[turn];
    piece.resize(std::min<uint64_t>(kPiece, remaining));
    came = co_await read_body(piece);
    co_await finished(pending);
    upload->refusal = std::move(upload->written);  // until now the pool's
    if (!came || upload->refusal) break;
    remaining -= piece.size();
    pending = start_on_pool([upload, &piece] {
      // Stays where write() throws.
      upload->written = Response::error(500, "the body could not be taken; this is a fault of the server");
      upload->written = upload->sink->write(piece);
    });
  }
  co_await finished(pending);
  if (!upload->refusal) upload->refusal = std::move(upload->written);
  if (upload->refusal) {
    Response refusal = std::move(*upload->refusal);
    co_return co_await refuse(&head, std::move(refusal));
  }
  if (!came) co_return co_await break_off(head);
  const auto mailbox = std::make_shared<Mailbox>();
  state_->pool.post([upload, reply = make_reply(mailbox)] {
    const std::unique_ptr<BodySink> sink = std::move(upload->sink);
    sink->finish(reply);
  });
  co_return co_await answer(head, mailbox);
}

// -- Event streams
// ---------------------------------------------------------------------------------------------

bool Connection::subscribe(const std::string& channel) {
  if (!state_->subscribers.take(1, limits().subscribers)) return false;
  channel_ = channel;
  loop_->subscribers[channel].insert(this);
  return true;
}

void Connection::unsubscribe() {
  const auto found = loop_->subscribers.find(channel_);
  found->second.erase(this);
  if (found->second.empty()) loop_->subscribers.erase(found);
  channel_.clear();
  events_.clear();
  state_->subscribers.give_back(1);
}

void Connection::deliver(uint64_t id, const std::shared_ptr<const std::string>& text) {
  if (stream_->aborted()) return;
  events_.push_back({id, text});
  event_bytes_ += text->size();
  if (events_.size() > limits().events_per_subscriber || event_bytes_ > limits().event_bytes_per_subscriber) {
    ++state_->dropped_subscribers;
    stream_->abort();
  }
  stream_->wake();
}

awaitable<bool> Connection::send_events(RequestHead head, EventStream route) {
  if (auto refusal = check_size(head, 0)) co_return co_await refuse(&head, std::move(*refusal));
  if (!subscribe(route.channel)) {
    co_return co_await refuse(
        &head, Response::try_later(503, "too many event streams are open; try again later", 60));
  }
  // Subscribed before the replay is asked for, so that no event falls between the two.
  const auto replay = std::make_shared<std::vector<Event>>();
  if (route.replay) {
    const std::shared_ptr<bool> done = start_on_pool(
        [replay, route, after = head.request.last_event_id()] { *replay = route.replay(after); });
    co_await finished(done);
  }
  log(&head, 200, 0);
  std::optional<uint64_t> last_id = head.request.last_event_id();
  std::string text = event_stream_head(date_now());
  bool alive = true;
  for (const Event& event : *replay) {
    if (head.head_only) break;
    text += event_text(event);
    last_id = event.id;
    if (text.size() < kEventBatch) continue;
    alive = alive && co_await stream_->write_all(text, limits().write_time);
    text.clear();
  }
  if (alive) alive = co_await stream_->write_all(text, limits().write_time);
  if (alive && !head.head_only) alive = co_await pump_events(last_id);
  unsubscribe();
  if (!alive) stream_->abort();
  co_return false;
}

awaitable<bool> Connection::pump_events(std::optional<uint64_t> last_id) {
  auto heartbeat = Clock::now() + limits().heartbeat;
  while (!stream_->aborted() && !state_->stopping) {
    std::string text;
    while (!events_.empty() && text.size() < kEventBatch) {
      const QueuedEvent event = std::move(events_.front());
      events_.pop_front();
      event_bytes_ -= event.text->size();
      if (last_id && event.id <= *last_id) continue;
      last_id = event.id;
      text += *event.text;
    }
    if (text.empty() && Clock::now() >= heartbeat) text = ":\n\n";
    if (text.empty()) {
      co_await stream_->sleep(heartbeat);
      continue;
    }
    const bool sent = co_await stream_->write_all(text, limits().write_time);
    if (!sent) co_return false;
    heartbeat = Clock::now() + limits().heartbeat;
  }
  co_return !stream_->aborted();
}

// -- Answers
// ---------------------------------------------------------------------------------------------------

Reply Connection::make_reply(const std::shared_ptr<Mailbox>& mailbox) {
  // The loop outlives the reply, the connection need not.
  return Reply([loop = loop_, mailbox, weak = weak_from_this()](Response response) {
    asio::post(loop->io, [mailbox, weak, response = std::move(response)]() mutable {
      mailbox->response = std::move(response);
      if (const auto self = weak.lock()) self->stream_->wake();
    });
  });
}

awaitable<bool> Connection::answer(const RequestHead& head, std::shared_ptr<Mailbox> mailbox) {
  const auto deadline = Clock::now() + limits().reply_time;
  while (!mailbox->response && !stream_->aborted() && Clock::now() < deadline) {
    co_await stream_->sleep(deadline);
  }
  if (stream_->aborted()) co_return false;
  Response response =
      mailbox->response ? std::move(*mailbox->response)
                        : Response::try_later(503, "the answer took too long; try again later", kRetryAfter);
  co_return co_await respond(&head, std::move(response), keeps_alive(head));
}

awaitable<bool> Connection::refuse(const RequestHead* head, Response response) {
  ++state_->refused;
  co_await respond(head, std::move(response), false);
  co_return false;
}

awaitable<bool> Connection::respond(const RequestHead* head, Response response, bool keep_alive) {
  PreparedResponse prepared = prepare_response(std::move(response), head, keep_alive, date_now());
  const uint64_t size = prepared.send_body ? prepared.response.body_size() : 0;
  const BytesView body = prepared.send_body ? body_view(prepared.response) : BytesView{};
  const bool in_one = body.size() <= kOneWrite;
  if (in_one) prepared.head.append(reinterpret_cast<const char*>(body.data()), body.size());
  bool sent = co_await stream_->write_all(prepared.head, limits().write_time);
  if (sent && !in_one) sent = co_await stream_->write_all(body, limits().write_time);
  if (sent && prepared.send_body && std::holds_alternative<FileRange>(prepared.response.body)) {
    sent = co_await send_file(std::get<FileRange>(prepared.response.body));
  }
  log(head, prepared.response.status, size);
  if (!sent) stream_->abort();
  co_return sent&& keep_alive;
}

awaitable<bool> Connection::send_file(const FileRange& file) {
  const auto piece = std::make_shared<Bytes>();
  for (uint64_t sent = 0; sent < file.length; sent += piece->size()) {
    piece->resize(std::min<uint64_t>(kPiece, file.length - sent));
    const auto read = std::make_shared<bool>(false);
    const std::shared_ptr<bool> done =
        start_on_pool([piece, read, handle = file.file, offset = file.offset + sent] {
          *read = handle->read(offset, *piece).ok();
        });
    co_await finished(done);
    if (!*read) co_return false;  // the client sees a body that is too short
    const bool written = co_await stream_->write_all(*piece, limits().write_time);
    if (!written) co_return false;
  }
  co_return true;
}

std::shared_ptr<bool> Connection::start_on_pool(std::function<void()> job) {
  const auto done = std::make_shared<bool>(false);
  state_->pool.post([self = shared_from_this(), job = std::move(job), done]() mutable {
    self->state_->pool.run(job);
    job = nullptr;
    asio::io_context& io = self->loop_->io;
    // Moved, so that the connection is never destroyed on a thread of the pool.
    asio::post(io, [self = std::move(self), done] {
      *done = true;
      self->stream_->wake();
    });
  });
  return done;
}

// Takes no temporary: GCC 12 destroys the captures of a lambda in a co_await expression twice (GCC bug
// 99576).
awaitable<void> Connection::finished(std::shared_ptr<bool> done) {
  while (!*done) co_await stream_->wait_for_wake();
}

void Connection::log(const RequestHead* head, int status, uint64_t bytes) const {
  if (!state_->options.log) return;
  const auto spent = std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - request_start_);
  std::string line = arrival_.peer;
  if (head == nullptr) {
    line += " - " + std::to_string(status);
  } else {
    line = head->request.peer.empty() ? arrival_.peer : head->request.peer;
    line += " \"";
    line += head->head_only ? "HEAD" : method_name(head->request.method);
    line += " " + escaped(head->request.path) + "\" " + std::to_string(status) + " " + std::to_string(bytes) +
            " bytes " + std::to_string(spent.count()) + " ms";
  }
  state_->log(line);
}

}  // namespace cairn::net
