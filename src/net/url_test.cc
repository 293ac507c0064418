#include "net/url.h"

#include <gtest/gtest.h>

namespace cairn::net {
namespace {

TEST(Url, IsTakenApart) {
  EXPECT_EQ(*parse_url("http://example.org"), (Url{false, "example.org", 80, ""}));
  EXPECT_EQ(*parse_url("HTTPS://Example.ORG:8443/a/b/"), (Url{true, "example.org", 8443, "/a/b"}));
  EXPECT_EQ(*parse_url("http://127.0.0.1:1/"), (Url{false, "127.0.0.1", 1, ""}));
  EXPECT_EQ(*parse_url("https://[2001:DB8::1]:5/x"), (Url{true, "2001:db8::1", 5, "/x"}));
}

TEST(Url, IsWrittenAsItIsRead) {
  for (const char* text : {"http://example.org", "https://example.org:80/a", "http://[::1]:8080/a/b"}) {
    EXPECT_EQ(parse_url(text)->text(), text);
  }
  EXPECT_EQ(parse_url("https://example.org:443")->authority(), "example.org");
}

TEST(Url, AnythingElseIsRefused) {
  for (const char* text : {"",
                           "example.org",
                           "ftp://example.org",
                           "http://",
                           "http:///a",
                           "http://a b",
                           "http://user@host",
                           "http://host:0",
                           "http://host:65536",
                           "http://host:",
                           "http://host:80x",
                           "http://[::1",
                           "http://[::1]x",
                           "http://[zz]",
                           "http://host?x=1",
                           "http://host/#x",
                           "http://host/a//b",
                           "http://host/../x",
                           "http://a..b",
                           "http://.a",
                           "http://host/%41",
                           "http://host\r\nX: y",
                           "http://h\xc3\xb6st",
                           "http://host:1:2"}) {
    EXPECT_FALSE(parse_url(text)) << text;
  }
  EXPECT_FALSE(parse_url("http://" + std::string(300, 'a')));
  EXPECT_FALSE(parse_url("http://a/" + std::string(kMaxUrlSize, 'a')));
}

TEST(Target, PathAndQueryAreTakenApart) {
  const auto target = parse_target("/units/7?user=ada&name=a%20b%2F&empty=&flag");
  ASSERT_TRUE(target);
  EXPECT_EQ(target->path, "/units/7");
  EXPECT_EQ(target->query, (Query{{"user", "ada"}, {"name", "a b/"}, {"empty", ""}, {"flag", ""}}));
  EXPECT_EQ(parse_target("http://host:80/a?b=c")->path, "/a");
}

TEST(Target, OnlyPlainPathsAreAccepted) {
  for (const char* text :
       {"",        "*",      "a",         "//",          "/a//b",        "/.",    "/..",
        "/a/../b", "/a/./b", "/%2e%2e/",  "/a%2fb",      "/a b",         "/a\\b", "/a\tb",
        "/a:b",    "/a;b",   "/\xc3\xa4", "http://host", "ftp://host/a", "/a#b",  "/..?x=1",
        "/a/.."}) {
    EXPECT_FALSE(parse_target(text)) << text;
  }
  EXPECT_TRUE(parse_target("/a.b/..c/~d_e-f/"));
  EXPECT_TRUE(parse_target("/"));
}

TEST(Target, QueriesAreStrict) {
  for (const char* text :
       {"/?a=%", "/?a=%4", "/?a=%zz", "/?=1", "/?&", "/?a=1&a=2", "/?a=1=2", "/?a=\"", "/?a=b c"}) {
    EXPECT_FALSE(parse_target(text)) << text;
  }
  std::string many = "/?";
  for (size_t i = 0; i <= kMaxQueryParameters; ++i) many += "p" + std::to_string(i) + "=1&";
  EXPECT_FALSE(parse_target(many));
}

TEST(PercentEncoding, IsUndoneByTheTargetsParser) {
  std::string all;
  for (int c = 0; c < 256; ++c) all += static_cast<char>(c);
  EXPECT_EQ(parse_target("/?x=" + percent_encode(all))->query.at("x"), all);
}

}  // namespace
}  // namespace cairn::net
