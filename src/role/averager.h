// Makes the model of the next round on a thread of its own, so that a host answers meanwhile. Keeps the sums
// of the rounds before: what a round costs is reading that round's gradients, not those of the whole history.
//
// One thread at a time calls it.
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <thread>

#include "average/average.h"
#include "project/project.h"

namespace cairn::role {

class Averager {
 public:
  // What came of a start(), packed on disk already. An error is a gradient that is missing or damaged.
  struct Made {
    uint64_t events = 0;  // of the log that it is of
    Result<average::Snapshot> snapshot;
  };

  // `ready` is called on the averager's thread once there is something to take(). The project's blobs outlive
  // this; nothing else of the project is looked at later.
  Averager(const project::Project& project, std::function<void()> ready);
  ~Averager();  // breaks off what is under way
  Averager(const Averager&) = delete;
  Averager& operator=(const Averager&) = delete;

  bool busy() const;  // started, and not taken yet
  // Precondition: not busy().
  void start(trust::State state, uint64_t events);
  std::optional<Made> take();

 private:
  struct Job {
    trust::State state;
    uint64_t events = 0;
  };

  void run();
  Result<average::Snapshot> average(const trust::State& state);
  Status keep(const average::Snapshot& snapshot, const Digest& before);

  const BlobStore& blobs_;
  const work::GradientStore& gradients_;
  const project::SnapshotStore snapshots_;
  const Digest parameters_;
  const uint64_t parameter_count_;
  std::function<void()> ready_;
  // The thread's alone.
  std::optional<average::RunningAverage> sum_;
  project::SnapshotStore::Known kept_;  // the last one that was packed

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::optional<Job> job_;
  std::optional<Made> made_;
  bool busy_ = false;
  std::atomic<bool> stopping_ = false;
  std::thread thread_;
};

}  // namespace cairn::role
