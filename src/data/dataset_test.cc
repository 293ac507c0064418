#include "data/dataset.h"

#include <gmock/gmock.h>

#include <atomic>
#include <map>
#include <random>
#include <thread>

#include "data/test_files.h"

namespace cairn::data {
namespace {

using ::testing::HasSubstr;

// Blobs in memory, which counts how often each is fetched.
class CountingSource : public ShardSource {
 public:
  Digest put(Bytes bytes) {
    const Digest digest = sha256(bytes);
    blobs_[digest] = std::move(bytes);
    return digest;
  }
  Result<Bytes> get(const Digest& digest, uint64_t) const override {
    std::lock_guard lock(mutex_);
    ++fetched_[digest];
    return blobs_.at(digest);
  }
  int fetched(const Digest& digest) const { return fetched_[digest]; }

 private:
  mutable std::mutex mutex_;
  mutable std::map<Digest, int> fetched_;
  std::map<Digest, Bytes> blobs_;
};

// Shards of one chunk each, the last ones in a group of their own.
constexpr uint32_t kShards = 10, kImages = 10, kImageSize = 50;
constexpr uint64_t kShardSize = kImages * kImageSize;

// A cache whose part for samples holds `shards` of them.
constexpr uint64_t cache_of(uint64_t shards) {
  return (shards * kShardSize * 8 + 6) / 7;
}

class DataSetTest : public ::testing::Test {
 protected:
  // Every pixel of image i is i, which is called "image i".
  DataSetTest() {
    manifest_ = {.name = "data", .classes = {"even", "odd"}, .channels = 1, .height = 5, .width = 10};
    for (uint32_t s = 0; s < kShards; ++s) {
      Bytes pixels;
      Index index;
      for (uint32_t i = s * kImages; i < (s + 1) * kImages; ++i) {
        pixels.insert(pixels.end(), kImageSize, static_cast<uint8_t>(i));
        index.entries.push_back({static_cast<uint16_t>(i % 2), "image " + std::to_string(i)});
      }
      index.chunks = chunk_digests(pixels);
      shards_.push_back({kImages, source_.put(pixels), source_.put(encode_index(index, kImages))});
    }
    list_shards();
  }

  // Makes the manifest one of shards_ as they are now.
  void list_shards() {
    manifest_.groups[0].clear();
    for (size_t first = 0; first < kShards; first += kGroupShards) {
      const auto end = std::min<size_t>(kShards, first + kGroupShards);
      const std::vector<Shard> page(shards_.begin() + static_cast<ptrdiff_t>(first),
                                    shards_.begin() + static_cast<ptrdiff_t>(end));
      Group group{0, source_.put(encode_page(page))};
      for (const Shard& shard : page) group.count += shard.count;
      manifest_.groups[0].push_back(group);
    }
  }

  // Reads an image of each of these shards, in this order.
  void read_shards(const DataSet& data, std::initializer_list<uint32_t> shards) {
    for (const uint32_t s : shards) {
      EXPECT_EQ(*data.sample(Split::train, s * kImages + 3),
                Bytes(kImageSize, static_cast<uint8_t>(s * kImages + 3)));
    }
  }
  int fetched(uint32_t shard) const { return source_.fetched(shards_[shard].samples); }

  CountingSource source_;
  std::vector<Shard> shards_;
  Manifest manifest_;
};

TEST_F(DataSetTest, FetchesAShardOnceWhereTheCacheHoldsAll) {
  const DataSet data(manifest_, source_);
  read_shards(data, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9});
  for (uint32_t s = 0; s < kShards; ++s) EXPECT_EQ(fetched(s), 1);
}

TEST_F(DataSetTest, ForgetsTheShardThatWasUsedLeastRecently) {
  const DataSet data(manifest_, source_, cache_of(2));
  read_shards(data, {0, 1, 0, 2, 0});  // 1 had to go for 2
  EXPECT_EQ(fetched(0), 1);
  read_shards(data, {2});
  EXPECT_EQ(fetched(2), 1);
  read_shards(data, {1});
  EXPECT_EQ(fetched(1), 2);
  read_shards(data, {0});  // had to go for 1
  EXPECT_EQ(fetched(0), 2);
}

TEST_F(DataSetTest, ACacheOfNothingStillReads) {
  const DataSet data(manifest_, source_, 0);
  read_shards(data, {0, 0, 1, 0});
  EXPECT_EQ(fetched(0), 2);
  for (uint32_t i = 0; i < kShards * kImages; ++i) {
    EXPECT_EQ(*data.name(Split::train, i), "image " + std::to_string(i));
    EXPECT_EQ(*data.label(Split::train, i), i % 2);
    EXPECT_EQ(*data.find("image " + std::to_string(i)), i);
  }
}

TEST_F(DataSetTest, ANameMeansTheFirstImageThatHasIt) {
  const Index index{std::vector<Digest>(1), std::vector<IndexEntry>(kImages, {0, "image 7"})};
  shards_[1].index = source_.put(encode_index(index, kImages));
  shards_[0] = shards_[2];
  list_shards();
  const DataSet data(manifest_, source_);
  EXPECT_EQ(*data.find("image 7"), kImages);
  EXPECT_EQ(*data.find("image 25"), 5u);
  EXPECT_FALSE(data.find("image 3").ok());
}

TEST_F(DataSetTest, ShardsThatShareABlobMayNotClaimMoreThanItHolds) {
  shards_[1] = shards_[0];
  shards_[1].count = 5 * kImages;
  list_shards();
  const DataSet data(manifest_, source_);
  EXPECT_TRUE(data.label(Split::train, 0).ok());
  EXPECT_TRUE(data.sample(Split::train, 0).ok());
  EXPECT_THAT(data.label(Split::train, 5 * kImages).error().message, HasSubstr("count: 10 samples where"));
  EXPECT_FALSE(data.sample(Split::train, 5 * kImages).ok());
  shards_[1].index = source_.put(encode_index(
      {std::vector<Digest>(1), std::vector<IndexEntry>(5 * kImages, {0, "image"})}, 5 * kImages));
  list_shards();
  const DataSet other(manifest_, source_);
  EXPECT_THAT(other.sample(Split::train, 5 * kImages).error().message, HasSubstr("has 500 bytes where"));
}

// Neither a disk nor whoever sent the shard can change a pixel.
TEST_F(DataSetTest, SamplesThatAreNotThoseOfTheIndexAreRefused) {
  shards_[3].samples = source_.put(Bytes(kShardSize, 7));
  list_shards();
  const DataSet data(manifest_, source_);
  EXPECT_TRUE(data.sample(Split::train, 0).ok());
  EXPECT_THAT(data.sample(Split::train, 3 * kImages).error().message,
              HasSubstr(shards_[3].samples.hex() + ": its samples are not those of the index"));
}

TEST_F(DataSetTest, APageThatSaysOtherThanTheManifestIsRefused) {
  manifest_.groups[0][1].count += 1;
  const DataSet data(manifest_, source_);
  EXPECT_TRUE(data.sample(Split::train, 0).ok());
  EXPECT_EQ(data.label(Split::train, kGroupShards * kImages).error().message,
            "manifest page: shards: hold 20 samples where the manifest says 21");
}

// What a contributor to a large data set fetches is its part alone.
TEST_F(DataSetTest, ReadsNoPageAndNoChunkThatIsNotNeeded) {
  const DataSet data(manifest_, source_);
  EXPECT_EQ(data.groups(Split::train), (std::vector<uint32_t>{80, 20}));
  read_shards(data, {9});
  EXPECT_EQ(source_.fetched(manifest_.groups[0][0].page), 0);
  EXPECT_EQ(source_.fetched(manifest_.groups[0][1].page), 1);
  EXPECT_EQ(fetched(8), 0);
}

TEST_F(DataSetTest, ThreadsThatPushEachOthersShardsOutReadTheSame) {
  const DataSet data(manifest_, source_, cache_of(1));
  std::atomic<int> wrong = 0;
  std::vector<std::thread> threads;
  for (uint32_t t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      std::mt19937 random(t);
      for (int i = 0; i < 2'000; ++i) {
        const auto image = static_cast<uint32_t>(random() % (kShards * kImages));
        const auto pixels = data.sample(Split::train, image);
        if (!pixels || *pixels != Bytes(kImageSize, static_cast<uint8_t>(image))) ++wrong;
        if (*data.label(Split::train, image) != image % 2) ++wrong;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

TEST_F(DataSetTest, SaysWhatImagesAreReadFrom) {
  const DataSet data(manifest_, source_);
  const std::vector<uint32_t> images = {59, 0, 9, 20, 21};
  std::vector<Digest> expected = {manifest_.groups[0][0].page};
  for (const size_t shard : {0, 2, 5}) {
    expected.push_back(shards_[shard].samples);
    expected.push_back(shards_[shard].index);
  }
  std::vector<Digest> found;
  const auto parts = data.parts_of(Split::train, images);
  ASSERT_TRUE(parts.ok()) << parts.error().message;
  for (const Part& part : *parts) {
    found.push_back(part.digest);
    EXPECT_LE(source_.get(part.digest, part.size)->size(), part.size);
  }
  EXPECT_EQ(found, expected);
  EXPECT_TRUE(data.parts_of(Split::train, {})->empty());
  EXPECT_EQ(data.pages_of(Split::train, images).size(), 1u);
}

// Samples of which each begins in one chunk and ends in another.
TEST(DataSet, ReadsSamplesAcrossChunks) {
  constexpr uint32_t kSide = 700, kCount = 5;
  TemporaryDirectory directory;
  ShardStore store(directory.path());
  Bytes pixels(kCount * kSide * kSide);
  for (size_t i = 0; i < pixels.size(); ++i) pixels[i] = static_cast<uint8_t>(i * 7 + i / 1000);
  Index index{chunk_digests(pixels), std::vector<IndexEntry>(kCount, {0, "x"})};
  const Shard shard{kCount, *store.put(pixels), *store.put(encode_index(index, kCount))};
  Manifest manifest{.name = "data", .classes = {"x"}, .channels = 1, .height = kSide, .width = kSide};
  manifest.groups[0] = {{kCount, *store.put(encode_page({shard}))}};
  const DataSet data(manifest, store, 0);
  for (const uint32_t i : {4, 0, 2, 1, 3}) {
    const auto sample = data.sample(Split::train, i);
    ASSERT_TRUE(sample.ok()) << sample.error().message;
    const auto begin = pixels.begin() + i * kSide * kSide;
    EXPECT_EQ(*sample, Bytes(begin, begin + kSide * kSide));
  }
}

TEST(DataSet, SamplesOfTextAreNamedByTheirPlace) {
  constexpr uint32_t kCount = 3, kContext = 4;
  TemporaryDirectory directory;
  ShardStore store(directory.path());
  Bytes tokens(kCount * 2 * (kContext + 1));
  for (size_t i = 0; i < tokens.size(); ++i) tokens[i] = static_cast<uint8_t>(i);
  const Shard shard{kCount, *store.put(tokens),
                    *store.put(encode_index({chunk_digests(tokens), {}}, kCount))};
  Manifest manifest{.name = "text", .kind = Kind::text, .context = kContext, .vocabulary = 256};
  manifest.groups[0] = {{kCount, *store.put(encode_page({shard}))}};
  const DataSet data(manifest, store);
  EXPECT_EQ(*data.sample(Split::train, 1), Bytes(tokens.begin() + 10, tokens.begin() + 20));
  EXPECT_EQ(*data.label(Split::train, 1), 0);
  EXPECT_EQ(*data.name(Split::train, 1), "train-00002");
  EXPECT_EQ(*data.find("train-00002"), 1u);
  for (const char* name : {"train-00000", "train-00004", "train-2", "test-00002", "train", "-", ""}) {
    EXPECT_FALSE(data.find(name).ok()) << name;
  }
}

}  // namespace
}  // namespace cairn::data
