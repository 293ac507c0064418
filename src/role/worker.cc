#include "role/worker.h"

#include <algorithm>

#include "base/file.h"
#include "project/unit_files.h"

namespace cairn::role {

// Before anything is fetched: what the unit needs stays until the next one is begun.
Status Worker::reserve(trust::Round round, trust::UnitId unit) {
  if (options_.limit == nullptr) return {};
  CAIRN_TRY(const project::UnitFiles needed, project::unit_files(project_, round, unit));
  if (needed.bytes > options_.limit->bytes()) {
    return Error{"unit " + std::to_string(unit) + ": its model and data may take " + size_text(needed.bytes) +
                 " of disk, over the limit of " + size_text(options_.limit->bytes()) +
                 "; raise it with --disk"};
  }
  CAIRN_CHECK(options_.limit->hold(needed.files));
  return options_.limit->make_room(0);
}

// What an earlier process had computed of this unit. What does not fit or is damaged goes.
work::GradientState Worker::kept(const work::GradientTask& task) {
  std::error_code error;
  if (options_.checkpoint.empty() || !std::filesystem::exists(options_.checkpoint, error)) return {};
  const uint64_t parameters = model::parameter_count(project_.graph());
  const auto bytes = read_file(options_.checkpoint, work::max_state_size(parameters));
  if (bytes) {
    auto state = work::decode_state(*bytes, task, project_.recipe(), parameters);
    if (state) return *std::move(state);
  }
  std::filesystem::remove(options_.checkpoint, error);
  return {};
}

// At most 1 % of the time goes into it. A unit whose state cannot be written is computed all the same.
void Worker::keep(const work::GradientTask& task, const work::GradientState& state) {
  const int64_t begun = environment_.now();
  if (begun < next_checkpoint_) return;
  std::ignore = make_directory(options_.checkpoint.parent_path()).ok();
  std::ignore = write_file(options_.checkpoint, work::encode_state(state, task, project_.recipe())).ok();
  const int64_t now = environment_.now();
  next_checkpoint_ = now + std::max(options_.checkpoint_every, 100 * (now - begun));
}

Result<work::GradientFile> Worker::compute(trust::Round round, trust::UnitId unit, const Progress& progress) {
  CAIRN_CHECK(reserve(round, unit));
  const work::GradientTask task = trainer_.task(round, unit);
  work::Resumption resumption{kept(task), {}};
  if (resumption.start.batches > 0 && on_resume) on_resume(unit, resumption.start.batches);
  if (!options_.checkpoint.empty()) {
    next_checkpoint_ = environment_.now() + options_.checkpoint_every;
    resumption.on_state = [&](const work::GradientState& state) { keep(task, state); };
  }
  return trainer_.gradient(round, unit, progress, {}, std::move(resumption));
}

}  // namespace cairn::role
