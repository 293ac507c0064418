// What happened, in sentences for people.
#pragma once

#include <string>

#include "project/project.h"

namespace cairn::project {

// About the event of that index, by the project as it is now; empty where people need not hear of it (single
// entries, votes, keys). Names in it are as their owners chose them: escape them before they reach a
// terminal.
std::string chronicle(const Project& project, uint64_t index);

}  // namespace cairn::project
