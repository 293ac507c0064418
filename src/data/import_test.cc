#include "data/import.h"

#include <gmock/gmock.h>

#include <atomic>
#include <thread>

#include "data/dataset.h"
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

  Result<Manifest> import() {
    auto location = find_data(source_.path().string());
    EXPECT_TRUE(location.ok());
    return import_idx_directory(*location, store_, {});
  }
  std::string refusal() {
    const auto manifest = import();
    return manifest ? "accepted" : manifest.error().message;
  }

  TemporaryDirectory source_, target_;
  ShardStore store_{target_.path()};
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
    EXPECT_EQ((*data.pixels(Split::train, i))[3], i + 3);
  }
  EXPECT_EQ(*data.name(Split::train, 0), "train-00001");
  EXPECT_EQ(*data.name(Split::test, 29), "test-00030");
  EXPECT_EQ(*data.find("train-00042"), 41u);
  EXPECT_EQ(data.find("train-00101").error().message, "there is no training image named train-00101");
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
  constexpr uint32_t kCount = (1 << 18) + 1;
  std::filesystem::remove(source_ / (std::string(kTestImages) + ".gz"));
  std::filesystem::remove(source_ / (std::string(kTestLabels) + ".gz"));
  write_plain(source_ / kTrainImages, idx_images(kCount, 1, 1));
  write_plain(source_ / kTrainLabels, idx_labels(kCount, 10));
  const auto manifest = import();
  ASSERT_TRUE(manifest.ok()) << manifest.error().message;
  ASSERT_EQ(manifest->of(Split::train).size(), 2u);
  EXPECT_EQ(manifest->of(Split::train)[0].count, kCount - 1);
  EXPECT_EQ(*DataSet(*manifest, store_).name(Split::train, kCount - 1), "train-262145");
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
  DataLocation location = *find_data(source_.path().string());
  location.classes = {"cat", "dog"};
  EXPECT_THAT(import_idx_directory(location, store_, {}).error().message,
              HasSubstr("train-labels-idx1-ubyte: label 3 is 2, but there are 2 classes"));
}

TEST_F(Import, StopsWhenAsked) {
  const DataLocation location = *find_data(source_.path().string());
  uint64_t whole = 0;
  const auto stop = [&](uint64_t, uint64_t total) {
    whole = total;
    return false;
  };
  EXPECT_EQ(import_idx_directory(location, store_, stop).error().message, "the import was stopped");
  EXPECT_EQ(whole, 130u);
}

TEST_F(Import, MissingShardIsAnErrorUntilItIsThere) {
  const Manifest manifest = *import();
  const DataSet data(manifest, store_);
  const auto file = store_.path(manifest.of(Split::train)[0].pixels);
  std::filesystem::rename(file, target_ / "aside");
  EXPECT_FALSE(data.pixels(Split::train, 7).ok());
  EXPECT_TRUE(data.label(Split::train, 7).ok());
  std::filesystem::rename(target_ / "aside", file);
  EXPECT_TRUE(data.pixels(Split::train, 7).ok());
}

TEST_F(Import, ShardOfAnotherSizeIsRefused) {
  Manifest manifest = *import();
  manifest.shards[0][0].pixels = *store_.put(Bytes{1, 2, 3});
  EXPECT_THAT(DataSet(manifest, store_).pixels(Split::train, 0).error().message,
              HasSubstr("has 3 bytes where the manifest needs 2000"));
}

TEST_F(Import, ThreadsReadTheSame) {
  const DataSet data(*import(), store_);
  std::atomic<int> wrong = 0;
  std::vector<std::thread> threads;
  for (uint32_t t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (uint32_t i = 0; i < 100; ++i) {
        const uint32_t image = (i * 7 + t * 13) % 100;
        const auto pixels = data.pixels(Split::train, image);
        if (!pixels || (*pixels)[0] != image || *data.label(Split::train, image) != image % 10) ++wrong;
        if (*data.find("train-00001") != 0) ++wrong;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

TEST(FindData, RefusesUnknownNames) {
  EXPECT_THAT(find_data("/nonexistent/x").error().message,
              HasSubstr("is neither a directory nor the name of"));
}

TEST(FashionMnist, HasTheKnownManifest) {
  const auto location = find_data("fashion-mnist");
  if (!location) GTEST_SKIP() << "NOT TESTED: " << location.error().message;
  TemporaryDirectory target;
  ShardStore store(target.path());
  const auto manifest = import_idx_directory(*location, store, {});
  ASSERT_TRUE(manifest.ok()) << manifest.error().message;
  EXPECT_EQ(sha256(encode(*manifest)).hex(),
            "3506f331a3fba335f9c5a75f543c045dd81d1bb5655d74f0c3f1a2c14ee38ed9");
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
