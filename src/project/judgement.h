// What judges and the root do: recompute the entry of a claim and vote; void a verdict after an appeal.
#pragma once

#include "project/project.h"
#include "project/trainer.h"

namespace cairn::project {

struct Judgement {
  trust::ClaimId claim = 0;
  trust::EntryId entry = 0;
  Digest recomputed = {};  // what the judge got
  std::optional<bool> upheld =
      {};                    // none: more votes are needed, or the coordinator has yet to state the verdict
  trust::UserId fallen = 0;  // who lost reputation and entries by the verdict
  uint32_t revoked_entries = 0;
  trust::Reputation bounty = 0;  // paid to whoever claimed first and got what the judges got
};

// Claims that this judge has not voted on.
std::vector<trust::ClaimId> claims_for(const Project& project, const PublicKey& judge);

// Recomputes and votes, under seal. Votes are opened once as many are sealed as a verdict needs, and claims
// once the votes decide; with the coordinator's key at hand the verdict is then stated at once.
Result<Judgement> judge(Project& project, Trainer& trainer, trust::ClaimId claim, const SigningKey& judge,
                        const std::optional<SigningKey>& coordinator, const Progress& progress);

// Opens what is due about every open claim and states the verdicts that the votes decide.
Result<std::vector<Judgement>> settle_claims(Project& project, const SigningKey& coordinator);

Status file_appeal(Project& project, const SigningKey& appellant, trust::ClaimId claim,
                   const Digest& recomputed);
Status void_verdict(Project& project, const SigningKey& root, trust::ClaimId claim);

}  // namespace cairn::project
