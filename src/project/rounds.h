// What the coordinator does: close a round, open the next with the new average.
//
// In two transactions, so that a host can average in between without holding anybody up; no round is open
// then. Whoever finds a project like that, because its coordinator was killed, goes on with the second.
#pragma once

#include <functional>

#include "average/snapshot.h"
#include "project/project.h"

namespace cairn::project {

struct ClosedRound {
  trust::Round round = 0;
  uint32_t openings = 0;
  uint32_t lapsed = 0;      // sealed entries whose opening the rules did not take
  uint32_t carried = 0;     // that stay sealed until their duplicate is in
  uint32_t mismatches = 0;  // claims that the coordinator made of duplicates that differ
};

// Appends the openings that wait, but those whose duplicate somebody else is still computing; what their
// duplicates show; and the close. Refuses where no round is open or the policy has it go on.
Result<ClosedRound> close_round(Project& project, const SigningKey& coordinator);

// The parameters for a state in which no round is open.
using Average = std::function<Result<average::Snapshot>(const trust::State&)>;
// From the gradients of the project, all of them anew.
Average average_of(const Project& project);

struct OpenedRound {
  trust::Round round = 0;
  Digest snapshot;
};

// Opens the next round with the average of everything before. Refuses where one is open.
Result<OpenedRound> open_round(Project& project, const SigningKey& coordinator, const Average& average);

// The parameters that the genesis names, on the grid.
Result<average::Snapshot> starting_snapshot(const Project& project);
Result<average::Snapshot> starting_snapshot(const BlobSource& blobs, const Digest& parameters,
                                            uint64_t parameter_count);

}  // namespace cairn::project
