// The training log: the live entries of the ledger in the textbook's form.
#pragma once

#include <functional>

#include "project/project.h"

namespace cairn::project {

struct LogLine {
  trust::LiveEntry entry;
  std::vector<std::string> images;
  std::vector<float> gradient;  // where asked for
  std::string reputation;       // "0.134"
};

// The line of one live entry, with its numbers if asked for.
Result<LogLine> log_line(const Project& project, const trust::LiveEntry& entry, bool inline_gradients);

// Calls `visit` for each live entry in order, until it returns an error. Gradients are read from their blobs
// only where asked for.
Status visit_log(const Project& project, bool inline_gradients,
                 const std::function<Status(const LogLine&)>& visit);

// One entry as the textbook's four lines: image, gradient (digest or numbers), userid, reputation.
std::string textbook_lines(const LogLine& line);

}  // namespace cairn::project
