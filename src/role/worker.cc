#include "role/worker.h"

#include "project/unit_files.h"

namespace cairn::role {

// Before anything is fetched: what the unit needs stays until the next one is begun.
Status Worker::reserve(trust::Round round, trust::UnitId unit) {
  if (limit_ == nullptr) return {};
  const project::UnitFiles needed = project::unit_files(project_, round, unit);
  if (needed.bytes > limit_->bytes()) {
    return Error{"unit " + std::to_string(unit) + ": its model and data may take " + size_text(needed.bytes) +
                 " of disk, over the limit of " + size_text(limit_->bytes()) + "; raise it with --disk"};
  }
  CAIRN_CHECK(limit_->hold(needed.files));
  return limit_->make_room(0);
}

Result<work::GradientFile> Worker::compute(trust::Round round, trust::UnitId unit, const Progress& progress) {
  CAIRN_CHECK(reserve(round, unit));
  return trainer_.gradient(round, unit, progress);
}

}  // namespace cairn::role
