// The models of rounds between a host and those who follow it: what is fetched, what is kept, what a crash
// leaves.
#include <gmock/gmock.h>

#include <fstream>

#include "average/packed_snapshot.h"
#include "average/snapshot.h"
#include "project/disk_use.h"
#include "project/retention.h"
#include "project/rounds.h"
#include "project/verification.h"
#include "role/testing.h"

namespace cairn::role {
namespace {

namespace fs = std::filesystem;

Digest snapshot(const project::Project& project, trust::Round round) {
  return project.state().rounds()[round].snapshot;
}

// Rounds of one entry each, until that one is open.
void work_until(Person& person, trust::Round round) {
  for (trust::Round next = person.replica->project().state().next_round(); next <= round; ++next) {
    ASSERT_TRUE(person.contribute(1).ok());
    person.follow_to(next);
  }
}

TEST(HostedSnapshots, AContributorFetchesOneChangeARound) {
  const Workshop workshop;
  const auto host = workshop.host({.quorum = 1});
  Person ada(workshop, *host, "ada");
  work_until(ada, 4);
  const project::Project& project = ada.replica->project();
  const uint64_t count = model::parameter_count(project.graph());
  for (trust::Round round = 1; round < 4; ++round) {  // that of the fourth, nobody has needed yet
    EXPECT_EQ(project.snapshots().base(snapshot(project, round)), snapshot(project, round - 1));
    const fs::path file = project.snapshots().path(snapshot(project, round));
    EXPECT_LT(fs::file_size(file), average::parameters_size(count)) << round;
    EXPECT_FALSE(project.blobs().has(snapshot(project, round)));
  }
  EXPECT_FALSE(fs::exists(project.snapshots().path(snapshot(project, 4))));
  Person newcomer(workshop, *host, "ben");
  EXPECT_EQ(must(newcomer.replica->project().parameters(4)), must(project.parameters(4)));
  const auto verified = project::verify(newcomer.replica->project(), {});
  ASSERT_TRUE(verified.ok()) << verified.error().message;
  EXPECT_EQ(verified->snapshots, 5u);
}

TEST(HostedSnapshots, BeyondTheHorizonTheyGoAndTheProjectStillVerifies) {
  const Workshop workshop("[trust]\nexam_entries = 1\n[averaging]\nhorizon = 2\n");
  {
    const auto host = workshop.host({.quorum = 1});
    Person ada(workshop, *host, "ada");
    work_until(ada, 20);
  }
  const project::Project project = workshop.open(workshop.directory());
  const int64_t now = system_environment().now();
  const project::DiskUse before = project::disk_use(project, now);
  uint64_t everything = 0;
  for (const auto& file : fs::recursive_directory_iterator(workshop.directory()))
    everything += file.is_regular_file() ? file.file_size() : 0;
  EXPECT_EQ(before.total(), everything);
  // Packed, later gradients are smaller than the first ones.
  EXPECT_GT(before.gradients, fs::file_size(project.gradients().path(*project.state().entry(1).gradient)));
  EXPECT_EQ(before.withdrawn, 0u);
  // Rounds 19 and 20 are within the horizon, 16 to 18 may still get entries of slow machines, and all of them
  // lie upon the whole one of round 16.
  EXPECT_GT(before.droppable, 10 * fs::file_size(project.snapshots().path(snapshot(project, 20))));
  const uint64_t dropped = must(project::drop_snapshots(project, now));
  EXPECT_EQ(dropped, 15u) << "of the rounds 1 to 15";
  const project::DiskUse after = project::disk_use(project, now);
  EXPECT_EQ(after.droppable, 0u);
  EXPECT_EQ(before.total() - after.total(), before.droppable);
  EXPECT_EQ(before.snapshots - after.snapshots, before.droppable);
  EXPECT_EQ(must(project::drop_snapshots(project, now)), 0u);
  const auto verified = project::verify(project, {});
  ASSERT_TRUE(verified.ok()) << verified.error().message;
  EXPECT_EQ(verified->snapshots, 21u);
  const auto old = project.parameters(3);
  ASSERT_FALSE(old.ok());
  EXPECT_THAT(old.error().message, testing::HasSubstr("round 3, which is older than the policy's horizon"));

  const auto host = workshop.host({.quorum = 1});
  Person ben(workshop, *host, "ben");
  EXPECT_TRUE(ben.contribute(1).ok()) << "a newcomer needs none of them";
}

// What a host leaves that is killed after its model is packed, and before the round that has it opens.
TEST(HostedSnapshots, AHostGoesOnWhereAnotherWasKilledWhileItAveraged) {
  const Workshop workshop;
  {
    const auto host = workshop.host({.quorum = 10});
    Person ada(workshop, *host, "ada");
    ASSERT_TRUE(ada.contribute(2).ok());
  }
  fs::path packed;
  {
    project::Project project = workshop.open(workshop.directory());
    must(project::close_round(project, workshop.key(project::kCoordinatorKey)));
    const auto model = must(project::average_of(project)(project.state()));
    const auto parameters = average::parameters(model);
    const Digest digest = average::parameters_digest(parameters);
    must(project.snapshots().put(digest, parameters, snapshot(project, 0)));
    packed = project.snapshots().path(digest);
    std::ofstream(packed.string() + ".half") << "cairn packed par";
  }
  const auto written = fs::last_write_time(packed);
  const auto host = workshop.host({.quorum = 10});
  Person ben(workshop, *host, "ben");
  ben.follow_to(1);
  EXPECT_EQ(fs::last_write_time(packed), written) << "nothing is packed twice";
  const project::Project& project = ben.replica->project();
  EXPECT_EQ(snapshot(project, 1).hex(),
            packed.parent_path().filename().string() + packed.filename().string());
  EXPECT_TRUE(project::verify(project, {}).ok());
}

TEST(HostedSnapshots, WhatAKilledHostLeftGoesAfterADay) {
  const Workshop workshop;
  const project::Project project = workshop.open(workshop.directory());
  const std::vector<float> nobodys(model::parameter_count(project.graph()), 0.5f);
  const Digest digest = average::parameters_digest(nobodys);
  must(project.snapshots().put(digest, nobodys, {}));
  const fs::path half = project.snapshots().path(digest).string() + ".half";
  std::ofstream(half) << "cairn packed par";
  EXPECT_EQ(must(project::drop_snapshots(project, 0)), 0u) << "perhaps a round opens with it";
  for (const fs::path& file : {half, project.snapshots().path(digest)})
    fs::last_write_time(file, fs::file_time_type::clock::now() - std::chrono::hours(25));
  EXPECT_EQ(must(project::drop_snapshots(project, 0)), 2u);
}

TEST(HostedSnapshots, OnAFullDiskNoUnitIsBegun) {
  const Workshop workshop;
  HostRule rule{.quorum = 1};
  rule.keep_free = UINT64_MAX;
  const auto host = workshop.host(rule);
  Person ada(workshop, *host, "ada");
  const auto lease = ada.remote->take_unit(sign_request(*ada.key, ada.request()));
  ASSERT_FALSE(lease);
  EXPECT_EQ(lease.error().status, 503);
  EXPECT_TRUE(lease.error().may_pass());
  EXPECT_THAT(lease.error().message, testing::HasSubstr("disk is nearly full"));
}

// A contributor is killed while it fetches what its unit is computed from, or somebody cleans its cache.
TEST(HostedSnapshots, AContributorFetchesAgainWhatItsCopyHasLost) {
  const Workshop workshop;
  const auto host = workshop.host({.quorum = 1});
  Person ada(workshop, *host, "ada");
  work_until(ada, 3);
  const project::Project& project = ada.replica->project();
  fs::remove(project.snapshots().path(snapshot(project, 1)));
  fs::resize_file(project.snapshots().path(snapshot(project, 2)), 100);
  EXPECT_FALSE(ada.contribute(1).ok()) << "the damaged file is named";
  EXPECT_TRUE(ada.contribute(1).ok()) << "and fetched again";
  EXPECT_TRUE(project.snapshots().has(snapshot(project, 3)));
}

}  // namespace
}  // namespace cairn::role
