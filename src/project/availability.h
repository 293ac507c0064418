// Whether what the judges of open claims have to fetch is there, and what the coordinator says where it is
// not: "unavailable", and after a day without a decision "suspended", which spares everybody.
#pragma once

#include <functional>
#include <optional>
#include <set>
#include <vector>

#include "project/project.h"

namespace cairn::project {

// Files by digest without which nobody can recompute an entry.
struct Needs {
  trust::EntryId entry = 0;
  Digest snapshot;
  std::optional<Digest> gradient;  // its file, where a claim quotes it
  std::vector<Digest> shards;      // that hold the unit's images, and the pages that list them
};

// Of every entry under an open claim.
std::vector<Needs> needs_of_claims(const Project& project);

// Looks for those files in the stores of a project's directory. One thread at a time, which need not be the
// one that uses the project.
class FileCheck {
 public:
  FileCheck(const std::filesystem::path& directory, uint64_t parameter_count, uint64_t gradient_size);

  // The entries that lack a file or have a damaged one. Reads each file once; what was whole then only has to
  // be there. Ends early once `go_on` says no.
  std::set<trust::EntryId> lacking(const std::vector<Needs>& needs, const std::function<bool()>& go_on);

 private:
  // `size`: what get() of that store is told.
  template <typename Store>
  bool whole(const Store& store, const Digest& digest, uint64_t size);

  SnapshotStore snapshots_;
  work::GradientStore gradients_;
  data::ShardStore shards_;
  uint64_t parameter_count_;
  std::set<Digest> read_;  // and found to be whole
};

// What the coordinator has to say at that time about entries under open claims, of which `lacking` cannot be
// recomputed at present.
std::vector<ledger::Body> availability_statements(const trust::State& state,
                                                  const std::set<trust::EntryId>& lacking, int64_t now);

}  // namespace cairn::project
