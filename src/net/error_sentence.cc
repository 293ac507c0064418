#include <algorithm>
#include <nlohmann/json.hpp>

#include "net/response_reader.h"

namespace cairn::net {

std::string error_sentence(BytesView body) {
  const auto json = nlohmann::json::parse(body.begin(), body.end(), nullptr, false);
  if (!json.is_object()) return "";
  const auto found = json.find("error");
  if (found == json.end() || !found->is_string()) return "";
  std::string text = found->get<std::string>().substr(0, 1000);
  std::replace_if(
      text.begin(), text.end(), [](char c) { return static_cast<uint8_t>(c) < 0x20 || c == 0x7f; }, ' ');
  return text;
}

}  // namespace cairn::net
