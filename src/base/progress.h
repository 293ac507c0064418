// How long operations tell the caller where they are, and learn that they should stop.
#pragma once

#include <cstdint>
#include <functional>

namespace cairn {

// Called now and then with the work done and the whole; returns false to stop. An empty function is never
// called.
using Progress = std::function<bool(uint64_t done, uint64_t total)>;

// Reports and says whether to go on.
inline bool report(const Progress& progress, uint64_t done, uint64_t total) {
  return !progress || progress(done, total);
}

}  // namespace cairn
