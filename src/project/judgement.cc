#include "project/judgement.h"

#include <algorithm>

namespace cairn::project {
namespace {

using trust::Claim;
using trust::Entry;

uint32_t revoked_entries(const trust::State& state) {
  return static_cast<uint32_t>(std::ranges::count_if(
      state.entries(), [](const Entry& entry) { return entry.standing.status == Entry::Status::revoked; }));
}

Status append_one(Project& project, const SigningKey& author, ledger::Body body) {
  const auto appended = project.commit([&]() -> Result<Project::Change> {
    return Project::Change{.statements = {project.sign(author, std::move(body))}};
  });
  if (!appended) return appended.error();
  return {};
}

// States the verdict that the votes decide, if they do, and says what followed.
Status settle(Project& project, const SigningKey& coordinator, Judgement& judgement) {
  const trust::State before = project.state();
  const auto decided = before.decided(judgement.claim);
  if (!decided) return {};
  const Claim& claim = before.claim(judgement.claim);
  const Entry& entry = before.entry(claim.entry);
  const bool upheld = *decided != *entry.gradient;
  CAIRN_CHECK(append_one(project, coordinator, ledger::VerdictReached{judgement.claim, upheld, *decided}));
  judgement.upheld = upheld;
  judgement.fallen = upheld ? entry.user : claim.claimant;
  judgement.revoked_entries = revoked_entries(project.state()) - revoked_entries(before);
  judgement.bounty = project.state().claim(judgement.claim).standing.bounty;
  return {};
}

}  // namespace

std::vector<trust::ClaimId> claims_for(const Project& project, const PublicKey& judge) {
  std::vector<trust::ClaimId> open;
  const auto& claims = project.state().claims();
  for (size_t i = 0; i < claims.size(); ++i) {
    const bool waits = claims[i].standing.status == Claim::Status::open && !claims[i].votes.contains(judge);
    if (waits) open.push_back(static_cast<trust::ClaimId>(i + 1));
  }
  return open;
}

Result<Judgement> judge(Project& project, Trainer& trainer, trust::ClaimId id, const SigningKey& key,
                        const std::optional<SigningKey>& coordinator, const Progress& progress) {
  const Claim& claim = project.state().claim(id);
  const Entry& entry = project.state().entry(claim.entry);
  CAIRN_TRY(const work::GradientFile file, trainer.gradient(entry.round, entry.unit, progress));
  Judgement judgement{.claim = id, .entry = claim.entry, .recomputed = sha256(work::encode(file))};
  CAIRN_CHECK(append_one(project, key, ledger::Voted{id, judgement.recomputed}));
  if (coordinator) CAIRN_CHECK(settle(project, *coordinator, judgement));
  return judgement;
}

Result<Judgement> state_verdict(Project& project, const SigningKey& coordinator, trust::ClaimId claim) {
  Judgement judgement{.claim = claim, .entry = project.state().claim(claim).entry};
  if (const auto decided = project.state().decided(claim)) judgement.recomputed = *decided;
  CAIRN_CHECK(settle(project, coordinator, judgement));
  return judgement;
}

Status file_appeal(Project& project, const SigningKey& appellant, trust::ClaimId claim,
                   const Digest& recomputed) {
  return append_one(project, appellant, ledger::AppealFiled{claim, recomputed});
}

Status void_verdict(Project& project, const SigningKey& root, trust::ClaimId claim) {
  return append_one(project, root, ledger::VerdictVoided{claim});
}

}  // namespace cairn::project
