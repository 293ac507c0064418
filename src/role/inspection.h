// Looks, on a thread of its own, whether the files are whole that the judges of open claims need: reading
// them takes far longer than the sequencer may stand still.
//
// One thread at a time.
#pragma once

#include <atomic>
#include <future>
#include <optional>
#include <set>

#include "project/availability.h"

namespace cairn::role {

class Inspection {
 public:
  Inspection(const std::filesystem::path& directory, uint64_t parameter_count, uint64_t gradient_size)
      : files_(directory, parameter_count, gradient_size) {}
  ~Inspection() { stop_ = true; }  // what is under way ends at its next file

  bool running() const { return found_.valid(); }
  // Precondition: none is running.
  void start(std::vector<project::Needs> needs);
  // The entries for which something is missing, once a run has ended; nothing while it goes on, or before.
  std::optional<std::set<trust::EntryId>> take();

 private:
  project::FileCheck files_;  // of the thread, while one runs
  std::atomic<bool> stop_ = false;
  std::future<std::set<trust::EntryId>> found_;  // its destructor waits; so it goes before what it uses
};

}  // namespace cairn::role
