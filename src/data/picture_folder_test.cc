#include <gmock/gmock.h>
#include <sys/resource.h>

#include <csignal>

#include "base/file.h"
#include "data/import.h"
#include "data/sample_pictures.h"

namespace cairn::data {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::UnorderedElementsAre;
namespace fs = std::filesystem;

// Pictures of the classes "cat" and "dog", as ImageNet has them.
class PictureFolder : public ::testing::Test {
 protected:
  void SetUp() override {
    for (uint32_t i = 0; i < 20; ++i) {
      const std::string name = (i % 2 == 0 ? "cat/" : "dog/") + std::to_string(i);
      put("train/" + name + ".JPEG", jpeg_file(12, 9, plain_pixels(12, 9, i)));
      if (i < 6) put("val/" + name + ".png", png_file(9, 12, {}, plain_pixels(9, 12, i)));
    }
  }

  void put(const std::string& name, BytesView bytes) const {
    fs::create_directories((source_ / name).parent_path());
    write_plain(source_ / name, bytes);
  }
  ImportRequest request(uint32_t side = 6) const {
    return {.source = source_.path().string(), .name = "pets", .shape = {3, side, side}};
  }
  Result<Imported> import(const std::string& target = "data", const Progress& progress = {},
                          uint32_t side = 6) {
    return import_data(request(side), target_ / target, pool_, progress);
  }
  Imported must(const std::string& target = "data", uint32_t side = 6) {
    auto imported = import(target, {}, side);
    if (!imported) throw std::runtime_error(imported.error().message);
    return *std::move(imported);
  }
  std::string refusal() {
    const auto imported = import("refused");
    return imported ? "accepted" : imported.error().message;
  }
  static std::vector<std::string> lines(const Imported& imported) {
    std::vector<std::string> all;
    const auto report = read_report(imported.report, 1000);
    for (const Skipped& one : *report) all.push_back(one.name + ": " + one.reason);
    return all;
  }

  TemporaryDirectory source_, target_;
  ThreadPool pool_{3};
};

TEST_F(PictureFolder, GivesEveryPictureItsClassNameAndPixels) {
  const Imported imported = must();
  EXPECT_EQ(imported.skipped, 0u);
  EXPECT_FALSE(fs::exists(imported.report));
  EXPECT_FALSE(fs::exists(target_ / "data" / "import"));
  EXPECT_EQ(imported.manifest.name, "pets");
  EXPECT_THAT(imported.manifest.classes, ElementsAre("cat", "dog"));
  EXPECT_EQ(*open_data_folder(target_ / "data"), imported.manifest);
  const ShardStore store(target_ / "data" / kShardFolder);
  const DataSet data(imported.manifest, store);
  ASSERT_EQ(data.count(Split::train), 20u);
  ASSERT_EQ(data.count(Split::test), 6u);
  Digest before{};
  for (uint32_t i = 0; i < 20; ++i) {
    const std::string name = *data.name(Split::train, i);
    EXPECT_EQ(*data.label(Split::train, i), name.starts_with("cat/") ? 0 : 1);
    const Bytes file = *read_file(source_ / "train" / name, 1 << 20);
    EXPECT_EQ(*data.sample(Split::train, i), fit_picture(*decode_picture(file), {3, 6, 6}));
    EXPECT_LT(before, sha256(as_bytes(name)));  // classes come mixed, by names alone
    before = sha256(as_bytes(name));
  }
}

TEST_F(PictureFolder, MayHaveNoSplits) {
  fs::remove_all(source_ / "val");
  fs::rename(source_ / "train", target_ / "flat");
  const auto imported =
      import_data({.source = (target_ / "flat").string(), .shape = {1, 4, 4}}, target_ / "data", pool_, {});
  ASSERT_TRUE(imported.ok()) << imported.error().message;
  EXPECT_EQ(imported->manifest.name, "flat");
  EXPECT_EQ(imported->manifest.count(Split::train), 20u);
  EXPECT_EQ(imported->manifest.count(Split::test), 0u);
  EXPECT_EQ(imported->manifest.sample_size(), 16u);
}

TEST_F(PictureFolder, ListsWhatCannotBeReadAndGoesOn) {
  put("train/cat/empty.jpg", {});
  put("train/cat/cut.jpg", BytesView(jpeg_file(12, 9, plain_pixels(12, 9, 1))).first(60));
  put("train/cat/text.png", as_bytes("hello"));
  put("train/cat/readme.txt", as_bytes("hello"));
  put("train/cat/.hidden", as_bytes("hello"));
  put("train/dog/new\nline.jpg", jpeg_file(12, 9, plain_pixels(12, 9, 1)));
  put("train/dog/\xff.jpg", jpeg_file(12, 9, plain_pixels(12, 9, 1)));
  put("train/dog/really.png.jpg", png_file(9, 12, {}, plain_pixels(9, 12, 1)));
  fs::create_directory(source_ / "train/cat/folder.jpg");
  fs::create_symlink("nowhere", source_ / "train/cat/dangling.jpg");
  const Imported imported = must();
  EXPECT_EQ(imported.manifest.count(Split::train), 21u);
  EXPECT_EQ(imported.skipped, 7u);
  EXPECT_THAT(
      lines(imported),
      UnorderedElementsAre(
          "cat/empty.jpg: is empty", HasSubstr("cat/cut.jpg: is no JPEG that can be"),
          "cat/text.png: is neither JPEG nor PNG", "cat/readme.txt: is called neither .jpg, .jpeg nor .png",
          HasSubstr("dog/new\\x0aline.jpg: a name must not have control"),
          HasSubstr("dog/\\xff.jpg: a name must be UTF-8"), "cat/dangling.jpg: is no file that can be read"));
}

TEST_F(PictureFolder, FollowsNoLoop) {
  fs::create_directory_symlink("..", source_ / "train/cat/up");
  fs::create_symlink("self.jpg", source_ / "train/cat/self.jpg");
  put("train/dog/deeper/still.jpg", jpeg_file(12, 9, plain_pixels(12, 9, 1)));
  const Imported imported = must();
  EXPECT_EQ(imported.manifest.count(Split::train), 21u);
  EXPECT_THAT(lines(imported), UnorderedElementsAre("cat/up: is a link to a folder",
                                                    "cat/self.jpg: is no file that can be read"));
  fs::create_directory_symlink("..", source_ / "train/fox");
  EXPECT_THAT(refusal(), HasSubstr("train/fox: is a link to a folder above it; remove it"));
}

TEST_F(PictureFolder, RefusesClassesThatCannotBe) {
  fs::create_directory(source_ / "val/fox");
  EXPECT_THAT(refusal(), HasSubstr("val: the class fox has no folder among the training pictures"));
  fs::remove_all(source_ / "val");
  fs::create_directory(source_ / "val");
  EXPECT_THAT(refusal(), HasSubstr("val: has no class folders"));
  fs::remove_all(source_ / "val");
  fs::create_directory(source_ / "train/a\nb");
  EXPECT_THAT(refusal(), HasSubstr("the class folder a\\x0ab: a name must not have control characters"));
  fs::remove_all(source_ / "train");
  fs::create_directory(source_ / "train");
  EXPECT_THAT(refusal(), HasSubstr("train: has no folders, which would be classes"));
}

TEST_F(PictureFolder, OfNothingReadableIsRefused) {
  fs::remove_all(source_ / "train");
  put("train/cat/a.jpg", as_bytes("no picture"));
  fs::remove_all(source_ / "val");
  EXPECT_THAT(refusal(), HasSubstr("has no training sample that can be read"));
  EXPECT_FALSE(open_data_folder(target_ / "refused").ok());
}

// Shards of two pictures each.
constexpr uint32_t kLargeSide = 2048;

TEST_F(PictureFolder, GoesOnWhereverItWasInterrupted) {
  put("train/cat/broken.jpg", as_bytes("no picture"));
  for (uint32_t i = 8; i < 20; ++i)
    fs::remove(source_ /
               ("train/" + std::string(i % 2 == 0 ? "cat/" : "dog/") + std::to_string(i) + ".JPEG"));
  const Imported whole = must("whole", kLargeSide);
  int runs = 0;
  for (uint64_t allowed = 1;; ++allowed) {
    uint64_t shards = 0;
    // One shard more than the last time. The end is told too, and then nothing is left to stop.
    const auto stop = [&](uint64_t done, uint64_t total) {
      return total == 1 || done == total || ++shards <= allowed;
    };
    const auto imported = import("pieces", stop, kLargeSide);
    ++runs;
    if (imported) {
      EXPECT_EQ(imported->manifest, whole.manifest);
      EXPECT_EQ(imported->skipped, 1u);
      EXPECT_EQ(lines(*imported), lines(whole));
      break;
    }
    EXPECT_THAT(imported.error().message, HasSubstr("the same command goes on with it"));
    EXPECT_TRUE(is_data_folder(target_ / "pieces"));
    EXPECT_THAT(open_data_folder(target_ / "pieces").error().message,
                HasSubstr("its import is not finished"));
    // What was written half when the power went.
    const auto journal = AppendFile::open(target_ / "pieces" / "import" / "journal");
    ASSERT_TRUE((*journal)->append(Bytes{60, 0, 0, 0, 1, 2, 3}));
    const auto report = AppendFile::open(target_ / "pieces" / "import" / "skipped.txt");
    ASSERT_TRUE((*report)->append(as_bytes("half a li")));
  }
  EXPECT_GE(runs, 3);
}

TEST_F(PictureFolder, MakesNoShardTwice) {
  const Imported whole = must("whole", kLargeSide);
  const auto stop = [&](uint64_t done, uint64_t total) { return total == 1 || done < 8; };
  ASSERT_FALSE(import("pieces", stop, kLargeSide).ok());
  const ShardStore store(target_ / "whole" / kShardFolder);
  const DataSet data(whole.manifest, store);
  for (uint32_t i = 0; i < 8; ++i) fs::remove(source_ / "train" / *data.name(Split::train, i));
  EXPECT_EQ(must("pieces", kLargeSide).manifest, whole.manifest);
}

TEST_F(PictureFolder, IsNotMixedWithAnotherImport) {
  const auto stop = [](uint64_t, uint64_t total) { return total == 1; };
  ASSERT_FALSE(import("data", stop).ok());
  EXPECT_THAT(import("data", {}, 7).error().message, HasSubstr("begun with another source or other options"));
  must();
  EXPECT_THAT(import().error().message, HasSubstr("holds a data set already; choose another folder"));
}

// A full disk, as far as a program can tell: no file may grow.
TEST_F(PictureFolder, SurvivesAFullDisk) {
  for (uint32_t i = 0; i < 20; ++i) {
    Bytes noise(3 * 64 * 64);
    for (size_t p = 0; p < noise.size(); ++p)
      noise[p] =
          static_cast<uint8_t>(sha256(Bytes{static_cast<uint8_t>(p), static_cast<uint8_t>(p >> 8)}).bytes[0]);
    put("train/cat/noise" + std::to_string(i) + ".jpg", jpeg_file(64, 64, noise));
  }
  const Imported whole = must("whole", 64);
  for (const rlim_t limit : {100u, 1'000u, 10'000u}) {
    rlimit before{};
    getrlimit(RLIMIT_FSIZE, &before);
    const auto handler = std::signal(SIGXFSZ, SIG_IGN);
    const rlimit small{limit, before.rlim_max};
    setrlimit(RLIMIT_FSIZE, &small);
    const auto full = import("full", {}, 64);
    setrlimit(RLIMIT_FSIZE, &before);
    std::signal(SIGXFSZ, handler);
    ASSERT_FALSE(full.ok()) << limit;
    EXPECT_THAT(full.error().message, HasSubstr("cannot write")) << limit;
    EXPECT_FALSE(open_data_folder(target_ / "full").ok());
  }
  EXPECT_EQ(must("full", 64).manifest, whole.manifest);
}

}  // namespace
}  // namespace cairn::data
