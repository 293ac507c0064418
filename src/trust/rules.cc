// Which events may follow in which state: who may say what, and when. Reads the state, changes nothing.
#include <algorithm>

#include "ledger/join_work.h"
#include "trust/state.h"

namespace cairn::trust {
namespace {

using ledger::Event;

std::string numbered(const char* thing, uint64_t number) {
  return std::string(thing) + " " + std::to_string(number);
}

struct Rules {
  const State& state;
  const Event& event;

  const PublicKey& author() const { return event.statement.author; }

  // -- Who

  Status by_root() const {
    if (author() != state.genesis().root) return Error{"signed by another key than the project's root key"};
    return {};
  }

  Status by_coordinator() const {
    if (author() != state.coordinator()) return Error{"signed by another key than the coordinator's"};
    return {};
  }

  Result<UserId> by_user() const {
    const KeyOwner* owner = state.owner(author());
    if (owner == nullptr) return Error{"signed by a key that no user has: join first"};
    if (owner->retired) return Error{"signed by a revoked key of " + numbered("user", owner->user)};
    return owner->user;
  }

  Result<UserId> by_main_key() const {
    CAIRN_TRY(const UserId user, by_user());
    if (state.user(user).key != author()) {
      return Error{"signed by a device key of " + numbered("user", user) +
                   ", which may not change the account"};
    }
    return user;
  }

  Result<UserId> by_working_user() const {
    CAIRN_TRY(const UserId user, by_user());
    if (state.user(user).standing.banned) return Error{numbered("user", user) + " is banned"};
    return user;
  }

  Status key_is_free(const PublicKey& key) const {
    if (const KeyOwner* owner = state.owner(key)) {
      return Error{"the key is or was one of " + numbered("user", owner->user) + " already"};
    }
    return {};
  }

  // -- About what

  Result<const Entry*> accepted_entry(EntryId id) const {
    if (!state.has_entry(id)) return Error{"there is no " + numbered("entry", id)};
    const Entry& entry = state.entry(id);
    switch (entry.standing.status) {
      case Entry::Status::sealed:
        return Error{numbered("entry", id) + " is still sealed"};
      case Entry::Status::revoked:
        return Error{numbered("entry", id) + " is revoked already"};
      case Entry::Status::suspended:
        return Error{numbered("entry", id) + " is suspended"};
      case Entry::Status::opened:
        break;
    }
    if (!entry.standing.accepted) {
      return Error{numbered("entry", id) + " is a newcomer's that nobody has confirmed, and counts nowhere"};
    }
    return &entry;
  }

  Result<const Claim*> some_claim(ClaimId id) const {
    if (!state.has_claim(id)) return Error{"there is no " + numbered("claim", id)};
    return &state.claim(id);
  }

  Result<const Claim*> open_claim(ClaimId id) const {
    CAIRN_TRY(const Claim* claim, some_claim(id));
    switch (claim->standing.status) {
      case Claim::Status::open:
        return claim;
      case Claim::Status::moot:
        return Error{numbered("claim", id) + " is moot: " + numbered("entry", claim->entry) +
                     " is no longer in the training log"};
      default:
        return Error{numbered("claim", id) + " is settled already"};
    }
  }

  Status existing_user(UserId id) const {
    if (!state.has_user(id)) return Error{"there is no " + numbered("user", id)};
    return {};
  }

  // -- Root

  Status operator()(const ledger::Genesis& genesis) const {
    if (state.started()) return Error{"the ledger has a genesis already"};
    if (event.statement.project != Digest{}) return Error{"project: not zero"};
    if (author() != genesis.root) return Error{"signed by another key than the root key that it names"};
    const std::set<PublicKey> judges(genesis.judges.begin(), genesis.judges.end());
    if (judges.size() != genesis.judges.size()) return Error{"judges: one is named twice"};
    return ledger::validate(genesis.policy);
  }

  Status operator()(const ledger::SettingsChanged& settings) const {
    CAIRN_CHECK(by_root());
    CAIRN_CHECK(ledger::validate(settings.policy));
    if (settings.from_round < state.next_round()) {
      return Error{"from_round: " + numbered("round", settings.from_round) + " has been opened already"};
    }
    const Policy& present = state.genesis().policy;
    if (settings.policy.minimum != present.minimum || settings.policy.maximum != present.maximum) {
      return Error{"policy: the range of reputations is fixed in the genesis"};
    }
    return {};
  }

  Status operator()(const ledger::CoordinatorMoved&) const { return by_root(); }

  Status operator()(const ledger::JudgeAdded& added) const {
    CAIRN_CHECK(by_root());
    if (state.judges().contains(added.judge)) return Error{"judge: is a judge already"};
    return {};
  }

  Status operator()(const ledger::JudgeRemoved& removed) const {
    CAIRN_CHECK(by_root());
    if (!state.judges().contains(removed.judge)) return Error{"judge: is no judge"};
    return {};
  }

  Status operator()(const ledger::Endowed& endowed) const {
    CAIRN_CHECK(by_root());
    CAIRN_CHECK(existing_user(endowed.user));
    const User& user = state.user(endowed.user);
    if (!user.entries.empty()) {
      return Error{numbered("user", endowed.user) + " has sent an entry: only newcomers are endowed"};
    }
    if (endowed.reputation < user.standing.reputation || endowed.reputation > state.policy().maximum) {
      return Error{"reputation: " + to_decimal(endowed.reputation) + " is not between " +
                   to_decimal(user.standing.reputation) + " and " + to_decimal(state.policy().maximum)};
    }
    return {};
  }

  Status operator()(const ledger::Paused& paused) const {
    CAIRN_CHECK(by_root());
    if (paused.paused == state.paused()) {
      return Error{paused.paused ? "the project is paused already" : "the project is not paused"};
    }
    return {};
  }

  Status operator()(const ledger::RolledBack& rollback) const {
    CAIRN_CHECK(by_root());
    if (rollback.to_round >= state.next_round()) {
      return Error{"to_round: " + numbered("round", rollback.to_round) + " has not been opened yet"};
    }
    return {};
  }

  Status operator()(const ledger::VerdictVoided& voided) const {
    CAIRN_CHECK(by_root());
    CAIRN_TRY(const Claim* claim, some_claim(voided.claim));
    if (!claim->verdict) return Error{numbered("claim", voided.claim) + " has no verdict"};
    if (claim->verdict->voided) return Error{"the verdict is voided already"};
    const std::vector<Entry>& entries = state.entries();
    for (size_t i = 0; i < entries.size(); ++i) {
      if (entries[i].dropped && entries[i].standing.revoked_by == voided.claim) {
        return Error{"the blobs of " + numbered("entry", i + 1) + ", which it revoked, are gone"};
      }
    }
    return {};
  }

  // -- Users

  Status operator()(const ledger::Joined& joined) const {
    CAIRN_CHECK(key_is_free(author()));
    const uint32_t wanted = state.policy().join_work;
    if (const uint32_t found = ledger::join_work(state.project(), author(), joined.nonce); found < wanted) {
      return Error{"nonce: proves work of " + std::to_string(found) + " bits where " +
                   std::to_string(wanted) + " are asked for"};
    }
    return {};
  }

  Status operator()(const ledger::NameChosen& chosen) const {
    CAIRN_CHECK(by_main_key());
    if (state.name_taken(chosen.name)) return Error{"name: taken already"};
    return {};
  }

  Status operator()(const ledger::DeviceKeyAdded& added) const {
    CAIRN_TRY(const UserId user, by_main_key());
    CAIRN_CHECK(key_is_free(added.device));
    if (state.user(user).devices >= kMaxDeviceKeys) {
      return Error{numbered("user", user) + " has " + std::to_string(kMaxDeviceKeys) +
                   " device keys already: remove one"};
    }
    return {};
  }

  Status operator()(const ledger::DeviceKeyRemoved& removed) const {
    CAIRN_TRY(const UserId user, by_main_key());
    const KeyOwner* owner = state.owner(removed.device);
    if (owner == nullptr || owner->user != user || !owner->device || owner->retired) {
      return Error{"device: no device key of " + numbered("user", user)};
    }
    return {};
  }

  Status operator()(const ledger::KeyRotated& rotated) const {
    CAIRN_CHECK(by_main_key());
    return key_is_free(rotated.successor);
  }

  // Whether what was computed from that round's snapshot is still taken.
  Status current_round(Round round) const {
    if (state.current(round)) return {};
    const std::string name = numbered("round", round);
    const auto open = state.open_round();
    if (!open) return Error{"no round is open"};
    if (round > *open) return Error{name + " is not open"};
    if (*open - round <= state.policy().staleness) return Error{name + " was rolled back"};
    return Error{name + " closed more than " + std::to_string(state.policy().staleness) + " rounds ago"};
  }

  // What somebody has shown could be copied.
  Status unit_is_free(const ledger::EntrySealed& sealed, UserId user) const {
    const auto entries = state.entries_of(sealed.round, sealed.unit);
    const std::string unit = numbered("unit", sealed.unit) + " of " + numbered("round", sealed.round);
    if (state.shown(sealed.round, sealed.unit))
      return Error{unit + " has been opened and takes no more entries"};
    for (EntryId id : entries) {
      if (state.entry(id).user != user) continue;
      return Error{unit + " is done already by " + numbered("user", user) + ", as " + numbered("entry", id)};
    }
    if (entries.size() >= kMaxEntriesPerUnit) {
      return Error{unit + " has " + std::to_string(kMaxEntriesPerUnit) + " entries already"};
    }
    return {};
  }

  Status operator()(const ledger::EntrySealed& sealed) const {
    CAIRN_TRY(const UserId user, by_working_user());
    CAIRN_CHECK(current_round(sealed.round));
    const RoundRecord& open = state.rounds().back();
    const std::string name = numbered("round", *state.open_round());
    if (!open.entries.empty()) return Error{name + " is being opened and takes no more entries"};
    CAIRN_CHECK(unit_is_free(sealed, user));
    if (open.sealed.size() >= kMaxEntriesPerRound) return Error{name + " is full"};
    if (const auto same = state.sealed_by(user, sealed.seal)) {
      return Error{"seal: used already, by " + numbered("entry", *same)};
    }
    return {};
  }

  Status operator()(const ledger::EntryOpened& opened) const {
    CAIRN_TRY(const UserId user, by_working_user());
    const std::optional<EntryId> id = state.sealed_by(user, opened.seal);
    if (!id) return Error{"seal: " + numbered("user", user) + " sealed no such entry"};
    const Entry& entry = state.entry(*id);
    if (entry.gradient) return Error{numbered("entry", *id) + " is open already"};
    if (entry.standing.status == Entry::Status::revoked) return Error{numbered("entry", *id) + " is revoked"};
    if (Status current = current_round(entry.round); !current)
      return current.error().within(numbered("entry", *id) + " waits no more");
    if (entry.seal !=
        ledger::entry_seal(state.project(), entry.key, entry.round, entry.unit, opened.gradient)) {
      return Error{"gradient: not the one that " + numbered("entry", *id) + " sealed"};
    }
    return {};
  }

  Status claimable(EntryId id, UserId claimant) const {
    CAIRN_TRY(const Entry* entry, accepted_entry(id));
    if (entry->standing.judged) return Error{numbered("entry", id) + " has been judged already"};
    if (state.settled(*entry->opened_in)) {
      return Error{numbered("entry", id) + " is older than the policy's horizon of " +
                   std::to_string(state.policy_for(*entry->opened_in).horizon) + " rounds and has settled"};
    }
    for (ClaimId about : state.claims_about(id)) {
      const Claim& claim = state.claim(about);
      if (claim.claimant == claimant && claim.standing.status == Claim::Status::open) {
        return Error{"made already, as " + numbered("claim", about)};
      }
    }
    return {};
  }

  Status may_claim(EntryId entry) const {
    CAIRN_TRY(const UserId id, by_working_user());
    CAIRN_CHECK(claimable(entry, id));
    if (state.entry(entry).user == id) return Error{"entry: the claimant's own"};
    const User::Standing& user = state.user(id).standing;
    if (!state.passed_exam(id)) {
      return Error{numbered("user", id) + " has " + std::to_string(user.accepted) +
                   " accepted entries and may claim with " + std::to_string(state.policy().exam_entries)};
    }
    const uint32_t limit = open_claim_limit(user.reputation);
    if (state.open_claims(id) >= limit) {
      return Error{numbered("user", id) + " has as many open claims as a reputation of " +
                   to_decimal(user.reputation) + " allows, " + std::to_string(limit)};
    }
    return {};
  }

  Status operator()(const ledger::ClaimFiled& filed) const { return may_claim(filed.entry); }

  // That a stretch is true says nothing of the others, so that each can be judged once.
  Status operator()(const ledger::StretchClaimed& filed) const {
    CAIRN_CHECK(may_claim(filed.entry));
    const Digest& snapshot = state.rounds()[state.entry(filed.entry).round].snapshot;
    if (filed.stretch.index == 0 && filed.stretch.before != snapshot)
      return Error{"stretch: before: the first stretch begins with the round's snapshot"};
    for (ClaimId about : state.claims_about(filed.entry)) {
      const Claim& claim = state.claim(about);
      if (claim.stretch == filed.stretch && claim.verdict && !claim.verdict->voided)
        return Error{"stretch: has been judged already, by " + numbered("claim", about)};
    }
    return {};
  }

  // Shown once nobody can use it any more to claim or to vote.
  Status operator()(const ledger::ClaimOpened& opened) const {
    CAIRN_TRY(const UserId user, by_user());
    CAIRN_TRY(const Claim* claim, open_claim(opened.claim));
    if (claim->claimant != user) return Error{numbered("claim", opened.claim) + " is not the author's"};
    if (claim->gradient) return Error{numbered("claim", opened.claim) + " is opened already"};
    const auto alike = state.open_claims_like(opened.claim);
    if (std::ranges::none_of(alike, [this](ClaimId id) { return state.decided(id).has_value(); }))
      return Error{numbered("claim", opened.claim) + " stays sealed until the votes decide"};
    if (claim->seal != ledger::claim_seal(state.project(), claim->key, claim->entry, opened.gradient)) {
      return Error{"gradient: not the one that " + numbered("claim", opened.claim) + " sealed"};
    }
    return {};
  }

  Status operator()(const ledger::AppealFiled& appeal) const {
    CAIRN_TRY(const UserId user, by_user());
    CAIRN_TRY(const Claim* claim, some_claim(appeal.claim));
    if (!claim->verdict) return Error{numbered("claim", appeal.claim) + " has no verdict"};
    if (claim->verdict->voided) return Error{"the verdict is voided already"};
    if (claim->verdict->gradient == appeal.gradient) return Error{"gradient: agrees with the verdict"};
    if (claim->appeals.contains(user)) return Error{numbered("user", user) + " has appealed already"};
    return {};
  }

  Status operator()(const ledger::Evaluated& stated) const {
    CAIRN_TRY(const UserId user, by_working_user());
    if (stated.round >= state.next_round()) {
      return Error{numbered("round", stated.round) + " has not been opened yet"};
    }
    if (stated.images == 0) return Error{"images: none, so nothing was evaluated"};
    if (stated.correct > stated.images) {
      return Error{"correct: " + std::to_string(stated.correct) + " of " + std::to_string(stated.images) +
                   " images"};
    }
    if (state.rounds()[stated.round].evaluations.contains(user)) {
      return Error{numbered("user", user) + " has evaluated " + numbered("round", stated.round) + " already"};
    }
    return {};
  }

  // -- Judges

  // Precondition: the claim is open.
  Status may_judge(ClaimId id) const {
    if (state.on_panel(id, author())) return fit_for_panel(*state.user_of(author()));
    if (!state.judges().contains(author())) {
      return Error{"signed by a key that is no judge's, and no main key of somebody on the panel"};
    }
    if (state.named_judges_decide(id, event.time)) return {};
    return Error{numbered("claim", id) + " is for its panel to decide, until " +
                 std::to_string(state.policy().panel_hours) + " hours after it was filed"};
  }

  Status fit_for_panel(UserId user) const {
    const User::Standing& standing = state.user(user).standing;
    if (standing.banned) return Error{numbered("user", user) + " is banned"};
    if (standing.reputation >= state.policy().panel_reputation) return {};
    return Error{numbered("user", user) + " has lost the reputation that panels ask for"};
  }

  Result<const Claim*> votable(ClaimId id) const {
    CAIRN_TRY(const Claim* claim, open_claim(id));
    CAIRN_CHECK(may_judge(id));
    if (state.decided(id)) return Error{numbered("claim", id) + " has the votes that it needs already"};
    if (const KeyOwner* owner = state.owner(author())) CAIRN_CHECK(impartial(*owner, claim->entry));
    return claim;
  }

  // The author's vote, perhaps under the key that they had before.
  const Vote* vote_of_author(const Claim& claim) const {
    const auto user = state.user_of(author());
    for (const auto& [key, vote] : claim.votes) {
      const KeyOwner* owner = state.owner(key);
      if (key == author() || (user && owner != nullptr && owner->user == *user)) return &vote;
    }
    return nullptr;
  }

  Status operator()(const ledger::VoteSealed& sealed) const {
    CAIRN_TRY(const Claim* claim, votable(sealed.claim));
    const bool opening = claim->votes_opening.has_value();
    const bool pending = state.votes_pending(sealed.claim, event.time);
    const Vote* vote = vote_of_author(*claim);
    if (vote != nullptr && (vote->gradient || pending)) {
      return Error{"the judge has voted on " + numbered("claim", sealed.claim) + " already"};
    }
    if (opening && pending) {
      return Error{"votes on " + numbered("claim", sealed.claim) +
                   " are being opened; no more are sealed until all of them are, or have lapsed"};
    }
    return {};
  }

  Status operator()(const ledger::VoteOpened& opened) const {
    CAIRN_TRY(const Claim* claim, votable(opened.claim));
    const auto vote = claim->votes.find(author());
    if (vote == claim->votes.end()) {
      return Error{"the judge has sealed no vote on " + numbered("claim", opened.claim)};
    }
    if (vote->second.gradient) return Error{"the vote is opened already"};
    if (!state.votes_pending(opened.claim, event.time)) return Error{"the vote has lapsed"};
    const bool of_panel = vote->second.of_panel;
    const uint32_t needed = state.votes_needed(of_panel);
    if (state.votes_on(opened.claim, of_panel) < needed) {
      return Error{"votes stay sealed until there are " + std::to_string(needed) + " on " +
                   numbered("claim", opened.claim)};
    }
    if (vote->second.seal != ledger::vote_seal(state.project(), author(), opened.claim, opened.gradient)) {
      return Error{"gradient: not the one that the vote sealed"};
    }
    return {};
  }

  // A judge who is also a user, under the same key.
  Status impartial(const KeyOwner& judge, EntryId entry) const {
    if (judge.retired) return Error{"signed by a revoked key of " + numbered("user", judge.user)};
    if (state.entry(entry).user == judge.user) return Error{"the judge is the author of the entry"};
    for (ClaimId about : state.claims_about(entry)) {
      if (state.claim(about).claimant == judge.user) return Error{"the judge has claimed about the entry"};
    }
    return {};
  }

  // -- Coordinator

  Status operator()(const ledger::RoundOpened& opened) const {
    CAIRN_CHECK(by_coordinator());
    if (const auto open = state.open_round()) return Error{numbered("round", *open) + " is still open"};
    if (opened.round != state.next_round()) {
      return Error{"round: " + std::to_string(opened.round) + " where " +
                   numbered("round", state.next_round()) + " is the next"};
    }
    if (opened.round == 0) return {};
    if (const auto unstated = state.mismatches(opened.round - 1); !unstated.empty()) {
      return Error{"the mismatch of " + numbered("entry", unstated[0].entry) + " has to be stated before"};
    }
    return {};
  }

  Status operator()(const ledger::RoundClosed& closed) const {
    CAIRN_CHECK(by_coordinator());
    if (state.open_round() != closed.round) return Error{numbered("round", closed.round) + " is not open"};
    const RoundRecord& round = state.rounds()[closed.round];
    if (closed.openings != round.entries.size()) {
      return Error{"openings: " + std::to_string(closed.openings) + " where " +
                   numbered("round", closed.round) + " has " + std::to_string(round.entries.size())};
    }
    if (state.close_reason(event.time) != closed.reason) {
      return Error{"reason: " + numbered("round", closed.round) +
                   " does not close for that reason, by the policy and what has been sealed until now"};
    }
    if (const uint64_t floor = state.floor_at_close(); closed.floor != floor) {
      return Error{"floor: " + std::to_string(closed.floor) + " where the closed rounds give " +
                   std::to_string(floor)};
    }
    return {};
  }

  Status operator()(const ledger::MismatchFound& found) const {
    CAIRN_CHECK(by_coordinator());
    CAIRN_CHECK(claimable(found.entry, kCoordinator));
    const Entry& entry = state.entry(found.entry);
    if (*entry.gradient == found.gradient) {
      return Error{"gradient: the same as that of " + numbered("entry", found.entry) +
                   ", so nothing is claimed"};
    }
    for (EntryId id : state.entries_of(entry.round, entry.unit)) {
      const Entry& other = state.entry(id);
      if (other.standing.status == Entry::Status::opened && other.gradient == found.gradient) return {};
    }
    return Error{"gradient: no other entry of the unit has it"};
  }

  Status operator()(const ledger::VerdictReached& verdict) const {
    CAIRN_CHECK(by_coordinator());
    CAIRN_CHECK(open_claim(verdict.claim));
    const std::optional<Digest> decided = state.decided(verdict.claim);
    if (!decided) {
      return Error{numbered("claim", verdict.claim) + " does not have the equal votes yet that it needs"};
    }
    if (verdict.gradient != *decided) return Error{"gradient: not the one that the judges got"};
    if (verdict.upheld != (*decided != state.stated(verdict.claim))) {
      return Error{verdict.upheld ? "upheld: but the judges got what the entry states"
                                  : "rejected: but the judges got something else than the entry states"};
    }
    return {};
  }

  Status operator()(const ledger::LotSealed& sealed) const {
    CAIRN_CHECK(by_coordinator());
    if (state.policy().judges != ledger::Judges::panel) return Error{"the policy has no panels"};
    for (const Lot& lot : state.lots()) {
      if (lot.seal == sealed.seal) return Error{"seal: that lot was used before"};
    }
    if (!state.lots().empty() && !state.lots().back().value && state.lots().back().key == author()) {
      return Error{"the lot that is sealed has not been opened yet"};
    }
    return {};
  }

  Status operator()(const ledger::PanelDrawn& drawn) const {
    CAIRN_CHECK(by_coordinator());
    CAIRN_TRY(const Claim* claim, open_claim(drawn.claim));
    if (!claim->lot) {
      return Error{numbered("claim", drawn.claim) +
                   " has no sealed lot to be drawn by, so that the named judges decide it"};
    }
    if (claim->panel) return Error{"the panel about " + numbered("claim", drawn.claim) + " is drawn already"};
    if (ledger::lot_seal(state.project(), drawn.lot) != state.lots()[*claim->lot].seal) {
      return Error{"lot: not the one that was sealed when " + numbered("claim", drawn.claim) + " was signed"};
    }
    return {};
  }

  Status operator()(const ledger::EntryUnavailable& unavailable) const {
    CAIRN_CHECK(by_coordinator());
    CAIRN_TRY(const Entry* entry, accepted_entry(unavailable.entry));
    if (entry->unavailable_since) {
      return Error{numbered("entry", unavailable.entry) + " is known to be unavailable already"};
    }
    return {};
  }

  // Suspension spares everybody where nobody can judge, so there must have been time to.
  Status operator()(const ledger::EntrySuspended& suspended) const {
    CAIRN_CHECK(by_coordinator());
    CAIRN_TRY(const Entry* entry, accepted_entry(suspended.entry));
    if (state.decided_about(suspended.entry)) {
      return Error{"the votes on a claim about " + numbered("entry", suspended.entry) +
                   " decide, so that a verdict has to follow"};
    }
    const int64_t waited = event.time - kSuspensionDelay;
    if (entry->unavailable_since && *entry->unavailable_since <= waited) return {};
    for (ClaimId about : state.claims_about(suspended.entry)) {
      const Claim& claim = state.claim(about);
      if (claim.standing.status == Claim::Status::open && claim.time <= waited) return {};
    }
    return Error{numbered("entry", suspended.entry) +
                 " has been neither unavailable nor under a claim for 24 hours"};
  }

  Status operator()(const ledger::BlobsDropped& dropped) const {
    CAIRN_CHECK(by_coordinator());
    if (!state.has_entry(dropped.entry)) return Error{"there is no " + numbered("entry", dropped.entry)};
    if (state.entry(dropped.entry).dropped) {
      return Error{"the blobs of " + numbered("entry", dropped.entry) + " are gone already"};
    }
    const std::optional<int64_t> ended = state.ended(dropped.entry);
    if (!ended) {
      return Error{numbered("entry", dropped.entry) + " is neither revoked nor suspended"};
    }
    if (event.time - *ended < kAppealWindow) {
      return Error{numbered("entry", dropped.entry) + " can be appealed for 30 days"};
    }
    return {};
  }
};

template <class... Kinds>
bool is_any_of(const ledger::Body& body) {
  return (std::holds_alternative<Kinds>(body) || ...);
}

// What the root key says is heard even while the project is paused.
bool root_statement(const ledger::Body& body) {
  return is_any_of<ledger::SettingsChanged, ledger::CoordinatorMoved, ledger::JudgeAdded,
                   ledger::JudgeRemoved, ledger::Endowed, ledger::Paused, ledger::RolledBack,
                   ledger::VerdictVoided>(body);
}

Status may_follow(const State& state, const Event& event) {
  const ledger::Body& body = event.statement.body;
  const bool genesis = std::holds_alternative<ledger::Genesis>(body);
  if (!state.started() && !genesis) return Error{"the first event of a ledger is its genesis"};
  if (state.started() && !genesis && event.statement.project != state.project()) {
    return Error{"project: signed for another project"};
  }
  if (event.time < 0 || event.time < state.time())
    return Error{"time: earlier than that of the event before"};
  if (state.paused() && !root_statement(body)) return Error{"the project is paused"};
  return {};
}

}  // namespace

Status check(const State& state, const Event& event) {
  Status status = may_follow(state, event);
  if (status) status = std::visit(Rules{state, event}, event.statement.body);
  if (!status) return status.error().within(std::string(ledger::kind_name(event.statement.body)));
  return status;
}

}  // namespace cairn::trust
