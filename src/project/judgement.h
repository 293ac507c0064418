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

// Claims on which the rules take a vote by that key at that time (Unix milliseconds).
std::vector<trust::ClaimId> claims_for(const Project& project, const PublicKey& judge, int64_t now);

// Whether there may ever be such claims: the key is a judge's, or a user's where users are drawn. An error
// says what to do about it.
Status check_may_judge(const Project& project, const PublicKey& key, const std::string& name);

// Recomputes and votes, under seal. Votes are opened once as many are sealed as a verdict needs, and claims
// once the votes decide; with the coordinator's key at hand the verdict is then stated at once.
Result<Judgement> judge(Project& project, Trainer& trainer, trust::ClaimId claim, const SigningKey& judge,
                        const std::optional<SigningKey>& coordinator, const Progress& progress);

// Draws the panels that are due, opens what is due about every open claim, and states the verdicts that the
// votes decide.
Result<std::vector<Judgement>> settle_claims(Project& project, const SigningKey& coordinator);
// Whether the above has anything to do. Cheap: looks at the open claims.
bool settling_is_due(const trust::State& state, const PublicKey& coordinator);

Status file_appeal(Project& project, const SigningKey& appellant, trust::ClaimId claim,
                   const Digest& recomputed);
Status void_verdict(Project& project, const SigningKey& root, trust::ClaimId claim);

}  // namespace cairn::project
