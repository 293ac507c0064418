#include "net/proxy.h"

#include <openssl/evp.h>

#include <algorithm>

namespace cairn::net {
namespace {

std::string base64(std::string_view text) {
  std::string result(4 * ((text.size() + 2) / 3) + 1, '\0');
  const int size =
      EVP_EncodeBlock(reinterpret_cast<unsigned char*>(result.data()),
                      reinterpret_cast<const unsigned char*>(text.data()), static_cast<int>(text.size()));
  result.resize(static_cast<size_t>(size));
  return result;
}

std::string_view trimmed(std::string_view text) {
  while (text.starts_with(' ')) text.remove_prefix(1);
  while (text.ends_with(' ')) text.remove_suffix(1);
  return text;
}

bool excludes(std::string_view no_proxy, std::string_view host) {
  while (!no_proxy.empty()) {
    const size_t end = std::min(no_proxy.find(','), no_proxy.size());
    std::string_view name = trimmed(no_proxy.substr(0, end));
    no_proxy.remove_prefix(std::min(end + 1, no_proxy.size()));
    if (name == "*") return true;
    if (name.starts_with('.')) name.remove_prefix(1);
    if (name.empty() || !host.ends_with(name)) continue;
    if (host.size() == name.size() || host[host.size() - name.size() - 1] == '.') return true;
  }
  return false;
}

// The lower-case name first. HTTP_PROXY is not read: web servers set it from a client's "Proxy" header.
std::string from_environment(const Url& server, const Environ& environ) {
  const auto get = [&](const char* name) {
    const char* value = environ(name);
    return std::string(value == nullptr ? "" : value);
  };
  std::string no_proxy = get("no_proxy");
  if (no_proxy.empty()) no_proxy = get("NO_PROXY");
  if (excludes(no_proxy, server.host)) return "";
  if (!server.tls) return get("http_proxy");
  const std::string proxy = get("https_proxy");
  return proxy.empty() ? get("HTTPS_PROXY") : proxy;
}

}  // namespace

Result<Proxy> parse_proxy(std::string_view text) {
  Proxy proxy;
  std::string plain(text);
  if (plain.find("://") == std::string::npos) plain.insert(0, "http://");
  const size_t authority = plain.find("://") + 3;
  const size_t at = plain.rfind('@');
  if (at != std::string::npos && at > authority) {
    const std::string credentials = plain.substr(authority, at - authority);
    if (credentials.size() > 512) return Error{"proxy: user and password are longer than 512 bytes"};
    proxy.authorization = "Basic " + base64(credentials);
    plain.erase(authority, at + 1 - authority);
  }
  Result<Url> url = parse_url(plain);
  if (!url) return url.error().within("proxy");
  if (url->tls) return Error{"proxy: only proxies that are reached by http:// are supported"};
  proxy.url = std::move(*url);
  return proxy;
}

Result<std::optional<Proxy>> choose_proxy(const Url& server, const std::optional<std::string>& given,
                                          const Environ& environ) {
  const std::string text = given ? *given : from_environment(server, environ);
  if (text.empty()) return std::optional<Proxy>();
  CAIRN_TRY(Proxy proxy, parse_proxy(text));
  return std::optional<Proxy>(std::move(proxy));
}

}  // namespace cairn::net
