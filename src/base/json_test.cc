#include "base/json.h"

#include <gtest/gtest.h>

#include <limits>

namespace cairn {
namespace {

TEST(Json, KeepsTheOrderOfItsFields) {
  Json json = {{"zebra", 1}, {"apple", "x"}};
  json["middle"] = nullptr;
  json["apple"] = true;
  EXPECT_EQ(json.dump(), R"({"zebra":1,"apple":true,"middle":null})");
}

TEST(Json, BracesAreObjectsHoweverFewTheirFields) {
  EXPECT_EQ((Json{{"a", "b"}}).dump(), R"({"a":"b"})");
  EXPECT_EQ((Json{{"a", "b"}, {"c", "d"}}).dump(), R"({"a":"b","c":"d"})");
  EXPECT_EQ((Json{{"head", {{"size", 3u}, {"root", "00"}}}}).dump(), R"({"head":{"size":3,"root":"00"}})");
}

TEST(Json, WritesWholeNumbersToTheirLimits) {
  EXPECT_EQ(Json(std::numeric_limits<uint64_t>::max()).dump(), "18446744073709551615");
  EXPECT_EQ(Json(std::numeric_limits<int64_t>::min()).dump(), "-9223372036854775808");
  EXPECT_EQ(Json(uint8_t{65}).dump(), "65");
  EXPECT_EQ(Json(false).dump(), "false");
}

TEST(Json, WritesNumbersThatAreNoneAsNull) {
  EXPECT_EQ(Json(0.25).dump(), "0.25");
  EXPECT_EQ(Json(std::numeric_limits<double>::quiet_NaN()).dump(), "null");
}

TEST(Json, ArraysGrowFromNothing) {
  Json json;
  EXPECT_EQ(json.size(), 0u);
  json["users"].push_back({{"userid", 1}});
  json["users"].push_back(2);
  EXPECT_EQ(json["users"].size(), 2u);
  EXPECT_EQ(json.dump(), R"({"users":[{"userid":1},2]})");
  EXPECT_EQ(Json::array().dump(), "[]");
  EXPECT_EQ(Json(std::vector<std::string>{"a", "b"}).dump(), R"(["a","b"])");
}

TEST(Json, EscapesWhatPeopleCallThemselves) {
  EXPECT_EQ(Json("a\"\\\n\x01").dump(), R"("a\"\\\n\u0001")");
  EXPECT_EQ(Json("\xff").dump(), "\"\xEF\xBF\xBD\"");
}

TEST(Json, LiteralsAreValuesAlready) {
  EXPECT_EQ((Json{{"reputation", Json::literal("0.25")}}).dump(), R"({"reputation":0.25})");
}

TEST(Json, CopiesAreDeep) {
  Json json = {{"a", {{"b", 1}}}};
  const Json copy = json;
  json["a"]["b"] = 2;
  EXPECT_EQ(copy.dump(), R"({"a":{"b":1}})");
  EXPECT_EQ(json.pretty(), "{\n  \"a\": {\n    \"b\": 2\n  }\n}");
}

}  // namespace
}  // namespace cairn
