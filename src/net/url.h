// URLs of projects and the targets of requests (RFC 3986, RFC 9112), read strictly: what is not exactly in
// the form below is refused.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "base/result.h"

namespace cairn::net {

inline constexpr size_t kMaxUrlSize = 2048;  // bytes
inline constexpr size_t kMaxQueryParameters = 32;

// scheme "://" host [":" port] [path]. No user information, query or fragment. The host is a name of letters,
// digits, '-' and '.', an IPv4 address, or an IPv6 address in brackets.
struct Url {
  bool tls = false;  // https
  std::string host;  // lower case; an IPv6 address without its brackets
  uint16_t port = 0;
  std::string prefix;  // "" or "/a/b": what comes before every path of the project; no '/' at its end

  std::string authority() const;  // what a Host header says: the port only where it is not the scheme's own
  std::string text() const;
  bool operator==(const Url&) const = default;
};

Result<Url> parse_url(std::string_view text);

// A path is '/'-separated segments of unreserved characters (letters, digits, "-._~"), none of them empty
// (except that the path may end in '/'), "." or "..". Percent escapes are refused, so that two spellings of
// one path cannot exist.
Status check_path(std::string_view path);

using Query = std::map<std::string, std::string, std::less<>>;

struct Target {
  std::string path;
  Query query;  // percent-decoded; a name may occur once; '+' is '+'
};

// A request's target in origin form ("/path?a=b") or absolute form ("http://host/path?a=b").
Result<Target> parse_target(std::string_view text);

std::string percent_encode(std::string_view text);  // everything but unreserved characters

}  // namespace cairn::net
