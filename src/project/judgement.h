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
  trust::Reputation bounty = 0;
};

// Claims that this judge has not voted on.
std::vector<trust::ClaimId> claims_for(const Project& project, const PublicKey& judge);

// Recomputes and votes. With the coordinator's key at hand a decided verdict is stated at once.
Result<Judgement> judge(Project& project, Trainer& trainer, trust::ClaimId claim, const SigningKey& judge,
                        const std::optional<SigningKey>& coordinator, const Progress& progress);

// The coordinator's part alone: states the verdict on an open claim that has the votes for it.
Result<Judgement> state_verdict(Project& project, const SigningKey& coordinator, trust::ClaimId claim);

Status file_appeal(Project& project, const SigningKey& appellant, trust::ClaimId claim,
                   const Digest& recomputed);
Status void_verdict(Project& project, const SigningKey& root, trust::ClaimId claim);

}  // namespace cairn::project
