#include "base/text.h"

#include <cstdint>
#include <string>

namespace cairn {

size_t utf8_length(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(text[i]); };
  if (text.empty()) return 0;
  const uint8_t lead = byte(0);
  if (lead < 0x80) return 1;
  const size_t length = lead >= 0xc2 && lead <= 0xdf   ? 2
                        : lead >= 0xe0 && lead <= 0xef ? 3
                        : lead >= 0xf0 && lead <= 0xf4 ? 4
                                                       : 0;
  if (length == 0 || text.size() < length) return 0;
  for (size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return 0;
  }
  const uint8_t second = byte(1);
  const bool overlong = (lead == 0xe0 && second < 0xa0) || (lead == 0xf0 && second < 0x90);
  const bool surrogate = lead == 0xed && second > 0x9f;
  const bool too_large = lead == 0xf4 && second > 0x8f;
  return overlong || surrogate || too_large ? 0 : length;
}

Status check_name(std::string_view name, size_t max_size) {
  if (name.empty() || name.size() > max_size)
    return Error{"a name has 1 to " + std::to_string(max_size) + " bytes"};
  for (size_t i = 0; i < name.size();) {
    const size_t length = utf8_length(name.substr(i));
    if (length == 0) return Error{"a name must be UTF-8"};
    const auto lead = static_cast<uint8_t>(name[i]);
    const bool upper_control = lead == 0xc2 && static_cast<uint8_t>(name[i + 1]) < 0xa0;
    if (lead < 0x20 || lead == 0x7f || upper_control) return Error{"a name must not have control characters"};
    i += length;
  }
  return {};
}

}  // namespace cairn
