#include "data/manifest.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "data/mutation.h"

namespace cairn::data {
namespace {

using ::testing::HasSubstr;
using ::testing::MatchesRegex;

Manifest example() {
  Manifest manifest{"fruit", {"apple", "poire", "übrige"}, 3, 20, 30, {}};
  for (uint32_t i = 0; i < 3; ++i) {
    const Digest digest = sha256(Bytes{static_cast<uint8_t>(i)});
    manifest.shards[i % 2].push_back({10 + i, digest, sha256(digest.bytes)});
  }
  return manifest;
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
  EXPECT_THAT(with([](Manifest& m) { m.shards[0].clear(); }), HasSubstr("training shards: there must be"));
  EXPECT_THAT(with([](Manifest& m) { m.shards[1][0].count = 0; }), HasSubstr("test shards: a shard has no"));
  EXPECT_THAT(with([](Manifest& m) { m.shards[0][1].count = 1 << 30; }),
              HasSubstr("training shards: a shard is"));
}

TEST(Manifest, SurvivesDamage) {
  std::mt19937_64 random(1);
  const Bytes bytes = encode(example());
  for (int i = 0; i < 20'000; ++i) {
    const Bytes damaged = mutate(bytes, random);
    const auto decoded = decode_manifest(damaged);
    if (decoded) {
      EXPECT_EQ(encode(*decoded), damaged);
    } else {
      EXPECT_THAT(
          decoded.error().message,
          MatchesRegex("data manifest: (magic|version|name|classes|channels|height|width|training shards|"
                       "test shards|end): .+"));
    }
  }
}

TEST(Index, RoundTripsAndSurvivesDamage) {
  std::vector<IndexEntry> index;
  for (uint16_t i = 0; i < 40; ++i)
    index.push_back({static_cast<uint16_t>(i % 7), "bild-" + std::to_string(i)});
  const Bytes bytes = encode_index(index);
  const auto decoded = decode_index(bytes, 40, 7);
  ASSERT_TRUE(decoded.ok()) << decoded.error().message;
  EXPECT_EQ(*decoded, index);
  EXPECT_THAT(decode_index(bytes, 41, 7).error().message,
              HasSubstr("count: 40 images where the manifest has 41"));
  EXPECT_THAT(decode_index(bytes, 40, 6).error().message, HasSubstr("label: 6 where there are 6 classes"));
  std::mt19937_64 random(2);
  for (int i = 0; i < 20'000; ++i) {
    const Bytes damaged = mutate(bytes, random);
    const auto result = decode_index(damaged, 40, 7);
    if (result) {
      EXPECT_EQ(encode_index(*result), damaged);
    } else {
      EXPECT_THAT(result.error().message, MatchesRegex("shard index: (count|label|image name|end): .+"));
    }
  }
}

}  // namespace
}  // namespace cairn::data
