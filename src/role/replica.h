// A copy of a hosted project that follows its log: what every volunteer works on. Checks everything that the
// coordinator says against what it said before, and fetches models, data and gradients only when they are
// needed.
//
// One thread at a time.
#pragma once

#include "project/project.h"
#include "role/remote.h"
#include "role/witness.h"

namespace cairn::role {

class Replica {
 public:
  // The copy in a folder of the project's digest below `cache`, begun if there is none. `remote` outlives it.
  static Result<std::unique_ptr<Replica>> open(Remote& remote, const std::filesystem::path& cache,
                                               Environment& environment);
  // The copy in `directory` itself.
  static Result<std::unique_ptr<Replica>> open_at(Remote& remote, const std::filesystem::path& directory,
                                                  Environment& environment);

  // Takes over what the log has gained. An error that is no failure of the network says which rule the
  // coordinator broke, and at which event.
  net::Outcome<void> sync(const Progress& progress = {});

  // Holds the coordinator to receipts, now and with every later sync() of this copy; refuses what it did not
  // sign.
  Status keep(const std::vector<ledger::Receipt>& receipts) { return witness_.keep(receipts); }
  // Whether a checkpoint that somebody else was shown before the last sync() is of the same log.
  Status compare(const std::string& note) const { return witness_.compare(note); }

  project::Project& project() { return project_; }
  const project::Project& project() const { return project_; }
  // The note by which the coordinator vouched for the copy as it is.
  const std::string& checkpoint() const { return witness_.checkpoint(); }

 private:
  Replica(Remote& remote, project::Project project)
      : remote_(remote), project_(std::move(project)), witness_(project_) {}
  net::Outcome<void> check_continues(const ledger::LogHead& head, const std::string& note);
  net::Outcome<void> take_events(const ledger::LogHead& head, const Progress& progress);

  Remote& remote_;
  project::Project project_;
  Witness witness_;
};

}  // namespace cairn::role
