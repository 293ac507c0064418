// From the bytes of a request's head to a Request, or to the response that refuses it. Inside this folder
// only.
#pragma once

#include <string_view>
#include <variant>

#include "net/message.h"
#include "net/server.h"

namespace cairn::net {

struct RequestHead {
  Request request;
  bool head_only = false;  // HEAD
  bool keep_alive = true;
  bool old_version = false;       // HTTP/1.0
  bool expects_continue = false;  // waits for 100 before it sends its body
};

// What the bytes read so far are.
struct HeadScan {
  size_t skip = 0;  // empty lines before the request line, which are ignored
  size_t size = 0;  // of the head behind them, with its empty line; 0: not whole yet
  std::optional<Response> refusal;
};
HeadScan scan_head(std::string_view bytes, const ServerLimits& limits);

// `bytes` is one whole head as scan_head() found it. The peer is left to the caller.
std::variant<RequestHead, Response> parse_head(std::string_view bytes, const ServerLimits& limits);

}  // namespace cairn::net
