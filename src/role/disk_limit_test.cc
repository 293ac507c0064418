// What copies of projects may take on disk: which files go, and which never do.
#include "role/disk_limit.h"

#include <gmock/gmock.h>

#include <chrono>

#include "role/testing.h"
#include "role/worker.h"

namespace cairn::role {
namespace {

using testing::HasSubstr;
namespace fs = std::filesystem;

class DiskLimits : public testing::Test {
 protected:
  // A blob or shard of a copy, last used so many hours ago.
  fs::path file(const std::string& folder, char letter, int hours, size_t bytes = 1000) const {
    const fs::path path = copy_ / folder / std::string(2, letter) / std::string(62, letter);
    fs::create_directories(path.parent_path());
    data::write_plain(path, Bytes(bytes, 7));
    fs::last_write_time(path, fs::file_time_type::clock::now() - std::chrono::hours(hours));
    return path;
  }
  std::unique_ptr<DiskLimit> limit(uint64_t bytes) const {
    return must(DiskLimit::open(folder_.path(), bytes, system_environment()));
  }

  data::TemporaryDirectory folder_;
  fs::path copy_ = folder_.path() / std::string(64, 'a');
};

TEST_F(DiskLimits, WhatWasUsedLongestAgoGoesFirst) {
  const fs::path old = file("shards", 'a', 5), older = file("blobs", 'b', 9), recent = file("shards", 'c', 1);
  const auto all = limit(3000);
  ASSERT_TRUE(all->make_room(0).ok());
  EXPECT_TRUE(fs::exists(older));
  ASSERT_TRUE(all->make_room(1500).ok());
  EXPECT_FALSE(fs::exists(older));
  EXPECT_FALSE(fs::exists(old));
  EXPECT_TRUE(fs::exists(recent));
}

TEST_F(DiskLimits, WhatAUnitNeedsStaysWhoeverMakesRoom) {
  const fs::path needed = file("shards", 'a', 9), other = file("shards", 'b', 1);
  const auto mine = limit(2000);
  auto theirs = limit(2000);
  ASSERT_TRUE(theirs->hold({needed, copy_ / "blobs/cc" / std::string(62, 'c')}).ok());
  fs::last_write_time(needed, fs::file_time_type::clock::now() - std::chrono::hours(9));
  ASSERT_TRUE(mine->make_room(1000).ok());
  EXPECT_TRUE(fs::exists(needed));
  EXPECT_FALSE(fs::exists(other));
  EXPECT_THAT(mine->make_room(1001).error().message, HasSubstr("raise it with --disk"));
  EXPECT_TRUE(fs::exists(needed));
  theirs.reset();  // its process has ended
  EXPECT_TRUE(mine->make_room(1001).ok());
  EXPECT_FALSE(fs::exists(needed));
}

TEST_F(DiskLimits, HoldingCountsAsUsing) {
  const fs::path held = file("shards", 'a', 9), other = file("shards", 'b', 1);
  const auto room = limit(2000);
  ASSERT_TRUE(room->hold({held}).ok());
  ASSERT_TRUE(room->hold({}).ok());
  ASSERT_TRUE(room->make_room(500).ok());
  EXPECT_TRUE(fs::exists(held));
  EXPECT_FALSE(fs::exists(other));
}

// Whoever names a folder of their own as the cache loses nothing there.
TEST_F(DiskLimits, OnlyBlobsAndShardsOfCopiesGo) {
  file("shards", 'b', 1);
  const std::vector<fs::path> others = {folder_ / "letter", copy_ / "ledger.sqlite", copy_ / "blobs/note",
                                        copy_ / "blobs/aa/photo"};
  fs::create_directories(copy_ / "blobs/aa");
  for (const fs::path& other : others) data::write_plain(other, Bytes(5000, 1));
  EXPECT_FALSE(limit(1)->make_room(1).ok());
  for (const fs::path& other : others) EXPECT_TRUE(fs::exists(other)) << other;
  EXPECT_FALSE(fs::exists(copy_ / "shards/bb" / std::string(62, 'b')));
}

TEST_F(DiskLimits, ListsOfKilledProcessesAreTakenAway) {
  data::write_plain(folder_ / "held-by-1", as_bytes("x\n"));
  const auto mine = limit(1000);
  EXPECT_FALSE(fs::exists(folder_ / "held-by-1"));
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_.path()), fs::directory_iterator()), 1);
}

TEST(SizeText, IsShort) {
  EXPECT_EQ(size_text(1023), "1023 bytes");
  EXPECT_EQ(size_text(1536), "1.5 KiB");
  EXPECT_EQ(size_text(uint64_t{20} << 30), "20.0 GiB");
}

// -- Over a network

TEST(DiskLimitOfAJoin, AUnitThatNeedsMoreIsRefusedBeforeItsDownload) {
  const Workshop workshop;
  const auto host = workshop.host();
  Person ada(workshop, *host, "ada");
  const auto limit = must(DiskLimit::open(workshop.path("cache of ada"), 1000, system_environment()));
  project::Trainer trainer = ada.trainer();
  Worker worker(ada.replica->project(), trainer, {limit.get(), {}}, system_environment());
  const auto refused = worker.compute(0, 0, {});
  ASSERT_FALSE(refused.ok());
  EXPECT_THAT(refused.error().message, HasSubstr("over the limit of 1000 bytes; raise it with --disk"));
  // All that was fetched is the page of the manifest that says what the unit needs.
  uint64_t fetched = 0;
  for (const auto& file : fs::recursive_directory_iterator(ada.replica->project().directory() / "shards"))
    if (file.is_regular_file()) fetched += file.file_size();
  EXPECT_LT(fetched, 1000u);
}

TEST(DiskLimitOfAJoin, OldModelsMakeRoomForNewOnes) {
  const Workshop workshop;
  const auto host = workshop.host({.quorum = 1});
  Person ada(workshop, *host, "ada");
  ASSERT_TRUE(ada.contribute(1).ok());
  const project::Project& project = ada.replica->project();
  const auto snapshot = [&](trust::Round round) {
    return project.snapshots().files(project.state().rounds()[round].snapshot).front();
  };
  ada.follow_to(1);
  const fs::path old_model = project.directory() / "blobs/aa" / std::string(62, 'a');
  fs::create_directories(old_model.parent_path());
  data::write_plain(old_model, Bytes(fs::file_size(snapshot(0)), 1));
  fs::last_write_time(old_model, fs::file_time_type::clock::now() - std::chrono::hours(1));
  uint64_t taken = 0;
  for (const auto& entry : fs::recursive_directory_iterator(project.directory()))
    if (entry.is_regular_file()) taken += entry.file_size();
  // Room for what there is, the log growing a little, but for no further model.
  const auto limit = must(DiskLimit::open(workshop.path("cache of ada"),
                                          taken + fs::file_size(snapshot(0)) / 8, system_environment()));
  ada.remote->set_make_room([&](uint64_t bytes) { return limit->make_room(bytes); });
  project::Trainer trainer = ada.trainer();
  Worker worker(project, trainer, {limit.get(), {}}, system_environment());
  const auto computed = worker.compute(1, 1, {});
  ASSERT_TRUE(computed.ok()) << computed.error().message;
  EXPECT_FALSE(fs::exists(old_model));
  EXPECT_TRUE(fs::exists(snapshot(0))) << "the new one is laid upon it";
  EXPECT_TRUE(fs::exists(snapshot(1)));
}

}  // namespace
}  // namespace cairn::role
