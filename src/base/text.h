// Text from outside: UTF-8 (RFC 3629), and names that may reach a terminal.
#pragma once

#include <string_view>

#include "base/result.h"

namespace cairn {

// The length of the UTF-8 sequence that `text` begins with; 0 where there is none (overlong forms, surrogates
// and what lies above U+10FFFF are none) and at the end of the text.
size_t utf8_length(std::string_view text);

// A name is 1 to `max_size` bytes of UTF-8 without control characters (U+0000 to U+001F, U+007F to U+009F).
Status check_name(std::string_view name, size_t max_size);

}  // namespace cairn
