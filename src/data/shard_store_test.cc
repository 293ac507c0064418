#include "data/shard_store.h"

#include <gmock/gmock.h>
#include <zstd.h>

#include "base/file.h"
#include "data/mutation.h"
#include "data/test_files.h"

namespace cairn::data {
namespace {

using ::testing::HasSubstr;

Bytes example() {
  Bytes bytes(10'000);
  for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<uint8_t>(i / 100);
  return bytes;
}

TEST(ShardStore, KeepsCompressedWhatItFindsByTheDigestOfTheContent) {
  TemporaryDirectory directory;
  ShardStore store(directory.path());
  EXPECT_FALSE(store.has(sha256(example())));
  const auto digest = store.put(example());
  ASSERT_TRUE(digest.ok()) << digest.error().message;
  EXPECT_EQ(*digest, sha256(example()));
  EXPECT_TRUE(store.has(*digest));
  EXPECT_TRUE(store.put(example()).ok());
  EXPECT_LT(std::filesystem::file_size(store.path(*digest)), 1'000u);
  EXPECT_EQ(*store.get(*digest, 10'000), example());
  ASSERT_TRUE(store.put({}).ok());
  EXPECT_EQ(*store.get(sha256({}), 0), Bytes());
}

TEST(ShardStore, RefusesMoreThanAskedFor) {
  TemporaryDirectory directory;
  ShardStore store(directory.path());
  const Digest digest = *store.put(example());
  EXPECT_THAT(store.get(digest, 9'999).error().message, HasSubstr("holds 10000 bytes where at most 9999"));
  EXPECT_FALSE(store.get(sha256(Bytes{1}), 10).ok());
}

TEST(ShardStore, RefusesOtherContentAndSurvivesDamage) {
  TemporaryDirectory directory;
  ShardStore store(directory.path());
  const Digest digest = *store.put(example());
  const Bytes file = *read_file(store.path(digest), 1 << 20);
  std::mt19937_64 random(4);
  for (int i = 0; i < 2'000; ++i) {
    write_plain(store.path(digest), mutate(file, random));
    const auto bytes = store.get(digest, 1 << 20);
    if (bytes) {
      EXPECT_EQ(*bytes, example());
    } else {
      EXPECT_THAT(bytes.error().message, HasSubstr(store.path(digest).string() + ": "));
    }
  }
  const Digest other = *store.put(Bytes{1, 2, 3});
  std::filesystem::copy_file(store.path(other), store.path(digest),
                             std::filesystem::copy_options::overwrite_existing);
  EXPECT_THAT(store.get(digest, 1 << 20).error().message, HasSubstr("does not have the digest"));
}

// Another process that shares the folder makes room.
TEST(ShardStore, FetchesAgainWhatIsDeletedBetweenFetchingAndReading) {
  class Origin : public BlobOrigin {
   public:
    explicit Origin(std::filesystem::path from) : from_(std::move(from)) {}
    Status fetch(const Digest&, uint64_t, const std::filesystem::path& file) const override {
      if (++fetched == 2) std::filesystem::copy_file(from_, file);
      return {};
    }
    mutable int fetched = 0;

   private:
    std::filesystem::path from_;
  };
  TemporaryDirectory directory;
  ShardStore elsewhere(directory / "elsewhere");
  const Digest digest = *elsewhere.put(example());
  const Origin origin(elsewhere.path(digest));
  const ShardStore store(directory / "here", &origin);
  const auto bytes = store.get(digest, 10'000);
  ASSERT_TRUE(bytes.ok()) << bytes.error().message;
  EXPECT_EQ(*bytes, example());
  EXPECT_EQ(origin.fetched, 2);
}

}  // namespace
}  // namespace cairn::data
