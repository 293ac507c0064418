#include "net/request_head.h"

#include <gtest/gtest.h>

#include <random>

namespace cairn::net {
namespace {

// The status that refuses this head, or 0.
int refusal(const std::string& text, const ServerLimits& limits = {}) {
  const HeadScan scan = scan_head(text, limits);
  if (scan.refusal) return scan.refusal->status;
  if (scan.size == 0) return -1;  // not whole
  const auto parsed = parse_head(std::string_view(text).substr(scan.skip, scan.size), limits);
  const auto* response = std::get_if<Response>(&parsed);
  return response == nullptr ? 0 : response->status;
}

std::string get(const std::string& target, const std::string& headers = "Host: h\r\n") {
  return "GET " + target + " HTTP/1.1\r\n" + headers + "\r\n";
}

std::string post(const std::string& headers) {
  return "POST /x HTTP/1.1\r\nHost: h\r\n" + headers + "\r\n";
}

TEST(RequestHead, IsUnderstood) {
  const std::string text = "\r\nHEAD /a/b?c=d HTTP/1.0\r\nX-One: 1\r\nConnection: keep-alive\r\n\r\nrest";
  const HeadScan scan = scan_head(text, {});
  ASSERT_FALSE(scan.refusal);
  EXPECT_EQ(text.substr(scan.skip + scan.size), "rest");
  const auto parsed = parse_head(std::string_view(text).substr(scan.skip, scan.size), {});
  const auto& head = std::get<RequestHead>(parsed);
  EXPECT_TRUE(head.head_only);
  EXPECT_TRUE(head.old_version);
  EXPECT_TRUE(head.keep_alive);
  EXPECT_EQ(head.request.method, Method::get);
  EXPECT_EQ(head.request.path, "/a/b");
  EXPECT_EQ(head.request.query, (Query{{"c", "d"}}));
  EXPECT_EQ(head.request.header("x-one"), "1");
}

TEST(RequestHead, WhatSaysWhereARequestEndsIsJudgedStrictly) {
  EXPECT_EQ(refusal(post("Content-Length: 5\r\n")), 0);
  EXPECT_EQ(refusal(post("")), 411);
  EXPECT_EQ(refusal(post("Transfer-Encoding: chunked\r\n")), 411);
  EXPECT_EQ(refusal(get("/", "Host: h\r\nTransfer-Encoding: chunked\r\n")), 411);
  EXPECT_EQ(refusal(post("Transfer-Encoding: gzip, chunked\r\n")), 411);
  for (const char* bad :
       {"Content-Length: 5\r\nContent-Length: 5\r\n", "Content-Length: 5\r\nContent-Length: 6\r\n",
        "Content-Length: 5, 5\r\n", "Content-Length: +5\r\n", "Content-Length: -5\r\n",
        "Content-Length: 5x\r\n", "Content-Length: 0x5\r\n", "Content-Length: \r\n",
        "Content-Length: 5 5\r\n", "Content-Length: 18446744073709551616\r\n",
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", "Content-Length : 5\r\n",
        " Content-Length: 5\r\n", "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"}) {
    EXPECT_EQ(refusal(post(bad)), 400) << bad;
  }
}

TEST(RequestHead, MalformedOnesGet400) {
  for (const std::string& text :
       {get("/", ""), get("/", "Host: a\r\nHost: b\r\n"), get("/a/../b"), get("//"), get("/%2e%2e"), get("*"),
        get("/", "Host: h\r\nX: a\rb\r\n"), get("/", "Host: h\r\nX: a\nY: b\r\n"),
        get("/", std::string("Host: h\r\nX: a\0b\r\n", 17)), get("/", "Host: h\r\nno colon\r\n"),
        get("/", "Host: h\r\n: empty\r\n"), get("/", "Host: h\r\nX y: 1\r\n"),
        std::string("GET  / HTTP/1.1\r\n\r\n"), std::string("GET /\r\n\r\n"), std::string("\x16\x03\x01\x02"),
        std::string("\0\0\0\0", 4), std::string("GET\t/ HTTP/1.1\r\n\r\n"), std::string(200, 'A'),
        std::string("{\"a\": 1}\r\n\r\n")}) {
    EXPECT_EQ(refusal(text), 400) << escaped(text);
  }
}

TEST(RequestHead, EachLimitHasItsStatus) {
  ServerLimits limits;
  limits.target_size = 100;
  limits.head_size = 1000;
  limits.headers = 5;
  EXPECT_EQ(refusal(get("/" + std::string(99, 'a')), limits), 0);
  EXPECT_EQ(refusal(get("/" + std::string(100, 'a')), limits), 414);
  EXPECT_EQ(refusal("GET /" + std::string(500, 'a'), limits), 414);  // before the line has ended
  EXPECT_EQ(refusal(get("/", "Host: h\r\nX: " + std::string(1000, 'a') + "\r\n"), limits), 431);
  EXPECT_EQ(refusal("GET / HTTP/1.1\r\nX: " + std::string(1000, 'a'), limits), 431);  // before the head has
  EXPECT_EQ(refusal(get("/", "Host: h\r\nA: 1\r\nB: 1\r\nC: 1\r\nD: 1\r\n"), limits), 0);
  EXPECT_EQ(refusal(get("/", "Host: h\r\nA: 1\r\nB: 1\r\nC: 1\r\nD: 1\r\nE: 1\r\n"), limits), 431);
  EXPECT_EQ(refusal("TRACE / HTTP/1.1\r\nHost: h\r\n\r\n", limits), 405);
  EXPECT_EQ(refusal("CONNECT h:1 HTTP/1.1\r\nHost: h\r\n\r\n", limits), 405);
  EXPECT_EQ(refusal("NONSENSE / HTTP/1.1\r\nHost: h\r\n\r\n", limits), 405);
  for (const char* version : {"HTTP/2.0", "HTTP/x", "HTTP/1.1 "}) {
    EXPECT_EQ(refusal("GET / " + std::string(version) + "\r\nHost: h\r\n\r\n", limits), 505);
  }
  EXPECT_EQ(refusal(get("/", "Host: h\r\nExpect: tea\r\n"), limits), 417);
}

TEST(RequestHead, AnUnfinishedOneIsNeitherRefusedNorWhole) {
  const std::string text = get("/a?b=c", "Host: h\r\nContent-Length: 0\r\n");
  for (size_t size = 0; size < text.size(); ++size) EXPECT_EQ(refusal(text.substr(0, size)), -1) << size;
  EXPECT_EQ(refusal(text), 0);
}

TEST(RequestHead, NoMutationGetsPastTheRules) {
  const std::string whole = "POST /a/b?c=d HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nX: y\r\n\r\n";
  std::mt19937 random(7);
  for (int i = 0; i < 20'000; ++i) {
    std::string text = whole;
    for (int k = 0; k <= i % 3; ++k) text[random() % text.size()] = static_cast<char>(random() % 256);
    const HeadScan scan = scan_head(text, {});
    if (scan.refusal || scan.size == 0) continue;
    const auto parsed = parse_head(std::string_view(text).substr(scan.skip, scan.size), {});
    const auto* head = std::get_if<RequestHead>(&parsed);
    if (head == nullptr) continue;
    EXPECT_TRUE(check_path(head->request.path)) << escaped(text);
    EXPECT_EQ(head->request.headers.count("Transfer-Encoding"), 0u);
    for (const auto& [name, value] : head->request.headers.all()) {
      EXPECT_EQ(value.find_first_of("\r\n"), std::string::npos) << escaped(text);
    }
  }
}

}  // namespace
}  // namespace cairn::net
