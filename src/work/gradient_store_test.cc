#include "work/gradient_store.h"

#include <gmock/gmock.h>
#include <zstd.h>

#include <random>

#include "base/file.h"
#include "data/mutation.h"
#include "data/test_files.h"

namespace cairn::work {
namespace {

using ::testing::HasSubstr;

Bytes noise(size_t size, uint64_t seed) {
  std::mt19937_64 random(seed);
  Bytes bytes(size);
  for (uint8_t& byte : bytes) byte = static_cast<uint8_t>(random() % 20);
  return bytes;
}

std::string said(const GradientStore& store, BytesView packed) {
  const auto bytes = store.unpack(packed);
  return bytes ? "accepted" : bytes.error().message;
}

class GradientFiles : public testing::Test {
 protected:
  static constexpr size_t kSize = 5'000;

  data::TemporaryDirectory folder_;
  GradientStore store_{folder_ / "gradients", kSize};
};

TEST_F(GradientFiles, KeepsPackedWhatItGivesBackWhole) {
  const Bytes bytes = noise(kSize, 1);
  const Digest digest = sha256(bytes);
  const Bytes packed = *pack_gradient(bytes);
  EXPECT_LT(packed.size(), kSize * 3 / 4);
  PreparedBlob blob = *store_.prepare(digest, packed);
  EXPECT_FALSE(store_.has(digest));
  ASSERT_TRUE(store_.take(blob));
  EXPECT_EQ(std::filesystem::file_size(store_.path(digest)), packed.size());
  EXPECT_EQ(*store_.get(digest, kSize), bytes);
  EXPECT_THAT(store_.get(digest, kSize - 1).error().message, HasSubstr("is larger than 4999 bytes"));
  ASSERT_TRUE(store_.remove(digest));
  EXPECT_FALSE(store_.get(digest, kSize));
}

TEST_F(GradientFiles, UnpacksTheSameInMemoryAndInAFile) {
  for (const size_t size : {kSize, size_t{3} << 20}) {
    const Bytes bytes = noise(size, 2);
    const GradientStore store(folder_ / "other", size);
    const auto back = store.unpack(*pack_gradient(bytes));
    ASSERT_TRUE(back) << back.error().message;
    EXPECT_TRUE(std::ranges::equal(back->view(), bytes));
  }
  EXPECT_TRUE(std::filesystem::is_empty(folder_ / "other" / "prepared")) << "the file has no name";
}

// A frame of a few bytes that would grow to a hundred megabytes.
TEST_F(GradientFiles, RefusesABombBeforeUnpackingIt) {
  const Bytes bomb = *pack_gradient(Bytes(100 << 20));
  EXPECT_LT(bomb.size(), 20'000u);
  EXPECT_EQ(said(store_, bomb), "holds 104857600 bytes where a gradient of this project has 5000");
}

TEST_F(GradientFiles, RefusesWhatIsNotOneFrameOfTheRightSize) {
  const Bytes packed = *pack_gradient(noise(kSize, 3));
  EXPECT_EQ(said(store_, packed), "accepted");
  EXPECT_THAT(said(store_, {}), HasSubstr("no Zstandard frame"));
  EXPECT_THAT(said(store_, noise(100, 4)), HasSubstr("no Zstandard frame"));
  EXPECT_THAT(said(store_, *pack_gradient(noise(kSize - 1, 3))), HasSubstr("holds 4999 bytes"));
  Bytes longer = packed;
  longer.push_back(0);
  EXPECT_EQ(said(store_, longer), "is not one whole Zstandard frame");
  Bytes twice = packed;
  twice.insert(twice.end(), packed.begin(), packed.end());
  EXPECT_EQ(said(store_, twice), "is not one whole Zstandard frame");
  EXPECT_NE(said(store_, BytesView(packed).first(packed.size() - 1)), "accepted");
}

TEST_F(GradientFiles, SurvivesDamage) {
  std::mt19937_64 random(5);
  const Bytes bytes = noise(kSize, 6);
  const Bytes packed = *pack_gradient(bytes);
  for (int i = 0; i < 3'000; ++i) {
    const auto back = store_.unpack(data::mutate(packed, random));
    if (back) {
      ASSERT_EQ(back->size(), kSize);
    } else {
      ASSERT_THAT(back.error().message,
                  testing::AnyOf(HasSubstr("frame"), HasSubstr("holds"), HasSubstr("unpacked")));
    }
  }
}

TEST_F(GradientFiles, NoticesAFileThatIsNotWhatItsNameSays) {
  const Bytes bytes = noise(kSize, 7);
  const Digest digest = sha256(bytes);
  std::filesystem::create_directories(store_.path(digest).parent_path());
  data::write_plain(store_.path(digest), *pack_gradient(noise(kSize, 8)));
  EXPECT_THAT(store_.get(digest, kSize).error().message,
              HasSubstr("does not have the digest in the file's name"));
  data::write_plain(store_.path(digest), bytes);
  EXPECT_THAT(store_.get(digest, kSize).error().message, HasSubstr(digest.hex().substr(2)));
}

}  // namespace
}  // namespace cairn::work
