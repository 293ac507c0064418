// From a handler's Response to the bytes that answer one request: status line, headers, conditional requests,
// ranges. Inside this folder only.
#pragma once

#include <string>

#include "net/request_head.h"

namespace cairn::net {

struct PreparedResponse {
  std::string head;   // ends with the empty line
  Response response;  // whose body is sent, if `send_body`; a file's range is what was asked for
  bool send_body = true;
};

// `request` is null where no head was understood. `date` is an IMF-fixdate.
PreparedResponse prepare_response(Response response, const RequestHead* request, bool keep_alive,
                                  const std::string& date);

// The head of an event stream, which ends with its connection.
std::string event_stream_head(const std::string& date);

std::string http_date(int64_t unix_seconds);  // IMF-fixdate

}  // namespace cairn::net
