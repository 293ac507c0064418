#include "base/base64.h"

#include <gtest/gtest.h>

#include <random>

namespace cairn {
namespace {

TEST(Base64, KnowsTheVectorsOfRfc4648) {
  const std::pair<const char*, const char*> vectors[] = {{"", ""},
                                                         {"f", "Zg=="},
                                                         {"fo", "Zm8="},
                                                         {"foo", "Zm9v"},
                                                         {"foob", "Zm9vYg=="},
                                                         {"fooba", "Zm9vYmE="},
                                                         {"foobar", "Zm9vYmFy"}};
  for (const auto& [plain, encoded] : vectors) {
    EXPECT_EQ(to_base64(as_bytes(plain)), encoded);
    EXPECT_EQ(from_base64(encoded).value(), to_bytes(plain));
  }
}

TEST(Base64, BytesComeBack) {
  std::mt19937_64 random(1);
  for (int i = 0; i < 2000; ++i) {
    Bytes bytes(random() % 70);
    for (uint8_t& byte : bytes) byte = static_cast<uint8_t>(random());
    ASSERT_EQ(from_base64(to_base64(bytes)).value(), bytes);
  }
}

// Any text that is accepted is the one that its bytes are written as.
TEST(Base64, OnlyOneTextForTheSameBytes) {
  std::mt19937_64 random(2);
  constexpr std::string_view kCharacters = "AQgwZ09+/==== \n-_";
  int accepted = 0;
  for (int i = 0; i < 200'000; ++i) {
    std::string text(random() % 9, ' ');
    for (char& c : text) c = kCharacters[random() % kCharacters.size()];
    const auto bytes = from_base64(text);
    if (!bytes) continue;
    ++accepted;
    ASSERT_EQ(to_base64(*bytes), text);
  }
  EXPECT_GT(accepted, 1000);
}

TEST(Base64, RefusesWhatIsNoBase64) {
  for (const char* text : {"A", "AA", "AAA", "A===", "====", "=AAA", "AA=A", "AAA=AAAA",
                           "AB==", "AAB=", "AA A", "AAA\n", "AAAA\n", "AA-_", "Zg==Zg=="}) {
    EXPECT_FALSE(from_base64(text).ok()) << text;
  }
}

}  // namespace
}  // namespace cairn
