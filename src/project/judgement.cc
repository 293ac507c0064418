#include "project/judgement.h"

#include <algorithm>

#include "project/draft.h"

namespace cairn::project {
namespace {

using trust::Claim;
using trust::ClaimId;
using trust::Entry;

uint32_t revoked_entries(const trust::State& state) {
  return static_cast<uint32_t>(std::ranges::count_if(
      state.entries(), [](const Entry& entry) { return entry.standing.status == Entry::Status::revoked; }));
}

bool open(const Claim& claim) {
  return claim.standing.status == Claim::Status::open;
}

Status append_one(Project& project, const SigningKey& author, ledger::Body body) {
  const auto appended = project.commit([&]() -> Result<Project::Change> {
    return Project::Change{.statements = {project.sign(author, std::move(body))}};
  });
  if (!appended) return appended.error();
  return {};
}

// The votes that wait, once as many are sealed as a verdict needs.
void open_votes(Draft& draft, ClaimId id) {
  const auto votes = draft.state().claim(id).votes;
  if (votes.size() < draft.state().policy().judge_votes) return;
  for (const auto& [judge, vote] : votes) {
    if (!vote.gradient && !draft.state().decided(id)) draft.add_opening(vote_opening(id, judge));
  }
}

// What the claimants got, so that the earliest who was right is paid.
void open_claims(Draft& draft, trust::EntryId entry) {
  const auto about = draft.state().claims_about(entry);
  for (const ClaimId id : std::vector<ClaimId>(about.begin(), about.end())) {
    if (open(draft.state().claim(id))) draft.add_opening(claim_opening(id));
  }
}

void forget_settled(Draft& draft) {
  for (ClaimId id = 1; draft.state().has_claim(id); ++id) {
    if (!open(draft.state().claim(id))) draft.forget(id);
  }
}

// Opens what is due about a claim and states the verdict that the votes decide, if they do.
Status settle(Draft& draft, const std::optional<SigningKey>& coordinator, Judgement& judgement) {
  open_votes(draft, judgement.claim);
  const auto decided = draft.state().decided(judgement.claim);
  if (!decided) return {};
  const Claim claim = draft.state().claim(judgement.claim);
  const Entry entry = draft.state().entry(claim.entry);
  open_claims(draft, claim.entry);
  if (!coordinator) return {};
  const uint32_t revoked = revoked_entries(draft.state());
  const bool upheld = *decided != *entry.gradient;
  CAIRN_CHECK(draft.say(*coordinator, ledger::VerdictReached{judgement.claim, upheld, *decided}));
  judgement.upheld = upheld;
  judgement.fallen = upheld ? entry.user : claim.claimant;
  judgement.revoked_entries = revoked_entries(draft.state()) - revoked;
  for (const ClaimId about : draft.state().claims_about(claim.entry)) {
    judgement.bounty += draft.state().claim(about).standing.bounty;
  }
  forget_settled(draft);
  return {};
}

Status vote(Project& project, Draft& draft, const SigningKey& judge, const Judgement& judgement) {
  const Digest seal =
      ledger::vote_seal(project.id(), judge.public_key(), judgement.claim, judgement.recomputed);
  CAIRN_CHECK(draft.say(judge, ledger::VoteSealed{judgement.claim, seal}));
  draft.put_aside(vote_opening(judgement.claim, judge.public_key()),
                  project.sign(judge, ledger::VoteOpened{judgement.claim, judgement.recomputed}));
  return {};
}

}  // namespace

std::vector<ClaimId> claims_for(const Project& project, const PublicKey& judge) {
  std::vector<ClaimId> waiting;
  const auto& claims = project.state().claims();
  for (size_t i = 0; i < claims.size(); ++i) {
    if (open(claims[i]) && !claims[i].votes.contains(judge)) waiting.push_back(static_cast<ClaimId>(i + 1));
  }
  return waiting;
}

Result<Judgement> judge(Project& project, Trainer& trainer, ClaimId id, const SigningKey& key,
                        const std::optional<SigningKey>& coordinator, const Progress& progress) {
  const trust::EntryId about = project.state().claim(id).entry;
  const Entry& entry = project.state().entry(about);
  CAIRN_TRY(const work::GradientFile file, trainer.gradient(entry.round, entry.unit, progress));
  const Judgement found{.claim = id, .entry = about, .recomputed = sha256(work::encode(file))};
  Judgement judgement;
  CAIRN_CHECK(project.commit([&]() -> Result<Project::Change> {
    judgement = found;
    CAIRN_TRY(Draft draft, Draft::begin(project));
    CAIRN_CHECK(vote(project, draft, key, judgement));
    CAIRN_CHECK(settle(draft, coordinator, judgement));
    return draft.take();
  }));
  return judgement;
}

Result<std::vector<Judgement>> settle_claims(Project& project, const SigningKey& coordinator) {
  std::vector<Judgement> verdicts;
  CAIRN_CHECK(project.commit([&]() -> Result<Project::Change> {
    verdicts.clear();
    CAIRN_TRY(Draft draft, Draft::begin(project));
    for (ClaimId id = 1; draft.state().has_claim(id); ++id) {
      if (!open(draft.state().claim(id))) continue;
      Judgement judgement{.claim = id, .entry = draft.state().claim(id).entry};
      CAIRN_CHECK(settle(draft, coordinator, judgement));
      if (!judgement.upheld) continue;
      judgement.recomputed = draft.state().claim(id).verdict->gradient;
      verdicts.push_back(judgement);
    }
    return draft.take();
  }));
  return verdicts;
}

Status file_appeal(Project& project, const SigningKey& appellant, ClaimId claim, const Digest& recomputed) {
  return append_one(project, appellant, ledger::AppealFiled{claim, recomputed});
}

Status void_verdict(Project& project, const SigningKey& root, ClaimId claim) {
  return append_one(project, root, ledger::VerdictVoided{claim});
}

}  // namespace cairn::project
