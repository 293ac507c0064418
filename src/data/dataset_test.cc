#include "data/dataset.h"

#include <gmock/gmock.h>

#include <atomic>
#include <map>
#include <random>
#include <thread>

namespace cairn::data {
namespace {

using ::testing::HasSubstr;

// Blobs in memory, which counts how often each is fetched.
class CountingSource : public BlobSource {
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

constexpr uint32_t kShards = 6, kImages = 10, kImageSize = 50;
constexpr uint64_t kShardSize = kImages * kImageSize;

// A cache whose part for pixels holds `shards` of them.
constexpr uint64_t cache_of(uint64_t shards) {
  return (shards * kShardSize * 8 + 6) / 7;
}

class DataSetTest : public ::testing::Test {
 protected:
  // Every pixel of image i is i, which is called "image i".
  DataSetTest() {
    manifest_ = {"data", {"even", "odd"}, 1, 5, 10, {}};
    for (uint32_t s = 0; s < kShards; ++s) {
      Bytes pixels;
      std::vector<IndexEntry> index;
      for (uint32_t i = s * kImages; i < (s + 1) * kImages; ++i) {
        pixels.insert(pixels.end(), kImageSize, static_cast<uint8_t>(i));
        index.push_back({static_cast<uint16_t>(i % 2), "image " + std::to_string(i)});
      }
      manifest_.shards[0].push_back({kImages, source_.put(pixels), source_.put(encode_index(index))});
    }
  }

  // Reads an image of each of these shards, in this order.
  void read_shards(const DataSet& data, std::initializer_list<uint32_t> shards) {
    for (const uint32_t s : shards) {
      EXPECT_EQ(*data.pixels(Split::train, s * kImages + 3),
                Bytes(kImageSize, static_cast<uint8_t>(s * kImages + 3)));
    }
  }
  int fetched(uint32_t shard) const { return source_.fetched(manifest_.shards[0][shard].pixels); }

  CountingSource source_;
  Manifest manifest_;
};

TEST_F(DataSetTest, FetchesAShardOnceWhereTheCacheHoldsAll) {
  const DataSet data(manifest_, source_);
  read_shards(data, {0, 1, 2, 3, 4, 5, 0, 1, 2, 3, 4, 5});
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
  std::vector<IndexEntry> index(kImages, {0, "image 7"});
  manifest_.shards[0][1].index = source_.put(encode_index(index));
  manifest_.shards[0][0] = manifest_.shards[0][2];
  const DataSet data(manifest_, source_);
  EXPECT_EQ(*data.find("image 7"), kImages);
  EXPECT_EQ(*data.find("image 25"), 5u);
  EXPECT_FALSE(data.find("image 3").ok());
}

TEST_F(DataSetTest, ShardsThatShareABlobMayNotClaimMoreThanItHolds) {
  manifest_.shards[0][1] = manifest_.shards[0][0];
  manifest_.shards[0][1].count = 5 * kImages;
  const DataSet data(manifest_, source_);
  EXPECT_TRUE(data.label(Split::train, 0).ok());
  EXPECT_TRUE(data.pixels(Split::train, 0).ok());
  EXPECT_THAT(data.label(Split::train, 5 * kImages).error().message, HasSubstr("count: 10 images where"));
  EXPECT_THAT(data.pixels(Split::train, 5 * kImages).error().message, HasSubstr("has 500 bytes where"));
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
        const auto pixels = data.pixels(Split::train, image);
        if (!pixels || *pixels != Bytes(kImageSize, static_cast<uint8_t>(image))) ++wrong;
        if (*data.label(Split::train, image) != image % 2) ++wrong;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

TEST_F(DataSetTest, SaysInWhichShardsImagesAre) {
  const DataSet data(manifest_, source_);
  const std::vector<uint32_t> images = {59, 0, 9, 20, 21};
  EXPECT_EQ(data.shards_of(Split::train, images), (std::vector<size_t>{0, 2, 5}));
  EXPECT_EQ(data.shards_of(Split::train, {}), std::vector<size_t>());
}

}  // namespace
}  // namespace cairn::data
