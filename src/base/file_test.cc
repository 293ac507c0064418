#include "base/file.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <thread>

#include "base/blob_store.h"
#include "base/file_group.h"

namespace cairn {
namespace {

class Files : public testing::Test {
 protected:
  void SetUp() override {
    directory_ = std::filesystem::temp_directory_path() /
                 ("cairn-file-test-" + std::to_string(::getpid()) +
                  testing::UnitTest::GetInstance()->current_test_info()->name());
    std::filesystem::create_directories(directory_);
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }

  std::filesystem::path directory_;
};

TEST_F(Files, WrittenBytesAreRead) {
  const Bytes bytes = {1, 2, 3};
  ASSERT_TRUE(write_file(directory_ / "a", bytes));
  EXPECT_EQ(*read_file(directory_ / "a", 3), bytes);
}

TEST_F(Files, AFileOverTheLimitIsRefused) {
  ASSERT_TRUE(write_file(directory_ / "a", Bytes(4)));
  const auto result = read_file(directory_ / "a", 3);
  ASSERT_FALSE(result);
  EXPECT_THAT(result.error().message, testing::HasSubstr("has 4 bytes where at most 3 are allowed"));
}

TEST_F(Files, DirectoriesAndMissingFilesAreRefused) {
  EXPECT_FALSE(read_file(directory_, 100));
  EXPECT_FALSE(read_file(directory_ / "missing", 100));
}

// It would wait for a writer.
TEST_F(Files, ANamedPipeIsRefused) {
  ASSERT_EQ(::mkfifo((directory_ / "pipe").c_str(), 0600), 0);
  EXPECT_THAT(read_file(directory_ / "pipe", 100).error().message,
              testing::HasSubstr("is not a regular file"));
}

TEST_F(Files, APrivateFileIsForItsOwnerOnly) {
  ASSERT_TRUE(write_private_file(directory_ / "key", Bytes(1)));
  EXPECT_EQ(std::filesystem::status(directory_ / "key").permissions(),
            std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
}

TEST_F(Files, AFullDiskLeavesTheOldFileAndNoRemains) {
  ASSERT_TRUE(write_file(directory_ / "a", Bytes(10, 1)));
  rlimit old_limit{};
  getrlimit(RLIMIT_FSIZE, &old_limit);
  const rlimit small{1000, old_limit.rlim_max};
  std::signal(SIGXFSZ, SIG_IGN);
  setrlimit(RLIMIT_FSIZE, &small);
  const Status status = write_file(directory_ / "a", Bytes(5000, 2));
  setrlimit(RLIMIT_FSIZE, &old_limit);
  EXPECT_FALSE(status);
  EXPECT_EQ(*read_file(directory_ / "a", 100), Bytes(10, 1));
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(directory_), {}), 1);
}

// As root, `-o /dev/full` once put a plain file in the place of the device.
TEST_F(Files, APipeIsWrittenToAndALinkFollowed) {
  const auto pipe = directory_ / "pipe", link = directory_ / "link";
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  const int reader = ::open(pipe.c_str(), O_RDONLY | O_NONBLOCK);
  ASSERT_GE(reader, 0);
  EXPECT_TRUE(write_file(pipe, Bytes{7, 8}));
  Bytes got(3);
  EXPECT_EQ(::read(reader, got.data(), got.size()), 2);
  EXPECT_EQ(got[1], 8);
  ::close(reader);
  EXPECT_TRUE(std::filesystem::is_fifo(pipe));

  ASSERT_TRUE(write_file(directory_ / "a", Bytes{1}));
  std::filesystem::create_symlink("a", link);
  ASSERT_TRUE(write_file(link, Bytes{2}));
  EXPECT_TRUE(std::filesystem::is_symlink(link));
  EXPECT_EQ(*read_file(directory_ / "a", 1), Bytes{2});
  EXPECT_FALSE(write_file(directory_, Bytes{1}));
}

TEST_F(Files, ABlobIsFoundByItsDigest) {
  BlobStore store(directory_);
  const Bytes bytes = {4, 5, 6};
  const Digest digest = *store.put(bytes);
  EXPECT_EQ(digest, sha256(bytes));
  EXPECT_EQ(*store.get(digest, 10), bytes);
  ASSERT_TRUE(store.remove(digest));
  EXPECT_FALSE(store.has(digest));
}

// All of them wrote one temporary file, so that some were told of a failure and others read half a blob.
TEST_F(Files, ThreadsMayPutTheSameBlobAtOnce) {
  BlobStore store(directory_);
  std::atomic<int> wrong = 0;
  for (uint8_t round = 0; round < 20; ++round) {
    const Bytes bytes(200'000, round);
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&] {
        const auto digest = store.put(bytes);
        if (!digest || !store.get(*digest, bytes.size())) ++wrong;
      });
    }
    for (std::thread& thread : threads) thread.join();
  }
  EXPECT_EQ(wrong, 0);
}

TEST_F(Files, SeveralFilesAreSyncedTogether) {
  std::vector<std::filesystem::path> paths;
  ASSERT_TRUE(sync_files(directory_, paths));
  for (const std::string name : {"a", "b", "c", "d"}) {
    paths.push_back(directory_ / name);
    const auto beside = write_beside(paths.back(), as_bytes(name));
    ASSERT_TRUE(beside);
    std::filesystem::rename(*beside, paths.back());
    ASSERT_TRUE(sync_files(directory_, paths));
    EXPECT_EQ(*read_file(paths.back(), 1), to_bytes(name));
  }
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(directory_), {}), 4);  // no temporaries
}

TEST_F(Files, WhatCannotBeSyncedIsNamed) {
  const std::vector<std::filesystem::path> paths = {directory_ / "missing"};
  const Status status = sync_files(directory_, paths);
  ASSERT_FALSE(status);
  EXPECT_THAT(status.error().message, testing::HasSubstr("missing: cannot sync"));
}

TEST_F(Files, ABlobThatAPowerCutLeftIncompleteIsWrittenAgain) {
  BlobStore store(directory_);
  const Bytes bytes = {4, 5, 6};
  const Digest digest = *store.put(bytes);
  for (const Bytes& left : {Bytes{}, Bytes{4, 5}, Bytes{0, 0, 0}, Bytes{4, 5, 6, 7}}) {
    ASSERT_TRUE(write_file(store.path(digest), left));
    ASSERT_TRUE(store.put(bytes));
    EXPECT_EQ(*store.get(digest, 10), bytes);
  }
}

TEST_F(Files, AMappedFileIsReadLikeAnyOther) {
  const Bytes bytes = {1, 2, 3};
  ASSERT_TRUE(write_file(directory_ / "a", bytes));
  ASSERT_TRUE(write_file(directory_ / "empty", {}));
  SharedBytes part;
  {
    const SharedBytes mapped = *map_file(directory_ / "a", 3);
    EXPECT_EQ(Bytes(mapped.view().begin(), mapped.view().end()), bytes);
    part = mapped.slice(mapped.view().subspan(1));
  }
  std::filesystem::remove(directory_ / "a");
  EXPECT_EQ(Bytes(part.view().begin(), part.view().end()), (Bytes{2, 3}));
  EXPECT_EQ(map_file(directory_ / "empty", 3)->size(), 0u);
  EXPECT_THAT(map_file(directory_ / "a", 3).error().message, testing::HasSubstr("cannot read"));
  ASSERT_TRUE(write_file(directory_ / "a", Bytes(4)));
  EXPECT_THAT(map_file(directory_ / "a", 3).error().message,
              testing::HasSubstr("has 4 bytes where at most 3 are allowed"));
}

TEST_F(Files, APreparedBlobIsTakenOrGone) {
  BlobStore store(directory_);
  const Bytes bytes = {4, 5, 6};
  const auto prepared = [&] {
    return std::distance(std::filesystem::directory_iterator(directory_ / "prepared"), {});
  };
  {
    PreparedBlob blob = *store.prepare(bytes);
    EXPECT_EQ(blob.digest(), sha256(bytes));
    EXPECT_FALSE(store.has(blob.digest()));
    EXPECT_EQ(prepared(), 1);
  }
  EXPECT_EQ(prepared(), 0);
  for (const Bytes& left : {Bytes{}, Bytes{4, 5}, bytes}) {  // by a power cut
    PreparedBlob blob = *store.prepare(bytes);
    ASSERT_TRUE(store.take(blob));
    EXPECT_EQ(*store.get(blob.digest(), 3), bytes);
    ASSERT_TRUE(write_file(store.path(blob.digest()), left));
  }
  EXPECT_EQ(prepared(), 0);
}

TEST_F(Files, WhatDiedProcessesPreparedIsForgotten) {
  const BlobStore store(directory_);
  const PreparedBlob old = *store.prepare(Bytes{1}), young = *store.prepare(Bytes{2});
  const auto files = [&] {
    return std::distance(std::filesystem::directory_iterator(directory_ / "prepared"), {});
  };
  for (const auto& file : std::filesystem::directory_iterator(directory_ / "prepared")) {
    if (*read_file(file.path(), 1) == Bytes{1})
      std::filesystem::last_write_time(file,
                                       std::filesystem::file_time_type::clock::now() - std::chrono::hours(3));
  }
  store.forget_prepared(std::chrono::hours(4));
  EXPECT_EQ(files(), 2);
  store.forget_prepared(std::chrono::hours(2));
  EXPECT_EQ(files(), 1);
}

TEST_F(Files, ADamagedBlobIsRefused) {
  BlobStore store(directory_);
  const Digest digest = *store.put(Bytes{4, 5, 6});
  ASSERT_TRUE(write_file(store.path(digest), Bytes{4, 5, 7}));
  const auto result = store.get(digest, 10);
  ASSERT_FALSE(result);
  EXPECT_THAT(result.error().message, testing::HasSubstr("do not have the digest"));
}

}  // namespace
}  // namespace cairn
