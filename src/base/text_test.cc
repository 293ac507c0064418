#include "base/text.h"

#include <gmock/gmock.h>

namespace cairn {
namespace {

using ::testing::HasSubstr;

TEST(Utf8, LengthsFollowRfc3629) {
  struct Case {
    std::string_view text;
    size_t length;
  };
  const Case cases[] = {{"a", 1},
                        {"\x7f", 1},
                        {"\xc2\x80", 2},
                        {"\xdf\xbf", 2},
                        {"\xe0\xa0\x80", 3},
                        {"\xed\x9f\xbf", 3},
                        {"\xee\x80\x80", 3},
                        {"\xf0\x90\x80\x80", 4},
                        {"\xf4\x8f\xbf\xbf", 4},
                        {"", 0},
                        {"\x80", 0},
                        {"\xc1\xbf", 0},
                        {"\xe0\x9f\xbf", 0},
                        {"\xed\xa0\x80", 0},
                        {"\xf0\x8f\xbf\xbf", 0},
                        {"\xf4\x90\x80\x80", 0},
                        {"\xf5\x80\x80\x80", 0},
                        {"\xe2\x82", 0},
                        {"\xe2\x82z", 0}};
  for (const Case& c : cases) EXPECT_EQ(utf8_length(c.text), c.length) << c.text;
}

TEST(Name, IsShortUtf8WithoutControlCharacters) {
  for (const std::string_view good :
       {"a", "T-shirt/top", "\xc3\xbc", "\xe2\x82\xac", "\xf0\x9f\x8f\x94", "\xc2\xa0"})
    EXPECT_TRUE(check_name(good, 11).ok()) << good;
  EXPECT_THAT(check_name("", 5).error().message, HasSubstr("1 to 5 bytes"));
  EXPECT_THAT(check_name("abcdef", 5).error().message, HasSubstr("1 to 5 bytes"));
  EXPECT_THAT(check_name("a\xe2\x82", 9).error().message, HasSubstr("UTF-8"));
  // The last is "control sequence introducer", which drives terminals like ESC [.
  for (const std::string_view bad : {"a\n", "\x1b[2J", "\x7f", "\xc2\x80", "\xc2\x9b"})
    EXPECT_THAT(check_name(bad, 9).error().message, HasSubstr("control")) << bad;
}

}  // namespace
}  // namespace cairn
