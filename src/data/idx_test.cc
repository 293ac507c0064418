#include "data/idx.h"

#include <gmock/gmock.h>

#include <random>

#include "base/file.h"
#include "data/mutation.h"
#include "data/test_files.h"

namespace cairn::data {
namespace {

using ::testing::HasSubstr;

Result<Bytes> read_all(Result<IdxFile> file) {
  if (!file) return file.error();
  return file->read(0, file->count());
}
Result<Bytes> read_idx_images(const std::filesystem::path& path) {
  return read_all(IdxFile::open_images(path));
}
Result<Bytes> read_idx_labels(const std::filesystem::path& path) {
  return read_all(IdxFile::open_labels(path));
}

TEST(Idx, ReadsPlainAndCompressedFiles) {
  TemporaryDirectory directory;
  write_plain(directory / "plain", idx_images(5, 3, 4));
  write_gzip(directory / "gzip", idx_images(5, 3, 4));
  for (const char* name : {"plain", "gzip"}) {
    auto images = IdxFile::open_images(directory / name);
    ASSERT_TRUE(images.ok()) << images.error().message;
    EXPECT_EQ(images->count(), 5u);
    EXPECT_EQ(images->height(), 3u);
    EXPECT_EQ(images->width(), 4u);
    const auto pixels = images->read(0, 5);
    ASSERT_TRUE(pixels.ok()) << pixels.error().message;
    ASSERT_EQ(pixels->size(), 60u);
    EXPECT_EQ((*pixels)[59], 4 + 11);
    // Forth, back and forth again.
    for (const uint32_t i : {3, 1, 2, 4}) EXPECT_EQ((*images->read(i, 1))[0], i);
  }
  write_gzip(directory / "labels", idx_labels(7, 3));
  const auto labels = read_idx_labels(directory / "labels");
  ASSERT_TRUE(labels.ok()) << labels.error().message;
  EXPECT_EQ(*labels, (Bytes{0, 1, 2, 0, 1, 2, 0}));
}

TEST(Idx, RefusesBadFilesByName) {
  TemporaryDirectory directory;
  const std::filesystem::path path = directory / "file";
  const auto refusal = [&](BytesView bytes) {
    write_plain(path, bytes);
    const auto images = read_idx_images(path);
    return images ? "accepted" : images.error().message;
  };
  const Bytes good = idx_images(5, 3, 4);
  EXPECT_EQ(refusal(good), "accepted");
  EXPECT_THAT(refusal({}), HasSubstr("file: ends too early"));
  EXPECT_THAT(refusal(BytesView(good).first(10)), HasSubstr("file: ends too early"));
  EXPECT_THAT(refusal(BytesView(good).first(75)), HasSubstr("file: ends too early"));
  EXPECT_THAT(refusal(idx_labels(5, 2)), HasSubstr("no IDX file of unsigned bytes with 3 dimensions"));
  EXPECT_THAT(refusal(idx_header(0x0d03, {1, 1, 1})), HasSubstr("no IDX file"));
  EXPECT_THAT(refusal(idx_header(0x803, {0, 3, 4})), HasSubstr("count: the file has no items"));
  EXPECT_THAT(refusal(idx_header(0x803, {1, 0, 4})), HasSubstr("image size: 0 is not between"));
  EXPECT_THAT(refusal(idx_header(0x803, {1, 4, 1 << 20})), HasSubstr("image size: 1048576 is not between"));
  // No shard could hold it, and no manifest with such a shard could be read again.
  EXPECT_THAT(refusal(idx_header(0x803, {1, 1 << 14, 1 << 13})),
              HasSubstr("image size: an image is larger than 64 MiB"));
  EXPECT_THAT(refusal(idx_header(0x803, {UINT32_MAX, 28, 28})),
              HasSubstr("count: more items than a data set may have"));
  EXPECT_THAT(refusal(idx_header(0x803, {2'000'000, 28, 28})), HasSubstr("ends too early"));
  Bytes longer = good;
  longer.push_back(0);
  EXPECT_THAT(refusal(longer), HasSubstr("has more bytes than its header says"));
  EXPECT_THAT(read_idx_images(directory / "absent").error().message,
              HasSubstr("absent: there is no such file"));
  EXPECT_THAT(read_idx_images(directory.path()).error().message, HasSubstr("there is no such file"));
  write_plain(path, good);
  EXPECT_THAT(read_idx_labels(path).error().message,
              HasSubstr("no IDX file of unsigned bytes with 1 dimension"));
}

TEST(Idx, RefusesDamagedCompression) {
  TemporaryDirectory directory;
  const std::filesystem::path path = directory / "file.gz";
  write_gzip(path, idx_images(50, 8, 8));
  const Bytes whole = *read_file(path, 1 << 20);
  for (size_t size = 0; size < whole.size(); ++size) {
    write_plain(path, BytesView(whole).first(size));
    EXPECT_FALSE(read_idx_images(path).ok()) << size;
  }
  write_plain(path, BytesView(whole).first(whole.size() - 12));
  EXPECT_THAT(read_idx_images(path).error().message, HasSubstr("is a truncated gzip file"));
  Bytes wrong_sum = whole;
  wrong_sum[wrong_sum.size() - 6] ^= 1;
  write_plain(path, wrong_sum);
  EXPECT_THAT(read_idx_images(path).error().message, HasSubstr("is a damaged gzip file"));
}

TEST(Idx, SurvivesDamage) {
  TemporaryDirectory directory;
  const std::filesystem::path path = directory / "file";
  write_gzip(path, idx_images(9, 5, 5));
  const std::vector<Bytes> originals = {idx_images(9, 5, 5), *read_file(path, 1 << 20)};
  std::mt19937_64 random(3);
  for (int i = 0; i < 1'000; ++i) {
    write_plain(path, mutate(originals[static_cast<size_t>(i % 2)], random));
    const auto images = read_idx_images(path);
    if (!images) {
      EXPECT_THAT(images.error().message, HasSubstr("file: "));
    }
  }
}

TEST(Idx, DoesNotUnpackMoreThanTheHeaderSays) {
  TemporaryDirectory directory;
  Bytes bomb = idx_header(0x803, {1, 2, 2});
  bomb.resize(64 << 20);
  write_gzip(directory / "bomb", bomb);
  EXPECT_THAT(read_idx_images(directory / "bomb").error().message,
              HasSubstr("more bytes than its header says"));
}

}  // namespace
}  // namespace cairn::data
