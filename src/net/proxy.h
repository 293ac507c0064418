// Which HTTP proxy leads to a server. Inside this folder only.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "net/url.h"

namespace cairn::net {

struct Proxy {
  Url url;                    // http
  std::string authorization;  // value of Proxy-Authorization, "" for none
};

// "http://[user:password@]host[:port]", or without the scheme.
Result<Proxy> parse_proxy(std::string_view text);

// `given` decides if it is there ("": none); else http_proxy or https_proxy, unless no_proxy lists the host:
// "*", or names, each with its subdomains, separated by commas.
using Environ = std::function<const char*(const char* name)>;
Result<std::optional<Proxy>> choose_proxy(const Url& server, const std::optional<std::string>& given,
                                          const Environ& environ);

}  // namespace cairn::net
