#include "trust/state.h"

#include <algorithm>

#include "trust/consequences.h"

namespace cairn::trust {

using ledger::Event;

// Writes down what an accepted event states.
struct Recorder {
  State& state;
  const Event& event;

  const PublicKey& author() const { return event.statement.author; }
  UserId user() const { return *state.user_of(author()); }

  void own(const PublicKey& key, UserId user, bool device) { state.keys_[key] = {user, device, false}; }
  void retire(const PublicKey& key) { state.keys_.at(key).retired = true; }

  void operator()(const ledger::Genesis& genesis) {
    state.genesis_ = genesis;
    state.project_ = ledger::statement_digest(event.statement);
    state.coordinator_ = genesis.coordinator;
    state.judges_.insert(genesis.judges.begin(), genesis.judges.end());
    state.policies_[0] = genesis.policy;
  }

  void operator()(const ledger::SettingsChanged& settings) {
    state.policies_.erase(state.policies_.lower_bound(settings.from_round), state.policies_.end());
    state.policies_[settings.from_round] = settings.policy;
  }

  void operator()(const ledger::CoordinatorMoved& moved) { state.coordinator_ = moved.coordinator; }
  void operator()(const ledger::JudgeAdded& added) { state.judges_.insert(added.judge); }
  void operator()(const ledger::JudgeRemoved& removed) { state.judges_.erase(removed.judge); }
  void operator()(const ledger::Paused& paused) { state.paused_ = paused.paused; }

  void operator()(const ledger::Endowed& endowed) {
    state.happened({State::Moment::Kind::endowed, endowed.user, endowed.reputation});
  }

  void operator()(const ledger::RolledBack& rollback) {
    state.rolled_back_to_ = rollback.to_round;
    for (Round round = rollback.to_round; round < state.next_round(); ++round) {
      state.rounds_[round].rolled_back = true;
    }
  }

  void operator()(const ledger::VerdictVoided& voided) {
    state.claims_[voided.claim - 1].verdict->voided = true;
    state.replay();
  }

  void operator()(const ledger::Joined&) {
    User user;
    user.key = author();
    user.standing = Consequences::newcomer(state.genesis().policy);
    state.users_.push_back(user);
    own(author(), static_cast<UserId>(state.users_.size()), false);
  }

  void operator()(const ledger::NameChosen& chosen) {
    std::optional<Digest>& name = state.users_[user() - 1].name;
    if (name) state.names_.erase(*name);
    name = chosen.name;
    state.names_.insert(chosen.name);
  }

  void operator()(const ledger::DeviceKeyAdded& added) {
    own(added.device, user(), true);
    ++state.users_[user() - 1].devices;
  }

  void operator()(const ledger::DeviceKeyRemoved& removed) {
    retire(removed.device);
    --state.users_[user() - 1].devices;
  }

  void operator()(const ledger::KeyRotated& rotated) {
    const UserId id = user();
    retire(author());
    own(rotated.successor, id, false);
    state.users_[id - 1].key = rotated.successor;
  }

  void operator()(const ledger::EntrySealed& sealed) {
    Entry entry;
    entry.user = user();
    entry.round = sealed.round;
    entry.unit = sealed.unit;
    entry.key = author();
    entry.seal = sealed.seal;
    state.entries_.push_back(entry);
    const auto id = static_cast<EntryId>(state.entries_.size());
    state.users_[entry.user - 1].entries.push_back(id);
    state.rounds_.back().sealed.push_back(id);
    state.rounds_[entry.round].units[entry.unit].push_back(id);
    state.seals_[{entry.user, entry.seal}] = id;
    state.happened({State::Moment::Kind::sealed, id});
  }

  void operator()(const ledger::EntryOpened& opened) {
    const EntryId id = *state.sealed_by(user(), opened.seal);
    state.entries_[id - 1].gradient = opened.gradient;
    state.entries_[id - 1].opened_in = state.next_round() - 1;
    std::vector<EntryId>& entries = state.rounds_.back().entries;
    entries.insert(std::ranges::upper_bound(entries, id), id);
    state.happened({State::Moment::Kind::opened, id});
  }

  void file_claim(Claim claim) {
    claim.key = author();
    claim.time = event.time;
    state.claims_.push_back(claim);
    const auto id = static_cast<ClaimId>(state.claims_.size());
    if (claim.claimant != kCoordinator) state.users_[claim.claimant - 1].claims.push_back(id);
    state.claims_about_[claim.entry].push_back(id);
    state.happened({State::Moment::Kind::claimed, id});
  }

  void file_users_claim(EntryId entry, const Digest& seal, std::optional<ledger::Stretch> stretch) {
    Claim claim;
    claim.entry = entry;
    claim.claimant = user();
    claim.stretch = stretch;
    claim.seal = seal;
    claim.lot = state.lot_for(event.statement.seen);
    if (claim.lot) claim.candidates = state.panel_candidates(entry);
    file_claim(std::move(claim));
  }

  void operator()(const ledger::ClaimFiled& filed) { file_users_claim(filed.entry, filed.seal, {}); }
  void operator()(const ledger::StretchClaimed& filed) {
    file_users_claim(filed.entry, filed.seal, filed.stretch);
  }

  void operator()(const ledger::MismatchFound& found) {
    Claim claim;
    claim.entry = found.entry;
    claim.claimant = kCoordinator;
    claim.gradient = found.gradient;
    file_claim(std::move(claim));
  }

  void operator()(const ledger::ClaimOpened& opened) {
    state.claims_[opened.claim - 1].gradient = opened.gradient;
  }

  void operator()(const ledger::AppealFiled& appeal) {
    state.claims_[appeal.claim - 1].appeals[user()] = appeal.gradient;
  }

  void operator()(const ledger::Evaluated& stated) {
    state.rounds_[stated.round].evaluations[user()] = {stated.correct, stated.images, stated.loss};
  }

  void operator()(const ledger::VoteSealed& sealed) {
    Claim& claim = state.claims_[sealed.claim - 1];
    if (claim.votes_opening)
      std::erase_if(claim.votes, [](const auto& vote) { return !vote.second.gradient; });
    claim.votes_opening.reset();
    claim.votes[author()] = {sealed.seal, state.on_panel(sealed.claim, author()), {}};
  }

  void operator()(const ledger::VoteOpened& opened) {
    Claim& claim = state.claims_[opened.claim - 1];
    claim.votes.at(author()).gradient = opened.gradient;
    if (!claim.votes_opening) claim.votes_opening = event.time;
  }

  void operator()(const ledger::VerdictReached& verdict) {
    state.claims_[verdict.claim - 1].verdict = {verdict.upheld, verdict.gradient, event.time, false};
    state.happened({State::Moment::Kind::judged, verdict.claim});
  }

  void operator()(const ledger::RoundOpened& opened) {
    RoundRecord round;
    round.snapshot = opened.snapshot;
    round.state = opened.state;
    round.opened = event.time;
    state.rounds_.push_back(round);
    state.happened({State::Moment::Kind::round_opened, opened.round});
  }

  void operator()(const ledger::RoundClosed& closed) {
    state.rounds_.back().closed = true;
    state.rounds_.back().floor = closed.floor;
    state.happened({State::Moment::Kind::round_closed, closed.round});
  }

  void operator()(const ledger::EntryUnavailable& unavailable) {
    state.entries_[unavailable.entry - 1].unavailable_since = event.time;
  }

  void operator()(const ledger::EntrySuspended& suspended) {
    state.entries_[suspended.entry - 1].suspended_since = event.time;
    state.happened({State::Moment::Kind::suspended, suspended.entry});
  }

  void operator()(const ledger::LotSealed& sealed) {
    state.lots_.push_back({sealed.seal, author(), state.size_ - 1, {}});
  }

  void operator()(const ledger::PanelDrawn& drawn) {
    Claim& claim = state.claims_[drawn.claim - 1];
    claim.panel = {state.draw_panel(drawn.claim, drawn.lot)};
    claim.candidates.clear();
    state.lots_[*claim.lot].value = drawn.lot;
  }

  void operator()(const ledger::BlobsDropped& dropped) { state.entries_[dropped.entry - 1].dropped = true; }
};

Status State::apply(const Event& event) {
  CAIRN_CHECK(check(*this, event));
  time_ = event.time;
  ++size_;
  std::visit(Recorder{*this, event}, event.statement.body);
  return {};
}

void State::happened(Moment moment) {
  history_.push_back(moment);
  Consequences(*this, {static_cast<EntryId>(entries_.size()), static_cast<ClaimId>(claims_.size()),
                       rounds_.empty() ? 0 : next_round() - 1})
      .follow(moment);
}

void State::replay() {
  for (User& user : users_) user.standing = Consequences::newcomer(genesis_->policy);
  for (Entry& entry : entries_) entry.standing = {};
  for (Claim& claim : claims_) claim.standing = {};
  for (RoundRecord& round : rounds_) round.standing = {};
  Consequences consequences(*this, {});
  for (const Moment& moment : history_) consequences.follow(moment);
}

const Policy& State::policy_for(Round round) const {
  return std::prev(policies_.upper_bound(round))->second;
}

const Policy& State::policy() const {
  return policy_for(rounds_.empty() ? 0 : next_round() - 1);
}

const KeyOwner* State::owner(const PublicKey& key) const {
  const auto found = keys_.find(key);
  return found == keys_.end() ? nullptr : &found->second;
}

std::optional<UserId> State::user_of(const PublicKey& key) const {
  const KeyOwner* known = owner(key);
  if (known == nullptr || known->retired) return std::nullopt;
  return known->user;
}

std::optional<EntryId> State::sealed_by(UserId user, const Digest& seal) const {
  const auto found = seals_.find({user, seal});
  if (found == seals_.end()) return std::nullopt;
  return found->second;
}

std::span<const ClaimId> State::claims_about(EntryId entry) const {
  const auto found = claims_about_.find(entry);
  if (found == claims_about_.end()) return {};
  return found->second;
}

std::optional<int64_t> State::ended(EntryId id) const {
  const Entry& entry = this->entry(id);
  if (entry.standing.status == Entry::Status::suspended) return entry.suspended_since;
  if (entry.standing.status == Entry::Status::revoked) {
    return claim(entry.standing.revoked_by).verdict->time;
  }
  return std::nullopt;
}

bool State::established(UserId id) const {
  const User::Standing& standing = user(id).standing;
  return !standing.banned && passed_exam(id) && standing.reputation >= established_reputation(policy());
}

std::span<const EntryId> State::entries_of(Round round, UnitId unit) const {
  const auto& units = rounds_[round].units;
  const auto found = units.find(unit);
  if (found == units.end()) return {};
  return found->second;
}

bool State::shown(Round round, UnitId unit) const {
  return std::ranges::any_of(entries_of(round, unit),
                             [this](EntryId id) { return entry(id).gradient.has_value(); });
}

bool State::live(EntryId id) const {
  const Entry::Standing& standing = entry(id).standing;
  return standing.status == Entry::Status::opened && standing.accepted;
}

bool State::refuted(EntryId id) const {
  const Entry& entry = this->entry(id);
  const auto& truths = rounds_[entry.round].standing.truths;
  if (!entry.gradient) return false;
  const auto truth = truths.find(entry.unit);
  if (truth != truths.end() && truth->second != *entry.gradient) return true;
  const auto& lies = rounds_[entry.round].standing.lies;
  const auto known = lies.find(entry.unit);
  return known != lies.end() && known->second.contains(*entry.gradient);
}

std::optional<EntryId> State::chosen(Round round, UnitId unit) const {
  std::optional<EntryId> confirmed;
  for (EntryId id : entries_of(round, unit)) {
    if (!live(id) || refuted(id)) continue;
    if (entry(id).standing.trusted) return id;
    if (!confirmed && entry(id).standing.confirmed) confirmed = id;
  }
  return confirmed;
}

std::vector<ledger::MismatchFound> State::mismatches(Round round) const {
  std::map<EntryId, Digest> contradicted;
  for (EntryId opened : rounds_[round].entries) {
    for (EntryId id : entries_of(entry(opened).round, entry(opened).unit)) {
      if (const auto other = contradiction(id)) contradicted[id] = *other;
    }
  }
  std::vector<ledger::MismatchFound> found;
  for (const auto& [id, other] : contradicted) found.push_back({id, other});
  return found;
}

// The digest of another entry of the same unit, if it shows that one of both is false and nobody has dealt
// with that yet.
std::optional<Digest> State::contradiction(EntryId id) const {
  const Entry& entry = this->entry(id);
  if (!live(id) || !entry.standing.trusted || entry.standing.judged) return std::nullopt;
  const auto& truths = rounds_[entry.round].standing.truths;
  if (const auto truth = truths.find(entry.unit); truth != truths.end() && !refuted(id)) return std::nullopt;
  for (ClaimId about : claims_about(id)) {
    if (claim(about).claimant == kCoordinator && claim(about).standing.status != Claim::Status::voided) {
      return std::nullopt;
    }
  }
  for (EntryId other : entries_of(entry.round, entry.unit)) {
    const Entry& twin = this->entry(other);
    if (twin.standing.status == Entry::Status::opened && *twin.gradient != *entry.gradient) {
      return *twin.gradient;
    }
  }
  return std::nullopt;
}

uint32_t State::units_toward_quorum() const {
  constexpr size_t kEnough = 3;
  size_t some = 0;
  for (UserId id = 1; has_user(id) && some < kEnough; ++id) some += established(id) ? 1 : 0;
  std::set<std::pair<Round, UnitId>> units;
  for (EntryId id : rounds_.back().sealed) {
    if (some < kEnough || established(entry(id).user)) units.emplace(entry(id).round, entry(id).unit);
  }
  return static_cast<uint32_t>(units.size());
}

std::optional<ledger::CloseReason> State::close_reason(int64_t time) const {
  const Policy& policy = policy_for(static_cast<Round>(rounds_.size() - 1));
  const RoundRecord& round = rounds_.back();
  if (policy.quorum == 0 && policy.round_time == 0) return ledger::CloseReason::maintainer;
  if (policy.quorum > 0 && units_toward_quorum() >= policy.quorum) return ledger::CloseReason::quorum;
  const bool late = policy.round_time > 0 && time - round.opened >= static_cast<int64_t>(policy.round_time);
  if (late && !(round.entries.empty() && waiting().empty())) return ledger::CloseReason::deadline;
  return std::nullopt;
}

std::optional<Round> State::open_round() const {
  if (rounds_.empty() || rounds_.back().closed) return std::nullopt;
  return next_round() - 1;
}

bool State::current(Round round) const {
  const auto open = open_round();
  if (!open || round > *open) return false;
  return round == *open || (*open - round <= policy().staleness && !rounds_[round].rolled_back);
}

std::vector<EntryId> State::waiting() const {
  std::vector<EntryId> waiting;
  if (!open_round()) return waiting;
  for (Round round = *open_round() - std::min(*open_round(), policy().staleness); round <= *open_round();
       ++round) {
    for (EntryId id : rounds_[round].sealed) {
      if (entry(id).standing.status == Entry::Status::sealed && current(entry(id).round))
        waiting.push_back(id);
    }
  }
  return waiting;
}

uint64_t State::floor_at_close() const {
  std::vector<uint64_t> weights;
  for (const RoundRecord& round : rounds_) weights.push_back(round.standing.weight);
  weights.back() = Consequences::weight_of(*this, rounds_.back());
  return floor_of(policy(), std::move(weights));
}

uint32_t State::open_claims(UserId claimant) const {
  const std::vector<ClaimId>& filed = user(claimant).claims;
  return static_cast<uint32_t>(std::count_if(filed.begin(), filed.end(), [this](ClaimId id) {
    return claim(id).standing.status == Claim::Status::open;
  }));
}

const Digest& State::stated(ClaimId id) const {
  const Claim& claim = this->claim(id);
  return claim.stretch ? claim.stretch->after : *entry(claim.entry).gradient;
}

std::vector<ClaimId> State::open_claims_like(ClaimId id) const {
  std::vector<ClaimId> alike;
  for (ClaimId about : claims_about(claim(id).entry)) {
    const Claim& other = claim(about);
    if (other.standing.status == Claim::Status::open && other.stretch == claim(id).stretch)
      alike.push_back(about);
  }
  return alike;
}

bool State::votes_pending(ClaimId id, int64_t now) const {
  const Claim& claim = this->claim(id);
  if (claim.votes_opening && now - *claim.votes_opening >= kVoteDelay) return false;
  return std::ranges::any_of(claim.votes, [](const auto& vote) { return !vote.second.gradient; });
}

bool State::decided_about(EntryId entry) const {
  return std::ranges::any_of(claims_about(entry), [this](ClaimId id) {
    return claim(id).standing.status == Claim::Status::open && decided(id);
  });
}

// The lot that was sealed last in the log that the claimant had seen, so that the coordinator cannot seal
// another one for a claim that it knows. One that is open already would let the claimant choose.
std::optional<size_t> State::lot_for(const ledger::LogHead& seen) const {
  if (policy().judges != ledger::Judges::panel) return std::nullopt;
  for (size_t i = lots_.size(); i-- > 0;) {
    if (lots_[i].event >= seen.size) continue;
    return lots_[i].value ? std::nullopt : std::optional(i);
  }
  return std::nullopt;
}

// As of the claim: whoever knows the lot shall not choose the moment, too.
std::vector<UserId> State::panel_candidates(EntryId about) const {
  std::vector<UserId> candidates;
  for (UserId id = 1; has_user(id); ++id) {
    const User::Standing& standing = user(id).standing;
    if (standing.banned || standing.reputation < policy().panel_reputation) continue;
    if (entry(about).user != id) candidates.push_back(id);
  }
  return candidates;
}

std::vector<UserId> State::draw_panel(ClaimId id, const Digest& lot) const {
  const Claim& claim = this->claim(id);
  std::set<UserId> claimants;
  for (ClaimId about : claims_about(claim.entry)) claimants.insert(this->claim(about).claimant);
  std::vector<std::pair<Digest, UserId>> ranked;
  for (UserId user : claim.candidates) {
    if (!claimants.contains(user)) ranked.emplace_back(ledger::panel_rank(lot, *claim.seal, user), user);
  }
  if (ranked.size() < policy().panel_votes) return {};
  const auto size = static_cast<std::ptrdiff_t>(std::min<size_t>(ranked.size(), policy().panel_size));
  std::partial_sort(ranked.begin(), ranked.begin() + size, ranked.end());
  std::vector<UserId> members;
  for (auto one = ranked.begin(); one != ranked.begin() + size; ++one) members.push_back(one->second);
  return members;
}

bool State::on_panel(ClaimId id, const PublicKey& key) const {
  const std::optional<Panel>& panel = claim(id).panel;
  const auto user = user_of(key);
  return panel && user && this->user(*user).key == key && std::ranges::count(panel->members, *user) > 0;
}

bool State::named_judges_decide(ClaimId id, int64_t now) const {
  const Claim& claim = this->claim(id);
  if (policy().judges == ledger::Judges::named || !claim.lot) return true;
  if (claim.panel && claim.panel->members.empty()) return true;
  return now - claim.time >= policy().panel_hours * kHour;
}

uint32_t State::votes_needed(bool of_panel) const {
  return of_panel ? policy().panel_votes : policy().judge_votes;
}

size_t State::votes_on(ClaimId id, bool of_panel) const {
  return static_cast<size_t>(std::ranges::count_if(
      claim(id).votes, [of_panel](const auto& vote) { return vote.second.of_panel == of_panel; }));
}

std::optional<Digest> State::decided(ClaimId id) const {
  const std::optional<Digest> by_panel = majority(id, true);
  return by_panel ? by_panel : majority(id, false);
}

std::optional<Digest> State::majority(ClaimId id, bool of_panel) const {
  std::map<Digest, uint32_t> counts;
  for (const auto& [judge, vote] : claim(id).votes) {
    if (vote.gradient && vote.of_panel == of_panel) ++counts[*vote.gradient];
  }
  uint32_t most = 0;
  std::optional<Digest> winner;
  for (const auto& [digest, count] : counts) {
    if (count == most) winner.reset();  // a tie decides nothing
    if (count > most) winner = digest;
    most = std::max(most, count);
  }
  return most >= votes_needed(of_panel) ? winner : std::nullopt;
}

bool State::averaged(EntryId id) const {
  const Entry& entry = this->entry(id);
  if (!entry.opened_in) return false;
  const RoundRecord& round = rounds_[*entry.opened_in];
  return round.closed && !round.rolled_back && chosen(entry.round, entry.unit) == id;
}

Reputation State::averaging_reputation(UserId id) const {
  const User::Standing& standing = user(id).standing;
  return refreshed(policy_for(next_round()), standing.averaging, standing.reputation, next_round());
}

Reputation State::weight(EntryId id) const {
  const Entry& entry = this->entry(id);
  if (policy_for(*entry.opened_in).averaging == ledger::Averaging::at_acceptance)
    return entry.standing.frozen;
  if (settled(*entry.opened_in)) return entry.standing.settled;
  return averaging_reputation(entry.user);
}

bool State::settled(Round round) const {
  const uint32_t horizon = policy_for(round).horizon;
  return horizon > 0 && next_round() > uint64_t{round} + horizon;
}

std::vector<LiveEntry> State::live_entries() const {
  std::vector<LiveEntry> live;
  for (EntryId id = 1; has_entry(id); ++id) {
    if (!this->live(id)) continue;
    const Entry& entry = this->entry(id);
    live.push_back({id, entry.user, entry.round, entry.unit, *entry.gradient,
                    user(entry.user).standing.reputation, chosen(entry.round, entry.unit) == id});
  }
  return live;
}

bool State::operator==(const State& other) const {
  return size_ == other.size_ && lots_ == other.lots_ && genesis_ == other.genesis_ &&
         project_ == other.project_ && coordinator_ == other.coordinator_ && judges_ == other.judges_ &&
         paused_ == other.paused_ && time_ == other.time_ && rolled_back_to_ == other.rolled_back_to_ &&
         policies_ == other.policies_ && users_ == other.users_ && entries_ == other.entries_ &&
         claims_ == other.claims_ && rounds_ == other.rounds_ && keys_ == other.keys_ &&
         names_ == other.names_ && seals_ == other.seals_ && claims_about_ == other.claims_about_;
}

Result<State> fold(std::span<const Event> events) {
  State state;
  for (size_t i = 0; i < events.size(); ++i) {
    if (Status status = state.apply(events[i]); !status) {
      return status.error().within("event " + std::to_string(i));
    }
  }
  return state;
}

}  // namespace cairn::trust
