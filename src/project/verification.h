// Checking a whole project, trusting nobody: every signature, every rule, every file, every model.
#pragma once

#include "project/project.h"

namespace cairn::project {

struct Verification {
  uint64_t events = 0;
  uint64_t entries = 0;    // opened ones, their files read and checked
  uint64_t snapshots = 0;  // rebuilt from the files
  uint64_t attested = 0;   // not rebuilt: files of entries that were revoked later are gone
  uint64_t verdicts = 0;
  Digest model;  // of the newest snapshot
  Digest root;   // of the log
};

// Rebuilds every reputation, verdict and snapshot from the log and its files. An error names the first event
// that does not follow from those before it.
Result<Verification> verify(const Project& project, const Progress& progress);

}  // namespace cairn::project
