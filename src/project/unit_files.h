// What a unit is computed from, as files of the project's directory.
#pragma once

#include <filesystem>
#include <vector>

#include "project/project.h"

namespace cairn::project {

struct UnitFiles {
  std::vector<std::filesystem::path> files;  // model, data and what says how they are read; not the log
  uint64_t bytes = 0;                        // of all; of what is not here yet, the most that it may have
};

// Reads the pages of the manifest that list the unit's shards. Precondition: the round has been opened.
Result<UnitFiles> unit_files(const Project& project, trust::Round round, trust::UnitId unit);

}  // namespace cairn::project
