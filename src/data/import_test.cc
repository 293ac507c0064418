#include "data/import.h"

#include <gmock/gmock.h>

#include <atomic>
#include <thread>

#include "data/dataset.h"
#include "data/idx.h"
#include "data/test_files.h"

namespace cairn::data {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr const char* kTrainImages = "train-images-idx3-ubyte";
constexpr const char* kTrainLabels = "train-labels-idx1-ubyte";
constexpr const char* kTestImages = "t10k-images-idx3-ubyte";
constexpr const char* kTestLabels = "t10k-labels-idx1-ubyte";

// 100 training images and 30 test images of 5 x 4 pixels, 10 classes.
class Import : public ::testing::Test {
 protected:
  void SetUp() override {
    write_plain(source_ / kTrainImages, idx_images(100, 5, 4));
    write_plain(source_ / kTrainLabels, idx_labels(100, 10));
    write_gzip(source_ / (std::string(kTestImages) + ".gz"), idx_images(30, 5, 4));
    write_gzip(source_ / (std::string(kTestLabels) + ".gz"), idx_labels(30, 10));
  }

  Result<Manifest> import(const Progress& progress = {}) {
    std::filesystem::remove_all(target_ / "data");
    CAIRN_TRY(const Imported imported,
              import_data({.source = source_.path().string()}, target_ / "data", pool_, progress));
    return imported.manifest;
  }
  std::string refusal() {
    const auto manifest = import();
    return manifest ? "accepted" : manifest.error().message;
  }

  TemporaryDirectory source_, target_;
  ShardStore store_{target_ / "data" / kShardFolder};
  ThreadPool pool_{2};
};

TEST_F(Import, GivesEveryImageItsPixelsLabelAndName) {
  const auto manifest = import();
  ASSERT_TRUE(manifest.ok()) << manifest.error().message;
  EXPECT_THAT(manifest->classes, ElementsAre("0", "1", "2", "3", "4", "5", "6", "7", "8", "9"));
  const DataSet data(*manifest, store_);
  ASSERT_EQ(data.count(Split::train), 100u);
  ASSERT_EQ(data.count(Split::test), 30u);
  for (uint32_t i = 0; i < 100; ++i) {
    EXPECT_EQ(*data.label(Split::train, i), i % 10);
    EXPECT_EQ((*data.sample(Split::train, i))[3], i + 3);
  }
  EXPECT_EQ(*data.name(Split::train, 0), "train-00001");
  EXPECT_EQ(*data.name(Split::test, 29), "test-00030");
  EXPECT_EQ(*data.find("train-00042"), 41u);
  EXPECT_EQ(data.find("train-00101").error().message, "there is no training sample named train-00101");
}

TEST_F(Import, ManifestDecodesAndOpens) {
  const Manifest manifest = *import();
  BlobStore blobs(target_ / "blobs");
  const Digest digest = *blobs.put(encode(manifest));
  const auto data = DataSet::open(digest, blobs, store_);
  ASSERT_TRUE(data.ok()) << data.error().message;
  EXPECT_EQ(data->manifest(), manifest);
  EXPECT_FALSE(DataSet::open(sha256({}), blobs, store_).ok());
}

TEST_F(Import, WorksWithoutATestSet) {
  std::filesystem::remove(source_ / (std::string(kTestImages) + ".gz"));
  EXPECT_THAT(refusal(), HasSubstr("t10k-images-idx3-ubyte: there is no such file"));
  std::filesystem::remove(source_ / (std::string(kTestLabels) + ".gz"));
  const auto manifest = import();
  ASSERT_TRUE(manifest.ok()) << manifest.error().message;
  EXPECT_EQ(manifest->count(Split::test), 0u);
}

// The names of four million images of one pixel are larger than an index may be.
TEST_F(Import, TinyImagesFillNoShardWithNames) {
  constexpr uint32_t kCount = (1 << 17) + 1;
  std::filesystem::remove(source_ / (std::string(kTestImages) + ".gz"));
  std::filesystem::remove(source_ / (std::string(kTestLabels) + ".gz"));
  write_plain(source_ / kTrainImages, idx_images(kCount, 1, 1));
  write_plain(source_ / kTrainLabels, idx_labels(kCount, 10));
  const auto manifest = import();
  ASSERT_TRUE(manifest.ok()) << manifest.error().message;
  const DataSet data(*manifest, store_);
  const auto shards = data.shards(Split::train, 0);
  ASSERT_EQ(shards->size(), 2u);
  EXPECT_EQ((*shards)[0].count, kCount - 1);
  EXPECT_EQ(*data.name(Split::train, kCount - 1), "train-131073");
}

TEST_F(Import, RefusesWhatDoesNotFitTogether) {
  write_plain(source_ / kTrainLabels, idx_labels(99, 10));
  EXPECT_THAT(refusal(), HasSubstr("has 99 labels, but train-images-idx3-ubyte has 100 images"));
  write_plain(source_ / kTrainLabels, idx_labels(100, 9));
  EXPECT_THAT(refusal(), HasSubstr("t10k-labels-idx1-ubyte.gz: label 10 is 9, but there are 9 classes"));
  write_plain(source_ / kTrainLabels, idx_labels(100, 10));
  write_plain(source_ / kTestImages, idx_images(30, 4, 5));
  EXPECT_THAT(refusal(), HasSubstr("the test images have another size"));
  std::filesystem::remove(source_ / kTrainImages);
  EXPECT_THAT(refusal(), HasSubstr("train-images-idx3-ubyte: there is no such file"));
}

TEST_F(Import, KnownClassesLimitTheLabels) {
  EXPECT_THAT(open_idx_folder(source_.path(), "pets", {"cat", "dog"}).error().message,
              HasSubstr("train-labels-idx1-ubyte: label 3 is 2, but there are 2 classes"));
}

TEST_F(Import, StopsWhenAsked) {
  uint64_t whole = 0;
  const auto stop = [&](uint64_t, uint64_t total) {
    whole = total;
    return false;
  };
  EXPECT_THAT(import(stop).error().message, HasSubstr("the import was stopped"));
  EXPECT_EQ(whole, 130u);
}

// Shards of 32 MiB, eight to a group.
TEST_F(Import, AGroupHasEightShards) {
  constexpr uint32_t kSide = 1 << 11, kPerShard = 8, kCount = 9 * kPerShard;
  std::filesystem::remove(source_ / (std::string(kTestImages) + ".gz"));
  std::filesystem::remove(source_ / (std::string(kTestLabels) + ".gz"));
  Bytes images = idx_header(0x803, {kCount, kSide, kSide});
  for (uint32_t i = 0; i < kCount; ++i) images.insert(images.end(), kSide * kSide, static_cast<uint8_t>(i));
  write_plain(source_ / kTrainImages, images);
  write_plain(source_ / kTrainLabels, idx_labels(kCount, 10));
  const auto manifest = import();
  ASSERT_TRUE(manifest.ok()) << manifest.error().message;
  const DataSet data(*manifest, store_);
  EXPECT_THAT(data.groups(Split::train), ElementsAre(8 * kPerShard, kPerShard));
  for (const uint32_t i : {0u, 63u, 64u, 71u}) {
    EXPECT_EQ(*data.sample(Split::train, i), Bytes(kSide * kSide, static_cast<uint8_t>(i)));
    EXPECT_EQ(*data.label(Split::train, i), i % 10);
  }
}

TEST_F(Import, MissingShardIsAnErrorUntilItIsThere) {
  const Manifest manifest = *import();
  const DataSet data(manifest, store_);
  const auto file = store_.path((*data.shards(Split::train, 0))[0].samples);
  std::filesystem::rename(file, target_ / "aside");
  EXPECT_FALSE(data.sample(Split::train, 7).ok());
  EXPECT_TRUE(data.label(Split::train, 7).ok());
  std::filesystem::rename(target_ / "aside", file);
  EXPECT_TRUE(data.sample(Split::train, 7).ok());
}

TEST_F(Import, ThreadsReadTheSame) {
  const DataSet data(*import(), store_);
  std::atomic<int> wrong = 0;
  std::vector<std::thread> threads;
  for (uint32_t t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (uint32_t i = 0; i < 100; ++i) {
        const uint32_t image = (i * 7 + t * 13) % 100;
        const auto pixels = data.sample(Split::train, image);
        if (!pixels || (*pixels)[0] != image || *data.label(Split::train, image) != image % 10) ++wrong;
        if (*data.find("train-00001") != 0) ++wrong;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

TEST(ImportData, RefusesUnknownNames) {
  TemporaryDirectory target;
  ThreadPool pool(1);
  EXPECT_THAT(import_data({.source = "/nonexistent/x"}, target / "data", pool, {}).error().message,
              HasSubstr("is neither a file, a folder nor the name of"));
}

TEST(FashionMnist, HasTheKnownManifest) {
  TemporaryDirectory target;
  ThreadPool pool(2);
  const auto imported = import_data({.source = "fashion-mnist"}, target.path(), pool, {});
  if (!imported) GTEST_SKIP() << "NOT TESTED: " << imported.error().message;
  const ShardStore store(target / kShardFolder);
  const Result<Manifest> manifest = open_data_folder(target.path());
  ASSERT_TRUE(manifest.ok()) << manifest.error().message;
  EXPECT_EQ(sha256(encode(*manifest)).hex(),
            "da15cb5589fe04e69aa0ced7c5b8957563336687449f6166b70ab119b00cf98c");
  const DataSet data(*manifest, store);
  EXPECT_EQ(data.count(Split::train), 60'000u);
  EXPECT_EQ(data.count(Split::test), 10'000u);
  EXPECT_EQ(data.manifest().classes[*data.label(Split::train, 0)], "Ankle boot");
  std::vector<int> images_of_class(10);
  for (uint32_t i = 0; i < 60'000; ++i) ++images_of_class[*data.label(Split::train, i)];
  EXPECT_EQ(images_of_class, std::vector<int>(10, 6'000));
}

}  // namespace
}  // namespace cairn::data
