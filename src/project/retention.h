// What happens to the gradient files of entries that are gone: they are no longer served, kept for the 30
// days of an appeal, and then dropped. A file that something alive shares stays.
#pragma once

#include <set>

#include "project/project.h"

namespace cairn::project {

inline constexpr uint32_t kDropsAtOnce = 512;  // entries of one commit

// Gradient files that are no longer served: of revoked and suspended entries.
std::set<Digest> withdrawn_files(const trust::State& state);

// States "blobs dropped" about entries that ended 30 days ago, at most kDropsAtOnce of them, and deletes
// their files, with those that a crash had left. Returns how many were stated: call again if there may be
// more.
Result<uint32_t> drop_blobs(Project& project, const SigningKey& coordinator, int64_t now);

}  // namespace cairn::project
