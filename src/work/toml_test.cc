#include <gmock/gmock.h>

#include <random>

#include "data/mutation.h"
#include "work/settings.h"

namespace cairn::work {
namespace {

using ::testing::HasSubstr;

const Setting* find(const SettingsTable& table, std::string_view key) {
  const auto entry = std::ranges::find(table, key, &SettingsEntry::key);
  return entry == table.end() ? nullptr : &entry->setting;
}

template <typename T>
T value(std::string_view text) {
  const auto table = parse_settings("x = " + std::string(text), "f");
  EXPECT_TRUE(table.ok()) << table.error().message;
  const Setting* setting = table ? find(*table, "x") : nullptr;
  const T* found = setting ? std::get_if<T>(&setting->value) : nullptr;
  EXPECT_NE(found, nullptr) << text;
  return found ? *found : T();
}

std::string refusal(std::string_view toml) {
  const auto table = parse_settings(toml, "f");
  return table ? "accepted" : table.error().message;
}

TEST(Toml, ReadsValues) {
  EXPECT_EQ(value<int64_t>("0"), 0);
  EXPECT_EQ(value<int64_t>("-17"), -17);
  EXPECT_EQ(value<int64_t>("+1_000"), 1000);
  EXPECT_EQ(value<int64_t>("9223372036854775807"), INT64_MAX);
  EXPECT_EQ(value<double>("0.1"), 0.1);
  EXPECT_EQ(value<double>("1e3"), 1000.0);
  EXPECT_EQ(value<double>("-6.6_2E-3"), -6.62e-3);
  EXPECT_EQ(value<double>("5e+2"), 500.0);
  EXPECT_EQ(value<double>("-inf"), -std::numeric_limits<double>::infinity());
  EXPECT_TRUE(value<bool>("true"));
  EXPECT_FALSE(value<bool>("false # no"));
  EXPECT_EQ(value<std::string>(R"("a \"b\" \\ # c")"), R"(a "b" \ # c)");
  EXPECT_EQ(value<std::string>(R"('a \ "b')"), R"(a \ "b)");
  EXPECT_EQ(value<std::vector<Setting>>("[]").size(), 0u);
  EXPECT_EQ(value<std::vector<Setting>>("[1, [2, 'x'],\n # two\n 3.5,\n]").size(), 3u);
}

TEST(Toml, ReadsTables) {
  const auto table = parse_settings("a = 1 # one\r\n\n[ t ]\nb-1 = 2\n\tc_2=3\n[u]\n# nothing", "f");
  ASSERT_TRUE(table.ok()) << table.error().message;
  EXPECT_EQ(table->size(), 3u);
  EXPECT_EQ(std::get<SettingsTable>(find(*table, "t")->value).size(), 2u);
  EXPECT_EQ(std::get<SettingsTable>(find(*table, "u")->value).size(), 0u);
}

TEST(Toml, RefusesByLine) {
  const std::pair<const char*, const char*> cases[] = {
      {"\nx", "f: line 2: = is expected"},
      {"x = ", "line 1: a number, true, false, a string or a list is expected"},
      {"x = 01", "line 1: a number"},
      {"x = 1__0", "line 1: a number"},
      {"x = _1", "line 1: a number"},
      {"x = 1.", "line 1: a number"},
      {"x = .5", "line 1: a number"},
      {"x = 1e", "line 1: a number"},
      {"x = 0x10", "line 1: a number"},
      {"x = 9223372036854775808", "line 1: a number"},
      {"x = 1e999", "line 1: a number"},
      {"x = {a = 1}", "line 1: a number"},
      {"x = 1 y = 2", "line 1: the line goes on after the value of x"},
      {"x = 1\nx = 2", "line 2: x is given twice"},
      {"[t]\n[t]", "t is given twice"},
      {"a.b = 1", "line 1: = is expected"},
      {"'a' = 1", "line 1: a key of letters"},
      {"= 1", "line 1: a key of letters"},
      {"[t", "line 1: ] is expected"},
      {"[&", "line 1: a key of letters"},
      {"[[t]]", "line 1: a key of letters"},
      {"[t.u]", "line 1: ] is expected"},
      {"[t] x = 1", "line 1: the line goes on after [t]"},
      {"x = \"a", "line 1: the string has no end"},
      {"x = 'a\n'", "line 1: the string has no end"},
      {"x = \"a\\", "line 1: in strings"},
      {"x = \"\\n\"", "line 1: in strings"},
      {"x = \"\"\"a\"\"\"", "line 1: the line goes on"},
      {"x = [1\n2]", "line 2: , or ] is expected"},
      {"x = [1,,2]", "line 1: a number"},
      {"x = [1,\n", "line 2: the list has no end"},
      {"x = [[[[[[[[[]]]]]]]]]", "line 1: lists are too deep"},
      {"x = 1\n# \x01", "line 2: there is a control character"},
      {"x = 1\r", "line 1: there is a control character"},
      {"# \xe2\x82\xac\n# \xff", "line 2: the text is not UTF-8"},
      {"\xcc\xaa", "line 1: a key of letters"},
  };
  for (const auto& [toml, message] : cases) EXPECT_THAT(refusal(toml), HasSubstr(message)) << toml;
}

TEST(Toml, SurvivesNonsense) {
  constexpr std::string_view kLetters = "[]{}=.,#'\"\\\n\t\r ab1-+:_eExonuf0T\x80\xc3\xa7\xff";
  std::mt19937_64 random(9);
  for (int i = 0; i < 100'000; ++i) {
    std::string toml;
    for (size_t size = random() % 24; size > 0; --size) toml += kLetters[random() % kLetters.size()];
    if (const auto table = parse_settings(toml, "f"); !table) {
      ASSERT_THAT(table.error().message, HasSubstr("f: line "));
    }
  }
}

}  // namespace
}  // namespace cairn::work
