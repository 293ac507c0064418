// What a project shows to those who ask over the network, as JSON. Pure functions of the project.
#pragma once

#include <string>

#include "project/project.h"

namespace cairn::role {

std::string project_json(const project::Project& project);  // what it is, and where it stands
std::string leaderboard_json(
    const project::Project& project);  // users by reputation, with their share of the model
// Lines of the training log: live entries from number `from` on, `count` of them at most.
Result<std::string> training_log_json(const project::Project& project, trust::EntryId from, uint32_t count);

}  // namespace cairn::role
