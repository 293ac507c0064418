#include "net/request_head.h"

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <charconv>

namespace cairn::net {
namespace {

namespace http = boost::beast::http;
using Parser = http::request_parser<http::empty_body>;

constexpr size_t kMaxMethodSize = 16;  // bytes; the longest registered one is shorter

Response bad(std::string_view reason) {
  return Response::error(400, "the request is malformed: " + std::string(reason));
}

std::optional<Method> to_method(http::verb verb) {
  switch (verb) {
    case http::verb::get:
    case http::verb::head:
      return Method::get;
    case http::verb::post:
      return Method::post;
    case http::verb::put:
      return Method::put;
    case http::verb::delete_:
      return Method::delete_;
    default:
      return std::nullopt;
  }
}

Response unknown_method() {
  Response response = Response::error(405, "the method is none of GET, HEAD, POST, PUT and DELETE");
  const Status added = response.headers.add("Allow", "GET, HEAD, POST, PUT, DELETE");
  CAIRN_ASSERT(added.ok());
  return response;
}

std::string_view view(boost::beast::string_view text) {
  return {text.data(), text.size()};
}

// Copies the fields; they may repeat, except for those that say where the request ends and for whom it is.
std::optional<Response> copy_headers(const Parser& parser, const ServerLimits& limits, Headers& headers) {
  size_t count = 0;
  for (const auto& field : parser.get()) {
    if (++count > limits.headers) {
      return Response::error(431, "the request has more than " + std::to_string(limits.headers) + " headers");
    }
    if (!headers.add(view(field.name_string()), view(field.value()))) {
      return bad("a header has a name that is no token, or a control character in its value");
    }
  }
  for (const char* name : {"Host", "Content-Length", "Transfer-Encoding", "Expect", "Last-Event-ID"}) {
    if (headers.count(name) > 1) return bad("the header " + std::string(name) + " occurs twice");
  }
  return std::nullopt;
}

// Where the request ends (RFC 9112, section 6): a Content-Length or nothing.
std::optional<Response> check_length(RequestHead& head, bool has_body_by_method) {
  const std::string_view length = head.request.header("Content-Length");
  const bool has_length = head.request.headers.count("Content-Length") > 0;
  if (head.request.headers.count("Transfer-Encoding") > 0) {
    if (has_length) return bad("it has both a Content-Length and a Transfer-Encoding");
    if (head.old_version) return bad("HTTP/1.0 has no Transfer-Encoding");
    return Response::error(411, "a request body needs a Content-Length; chunked bodies are not taken");
  }
  if (!has_length && has_body_by_method) return Response::error(411, "this request needs a Content-Length");
  if (!has_length) return std::nullopt;
  const auto [end, error] =
      std::from_chars(length.data(), length.data() + length.size(), head.request.content_length);
  if (length.empty() || length[0] == '-' || error != std::errc() || end != length.data() + length.size()) {
    return bad("the Content-Length is not a number of bytes");
  }
  return std::nullopt;
}

std::optional<Response> check_expect(RequestHead& head) {
  std::string expect(head.request.header("Expect"));
  if (head.request.headers.count("Expect") == 0 || head.old_version) return std::nullopt;
  std::transform(expect.begin(), expect.end(), expect.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  if (expect != "100-continue") return Response::error(417, "the only expectation met is 100-continue");
  head.expects_continue = head.request.content_length > 0;
  return std::nullopt;
}

std::optional<Response> fill(const Parser& parser, const ServerLimits& limits, RequestHead& head) {
  const auto& message = parser.get();
  if (message.version() != 10 && message.version() != 11) {
    return Response::error(505, "the HTTP version is neither 1.0 nor 1.1");
  }
  const std::optional<Method> method = to_method(message.method());
  if (!method) return unknown_method();
  head.request.method = *method;
  head.head_only = message.method() == http::verb::head;
  head.old_version = message.version() == 10;
  head.keep_alive = message.keep_alive();
  const std::string_view text = view(message.target());
  if (text.size() > limits.target_size) {
    return Response::error(414, "the target is longer than " + std::to_string(limits.target_size) + " bytes");
  }
  Result<Target> target = parse_target(text);
  if (!target) return bad(target.error().message);
  head.request.path = std::move(target->path);
  head.request.query = std::move(target->query);
  if (auto refusal = copy_headers(parser, limits, head.request.headers)) return refusal;
  if (!head.old_version && head.request.headers.count("Host") == 0) return bad("the header Host is missing");
  const bool has_body_by_method = *method == Method::post || *method == Method::put;
  if (auto refusal = check_length(head, has_body_by_method)) return refusal;
  return check_expect(head);
}

bool may_start_method(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

}  // namespace

HeadScan scan_head(std::string_view bytes, const ServerLimits& limits) {
  HeadScan scan;
  while (scan.skip < 4 && bytes.substr(scan.skip, 2) == "\r\n") scan.skip += 2;
  bytes.remove_prefix(scan.skip);
  if (bytes.empty() || bytes == "\r") return scan;
  if (!may_start_method(bytes[0])) {
    scan.refusal = bad("it does not begin with a method");
    return scan;
  }
  const size_t line = std::min(bytes.find("\r\n"), bytes.size());
  if (bytes.substr(0, std::min(line, kMaxMethodSize + 1)).find(' ') == std::string_view::npos &&
      line > kMaxMethodSize) {
    scan.refusal = bad("its method is too long");
    return scan;
  }
  // A method, a target, "HTTP/1.1" and two spaces.
  if (line > limits.target_size + kMaxMethodSize + 10) {
    scan.refusal = Response::error(414, "the request line is too long: the target may have " +
                                            std::to_string(limits.target_size) + " bytes");
    return scan;
  }
  const size_t end = bytes.find("\r\n\r\n");
  const size_t size = end == std::string_view::npos ? bytes.size() : end + 4;
  if (size > limits.head_size) {
    scan.refusal = Response::error(
        431, "the request's head is longer than " + std::to_string(limits.head_size) + " bytes");
  } else if (end != std::string_view::npos) {
    scan.size = size;
  }
  return scan;
}

std::variant<RequestHead, Response> parse_head(std::string_view bytes, const ServerLimits& limits) {
  // Folded header lines, which readers understand differently.
  if (bytes.find("\r\n ") != std::string_view::npos || bytes.find("\r\n\t") != std::string_view::npos) {
    return bad("a header goes on in a second line");
  }
  Parser parser;
  parser.header_limit(static_cast<uint32_t>(std::min<size_t>(limits.head_size, UINT32_MAX)));
  parser.body_limit(boost::none);
  boost::system::error_code error;
  const size_t used = parser.put(boost::asio::buffer(bytes.data(), bytes.size()), error);
  if (error == http::error::bad_version) {
    return Response::error(505, "the HTTP version is neither 1.0 nor 1.1");
  }
  if (error == http::error::header_limit) {
    return Response::error(431, "the request's head is too long");
  }
  if (error) return bad(error.message());
  if (used != bytes.size() || !parser.is_header_done()) return bad("its head has no end");
  RequestHead head;
  if (auto refusal = fill(parser, limits, head)) return std::move(*refusal);
  return head;
}

}  // namespace cairn::net
