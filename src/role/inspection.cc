#include "role/inspection.h"

#include <chrono>

namespace cairn::role {

void Inspection::start(std::vector<project::Needs> needs) {
  found_ = std::async(std::launch::async, [this, needs = std::move(needs)] {
    return files_.lacking(needs, [this] { return !stop_; });
  });
}

std::optional<std::set<trust::EntryId>> Inspection::take() {
  if (!found_.valid() || found_.wait_for(std::chrono::seconds(0)) != std::future_status::ready) return {};
  return found_.get();
}

}  // namespace cairn::role
