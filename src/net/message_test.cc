#include "net/message.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <thread>

namespace cairn::net {
namespace {

TEST(Headers, AreFoundWithoutRegardToCase) {
  Headers headers;
  ASSERT_TRUE(headers.add("Content-Type", "a"));
  ASSERT_TRUE(headers.add("content-type", "b"));
  EXPECT_EQ(headers.get("CONTENT-TYPE"), "a");
  EXPECT_EQ(headers.count("content-TYPE"), 2u);
  ASSERT_TRUE(headers.set("Content-type", "c"));
  EXPECT_EQ(headers.count("content-type"), 1u);
  EXPECT_EQ(headers.get("missing"), "");
}

TEST(Headers, LineBreaksAndOtherControlCharactersAreRefused) {
  Headers headers;
  for (const std::string& value :
       std::vector<std::string>{"a\r\nB: c", "a\nb", "a\rb", std::string("a\0b", 3), "\x7f", "\x1b[2J"}) {
    EXPECT_FALSE(headers.add("X", value));
    EXPECT_FALSE(headers.set("X", value));
  }
  for (const char* name : {"", "a b", "a:", "a\r\n", "\xc3\xa4", "(x)"}) EXPECT_FALSE(headers.add(name, "v"));
  EXPECT_TRUE(headers.all().empty());
  EXPECT_TRUE(headers.add("X", "tab\tand latin \xe4"));
}

TEST(ErrorBody, IsJsonWhateverTheSentence) {
  std::string all;
  for (int c = 0; c < 256; ++c) all += static_cast<char>(c);
  for (const std::string& text :
       {std::string("a \"b\" \\ \n"), all, std::string("\xe2\x82\xac \xf0\x9f\x98\x80"),
        std::string("\xed\xa0\x80 \xc0\xaf \xf5\x80\x80\x80 \xe2\x82")}) {
    const auto json = nlohmann::json::parse(error_body(text), nullptr, false);
    ASSERT_TRUE(json.is_object()) << escaped(text);
    EXPECT_TRUE(json.at("error").is_string());
  }
  EXPECT_EQ(error_body("a\xffz"), "{\"error\": \"a\\ufffdz\"}\n");
  EXPECT_EQ(json_string("\xe2\x82\xac"), "\"\xe2\x82\xac\"");
}

TEST(Escaped, HasNothingThatATerminalOrALogWouldObey) {
  EXPECT_EQ(escaped("a\r\nb\x1b[0m\"\\\xff"), "a\\x0d\\x0ab\\x1b[0m\\x22\\x5c\\xff");
  EXPECT_EQ(escaped("abcdef", 3), "abc...");
}

TEST(Reply, OnlyTheFirstAnswerCounts) {
  std::vector<int> statuses;
  const Reply reply([&](const Response& response) { statuses.push_back(response.status); });
  const Reply copy = reply;
  copy(Response::empty(200));
  reply(Response::empty(204));
  EXPECT_THAT(statuses, testing::ElementsAre(200));
}

TEST(Reply, ForgottenMeansAnInternalError) {
  std::vector<int> statuses;
  {
    const Reply reply([&](const Response& response) { statuses.push_back(response.status); });
    const Reply copy = reply;
  }
  EXPECT_THAT(statuses, testing::ElementsAre(500));
}

TEST(Reply, ManyThreadsMayTry) {
  std::atomic<int> answers{0};
  const Reply reply([&](const Response&) { ++answers; });
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) threads.emplace_back([reply] { reply(Response::empty(200)); });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(answers, 1);
}

TEST(Response, AFileThatIsNoneIsRefused) {
  EXPECT_FALSE(Response::file("/nonexistent", "text/plain"));
  EXPECT_FALSE(Response::file("/tmp", "text/plain"));
  EXPECT_FALSE(Response::file("/dev/null", "text/plain"));
}

TEST(Request, LastEventIdIsANumberOrAbsent) {
  for (const auto& [text, id] :
       std::vector<std::pair<std::string, std::optional<uint64_t>>>{{"12", 12},
                                                                    {"0", 0},
                                                                    {"", std::nullopt},
                                                                    {"-1", std::nullopt},
                                                                    {"1x", std::nullopt},
                                                                    {"18446744073709551616", std::nullopt}}) {
    Request request;
    ASSERT_TRUE(request.headers.add("last-event-id", text));
    EXPECT_EQ(request.last_event_id(), id) << text;
  }
}

}  // namespace
}  // namespace cairn::net
