// The report of an import: what was left out of the data set, and why, one line each.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "data/source.h"

namespace cairn::data {

// Takes note of what is skipped before any sample is read.
using OnSkipped = std::function<Status(const Skipped&)>;

// Control characters, backslashes and what is no UTF-8 become \xHH, so that a name stays in its line.
std::string escaped(std::string_view name);

std::string report_line(const Skipped& skipped);  // "NAME<tab>REASON<newline>", both escaped

// The first lines of a report, at most `limit` of them. A report that is not there has none.
Result<std::vector<Skipped>> read_report(const std::filesystem::path& path, uint64_t limit);

}  // namespace cairn::data
