// A log as a folder of static files, as any web server could serve it: for tests of clients.
#pragma once

#include <filesystem>

#include "ledger/checkpoint.h"

namespace cairn::tests {

struct StaticLog {
  ledger::NoteKey key;  // of the coordinator
  std::vector<ledger::Event> events;
};

// Writes checkpoint, tiles and entry bundles of a made-up project of `size` > 0 events below `folder`.
StaticLog write_static_log(const std::filesystem::path& folder, uint64_t size, uint64_t seed);

}  // namespace cairn::tests
