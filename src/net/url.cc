#include "net/url.h"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>

namespace cairn::net {
namespace {

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_alphanumeric(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
bool is_unreserved(char c) {
  return is_alphanumeric(c) || c == '-' || c == '.' || c == '_' || c == '~';
}

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

Error url_error(const std::string& reason) {
  return {"URL: " + reason};
}

Result<uint16_t> parse_port(std::string_view text) {
  uint32_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (text.empty() || error != std::errc() || end != text.data() + text.size() || port == 0 || port > 65535) {
    return url_error("the port must be a number from 1 to 65535");
  }
  return static_cast<uint16_t>(port);
}

Status check_host(std::string_view host) {
  if (host.empty()) return url_error("the host is missing");
  if (host.size() > 253) return url_error("the host's name is longer than 253 bytes");
  size_t label = 0;
  for (const char c : host) {
    if (!is_alphanumeric(c) && c != '-' && c != '.') {
      return url_error("the host's name may have letters, digits, '-' and '.' only");
    }
    if (c == '.' && label == 0) return url_error("the host's name has an empty part");
    label = c == '.' ? 0 : label + 1;
    if (label > 63) return url_error("a part of the host's name is longer than 63 bytes");
  }
  return {};
}

// Splits "host:port" or "[v6]:port", and fills host and port.
Status parse_authority(std::string_view text, Url& url) {
  std::string_view port;
  bool has_port = false;
  if (text.starts_with('[')) {
    const size_t end = text.find(']');
    if (end == std::string_view::npos) return url_error("an IPv6 address must end with ']'");
    url.host = text.substr(1, end - 1);
    in6_addr address;
    if (::inet_pton(AF_INET6, url.host.c_str(), &address) != 1) return url_error("this is no IPv6 address");
    const std::string_view rest = text.substr(end + 1);
    has_port = !rest.empty();
    if (has_port && rest[0] != ':') return url_error("only a port may follow an IPv6 address");
    if (has_port) port = rest.substr(1);
  } else {
    const size_t colon = text.find(':');
    has_port = colon != std::string_view::npos;
    url.host = text.substr(0, colon);
    if (has_port) port = text.substr(colon + 1);
    CAIRN_CHECK(check_host(url.host));
  }
  std::transform(url.host.begin(), url.host.end(), url.host.begin(), lower);
  url.port = url.tls ? 443 : 80;
  if (has_port) {
    CAIRN_TRY(url.port, parse_port(port));
  }
  return {};
}

int hex_value(char c) {
  if (is_digit(c)) return c - '0';
  c = lower(c);
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

// Characters that RFC 3986 allows in a query beside escapes.
bool is_query_character(char c) {
  return is_unreserved(c) || std::string_view("!$'()*+,;:@/?").find(c) != std::string_view::npos;
}

Result<std::string> percent_decode(std::string_view text) {
  std::string result;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      if (!is_query_character(text[i])) return Error{"the query has a character that must be escaped"};
      result += text[i];
      continue;
    }
    const int high = i + 2 < text.size() ? hex_value(text[i + 1]) : -1;
    const int low = i + 2 < text.size() ? hex_value(text[i + 2]) : -1;
    if (high < 0 || low < 0)
      return Error{"the query has an escape that is not '%' and two hexadecimal digits"};
    result += static_cast<char>(high * 16 + low);
    i += 2;
  }
  return result;
}

Result<Query> parse_query(std::string_view text) {
  Query query;
  while (!text.empty()) {
    const size_t end = std::min(text.find('&'), text.size());
    const std::string_view item = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    const size_t equals = std::min(item.find('='), item.size());
    CAIRN_TRY(std::string name, percent_decode(item.substr(0, equals)));
    if (name.empty()) return Error{"the query has a parameter without a name"};
    if (query.size() == kMaxQueryParameters) {
      return Error{"the query has more than " + std::to_string(kMaxQueryParameters) + " parameters"};
    }
    const std::string_view raw = item.substr(std::min(equals + 1, item.size()));
    if (raw.find('=') != std::string_view::npos) return Error{"the query has a second '=' in a parameter"};
    CAIRN_TRY(std::string value, percent_decode(raw));
    if (!query.emplace(std::move(name), std::move(value)).second) {
      return Error{"the query has a parameter twice"};
    }
  }
  return query;
}

}  // namespace

std::string Url::authority() const {
  const bool is_v6 = host.find(':') != std::string::npos;
  std::string result = is_v6 ? "[" : "";
  result.append(host).append(is_v6 ? "]" : "");
  if (port != (tls ? 443 : 80)) result.append(":").append(std::to_string(port));
  return result;
}

std::string Url::text() const {
  return (tls ? "https://" : "http://") + authority() + prefix;
}

Result<Url> parse_url(std::string_view text) {
  if (text.size() > kMaxUrlSize) {
    return url_error("longer than " + std::to_string(kMaxUrlSize) + " bytes");
  }
  Url url;
  std::string scheme(text.substr(0, std::min(text.find("://"), text.size())));
  std::transform(scheme.begin(), scheme.end(), scheme.begin(), lower);
  url.tls = scheme == "https";
  if (scheme.size() == text.size() || (!url.tls && scheme != "http")) {
    return url_error("must begin with http:// or https://");
  }
  text.remove_prefix(scheme.size() + 3);
  const size_t slash = std::min(text.find_first_of("/?#"), text.size());
  CAIRN_CHECK(parse_authority(text.substr(0, slash), url));
  std::string_view path = text.substr(slash);
  if (!path.empty()) {
    if (const Status status = check_path(path); !status) return url_error(status.error().message);
  }
  if (path.ends_with('/')) path.remove_suffix(1);
  url.prefix = path;
  return url;
}

Status check_path(std::string_view path) {
  if (!path.starts_with('/')) return Error{"the path must begin with '/'"};
  size_t start = 1;
  while (start < path.size()) {
    const size_t end = std::min(path.find('/', start), path.size());
    const std::string_view segment = path.substr(start, end - start);
    if (segment.empty()) return Error{"the path must not contain '//'"};
    if (segment == "." || segment == "..")
      return Error{"the path must not contain the segments '.' and '..'"};
    if (!std::all_of(segment.begin(), segment.end(), is_unreserved)) {
      return Error{"the path may contain letters, digits, '-', '.', '_', '~' and '/' only"};
    }
    start = end + 1;
  }
  return {};
}

Result<Target> parse_target(std::string_view text) {
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (!text.starts_with(scheme)) continue;
    text.remove_prefix(scheme.size());
    const size_t slash = text.find('/');
    if (slash == std::string_view::npos) return Error{"the target has no path"};
    text.remove_prefix(slash);
    break;
  }
  const size_t question = std::min(text.find('?'), text.size());
  Target target;
  target.path = text.substr(0, question);
  CAIRN_CHECK(check_path(target.path));
  CAIRN_TRY(target.query, parse_query(text.substr(std::min(question + 1, text.size()))));
  return target;
}

std::string percent_encode(std::string_view text) {
  constexpr char kHex[] = "0123456789ABCDEF";
  std::string result;
  for (const char c : text) {
    if (is_unreserved(c)) {
      result += c;
    } else {
      result += {'%', kHex[static_cast<uint8_t>(c) >> 4], kHex[static_cast<uint8_t>(c) & 15]};
    }
  }
  return result;
}

}  // namespace cairn::net
