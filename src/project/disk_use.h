// What a project takes on disk, by kind, and how much of it retention may drop.
#pragma once

#include <string>

#include "project/project.h"

namespace cairn::project {

// Bytes.
struct DiskUse {
  uint64_t log = 0;        // with the database's own files
  uint64_t snapshots = 0;  // the models of the rounds
  uint64_t gradients = 0;  // files of entries
  uint64_t blobs = 0;      // model, recipe, manifest, first parameters, names
  uint64_t shards = 0;     // the data
  uint64_t other = 0;      // uploads and units under way, the recipe as people read it

  // Of the above: what the next retention takes away, and what it will take 30 days after the entries went.
  uint64_t droppable = 0;
  uint64_t withdrawn = 0;

  uint64_t total() const { return log + snapshots + gradients + blobs + shards + other; }
};

// Looks at every file of the directory once. Files that come and go meanwhile count or do not.
DiskUse disk_use(const Project& project, int64_t now);

}  // namespace cairn::project
