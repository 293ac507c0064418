#include "project/judgement.h"

#include <algorithm>

#include "project/dispute.h"
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

// Waits to be opened, and as many of its kind are sealed as a verdict needs.
bool vote_is_due(const trust::State& state, ClaimId id, const trust::Vote& vote) {
  return !vote.gradient && state.votes_on(id, vote.of_panel) >= state.votes_needed(vote.of_panel);
}

void open_votes(Draft& draft, ClaimId id) {
  const auto votes = draft.state().claim(id).votes;
  for (const auto& [judge, vote] : votes) {
    if (draft.state().decided(id)) return;
    if (vote_is_due(draft.state(), id, vote)) draft.add_opening(vote_opening(id, judge));
  }
}

// The coordinator's lot of that number. Nobody else can tell it, and it need not be kept: Ed25519 signs the
// same message with the same bytes.
Digest lot_value(const Digest& project, const SigningKey& coordinator, size_t number) {
  constexpr std::string_view kDomain = "cairn lot v1";
  ByteWriter message;
  message.raw(as_bytes(kDomain));
  message.u8(0);
  message.raw(project.bytes);
  message.u64(number);
  return sha256(coordinator.sign(message.bytes()).bytes);
}

bool panel_is_due(const trust::State& state, const Claim& claim, const PublicKey& coordinator) {
  return open(claim) && claim.lot && !claim.panel && state.lots()[*claim.lot].key == coordinator;
}

bool lot_is_due(const trust::State& state, const PublicKey& coordinator) {
  if (state.policy().judges != ledger::Judges::panel || state.paused()) return false;
  return state.lots().empty() || state.lots().back().value || state.lots().back().key != coordinator;
}

// Draws the panels of new claims, and seals the lot for those to come.
Status draw_panels(Project& project, Draft& draft, const SigningKey& coordinator) {
  for (ClaimId id = 1; draft.state().has_claim(id); ++id) {
    const Claim& claim = draft.state().claim(id);
    if (!panel_is_due(draft.state(), claim, coordinator.public_key())) continue;
    const Digest lot = lot_value(project.id(), coordinator, *claim.lot);
    const Digest& seal = draft.state().lots()[*claim.lot].seal;
    if (ledger::lot_seal(project.id(), lot) != seal) continue;  // of another program: the named judges decide
    CAIRN_CHECK(draft.say(coordinator, ledger::PanelDrawn{id, lot}));
  }
  if (!lot_is_due(draft.state(), coordinator.public_key())) return {};
  const Digest lot = lot_value(project.id(), coordinator, draft.state().lots().size());
  return draft.say(coordinator, ledger::LotSealed{ledger::lot_seal(project.id(), lot)});
}

// What the claimants got who say the same, so that the earliest who was right is paid.
void open_claims(Draft& draft, ClaimId decided) {
  for (const ClaimId id : draft.state().open_claims_like(decided)) draft.add_opening(claim_opening(id));
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
  open_claims(draft, judgement.claim);
  if (!coordinator) return {};
  const uint32_t revoked = revoked_entries(draft.state());
  const bool upheld = *decided != draft.state().stated(judgement.claim);
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

std::vector<ClaimId> claims_for(const Project& project, const PublicKey& judge, int64_t now) {
  const trust::State& state = project.state();
  std::vector<ClaimId> waiting;
  for (ClaimId id = 1; state.has_claim(id); ++id) {
    if (!open(state.claim(id))) continue;
    const ledger::Statement vote{project.id(), project.head(), judge, ledger::VoteSealed{id, {}}, {}};
    if (trust::check(state, {std::max(now, state.time()), vote})) waiting.push_back(id);
  }
  return waiting;
}

Status check_may_judge(const Project& project, const PublicKey& key, const std::string& name) {
  const trust::State& state = project.state();
  if (state.judges().contains(key)) return {};
  const bool panels = state.policy().judges == ledger::Judges::panel;
  if (panels && state.user_of(key)) return {};
  if (panels) {
    return Error{
        "key " + name +
        ": is neither a judge's nor a user's of this project; who contributes becomes a user, and users "
        "are drawn to judge"};
  }
  return Error{"key " + name +
               ": is no judge of this project; the root can make it one: cairn root add-judge"};
}

Result<Judgement> judge(Project& project, Trainer& trainer, ClaimId id, const SigningKey& key,
                        const std::optional<SigningKey>& coordinator, const Progress& progress) {
  const trust::EntryId about = project.state().claim(id).entry;
  CAIRN_TRY(const Digest recomputed, recompute_claim(project, trainer, id, progress));
  const Judgement found{.claim = id, .entry = about, .recomputed = recomputed};
  Judgement judgement;
  CAIRN_CHECK(project.commit([&]() -> Result<Project::Change> {
    judgement = found;
    CAIRN_TRY(Draft draft, Draft::begin(project));
    CAIRN_CHECK(vote(project, draft, key, judgement));
    CAIRN_CHECK(settle(draft, coordinator, judgement));
    return draft.take();
  }));
  std::ignore = drop_states(project).ok();  // what is left goes with the next verdict
  return judgement;
}

Result<std::vector<Judgement>> settle_claims(Project& project, const SigningKey& coordinator) {
  std::vector<Judgement> verdicts;
  CAIRN_CHECK(project.commit([&]() -> Result<Project::Change> {
    verdicts.clear();
    CAIRN_TRY(Draft draft, Draft::begin(project));
    CAIRN_CHECK(draw_panels(project, draft, coordinator));
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
  if (!verdicts.empty()) std::ignore = drop_states(project).ok();
  return verdicts;
}

bool settling_is_due(const trust::State& state, const PublicKey& coordinator) {
  if (lot_is_due(state, coordinator)) return true;
  for (ClaimId id = 1; state.has_claim(id); ++id) {
    const Claim& claim = state.claim(id);
    if (!open(claim)) continue;
    if (panel_is_due(state, claim, coordinator) || state.decided(id)) return true;
    const bool votes = std::ranges::any_of(
        claim.votes, [&](const auto& vote) { return vote_is_due(state, id, vote.second); });
    if (votes) return true;
  }
  return false;
}

Status file_appeal(Project& project, const SigningKey& appellant, ClaimId claim, const Digest& recomputed) {
  return append_one(project, appellant, ledger::AppealFiled{claim, recomputed});
}

Status void_verdict(Project& project, const SigningKey& root, ClaimId claim) {
  return append_one(project, root, ledger::VerdictVoided{claim});
}

}  // namespace cairn::project
