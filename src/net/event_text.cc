#include "net/event_text.h"

#include <algorithm>

namespace cairn::net {

std::string event_text(const Event& event) {
  std::string text = "id: " + std::to_string(event.id) + "\n";
  if (!event.name.empty()) {
    std::string name = event.name;
    std::replace_if(
        name.begin(), name.end(), [](char c) { return c == '\r' || c == '\n'; }, ' ');
    text += "event: " + name + "\n";
  }
  std::string_view rest = event.data;
  while (true) {
    const size_t end = std::min(rest.find_first_of("\r\n"), rest.size());
    text.append("data: ").append(rest.substr(0, end)).append("\n");
    if (end == rest.size()) break;
    rest.remove_prefix(end + (rest.substr(end).starts_with("\r\n") ? 2 : 1));
  }
  return text + "\n";
}

}  // namespace cairn::net
