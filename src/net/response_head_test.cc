#include "net/response_head.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "net/testing.h"

namespace cairn::net {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr const char* kDate = "Sun, 06 Nov 1994 08:49:37 GMT";

class ResponseHeads : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(write_file(directory_ / "f", Bytes(100, 7))); }

  // The answer with a file of 100 bytes to a GET with these headers.
  PreparedResponse file(const std::vector<std::pair<std::string, std::string>>& headers,
                        bool head_only = false) {
    RequestHead head;
    head.head_only = head_only;
    for (const auto& [name, value] : headers) EXPECT_TRUE(head.request.headers.add(name, value));
    Response response = *Response::file(directory_ / "f", "text/plain");
    response.etag = "tag";
    return prepare_response(std::move(response), &head, true, kDate);
  }

  testing::Directory directory_;
};

TEST_F(ResponseHeads, ASingleRangeIsHonoured) {
  struct Case {
    const char* range;
    uint64_t offset;
    uint64_t length;
  };
  for (const Case& c :
       {Case{"bytes=0-9", 0, 10}, Case{"bytes=90-", 90, 10}, Case{"bytes=-10", 90, 10},
        Case{"bytes=95-1000", 95, 5}, Case{"bytes=-1000", 0, 100}, Case{"bytes=99-99", 99, 1}}) {
    const PreparedResponse prepared = file({{"Range", c.range}});
    const auto& body = std::get<FileRange>(prepared.response.body);
    EXPECT_EQ(prepared.response.status, 206) << c.range;
    EXPECT_EQ(body.offset, c.offset) << c.range;
    EXPECT_EQ(body.length, c.length) << c.range;
    EXPECT_THAT(prepared.head, HasSubstr("Content-Length: " + std::to_string(c.length) + "\r\n"));
    EXPECT_THAT(prepared.head, HasSubstr("Content-Range: bytes " + std::to_string(c.offset) + "-" +
                                         std::to_string(c.offset + c.length - 1) + "/100\r\n"));
  }
}

TEST_F(ResponseHeads, RangesBehindTheEndAreUnsatisfiable) {
  for (const char* range : {"bytes=100-", "bytes=100-200", "bytes=-0"}) {
    const PreparedResponse prepared = file({{"Range", range}});
    EXPECT_EQ(prepared.response.status, 416) << range;
    EXPECT_THAT(prepared.head, HasSubstr("Content-Range: bytes */100\r\n"));
  }
}

TEST_F(ResponseHeads, OtherRangesAreIgnored) {
  for (const char* range :
       {"bytes=0-1,5-6", "bytes=5-4", "bytes=", "bytes=-", "bytes=a-b", "items=0-1", "bytes=1",
        "bytes=0-99999999999999999999", "bytes= 1-2", "bytes=1-2x", "bytes=--1"}) {
    EXPECT_EQ(file({{"Range", range}}).response.status, 200) << range;
  }
  EXPECT_EQ(file({{"Range", "bytes=0-1"}, {"If-Range", "\"other\""}}).response.status, 200);
  EXPECT_EQ(file({{"Range", "bytes=0-1"}, {"If-Range", "\"tag\""}}).response.status, 206);
}

TEST_F(ResponseHeads, AKnownEntityTagGets304) {
  for (const char* tags : {"\"tag\"", "W/\"tag\"", "\"a\", \"tag\"", "*"}) {
    const PreparedResponse prepared = file({{"If-None-Match", tags}});
    EXPECT_EQ(prepared.response.status, 304) << tags;
    EXPECT_FALSE(prepared.send_body);
    EXPECT_THAT(prepared.head, HasSubstr("ETag: \"tag\"\r\n"));
    EXPECT_THAT(prepared.head, Not(HasSubstr("Content-Length")));
  }
  EXPECT_EQ(file({{"If-None-Match", "\"tag2\", tag"}}).response.status, 200);
}

TEST_F(ResponseHeads, HeadHasTheLengthAndNoBody) {
  const PreparedResponse prepared = file({}, true);
  EXPECT_THAT(prepared.head, HasSubstr("Content-Length: 100\r\n"));
  EXPECT_FALSE(prepared.send_body);
}

TEST(ResponseHead, LineBreaksNeverGetIntoAHead) {
  for (const char* evil : {"a\r\nX-Evil: 1", "a\nX-Evil: 1"}) {
    Response response = Response::text(200, evil, "x");
    EXPECT_EQ(prepare_response(response, nullptr, true, kDate).response.status, 500);
    response.content_type = "text/plain";
    response.etag = evil;
    const PreparedResponse prepared = prepare_response(response, nullptr, true, kDate);
    EXPECT_EQ(prepared.response.status, 500);
    EXPECT_THAT(prepared.head, Not(HasSubstr("Evil")));
  }
}

TEST(ResponseHead, ConnectionSaysWhatTheClientMustBeTold) {
  RequestHead old;
  old.old_version = true;
  EXPECT_THAT(prepare_response(Response::empty(204), &old, true, kDate).head,
              HasSubstr("Connection: keep-alive"));
  EXPECT_THAT(prepare_response(Response::empty(204), &old, false, kDate).head,
              HasSubstr("Connection: close"));
  const RequestHead modern;
  EXPECT_THAT(prepare_response(Response::empty(204), &modern, true, kDate).head,
              Not(HasSubstr("Connection")));
}

TEST(ResponseHead, DatesAreImfFixdates) {
  EXPECT_EQ(http_date(784111777), kDate);
}

}  // namespace
}  // namespace cairn::net
