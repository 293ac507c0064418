#include "role/averager.h"

#include "project/rounds.h"

namespace cairn::role {
namespace {

// Gradients, until somebody wants to stop.
class UntilStopped : public average::GradientSource {
 public:
  UntilStopped(const BlobSource& gradients, const std::atomic<bool>& stopping)
      : gradients_(gradients), stopping_(stopping) {}

  Result<work::GradientFile> get(const Digest& digest) const override {
    if (stopping_) return Error{"stopped"};
    return gradients_.get(digest);
  }

 private:
  average::BlobGradients gradients_;
  const std::atomic<bool>& stopping_;
};

}  // namespace

Averager::Averager(const project::Project& project, std::function<void()> ready)
    : blobs_(project.blobs()),
      gradients_(project.gradients()),
      snapshots_(project.snapshots()),
      parameters_(project.genesis().parameters),
      parameter_count_(model::parameter_count(project.graph())),
      ready_(std::move(ready)),
      thread_([this] { run(); }) {}

Averager::~Averager() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

bool Averager::busy() const {
  const std::lock_guard lock(mutex_);
  return busy_;
}

void Averager::start(trust::State state, uint64_t events) {
  {
    const std::lock_guard lock(mutex_);
    CAIRN_ASSERT(!busy_);
    busy_ = true;
    job_ = Job{std::move(state), events};
  }
  changed_.notify_all();
}

std::optional<Averager::Made> Averager::take() {
  const std::lock_guard lock(mutex_);
  if (made_) busy_ = false;
  return std::exchange(made_, std::nullopt);
}

void Averager::run() {
  for (;;) {
    std::optional<Job> job;
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return stopping_ || job_; });
      if (stopping_) return;
      job = std::exchange(job_, std::nullopt);
    }
    Result<average::Snapshot> snapshot = average(job->state);
    {
      const std::lock_guard lock(mutex_);
      made_ = Made{job->events, std::move(snapshot)};
    }
    ready_();
  }
}

Result<average::Snapshot> Averager::average(const trust::State& state) {
  if (!sum_) {
    CAIRN_TRY(average::Snapshot start, project::starting_snapshot(blobs_, parameters_, parameter_count_));
    sum_.emplace(std::move(start));
  }
  CAIRN_TRY(average::Snapshot snapshot, sum_->update(state, UntilStopped(gradients_, stopping_)));
  if (!state.open_round()) CAIRN_CHECK(keep(snapshot, state.rounds().back().snapshot));
  return snapshot;
}

// What takes long of it is not left to the sequencer, which finds the file when the round opens.
Status Averager::keep(const average::Snapshot& snapshot, const Digest& before) {
  std::vector<float> parameters = average::parameters(snapshot);
  const Digest digest = average::parameters_digest(parameters);
  CAIRN_CHECK(snapshots_.put(digest, parameters, before, &kept_));
  kept_ = {digest, std::move(parameters)};
  return {};
}

}  // namespace cairn::role
