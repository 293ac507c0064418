// What an auditor does: recompute an entry, and claim fraud where the digests differ.
#pragma once

#include "project/project.h"
#include "project/trainer.h"

namespace cairn::project {

struct Probe {
  trust::EntryId entry = 0;
  Digest published;   // of the gradient file, or after the stretch, as the file states it
  Digest recomputed;  // the same as it should be
  std::optional<ledger::Stretch> stretch = {};  // the first that is false, where the file has a trace
  Bytes state = {};                             // the training state before it, as a judge needs it
  bool match() const { return published == recomputed; }
};

// The entry that the rule of probing draws (trust/probe.h). Refuses where none is left to probe.
Result<trust::EntryId> draw_entry(const Project& project, trust::UserId auditor, uint64_t random);

// Recomputes an opened entry, up to the first stretch that is false. Refuses entries that are sealed, revoked
// or unknown.
Result<Probe> probe(const Project& project, Trainer& trainer, trust::EntryId entry, const Progress& progress);
// What was found false, once more: the digest as it should be.
Result<Digest> probe_again(const Project& project, Trainer& trainer, const Probe& found,
                           const Progress& progress);

// Recomputes what so many live entries, verdicts and evaluations, drawn at random, say; all of them where
// there are fewer. (Verdicts about a stretch do not say what a unit gives, and are not drawn.) Returns how
// many were recomputed; an error names the first that does not follow. Progress counts them.
Result<uint32_t> recompute_some(const Project& project, Trainer& trainer, uint32_t count,
                                const Progress& progress);

// The live entries whose unit holds the training image of that name, in one round or in all.
Result<std::vector<trust::EntryId>> entries_with_image(const Project& project, const std::string& image,
                                                       std::optional<trust::Round> round);

// Whether the rules would take a claim by that key about the entry: worth asking before recomputing it.
Status check_claim(const Project& project, const PublicKey& claimant, trust::EntryId entry);

// The claim that an entry, or the stretch of it that was found false, is false; and the claimant's seal in
// it.
ledger::Body claim_body(const Project& project, const PublicKey& claimant, const Probe& found);

// Files that claim. The digest that the claimant got is sealed; it waits beside the log and is shown once the
// judges have decided.
Result<trust::ClaimId> file_claim(Project& project, const SigningKey& claimant, const Probe& found);

}  // namespace cairn::project
