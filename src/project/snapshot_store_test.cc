#include "project/snapshot_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <random>

#include "average/packed_snapshot.h"
#include "average/snapshot.h"
#include "base/file.h"

namespace cairn::project {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

constexpr size_t kCount = 5000;

// A host's folder, or a copy's; what a copy lacks comes from another folder.
class FolderOrigin : public BlobOrigin {
 public:
  explicit FolderOrigin(fs::path folder) : files_(std::move(folder)) {}
  Status fetch(const Digest& digest, uint64_t max_size, const fs::path& file) const override {
    ++asked;
    CAIRN_TRY(const Bytes bytes, read_file(files_.path(digest), max_size));
    fetched += bytes.size();
    return write_file(file, bytes);
  }
  mutable size_t asked = 0;
  mutable uint64_t fetched = 0;

 private:
  BlobStore files_;
};

struct SnapshotStoreTest : testing::Test {
  void SetUp() override {
    folder = fs::temp_directory_path() / ("cairn-snapshots-test-" + std::to_string(::getpid()));
    std::vector<float> start(kCount);
    for (float& value : start) value = 0.02f * normal(random);
    const average::Snapshot first = average::starting_snapshot(start).value();
    BlobStore blobs(folder / "host" / "blobs");
    digests.push_back(blobs.put(average::encode_parameters(first)).value());
    rounds.push_back(average::parameters(first));
    for (int round = 1; round < 40; ++round) next_round();
  }
  void TearDown() override { fs::remove_all(folder); }

  void next_round() {
    std::vector<float> now = rounds.back();
    for (float& value : now) value += 2e-5f * normal(random);
    const Digest digest = average::parameters_digest(now);
    ASSERT_TRUE(host.put(digest, now, digests.back()));
    digests.push_back(digest);
    rounds.push_back(now);
  }
  bool whole(size_t round) const { return !host.base(digests[round]); }

  std::mt19937_64 random{1};
  std::normal_distribution<float> normal;
  fs::path folder;
  std::vector<Digest> digests;
  std::vector<std::vector<float>> rounds;
  SnapshotStore host{
      fs::temp_directory_path() / ("cairn-snapshots-test-" + std::to_string(::getpid())) / "host", nullptr,
      nullptr};
};

TEST_F(SnapshotStoreTest, GivesEveryRoundBack) {
  for (size_t round = 0; round < rounds.size(); ++round) {
    const auto got = host.get(digests[round], kCount);
    ASSERT_TRUE(got) << got.error().message;
    ASSERT_EQ(*got, rounds[round]) << round;
    ASSERT_TRUE(host.has(digests[round]));
  }
}

TEST_F(SnapshotStoreTest, EverySixteenthStandsByItself) {
  for (size_t round = 0; round < rounds.size(); ++round)
    EXPECT_EQ(whole(round), round % kWholeEvery == 0) << round;
}

TEST_F(SnapshotStoreTest, AFollowerFetchesOneChangeAndANewcomerAFew) {
  const FolderOrigin packed(folder / "host" / "snapshots"), blobs(folder / "host" / "blobs");
  const SnapshotStore copy(folder / "copy", &packed, &blobs);
  ASSERT_EQ(copy.get(digests[38], kCount).value(), rounds[38]);
  EXPECT_EQ(packed.asked, 7u) << "a whole one and six changes";
  EXPECT_EQ(blobs.asked, 0u);
  const uint64_t before = packed.fetched;
  ASSERT_EQ(copy.get(digests[39], kCount).value(), rounds[39]);
  EXPECT_EQ(packed.asked, 8u);
  EXPECT_LT(packed.fetched - before, average::parameters_size(kCount) * 3 / 4);
  EXPECT_EQ(copy.get(digests[0], kCount).value(), rounds[0]) << "the genesis is a blob";
  EXPECT_EQ(copy.files(digests[39]).size(), 8u);
}

TEST_F(SnapshotStoreTest, WhatIsKnownNeedNotBeUnpacked) {
  const FolderOrigin packed(folder / "host" / "snapshots"), blobs(folder / "host" / "blobs");
  const SnapshotStore copy(folder / "copy", &packed, &blobs);
  const SnapshotStore::Known known{digests[38], rounds[38]};
  EXPECT_EQ(copy.get(digests[39], kCount, &known).value(), rounds[39]);
  EXPECT_EQ(packed.asked, 1u);
}

TEST_F(SnapshotStoreTest, ADamagedFileIsNamedAndFetchedAgain) {
  const FolderOrigin packed(folder / "host" / "snapshots"), blobs(folder / "host" / "blobs");
  const SnapshotStore copy(folder / "copy", &packed, &blobs);
  ASSERT_TRUE(copy.get(digests[39], kCount));
  Bytes bytes = average::pack(rounds[37]);  // whole and well-formed, but of another round
  ASSERT_TRUE(write_file(copy.path(digests[36]), bytes));
  const auto got = copy.get(digests[39], kCount);
  ASSERT_FALSE(got);
  EXPECT_THAT(got.error().message, HasSubstr(copy.path(digests[36]).string()));
  EXPECT_EQ(copy.get(digests[39], kCount).value(), rounds[39]);
  ASSERT_TRUE(write_file(host.path(digests[36]), bytes));
  EXPECT_FALSE(host.get(digests[39], kCount));
  EXPECT_TRUE(fs::exists(host.path(digests[36]))) << "nobody could give it back";
}

TEST_F(SnapshotStoreTest, ChangesUponThemselvesEnd) {
  ASSERT_TRUE(write_file(host.path(digests[1]), average::pack_change(digests[1], rounds[1], rounds[1])));
  EXPECT_THAT(host.get(digests[1], kCount).error().message, HasSubstr("lies upon more than 64 others"));
  EXPECT_FALSE(host.has(digests[1]));
}

TEST_F(SnapshotStoreTest, WithoutTheRoundBeforeAWholeOneIsWritten) {
  fs::remove(host.path(digests[39]));
  fs::remove(host.path(digests[38]));
  EXPECT_FALSE(host.has(digests[39]));
  ASSERT_TRUE(host.put(digests[39], rounds[39], digests[38]));
  EXPECT_TRUE(whole(39));
  EXPECT_EQ(host.get(digests[39], kCount).value(), rounds[39]);
}

// What a kill in the middle leaves is the round's file or none: write_file() sees to that.
TEST_F(SnapshotStoreTest, PuttingAgainChangesNothing) {
  const auto written = fs::last_write_time(host.path(digests[39]));
  ASSERT_TRUE(host.put(digests[39], rounds[39], digests[38]));
  EXPECT_EQ(fs::last_write_time(host.path(digests[39])), written);
}

}  // namespace
}  // namespace cairn::project
