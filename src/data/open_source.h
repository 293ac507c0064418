// Which importer reads what: told by the source itself.
#pragma once

#include "data/import.h"

namespace cairn::data {

// What is listed, or written as tokens, lies in the folder `work`, and what is there already is used.
Result<std::unique_ptr<Source>> open_source(const ImportRequest& request, const std::filesystem::path& work,
                                            const OnSkipped& on_skipped, const Progress& progress);

}  // namespace cairn::data
