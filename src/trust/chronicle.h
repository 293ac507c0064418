// A ledger told in one line per deed, for tests: keys and digests are made up, and nothing is signed.
#pragma once

#include <map>
#include <string>

#include "ledger/join_work.h"
#include "trust/state.h"

namespace cairn::trust {

class Chronicle {
 public:
  explicit Chronicle(Policy policy = {}, uint32_t judges = 1) {
    ledger::Genesis genesis;
    genesis.policy = std::move(policy);
    genesis.root = key("root");
    genesis.coordinator = key("coordinator");
    for (uint32_t i = 0; i < judges; ++i) genesis.judges.push_back(judge(i));
    must(key("root"), genesis);
  }

  static PublicKey key(const std::string& name) { return {digest("key " + name).bytes}; }
  static PublicKey judge(uint32_t number) { return key("judge " + std::to_string(number)); }
  static Digest digest(const std::string& text) { return sha256(as_bytes(text)); }

  // What an honest machine gets, and what a liar may send.
  static Digest truth(Round round, UnitId unit) {
    return digest("true " + std::to_string(round) + " " + std::to_string(unit));
  }
  static Digest lie(Round round, UnitId unit) {
    return digest("false " + std::to_string(round) + " " + std::to_string(unit));
  }
  Digest truth_of(EntryId id) const { return truth(state.entry(id).round, state.entry(id).unit); }

  ledger::Event event(const PublicKey& author, ledger::Body body) const {
    ledger::Event event;
    event.time = now;
    event.statement.author = author;
    if (!std::holds_alternative<ledger::Genesis>(body)) event.statement.project = state.project();
    event.statement.seen.size = state.size();  // its author has seen everything
    event.statement.body = std::move(body);
    return event;
  }

  // Appends the event if the rules allow it.
  Status tell(const ledger::Event& event) {
    CAIRN_CHECK(state.apply(event));
    events.push_back(event);
    return {};
  }
  Status tell(const PublicKey& author, ledger::Body body) { return tell(event(author, std::move(body))); }

  void must(const PublicKey& author, ledger::Body body) {
    const Status status = tell(author, std::move(body));
    if (!status) throw std::logic_error(status.error().message);
  }

  ledger::Joined joined(const PublicKey& author) const {
    return {ledger::find_join_nonce(state.project(), author, state.policy().join_work, {}).value()};
  }

  UserId join(const std::string& name) {
    must(key(name), joined(key(name)));
    return static_cast<UserId>(state.users().size());
  }

  void open_round() {
    state_mismatches();
    must(key("coordinator"), ledger::RoundOpened{state.next_round(), {}, {}});
  }

  // Of the latest round, as the coordinator has to.
  void state_mismatches() {
    if (state.rounds().empty()) return;
    for (const auto& found : state.mismatches(state.next_round() - 1)) must(key("coordinator"), found);
  }

  ledger::EntrySealed seal(const PublicKey& author, UnitId unit, const Digest& gradient) const {
    return seal(author, *state.open_round(), unit, gradient);
  }
  // Of what was computed from the snapshot of that round.
  ledger::EntrySealed seal(const PublicKey& author, Round round, UnitId unit, const Digest& gradient) const {
    return {round, unit, ledger::entry_seal(state.project(), author, round, unit, gradient)};
  }

  EntryId send(UserId user, Round round, UnitId unit, const Digest& gradient) {
    const PublicKey author = state.user(user).key;
    must(author, seal(author, round, unit, gradient));
    gradients[static_cast<EntryId>(state.entries().size())] = gradient;
    return static_cast<EntryId>(state.entries().size());
  }
  EntryId send(UserId user, UnitId unit, const Digest& gradient) {
    return send(user, *state.open_round(), unit, gradient);
  }
  EntryId send_truth(UserId user, UnitId unit) { return send(user, unit, truth(*state.open_round(), unit)); }
  EntryId send_lie(UserId user, UnitId unit) { return send(user, unit, lie(*state.open_round(), unit)); }

  // A file of three stretches as it states them. A lie departs from the truth in the second, and goes on
  // truly from where it then is.
  static constexpr uint32_t kStretches = 3;
  static constexpr uint32_t kFalseStretch = 1;
  ledger::Stretch stretch(EntryId id, uint32_t index) const {
    const auto state_after = [&](uint32_t at) {
      const Digest& file = at < kFalseStretch ? truth_of(id) : gradients.at(id);
      return digest("state " + std::to_string(at) + " of " + file.hex());
    };
    const bool last = index + 1 == kStretches;
    return {index, index == 0 ? state.rounds()[state.entry(id).round].snapshot : state_after(index - 1),
            last ? gradients.at(id) : state_after(index)};
  }
  // What recomputing what a claim is about gives.
  Digest true_about(EntryId id, const std::optional<ledger::Stretch>& about) const {
    if (!about) return truth_of(id);
    const bool wrong = gradients.at(id) != truth_of(id) && about->index == kFalseStretch;
    return wrong ? digest("true state of " + truth_of(id).hex()) : about->after;
  }
  Digest true_about(ClaimId id) const { return true_about(state.claim(id).entry, state.claim(id).stretch); }

  ledger::EntryOpened opening(EntryId id) const { return {state.entry(id).seal, gradients.at(id)}; }

  ledger::RoundClosed closing() const {
    const Round round = *state.open_round();
    return {round, ledger::CloseReason::maintainer,
            static_cast<uint32_t>(state.rounds()[round].entries.size()), state.floor_at_close()};
  }

  // Opens what waits, states what differs, then closes.
  void close_round() {
    for (EntryId id : state.waiting()) open_entry(id);
    close_opened_round();
  }
  void open_entry(EntryId id) { must(state.user(state.entry(id).user).key, opening(id)); }
  void close_opened_round() {
    state_mismatches();
    must(key("coordinator"), closing());
  }

  ledger::ClaimFiled claiming(const PublicKey& author, EntryId entry, const Digest& gradient) const {
    return {entry, ledger::claim_seal(state.project(), author, entry, gradient)};
  }
  ClaimId claim(UserId user, EntryId entry, const Digest& gradient) {
    const PublicKey author = state.user(user).key;
    must(author, claiming(author, entry, gradient));
    claimed[static_cast<ClaimId>(state.claims().size())] = gradient;
    return static_cast<ClaimId>(state.claims().size());
  }

  ledger::StretchClaimed claiming(const PublicKey& author, EntryId entry, const ledger::Stretch& about,
                                  const Digest& got) const {
    return {entry, about, ledger::claim_seal(state.project(), author, entry, got)};
  }
  ClaimId claim(UserId user, EntryId entry, const ledger::Stretch& about, const Digest& got) {
    const PublicKey author = state.user(user).key;
    must(author, claiming(author, entry, about, got));
    claimed[static_cast<ClaimId>(state.claims().size())] = got;
    return static_cast<ClaimId>(state.claims().size());
  }
  ClaimId claim_stretch(UserId user, EntryId entry, uint32_t index) {
    const ledger::Stretch about = stretch(entry, index);
    return claim(user, entry, about, true_about(entry, about));
  }

  ledger::VoteSealed voting(const PublicKey& author, ClaimId id, const Digest& gradient) const {
    return {id, ledger::vote_seal(state.project(), author, id, gradient)};
  }
  void seal_vote(const PublicKey& author, ClaimId id, const Digest& gradient) {
    must(author, voting(author, id, gradient));
    voted[{id, author}] = gradient;
  }
  // Opens the votes that are sealed, until they decide.
  void open_votes(ClaimId id) {
    const auto votes = state.claim(id).votes;
    for (const auto& [author, vote] : votes) {
      if (!vote.gradient && !state.decided(id)) must(author, ledger::VoteOpened{id, voted.at({id, author})});
    }
  }

  // Shows what the claimants got who say the same, once the votes decide.
  void open_claims(ClaimId decided) {
    for (const ClaimId id : state.open_claims_like(decided)) {
      const Claim& claim = state.claim(id);
      if (claim.gradient) continue;
      must(state.user(claim.claimant).key, ledger::ClaimOpened{id, claimed.at(id)});
    }
  }

  static Digest lot(size_t number) { return digest("lot " + std::to_string(number)); }
  ledger::LotSealed sealed_lot() const {
    return {ledger::lot_seal(state.project(), lot(state.lots().size()))};
  }
  ledger::PanelDrawn drawing(ClaimId id) const { return {id, lot(state.claim(id).lot.value_or(0))}; }

  // As many of those who may vote as decide.
  std::vector<PublicKey> jury(ClaimId id) {
    const Claim& claim = state.claim(id);
    if (claim.lot && !claim.panel) must(key("coordinator"), drawing(id));
    std::vector<PublicKey> jury;
    if (claim.panel) {
      for (UserId user : claim.panel->members) jury.push_back(state.user(user).key);
    }
    const bool of_panel = !jury.empty();
    for (uint32_t i = 0; !of_panel && i < state.policy().judge_votes; ++i) jury.push_back(judge(i));
    jury.resize(state.votes_needed(of_panel));
    return jury;
  }

  // All of them vote for the truth, the claimants show what they got, and the coordinator says what follows.
  void judge_claim(ClaimId id) {
    const Digest found = true_about(id);
    for (const PublicKey& author : jury(id)) seal_vote(author, id, found);
    open_votes(id);
    open_claims(id);
    must(key("coordinator"), verdict(id));
  }
  ledger::VerdictReached verdict(ClaimId id) const {
    const Digest found = *state.decided(id);
    return {id, found != state.stated(id), found};
  }

  Reputation reputation(UserId user) const { return state.user(user).standing.reputation; }

  int64_t now = 0;
  State state;
  std::vector<ledger::Event> events;
  // Under the seals of entries, claims and votes
  std::map<EntryId, Digest> gradients;
  std::map<ClaimId, Digest> claimed;
  std::map<std::pair<ClaimId, PublicKey>, Digest> voted;
};

}  // namespace cairn::trust
