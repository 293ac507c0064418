#include "net/http_client.h"

#include <algorithm>
#include <charconv>
#include <cstdlib>

#include "net/event_parser.h"

namespace cairn::net {
namespace {

using Kind = Failure::Kind;

constexpr uint64_t kMaxRefusalBody = 64 << 10;  // bytes read for the sentence in it
constexpr uint64_t kWorthAsking = 1 << 20;      // bytes of a body before which 100-continue is asked for

bool is_success(int status) {
  return (status >= 200 && status < 300) || status == 304;
}

int retry_after(const Headers& headers) {
  const std::string_view text = headers.get("Retry-After");
  int seconds = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  if (error != std::errc() || end != text.data() + text.size()) return 0;  // a date, or nothing
  return std::clamp(seconds, 0, 24 * 3600);
}

}  // namespace

bool Failure::may_pass() const {
  if (kind == Kind::network) return true;
  if (kind != Kind::refused) return false;
  constexpr int kPassing[] = {408, 425, 429, 500, 502, 503, 504};
  return std::find(std::begin(kPassing), std::end(kPassing), status) != std::end(kPassing);
}

Result<std::unique_ptr<Client>> Client::open(ClientOptions options) {
  TlsContext tls;
  if (options.server.tls) {
    CAIRN_TRY(tls, client_context(options.ca_file, options.verify_tls));
  }
  CAIRN_TRY(std::optional<Proxy> proxy,
            choose_proxy(options.server, options.proxy, [](const char* name) { return std::getenv(name); }));
  return std::unique_ptr<Client>(
      std::make_unique<HttpClient>(std::move(options), std::move(tls), std::move(proxy)));
}

Outcome<void> HttpClient::connect() {
  const Destination destination{options_.server,     proxy_,         tls_.get(),
                                options_.verify_tls, session_.get(), options_.connect_time};
  CAIRN_TRY(link_, Link::connect(destination, cancel_));
  return {};
}

void HttpClient::drop_link() {
  if (link_ && link_->tls() != nullptr) session_.reset(SSL_get1_session(link_->tls()));
  link_.reset();
}

void HttpClient::settle(const Exchange& exchange) {
  if (!exchange.can_keep_link()) drop_link();
}

Outcome<std::string> HttpClient::head_of(const Outgoing& outgoing, bool expects_continue) const {
  const Result<Target> target = parse_target(outgoing.target);
  if (!target) return target.error().within("request target " + escaped(outgoing.target));
  std::string path = options_.server.prefix + outgoing.target;
  const bool by_proxy = proxy_ && !options_.server.tls;
  if (by_proxy) path.insert(0, "http://" + options_.server.authority());
  std::string head(method_name(outgoing.method));
  head.append(" ").append(path).append(" HTTP/1.1\r\nHost: ").append(options_.server.authority());
  head.append("\r\nUser-Agent: ").append(options_.user_agent).append("\r\n");
  if (by_proxy && !proxy_->authorization.empty()) {
    head.append("Proxy-Authorization: ").append(proxy_->authorization).append("\r\n");
  }
  if (outgoing.length > 0 || outgoing.method == Method::post || outgoing.method == Method::put) {
    head.append("Content-Length: ").append(std::to_string(outgoing.length)).append("\r\n");
  }
  if (expects_continue) head += "Expect: 100-continue\r\n";
  for (const auto& [name, value] : outgoing.headers.all()) {
    head.append(name).append(": ").append(value).append("\r\n");
  }
  return head + "\r\n";
}

Outcome<std::unique_ptr<Exchange>> HttpClient::start(const Outgoing& outgoing) {
  const bool expects_continue = outgoing.length >= kWorthAsking;
  CAIRN_TRY(const std::string head, head_of(outgoing, expects_continue));
  if (cancel_.is_set()) return Failure(Kind::cancelled, "cancelled");
  if (link_ && !link_->is_fresh()) drop_link();
  for (bool is_kept = link_ != nullptr;; is_kept = false) {
    if (!link_) CAIRN_CHECK(connect());
    auto exchange = std::make_unique<Exchange>(*link_, options_.stall_time);
    const Outcome<void> outcome = exchange->run(head, outgoing, expects_continue);
    if (outcome) return exchange;
    const bool heard = exchange->has_answer();
    exchange.reset();
    drop_link();
    // A server may close a kept connection just when we use it again; what changes nothing twice is repeated.
    const bool repeat =
        is_kept && !heard && outcome.error().kind == Kind::network && outgoing.method != Method::post;
    if (!repeat) return outcome.error();
  }
}

Failure HttpClient::refusal(Exchange& exchange, const Outgoing& outgoing) {
  const int status = exchange.response().status();
  Failure failure(Kind::refused, std::string(method_name(outgoing.method)) + " " + options_.server.text() +
                                     outgoing.target + ": the server answered " + std::to_string(status));
  failure.status = status;
  failure.retry_after_s = retry_after(exchange.response().headers());
  const Outcome<Bytes> body = exchange.read_whole_body(kMaxRefusalBody);
  if (body) failure.sentence = error_sentence(*body);
  if (!failure.sentence.empty()) failure.message += ": " + failure.sentence;
  settle(exchange);
  return failure;
}

Outcome<ClientResponse> HttpClient::call(const Outgoing& outgoing, uint64_t response_limit) {
  CAIRN_TRY(const std::unique_ptr<Exchange> exchange, start(outgoing));
  if (!is_success(exchange->response().status())) return refusal(*exchange, outgoing);
  ClientResponse response;
  response.status = exchange->response().status();
  response.headers = exchange->response().headers();
  Outcome<Bytes> body = exchange->read_whole_body(response_limit);
  settle(*exchange);
  if (!body) return body.error();
  response.body = std::move(*body);
  return response;
}

Outcome<ClientResponse> HttpClient::request(Method method, const std::string& target, const Headers& headers,
                                            BytesView body, uint64_t response_limit) {
  Outgoing outgoing;
  outgoing.method = method;
  outgoing.target = target;
  outgoing.headers = headers;
  outgoing.length = body.size();
  outgoing.bytes_per_second = options_.bytes_per_second;
  outgoing.body = [body](uint64_t offset, std::span<uint8_t> scratch) -> Outcome<BytesView> {
    return body.subspan(offset, std::min<uint64_t>(scratch.size(), body.size() - offset));
  };
  return call(outgoing, response_limit);
}

Outcome<ClientResponse> HttpClient::upload(const Upload& upload) {
  CAIRN_TRY(const std::shared_ptr<const OpenFile> file, OpenFile::open(upload.file));
  if (upload.offset > file->size() || upload.length > file->size() - upload.offset) {
    return Error{upload.file.string() + ": has fewer bytes than are to be sent"};
  }
  Outgoing outgoing;
  outgoing.method = upload.method;
  outgoing.target = upload.target;
  outgoing.headers = upload.headers;
  outgoing.length = upload.length;
  outgoing.bytes_per_second =
      upload.bytes_per_second > 0 ? upload.bytes_per_second : options_.bytes_per_second;
  outgoing.progress = upload.progress;
  outgoing.body = [&](uint64_t offset, std::span<uint8_t> scratch) -> Outcome<BytesView> {
    const auto piece = scratch.first(std::min<uint64_t>(scratch.size(), upload.length - offset));
    CAIRN_CHECK(file->read(upload.offset + offset, piece));
    return BytesView(piece);
  };
  return call(outgoing, upload.response_limit);
}

Outcome<void> HttpClient::events(const std::string& target, const std::optional<std::string>& last_id,
                                 const std::function<bool(const ReceivedEvent&)>& callback) {
  Outgoing outgoing;
  outgoing.target = target;
  CAIRN_CHECK(outgoing.headers.add("Accept", "text/event-stream"));
  if (last_id) CAIRN_CHECK(outgoing.headers.add("Last-Event-ID", *last_id));
  CAIRN_TRY(const std::unique_ptr<Exchange> exchange, start(outgoing));
  if (exchange->response().status() != 200) return refusal(*exchange, outgoing);
  if (!exchange->response().headers().get("Content-Type").starts_with("text/event-stream")) {
    drop_link();
    return Failure(Kind::invalid, options_.server.text() + target + ": is no event stream");
  }
  EventParser parser(last_id.value_or(""));
  Bytes bytes(16 << 10);
  Outcome<void> outcome;
  while (true) {
    const Outcome<size_t> got = exchange->read_body(bytes);
    if (!got || *got == 0) {
      outcome = got ? Failure(Kind::network, "the server ended the event stream") : got.error();
      break;
    }
    const Result<bool> more = parser.put(BytesView(bytes).first(*got), callback);
    if (!more) outcome = Failure(Kind::invalid, more.error().message);
    if (!more || !*more) break;
  }
  drop_link();
  return outcome;
}

}  // namespace cairn::net
