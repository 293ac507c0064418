// How a contributor's units are computed on a copy of the project: within a limit of disk, and so that a unit
// goes on where a crash or a power cut ended it.
//
// One thread at a time.
#pragma once

#include "project/trainer.h"
#include "role/contributor.h"
#include "role/disk_limit.h"

namespace cairn::role {

struct WorkerOptions {
  DiskLimit* limit = nullptr;         // null: none; else it outlives the worker
  std::filesystem::path checkpoint;   // where what is computed of a unit is kept; empty: nowhere
  int64_t checkpoint_every = 30'000;  // milliseconds; more where writing one takes over 1 % of that
};

class Worker {
 public:
  // All of them outlive it.
  Worker(const project::Project& project, project::Trainer& trainer, WorkerOptions options,
         Environment& environment)
      : project_(project), trainer_(trainer), options_(std::move(options)), environment_(environment) {}

  Result<work::GradientFile> compute(trust::Round round, trust::UnitId unit, const Progress& progress);

  // Told the batches that need not be computed again, before a unit goes on.
  std::function<void(trust::UnitId unit, uint32_t batches)> on_resume;

 private:
  Status reserve(trust::Round round, trust::UnitId unit);
  work::GradientState kept(const work::GradientTask& task);
  void keep(const work::GradientTask& task, const work::GradientState& state);

  const project::Project& project_;
  project::Trainer& trainer_;
  WorkerOptions options_;
  Environment& environment_;
  int64_t next_checkpoint_ = 0;  // Unix milliseconds
};

}  // namespace cairn::role
