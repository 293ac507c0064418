// Server-sent events from bytes as they come (WHATWG HTML, section 9.2). Inside this folder only.
#pragma once

#include <functional>

#include "net/client.h"

namespace cairn::net {

inline constexpr size_t kMaxEventSize = 4 << 20;  // bytes of one event, and of one line

class EventParser {
 public:
  explicit EventParser(std::string last_id) : last_id_(std::move(last_id)) {}

  // Calls `callback` for each event that is complete; false: it has said stop.
  Result<bool> put(BytesView bytes, const std::function<bool(const ReceivedEvent&)>& callback);

 private:
  bool take_line(const std::function<bool(const ReceivedEvent&)>& callback);
  void take_field(std::string_view name, std::string_view value);

  std::string last_id_;
  std::string line_;
  std::string name_;
  std::string data_;
  bool has_data_ = false;
  bool after_cr_ = false;
};

}  // namespace cairn::net
