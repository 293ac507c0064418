// Base 64 as RFC 4648, section 4, defines it: the standard alphabet, with padding.
#pragma once

#include <string>
#include <string_view>

#include "base/bytes.h"

namespace cairn {

std::string to_base64(BytesView bytes);

// Accepts exactly what to_base64() writes: no line breaks, padding complete, unused bits zero.
Result<Bytes> from_base64(std::string_view text);

}  // namespace cairn
