// How a contributor's units are computed on a copy of the project: within a limit of disk.
//
// One thread at a time.
#pragma once

#include "project/trainer.h"
#include "role/contributor.h"
#include "role/disk_limit.h"

namespace cairn::role {

class Worker {
 public:
  // All of them outlive it; `limit` may be null: there is none.
  Worker(const project::Project& project, project::Trainer& trainer, DiskLimit* limit)
      : project_(project), trainer_(trainer), limit_(limit) {}

  Result<work::GradientFile> compute(trust::Round round, trust::UnitId unit, const Progress& progress);

 private:
  Status reserve(trust::Round round, trust::UnitId unit);

  const project::Project& project_;
  project::Trainer& trainer_;
  DiskLimit* limit_;
};

}  // namespace cairn::role
