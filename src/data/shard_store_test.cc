#include "data/shard_store.h"

#include <gmock/gmock.h>

#include "base/file.h"
#include "data/manifest.h"
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

// Bytes that do not compress, of three chunks and a part of one.
Bytes large_example() {
  std::mt19937_64 random(8);
  Bytes bytes(3 * kChunkSize + 12'345);
  for (uint8_t& byte : bytes) byte = static_cast<uint8_t>(random());
  return bytes;
}

TEST(ShardStore, GivesAChunkWithoutReadingTheOthers) {
  TemporaryDirectory directory;
  ShardStore store(directory.path());
  const Bytes bytes = large_example();
  const Digest digest = *store.put(bytes);
  EXPECT_LE(std::filesystem::file_size(store.path(digest)), max_file_size(bytes.size()));
  EXPECT_EQ(*store.get(digest, bytes.size()), bytes);
  Bytes file = *read_file(store.path(digest), 1 << 23);
  file[10'000] ^= 1;  // in the first frame
  write_plain(store.path(digest), file);
  EXPECT_FALSE(store.get(digest, bytes.size()).ok());
  for (const uint32_t number : {3, 1, 2}) {
    const auto chunk = store.chunk(digest, bytes.size(), number);
    ASSERT_TRUE(chunk.ok()) << chunk.error().message;
    const size_t first = number * kChunkSize, end = std::min(bytes.size(), first + kChunkSize);
    EXPECT_TRUE(std::ranges::equal(*chunk, BytesView(bytes).subspan(first, end - first)));
  }
  EXPECT_THAT(store.chunk(digest, bytes.size() - 1, 3).error().message, HasSubstr("holds"));
  EXPECT_THAT(store.chunk(digest, bytes.size() + 1, 3).error().message,
              HasSubstr("bytes where the manifest needs"));
}

TEST(ShardStore, ThreadsCompressToTheSameFile) {
  TemporaryDirectory directory;
  ShardStore alone(directory / "alone"), shared(directory / "shared");
  ThreadPool pool(4);
  const Digest digest = *alone.put(large_example());
  EXPECT_EQ(*shared.put(large_example(), &pool), digest);
  EXPECT_EQ(*read_file(alone.path(digest), 1 << 23), *read_file(shared.path(digest), 1 << 23));
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
