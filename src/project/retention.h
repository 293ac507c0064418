// What a project keeps, and for how long. Gradient files of entries that are gone are no longer served, kept
// for the 30 days of an appeal, and then dropped; a file that something alive shares stays. Models of rounds
// are kept as long as something computed from them may be claimed or appealed about.
#pragma once

#include <set>

#include "project/project.h"

namespace cairn::project {

inline constexpr uint32_t kDropsAtOnce = 512;  // entries of one commit

// Gradient files that are no longer served: of revoked and suspended entries.
std::set<Digest> withdrawn_files(const trust::State& state);

// Those among them whose 30 days are over: what drop_blobs() deletes.
std::set<Digest> droppable_gradients(const trust::State& state, int64_t now);

// Whether anybody may have to recompute from the model that the round opened with: the policy's horizon is
// not behind it or an entry computed from it, or a claim about one is open or was decided within 30 days.
bool keeps_snapshot(const trust::State& state, trust::Round round, int64_t now);

// Files of models that are not kept, and that no kept one is laid upon; and what a host left that was killed
// while it averaged, or averaged again, after a day.
std::vector<std::filesystem::path> droppable_snapshots(const Project& project, int64_t now);
// Deletes them. Returns their number.
Result<uint64_t> drop_snapshots(const Project& project, int64_t now);

// States "blobs dropped" about entries that ended 30 days ago, at most kDropsAtOnce of them, and deletes
// their files, with those that a crash had left. Returns how many were stated: call again if there may be
// more.
Result<uint32_t> drop_blobs(Project& project, const SigningKey& coordinator, int64_t now);

}  // namespace cairn::project
