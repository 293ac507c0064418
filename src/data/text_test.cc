#include "data/text.h"

#include <gmock/gmock.h>

#include <random>

#include "base/base64.h"
#include "data/import.h"
#include "data/mutation.h"
#include "data/test_files.h"
#include "data/vocabulary.h"

namespace cairn::data {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
namespace fs = std::filesystem;

std::string vocabulary_text(const std::vector<std::string>& merged) {
  std::string text;
  uint32_t rank = 0;
  for (int byte = 0; byte < 256; ++byte)
    text += to_base64(Bytes{static_cast<uint8_t>(byte)}) + " " + std::to_string(rank++) + "\n";
  for (const std::string& token : merged)
    text += to_base64(as_bytes(token)) + " " + std::to_string(rank++) + "\n";
  return text;
}

class Text : public ::testing::Test {
 protected:
  void write(const std::string& name, const std::string& text) const {
    write_plain(folder_ / name, as_bytes(text));
  }
  Result<Imported> import(const ImportRequest& request) {
    fs::remove_all(folder_ / "data");
    return import_data(request, folder_ / "data", pool_, {});
  }
  std::string refusal(const ImportRequest& request) {
    const auto imported = import(request);
    return imported ? "accepted" : imported.error().message;
  }
  std::vector<std::string> pieces(std::string_view text) const {
    std::vector<std::string> found;
    while (!text.empty()) {
      const size_t length = piece_length(text, true);
      found.emplace_back(text.substr(0, length));
      text.remove_prefix(length);
    }
    return found;
  }

  TemporaryDirectory folder_;
  ThreadPool pool_{2};
};

std::vector<int> tokens_of(const Bytes& sample) {
  std::vector<int> tokens;
  for (size_t i = 0; i < sample.size(); i += 2) tokens.push_back(sample[i] | sample[i + 1] << 8);
  return tokens;
}

TEST_F(Text, SamplesOverlapByOneToken) {
  write("train.txt", "abcdefghijkl");
  write("val.txt", "xyzw!");
  const auto imported = import({.source = folder_.path().string(), .name = "letters", .context = 4});
  ASSERT_TRUE(imported.ok()) << imported.error().message;
  EXPECT_EQ(imported->manifest.kind, Kind::text);
  EXPECT_EQ(imported->manifest.vocabulary, 256u);
  const ShardStore store(folder_ / "data" / kShardFolder);
  const DataSet data(imported->manifest, store);
  ASSERT_EQ(data.count(Split::train), 2u);
  ASSERT_EQ(data.count(Split::test), 1u);
  EXPECT_THAT(tokens_of(*data.sample(Split::train, 0)), ElementsAre('a', 'b', 'c', 'd', 'e'));
  EXPECT_THAT(tokens_of(*data.sample(Split::train, 1)), ElementsAre('e', 'f', 'g', 'h', 'i'));
  EXPECT_THAT(tokens_of(*data.sample(Split::test, 0)), ElementsAre('x', 'y', 'z', 'w', '!'));
  EXPECT_EQ(*open_data_folder(folder_ / "data"), imported->manifest);
}

TEST_F(Text, RefusesWhatIsTooShort) {
  write("short.txt", "abcd");
  EXPECT_THAT(refusal({.source = (folder_ / "short.txt").string(), .context = 4}),
              HasSubstr("short.txt: has 4 tokens, where one sample of this context takes 5"));
  write("empty.txt", "");
  EXPECT_THAT(refusal({.source = (folder_ / "empty.txt").string()}), HasSubstr("has 0 tokens"));
}

TEST_F(Text, IsCutIntoPiecesBeforeItsBytesAreJoined) {
  EXPECT_THAT(pieces("the 12th  of\n\nMay, caf\xc3\xa9!?"),
              ElementsAre("the", " 12", "th", " ", " of", "\n\n", "May", ",", " caf\xc3\xa9", "!?"));
  EXPECT_THAT(pieces("a \n b"), ElementsAre("a", " \n", " b"));
  EXPECT_THAT(pieces("a  "), ElementsAre("a", "  "));
  EXPECT_THAT(pieces(std::string(300, 'a')),
              ElementsAre(std::string(128, 'a'), std::string(128, 'a'), std::string(44, 'a')));
}

TEST_F(Text, JoinsTheLowestRankFirst) {
  write("v", vocabulary_text({"ab", "bc", "abc", " x", "aa"}));
  const auto vocabulary = Vocabulary::read_file(folder_ / "v");
  ASSERT_TRUE(vocabulary.ok()) << vocabulary.error().message;
  EXPECT_EQ(vocabulary->size(), 261u);
  const auto encode = [&](std::string_view piece) {
    std::vector<uint16_t> tokens;
    vocabulary->encode_piece(piece, tokens);
    return tokens;
  };
  EXPECT_THAT(encode("abc"), ElementsAre(258));
  EXPECT_THAT(encode("bcab"), ElementsAre(257, 256));
  EXPECT_THAT(encode("aaa"), ElementsAre(260, 'a'));
  EXPECT_THAT(encode(" xq"), ElementsAre(259, 'q'));
  const auto decoded = Vocabulary::decode(vocabulary->encode());
  ASSERT_TRUE(decoded.ok()) << decoded.error().message;
  EXPECT_EQ(decoded->encode(), vocabulary->encode());
  EXPECT_EQ(decoded->token(258), "abc");
}

// Pieces across the parts in which a large text is read, and tokens that give the text again.
TEST_F(Text, OfTokensIsTheTextAgain) {
  std::mt19937_64 random(3);
  std::string text;
  static constexpr std::string_view kWords[] = {"the", " cat", "\n",  "  ", "42", " \xf0\x9f\x98\x80",
                                                "...", " a",   "zzzz"};
  while (text.size() < (3u << 20)) text += kWords[random() % std::size(kWords)];
  write("book.txt", text);
  write("v", vocabulary_text({"th", "the", " c", "at", " cat", "  ", "zz", ".."}));
  const auto imported =
      import({.source = (folder_ / "book.txt").string(), .context = 100, .vocabulary = folder_ / "v"});
  ASSERT_TRUE(imported.ok()) << imported.error().message;
  EXPECT_EQ(imported->manifest.vocabulary, 264u);
  const ShardStore store(folder_ / "data" / kShardFolder);
  const auto vocabulary = Vocabulary::decode(*store.get(imported->manifest.tokens, kMaxVocabularySize));
  ASSERT_TRUE(vocabulary.ok()) << vocabulary.error().message;
  const DataSet data(imported->manifest, store);
  std::string again;
  for (uint32_t i = 0; i < data.count(Split::train); ++i) {
    const std::vector<int> tokens = tokens_of(*data.sample(Split::train, i));
    for (size_t t = i == 0 ? 0 : 1; t < tokens.size(); ++t)
      again += vocabulary->token(static_cast<uint16_t>(tokens[t]));
  }
  EXPECT_GT(again.size(), text.size() - 500);
  EXPECT_EQ(again, text.substr(0, again.size()));
}

TEST_F(Text, RefusesMalformedVocabularies) {
  write("book.txt", std::string(1000, 'a'));
  const auto with = [&](const std::string& text) {
    write("v", text);
    return refusal({.source = (folder_ / "book.txt").string(), .vocabulary = folder_ / "v"});
  };
  const std::string good = vocabulary_text({"ab"});
  EXPECT_EQ(with(good), "accepted");
  EXPECT_THAT(with(""), HasSubstr("v: lacks the token of the single byte 0"));
  EXPECT_THAT(with(good + "YWI=\n"), HasSubstr("line 258: is not a token in base 64, a space"));
  EXPECT_THAT(with(good + "?? 257\n"), HasSubstr("line 258: does not begin with a token"));
  EXPECT_THAT(with(good + "YWI= x\n"), HasSubstr("line 258: does not end with a rank"));
  EXPECT_THAT(with(good + "YWJj 65536\n"), HasSubstr("line 258: has a rank over 65535"));
  EXPECT_THAT(with(good + "YWJj 256\n"), HasSubstr("line 258: repeats a rank"));
  EXPECT_THAT(with(good + "YWI= 257\n"), HasSubstr("rank 257 repeats a token"));
  EXPECT_THAT(with(good + "YWJj 300\n"), HasSubstr("rank 257 has no token"));
  EXPECT_THAT(refusal({.source = (folder_ / "book.txt").string(), .vocabulary = folder_ / "none"}),
              HasSubstr("none: "));
}

TEST(Vocabulary, SurvivesDamage) {
  TemporaryDirectory folder;
  write_plain(folder / "v", as_bytes(vocabulary_text({"ab", "cd"})));
  const Bytes bytes = Vocabulary::read_file(folder / "v")->encode();
  std::mt19937_64 random(5);
  for (int i = 0; i < 5'000; ++i) {
    const Bytes damaged = mutate(bytes, random);
    const auto decoded = Vocabulary::decode(damaged);
    EXPECT_TRUE(!decoded || decoded->encode() == damaged);
  }
}

}  // namespace
}  // namespace cairn::data
