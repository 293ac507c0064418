#include "net/proxy.h"

#include <gtest/gtest.h>

namespace cairn::net {
namespace {

std::string chosen(const std::string& url, const std::map<std::string, std::string>& environment,
                   const std::optional<std::string>& given = std::nullopt) {
  const auto proxy = choose_proxy(*parse_url(url), given, [&](const char* name) {
    const auto found = environment.find(name);
    return found == environment.end() ? nullptr : found->second.c_str();
  });
  if (!proxy) return "error";
  return *proxy ? (*proxy)->url.text() : "none";
}

TEST(Proxy, ComesFromTheOptionOrTheEnvironment) {
  const std::map<std::string, std::string> both = {{"http_proxy", "http://a:1"}, {"https_proxy", "b:2"}};
  EXPECT_EQ(chosen("http://x", both), "http://a:1");
  EXPECT_EQ(chosen("https://x", both), "http://b:2");
  EXPECT_EQ(chosen("https://x", both, "http://c:3"), "http://c:3");
  EXPECT_EQ(chosen("https://x", both, ""), "none");
  EXPECT_EQ(chosen("https://x", {{"HTTPS_PROXY", "http://d:4"}}), "http://d:4");
  EXPECT_EQ(chosen("http://x", {{"HTTP_PROXY", "http://d:4"}}), "none");  // a CGI's "Proxy" header
}

TEST(Proxy, NoProxyExcludesHostsAndTheirSubdomains) {
  const auto with = [](const std::string& url, const std::string& no_proxy) {
    return chosen(url, {{"http_proxy", "http://a:1"}, {"no_proxy", no_proxy}});
  };
  EXPECT_EQ(with("http://example.org", "localhost, example.org"), "none");
  EXPECT_EQ(with("http://www.example.org", ".example.org"), "none");
  EXPECT_EQ(with("http://badexample.org", "example.org"), "http://a:1");
  EXPECT_EQ(with("http://x", "*"), "none");
  EXPECT_EQ(with("http://x", ","), "http://a:1");
  EXPECT_EQ(with("http://127.0.0.1", "127.0.0.1"), "none");
}

TEST(Proxy, CredentialsBecomeAHeader) {
  const auto proxy = parse_proxy("http://user:pa@ss@host:3128");
  ASSERT_TRUE(proxy);
  EXPECT_EQ(proxy->url.text(), "http://host:3128");
  EXPECT_EQ(proxy->authorization, "Basic dXNlcjpwYUBzcw==");
}

TEST(Proxy, OthersAreRefused) {
  for (const char* text : {"https://host:1", "socks5://host", "http://", "host:0", "http://a b"}) {
    EXPECT_FALSE(parse_proxy(text)) << text;
  }
}

}  // namespace
}  // namespace cairn::net
