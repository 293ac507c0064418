// Server-sent events as text (WHATWG HTML, section 9.2). Inside this folder only.
#pragma once

#include <string>

#include "net/server.h"

namespace cairn::net {

std::string event_text(const Event& event);

}  // namespace cairn::net
