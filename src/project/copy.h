// Beginning a copy of a project that lies elsewhere.
#pragma once

#include <filesystem>
#include <functional>

#include "ledger/event.h"

namespace cairn::project {

// Makes `directory` a copy that has only the log's first event, ready for Project::open() with origins and
// for Project::follow(). Does nothing where there is a ledger already; asks for the event only where there is
// none. Safe for several processes.
Status begin_copy(const std::filesystem::path& directory,
                  const std::function<Result<ledger::Event>()>& genesis);

}  // namespace cairn::project
