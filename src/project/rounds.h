// What the coordinator does: close a round, open the next with the new average.
#pragma once

#include "average/snapshot.h"
#include "project/project.h"

namespace cairn::project {

struct ClosedRound {
  trust::Round round = 0;
  uint32_t openings = 0;
  uint32_t lapsed = 0;      // sealed entries whose opening the rules did not take
  uint32_t carried = 0;     // that stay sealed until their duplicate is in
  uint32_t mismatches = 0;  // claims that the coordinator made of duplicates that differ
  trust::Round next = 0;
  Digest snapshot;  // that the next round opens with
};

// Appends the openings that wait, but those whose duplicate somebody else is still computing, what their
// duplicates show, the close, and the opening of the next round, in one transaction.
Result<ClosedRound> close_round(Project& project, const SigningKey& coordinator);

// The parameters that the genesis names, on the grid.
Result<average::Snapshot> starting_snapshot(const Project& project);

}  // namespace cairn::project
