// Who checks: recomputes entries of others and claims what is false; and who judges such claims.
//
// One thread at a time.
#pragma once

#include "project/audit.h"
#include "project/judgement.h"
#include "role/replica.h"

namespace cairn::role {

struct Audit {
  project::Probe probe;
  std::optional<trust::ClaimId> claim;  // filed, where the entry is false
  std::string refusal;                  // why a claim was not taken
};

class Auditor {
 public:
  Auditor(Remote& remote, Replica& replica, SigningKey key)
      : remote_(remote), replica_(replica), key_(std::move(key)) {}

  // Catches up with the log and draws by the rule of probing among what it has not found true already; none:
  // there is nothing to probe at present.
  net::Outcome<std::optional<trust::EntryId>> draw(uint64_t random);

  // Recomputes an entry up to what is false of it, and that once more before it is claimed. The digest stays
  // under seal until the judges have decided.
  net::Outcome<Audit> audit(project::Trainer& trainer, trust::EntryId entry, const Progress& progress);

  // Claims under seal that recomputing an entry gives another digest, or that the stretch of it does that was
  // found false, whose beginning goes before. Signs the opening for when the judges have decided. Status 409
  // or 403: refused by the rules.
  net::Outcome<trust::ClaimId> claim(const project::Probe& found);

 private:
  net::Outcome<void> send_state(const project::Probe& found);
  net::Outcome<trust::ClaimId> open_claim(trust::EntryId entry, const Digest& recomputed);

  Remote& remote_;
  Replica& replica_;
  SigningKey key_;
  std::set<trust::EntryId> found_true_;
};

class Judge {
 public:
  Judge(Remote& remote, Replica& replica, SigningKey key)
      : remote_(remote), replica_(replica), key_(std::move(key)) {}

  // Catches up with the log. The open claims that wait for this judge's vote.
  net::Outcome<std::vector<trust::ClaimId>> open_claims();

  struct Vote {
    trust::ClaimId claim = 0;
    trust::EntryId entry = 0;
    Digest recomputed;
    bool false_entry = false;  // or, as far as the claim goes, true
  };
  // Recomputes what is claimed, an entry or a stretch of it, and signs a vote, which stays under seal until
  // enough have voted.
  net::Outcome<Vote> vote(project::Trainer& trainer, trust::ClaimId claim, const Progress& progress);

 private:
  std::optional<net::Failure> fetch_state(trust::ClaimId claim);
  void forget_state(trust::ClaimId claim);

  Remote& remote_;
  Replica& replica_;
  SigningKey key_;
};

}  // namespace cairn::role
