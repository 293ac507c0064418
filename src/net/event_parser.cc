#include "net/event_parser.h"

namespace cairn::net {

Result<bool> EventParser::put(BytesView bytes, const std::function<bool(const ReceivedEvent&)>& callback) {
  for (const uint8_t byte : bytes) {
    const char c = static_cast<char>(byte);
    const bool ends_pair = c == '\n' && after_cr_;
    after_cr_ = c == '\r';
    if (ends_pair) continue;
    if (c == '\r' || c == '\n') {
      if (!take_line(callback)) return false;
      continue;
    }
    if (line_.size() + data_.size() >= kMaxEventSize) {
      return Error{"the event stream has an event of more than " + std::to_string(kMaxEventSize) + " bytes"};
    }
    line_ += c;
  }
  return true;
}

bool EventParser::take_line(const std::function<bool(const ReceivedEvent&)>& callback) {
  std::string line;
  line.swap(line_);
  if (!line.empty()) {
    const size_t colon = std::min(line.find(':'), line.size());
    std::string_view value = std::string_view(line).substr(std::min(colon + 1, line.size()));
    if (value.starts_with(' ')) value.remove_prefix(1);
    take_field(std::string_view(line).substr(0, colon), value);
    return true;
  }
  const ReceivedEvent event{last_id_, name_.empty() ? "message" : name_, data_};
  const bool complete = has_data_;
  name_.clear();
  data_.clear();
  has_data_ = false;
  return !complete || callback(event);
}

void EventParser::take_field(std::string_view name, std::string_view value) {
  if (name == "event") name_ = value;
  if (name == "id" && value.find('\0') == std::string_view::npos) last_id_ = value;
  if (name == "data") {
    if (has_data_) data_ += '\n';
    data_ += value;
    has_data_ = true;
  }
}

}  // namespace cairn::net
