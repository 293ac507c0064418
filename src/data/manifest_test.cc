#include "data/manifest.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "data/mutation.h"

namespace cairn::data {
namespace {

using ::testing::HasSubstr;
using ::testing::MatchesRegex;

Manifest example() {
  Manifest manifest{
      .name = "fruit", .classes = {"apple", "poire", "übrige"}, .channels = 3, .height = 20, .width = 30};
  for (uint32_t i = 0; i < 3; ++i) {
    manifest.groups[i % 2].push_back({10 + i, sha256(Bytes{static_cast<uint8_t>(i)})});
  }
  return manifest;
}

Manifest text_example() {
  Manifest manifest{.name = "novels", .kind = Kind::text, .context = 64, .vocabulary = 5000};
  manifest.tokens = sha256(Bytes{1});
  manifest.groups[0].push_back({7, sha256(Bytes{2})});
  return manifest;
}

std::vector<Shard> example_page() {
  std::vector<Shard> shards;
  for (uint32_t i = 0; i < 3; ++i) {
    const Digest digest = sha256(Bytes{static_cast<uint8_t>(i)});
    shards.push_back({i + 1, digest, sha256(digest.bytes)});
  }
  return shards;
}

std::string refusal(const Manifest& manifest) {
  const auto decoded = decode_manifest(encode(manifest));
  return decoded ? "accepted" : decoded.error().message;
}

TEST(Manifest, RoundTrips) {
  const Manifest manifest = example();
  const auto decoded = decode_manifest(encode(manifest));
  ASSERT_TRUE(decoded.ok()) << decoded.error().message;
  EXPECT_EQ(*decoded, manifest);
  EXPECT_EQ(decoded->count(Split::train), 22u);
  EXPECT_EQ(decoded->count(Split::test), 11u);
  EXPECT_EQ(decoded->sample_size(), 1800u);
  EXPECT_EQ(decoded->class_count(), 3u);
  const auto text = decode_manifest(encode(text_example()));
  ASSERT_TRUE(text.ok()) << text.error().message;
  EXPECT_EQ(*text, text_example());
  EXPECT_EQ(text->sample_size(), 130u);
  EXPECT_EQ(text->class_count(), 5000u);
}

TEST(Manifest, RefusalsNameTheField) {
  const auto with = [](auto change) {
    Manifest manifest = example();
    change(manifest);
    return refusal(manifest);
  };
  EXPECT_THAT(with([](Manifest& m) { m.name = ""; }), HasSubstr("data manifest: name: "));
  EXPECT_THAT(with([](Manifest& m) { m.name = "a\nb"; }), HasSubstr("name: a name must not have control"));
  EXPECT_THAT(with([](Manifest& m) { m.classes.clear(); }), HasSubstr("classes: "));
  EXPECT_THAT(with([](Manifest& m) { m.classes[1] = "\xff"; }), HasSubstr("classes: a name must be UTF-8"));
  EXPECT_THAT(with([](Manifest& m) { m.classes[1] = "\xc2\x9b"; }),
              HasSubstr("classes: a name must not have control characters"));
  EXPECT_THAT(with([](Manifest& m) { m.channels = 0; }), HasSubstr("channels: 0 is not between 1 and 64"));
  EXPECT_THAT(with([](Manifest& m) { m.height = 1 << 20; }), HasSubstr("height: "));
  EXPECT_THAT(with([](Manifest& m) { m.height = m.width = 1 << 14; }),
              HasSubstr("width: an image is larger"));
  EXPECT_THAT(with([](Manifest& m) { m.groups[0].clear(); }), HasSubstr("training groups: there must be"));
  EXPECT_THAT(with([](Manifest& m) { m.groups[1][0].count = 0; }), HasSubstr("test groups: a group has no"));
  EXPECT_THAT(with([](Manifest& m) { m.groups[0][1].count = 1 << 30; }),
              HasSubstr("training groups: a group is"));
  Manifest text = text_example();
  text.vocabulary = kMaxVocabulary + 1;
  EXPECT_THAT(refusal(text), HasSubstr("data manifest: vocabulary: 65537 is not between 1 and 65536"));
  text = text_example();
  text.context = 0;
  EXPECT_THAT(refusal(text), HasSubstr("context: 0 is not"));
}

TEST(Manifest, SurvivesDamage) {
  std::mt19937_64 random(1);
  const Bytes originals[] = {encode(example()), encode(text_example())};
  for (int i = 0; i < 20'000; ++i) {
    const Bytes damaged = mutate(originals[i % 2], random);
    const auto decoded = decode_manifest(damaged);
    if (decoded) {
      EXPECT_EQ(encode(*decoded), damaged);
    } else {
      EXPECT_THAT(
          decoded.error().message,
          MatchesRegex("data manifest: (magic|version|name|kind|classes|channels|height|width|context|"
                       "vocabulary|tokens|training groups|test groups|end): .+"));
    }
  }
}

TEST(Page, RoundTripsAndSurvivesDamage) {
  const Bytes bytes = encode_page(example_page());
  const Group group{6, sha256(bytes)};
  const auto decoded = decode_page(bytes, example(), group);
  ASSERT_TRUE(decoded.ok()) << decoded.error().message;
  EXPECT_EQ(*decoded, example_page());
  std::mt19937_64 random(3);
  for (int i = 0; i < 20'000; ++i) {
    const Bytes damaged = mutate(bytes, random);
    const auto result = decode_page(damaged, example(), group);
    if (result) {
      EXPECT_EQ(encode_page(*result), damaged);
    } else {
      EXPECT_THAT(result.error().message, MatchesRegex("manifest page: (shards|end): .+"));
    }
  }
}

TEST(Page, RefusesShardsThatCannotBe) {
  const auto refusal = [](auto change) {
    std::vector<Shard> shards = example_page();
    change(shards);
    uint32_t count = 0;
    for (const Shard& shard : shards) count += shard.count;
    const auto decoded = decode_page(encode_page(shards), example(), {count, {}});
    return decoded ? "accepted" : decoded.error().message;
  };
  EXPECT_EQ(refusal([](auto&) {}), "accepted");
  EXPECT_EQ(refusal([](auto& shards) { shards[1].count = 0; }), "manifest page: shards: one has no samples");
  EXPECT_EQ(refusal([](auto& shards) { shards[1].count = 40'000; }),
            "manifest page: shards: one is larger than 64 MiB");
  EXPECT_EQ(refusal([](auto& shards) { shards.resize(9, shards[0]); }),
            "manifest page: shards: 9 items where at most 8 are allowed");
}

Index example_index() {
  Index index;
  index.chunks.push_back(sha256(Bytes{1}));
  for (uint16_t i = 0; i < 40; ++i)
    index.entries.push_back({static_cast<uint16_t>(i % 7), "bild-" + std::to_string(i)});
  return index;
}

TEST(Index, RoundTripsAndSurvivesDamage) {
  const Bytes bytes = encode_index(example_index(), 40);
  Manifest manifest = example();
  manifest.classes.resize(7, "more");
  const auto decoded = decode_index(bytes, manifest, 40);
  ASSERT_TRUE(decoded.ok()) << decoded.error().message;
  EXPECT_EQ(*decoded, example_index());
  EXPECT_THAT(decode_index(bytes, manifest, 41).error().message,
              HasSubstr("count: 40 samples where the manifest has 41"));
  manifest.height = 1 << 14;
  EXPECT_THAT(decode_index(bytes, manifest, 40).error().message,
              HasSubstr("chunks: 1 where 40 samples have 57"));
  manifest.height = 20;
  manifest.classes.resize(6);
  EXPECT_THAT(decode_index(bytes, manifest, 40).error().message,
              HasSubstr("label: 6 where there are 6 classes"));
  manifest.classes.resize(7, "more");
  std::mt19937_64 random(2);
  for (int i = 0; i < 20'000; ++i) {
    const Bytes damaged = mutate(bytes, random);
    const auto result = decode_index(damaged, manifest, 40);
    if (result) {
      EXPECT_EQ(encode_index(*result, 40), damaged);
    } else {
      EXPECT_THAT(result.error().message,
                  MatchesRegex("shard index: (count|chunks|label|image name|end): .+"));
    }
  }
}

TEST(Index, OfTextHasNoEntries) {
  const Bytes bytes = encode_index({{sha256(Bytes{1})}, {}}, 7);
  EXPECT_TRUE(decode_index(bytes, text_example(), 7).ok());
  const Bytes longer = encode_index({{sha256(Bytes{1})}, {{0, "x"}}}, 7);
  EXPECT_THAT(decode_index(longer, text_example(), 7).error().message, HasSubstr("end: 7 bytes too many"));
}

TEST(NumberedName, HasFiveDigitsOrMore) {
  EXPECT_EQ(numbered_name(Split::train, 0, 10), "train-00001");
  EXPECT_EQ(numbered_name(Split::test, 99'999, 100'000), "test-100000");
  EXPECT_EQ(numbered_name(Split::test, 0, 100'000), "test-000001");
}

}  // namespace
}  // namespace cairn::data
