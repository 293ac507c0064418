// What a contributor does: become a user, take a unit, compute its gradient, hand it in.
#pragma once

#include "project/leases.h"
#include "project/project.h"
#include "project/submission.h"
#include "project/trainer.h"

namespace cairn::project {

// Makes the user's key. The user joins the log with the first accepted entry. Refuses a name that is taken.
Result<PublicKey> add_user(const Project& project, KeyRing& keys, const std::string& name);

// The user's lease in a slot: the one that they hold already, or a new one by the rule of leases.h. A fast
// machine asks for the slots 0 to n - 1.
Result<Lease> take_unit(Project& project, const PublicKey& user, Environment& environment, uint32_t slot = 0);

// The same as a change that is still to be committed; `taken` gets the lease.
Result<Project::Change> take_unit_change(Project& project, const LeaseRequest& request, Lease& taken);

// The leases that count at `now` (Unix milliseconds).
Result<Leases> leases_of(const Project& project, int64_t now);

// Gives a unit back that the user will not compute. Refuses one that is not leased to them.
Status return_unit(Project& project, const PublicKey& user, trust::UnitId unit, Environment& environment);

Result<Project::Change> return_unit_change(Project& project, const PublicKey& user, trust::UnitId unit,
                                           int64_t now);

// Signs a gradient as the user's entry. A user who has not joined yet joins with it: the
// progress is that of the proof of work that the policy may ask for.
Result<Submission> make_submission(const Project& project, const SigningKey& user, const std::string& name,
                                   const work::GradientFile& gradient, const Progress& progress = {});

struct CheckedGradient {
  work::GradientSummary summary;
  Digest digest;  // of its canonical bytes
};

// Whether its parts are well-formed and belong together: all that can be checked without looking at the log,
// in time that grows with the gradient. Safe from any thread.
Result<CheckedGradient> check_submission(const Digest& project, const Submission& submission,
                                         const work::GradientStore& gradients);
// The same where the gradient is unpacked already, has that digest, and its author's seal was looked at.
Result<work::GradientSummary> check_unpacked(const Digest& project, const Submission& submission,
                                             BytesView gradient, const Digest& digest);

// A submission that was checked and whose gradient lies beside its store, so that nothing is left to do whose
// time grows with it.
struct PreparedEntry {
  Submission submission;  // its gradient is empty
  work::GradientSummary gradient;
  std::shared_ptr<PreparedBlob> blob;
};

// What puts the entry in the log now, and its opening when a round closes. Refuses what does not fit the
// rounds whose entries are taken at present, and the leases at `now` (Unix milliseconds).
Result<Project::Change> entry_change(Project& project, const PreparedEntry& entry, int64_t now);

// Whether that unit is put aside for the user at `now`.
bool holds_lease(const Project& project, const PublicKey& user, trust::UnitId unit, int64_t now);

struct Accepted {
  trust::EntryId entry = 0;
  trust::UserId user = 0;
  trust::Round round = 0;
  trust::UnitId unit = 0;
  uint64_t event = 0;  // index of the seal in the log
};

// Checks everything that can be checked without recomputing, and puts the entry in the log: sealed now,
// opened when the round closes. Once it returns, the entry is kept through kill and power loss.
Result<Accepted> submit(Project& project, const SharedBytes& submission, Environment& environment);

}  // namespace cairn::project
