#include "trust/consequences.h"

#include <algorithm>

namespace cairn::trust {

User::Standing Consequences::newcomer(const Policy& policy) {
  User::Standing standing;
  standing.reputation = policy.minimum;
  standing.averaging = policy.minimum;
  return standing;
}

uint64_t Consequences::weight_of(const State& state, const RoundRecord& round) {
  uint64_t weight = 0;
  for (EntryId id : round.entries) {
    const Entry& entry = state.entry(id);
    if (state.chosen(entry.round, entry.unit) == id) weight += state.user(entry.user).standing.averaging;
  }
  return weight;
}

void Consequences::follow(const State::Moment& moment) {
  using Kind = State::Moment::Kind;
  switch (moment.kind) {
    case Kind::endowed:
      return endowed(moment.id, moment.amount);
    case Kind::sealed:
      return sealed(moment.id);
    case Kind::opened:
      return opened(moment.id);
    case Kind::suspended:
      return suspended(moment.id);
    case Kind::claimed:
      reach_.claims = moment.id;
      return;
    case Kind::judged:
      return judged(moment.id);
    case Kind::round_opened:
      return round_opened(moment.id);
    case Kind::round_closed:
      return round_closed(moment.id);
  }
}

void Consequences::endowed(UserId id, Reputation reputation) {
  user(id).reputation = reputation;
  user(id).averaging = reputation;
  user(id).endowed = true;
}

void Consequences::sealed(EntryId id) {
  reach_.entries = id;
  const Entry& facts = state_.entry(id);
  const Policy& policy = state_.policy_for(reach_.round);
  entry(id).trusted = policy.exam == ledger::Exam::entries || user(facts.user).passed_exam(policy);
}

void Consequences::opened(EntryId id) {
  entry(id).status = Entry::Status::opened;
  if (entry(id).trusted) accept(id);
  compare(id);
}

// With what is known of its unit: the judges' word, or else what others got.
void Consequences::compare(EntryId id) {
  const Entry& facts = state_.entry(id);
  if (state_.refuted(id)) return;
  if (state_.rounds_[facts.round].standing.truths.contains(facts.unit)) return confirm(id);
  for (EntryId other : state_.entries_of(facts.round, facts.unit)) {
    const Entry& twin = state_.entry(other);
    const bool shown = other != id && twin.standing.status == Entry::Status::opened;
    if (!shown || *twin.gradient != *facts.gradient) continue;
    confirm(id);
    confirm(other);
  }
}

void Consequences::confirm(EntryId id) {
  entry(id).confirmed = true;
  accept(id);
}

// Its author grows, once.
void Consequences::accept(EntryId id) {
  if (entry(id).accepted) return;
  entry(id).accepted = true;
  const Policy& policy = state_.policy_for(reach_.round);
  User::Standing& author = user(state_.entry(id).user);
  ++author.accepted;
  if (author.steps >= policy.max_steps_per_round) return;
  ++author.steps;
  author.reputation = grown(policy, author.reputation);
}

void Consequences::suspended(EntryId id) {
  entry(id).status = Entry::Status::suspended;
  drop_claims(id);
}

void Consequences::judged(ClaimId id) {
  const Claim& facts = state_.claim(id);
  if (facts.verdict->voided) {
    claim(id).status = Claim::Status::voided;
  } else if (facts.stretch) {
    judged_stretch(id);
  } else {
    judged_whole(id);
  }
}

// Settles every open claim about its entry: they all say that it is false.
void Consequences::judged_whole(ClaimId id) {
  const Claim& facts = state_.claim(id);
  entry(facts.entry).judged = true;
  const std::vector<ClaimId> open = open_claims_about(facts.entry);
  if (facts.verdict->upheld) uphold(id, open);
  const Entry& about = state_.entry(facts.entry);
  learn(about.round, about.unit, facts.verdict->gradient);
  if (!facts.verdict->upheld) reject(open, id);
}

// Settles the claims about that stretch. If it is true the entry may still be false elsewhere, or an
// accomplice could have it found true by claiming about the wrong place. If it is false, so is the entry, but
// nobody has computed what is true.
void Consequences::judged_stretch(ClaimId id) {
  const Claim& facts = state_.claim(id);
  std::vector<ClaimId> open = open_claims_about(facts.entry);
  std::erase_if(open, [&](ClaimId other) { return state_.claim(other).stretch != facts.stretch; });
  if (!facts.verdict->upheld) return reject(open, id);
  uphold(id, open);
  const Entry& about = state_.entry(facts.entry);
  disbelieve(about.round, about.unit, *about.gradient);
}

void Consequences::reject(const std::vector<ClaimId>& open, ClaimId by) {
  for (ClaimId rejected : open) {
    claim(rejected).status = Claim::Status::rejected;
    const UserId claimant = state_.claim(rejected).claimant;
    if (claimant != kCoordinator) convict(claimant, by);
  }
}

// The same file is false whoever sent it.
void Consequences::disbelieve(Round round, UnitId unit, const Digest& lie) {
  state_.rounds_[round].standing.lies[unit].insert(lie);
  for (EntryId id : state_.entries_of(round, unit)) {
    if (id <= reach_.entries && state_.entry(id).gradient == lie) entry(id).confirmed = false;
  }
}

// Judges recompute a unit, so that a verdict about one entry tells of its duplicates which are true.
void Consequences::learn(Round round, UnitId unit, const Digest& truth) {
  RoundRecord::Standing& standing = state_.rounds_[round].standing;
  standing.truths[unit] = truth;
  if (const auto lies = standing.lies.find(unit); lies != standing.lies.end()) lies->second.erase(truth);
  for (EntryId id : state_.entries_of(round, unit)) {
    if (id > reach_.entries || entry(id).status != Entry::Status::opened) continue;
    entry(id).confirmed = false;
    if (*state_.entry(id).gradient == truth) confirm(id);
  }
}

void Consequences::uphold(ClaimId id, const std::vector<ClaimId>& open) {
  const Claim& facts = state_.claim(id);
  for (ClaimId upheld : open) claim(upheld).status = Claim::Status::upheld;
  const UserId culprit = state_.entry(facts.entry).user;
  const Reputation reward = bounty(state_.policy_for(reach_.round), user(culprit).reputation);
  convict(culprit, id);
  const auto first = std::find_if(open.begin(), open.end(), [&](ClaimId other) {
    return state_.claim(other).gradient == facts.verdict->gradient;
  });
  if (first != open.end()) pay(*first, reward);
}

void Consequences::convict(UserId id, ClaimId by) {
  const Policy& policy = state_.policy_for(reach_.round);
  User::Standing& convicted = user(id);
  convicted.reputation = policy.minimum;
  convicted.averaging = policy.minimum;
  convicted.accepted = 0;
  convicted.endowed = false;
  ++convicted.convictions;
  if (policy.fate == ledger::Fate::banned) convicted.banned = true;
  for (EntryId entry : state_.user(id).entries) {
    if (entry <= reach_.entries) revoke(entry, by);
  }
}

void Consequences::revoke(EntryId id, ClaimId by) {
  if (entry(id).status == Entry::Status::revoked) return;
  entry(id).status = Entry::Status::revoked;
  entry(id).revoked_by = by;
  drop_claims(id);
}

void Consequences::drop_claims(EntryId id) {
  for (ClaimId open : open_claims_about(id)) claim(open).status = Claim::Status::moot;
}

void Consequences::pay(ClaimId id, Reputation bounty) {
  const UserId claimant = state_.claim(id).claimant;
  if (claimant == kCoordinator || user(claimant).banned) return;
  const Reputation room = state_.policy_for(reach_.round).maximum - user(claimant).reputation;
  claim(id).bounty = std::min(bounty, room);
  user(claimant).reputation += claim(id).bounty;
}

std::vector<ClaimId> Consequences::open_claims_about(EntryId id) const {
  std::vector<ClaimId> open;
  for (ClaimId about : state_.claims_about(id)) {
    if (about <= reach_.claims && state_.claim(about).standing.status == Claim::Status::open)
      open.push_back(about);
  }
  return open;
}

void Consequences::round_opened(Round round) {
  reach_.round = round;
  const Policy& policy = state_.policy_for(round);
  for (User& user : state_.users_) {
    user.standing.steps = 0;
    user.standing.averaging = refreshed(policy, user.standing.averaging, user.standing.reputation, round);
  }
  settle(round);
}

// What this opening is the last one to weigh by reputations.
void Consequences::settle(Round round) {
  for (const auto& [from, policy] : state_.policies_) {
    if (policy.horizon == 0 || policy.horizon > round) continue;
    const Round behind = round - policy.horizon;
    if (state_.policy_for(behind).horizon != policy.horizon) continue;
    for (EntryId id : state_.rounds_[behind].entries)
      entry(id).settled = user(state_.entry(id).user).averaging;
  }
}

void Consequences::round_closed(Round round) {
  RoundRecord& record = state_.rounds_[round];
  record.standing.weight = weight_of(state_, record);
  for (EntryId id : record.entries) entry(id).frozen = user(state_.entry(id).user).averaging;
}

}  // namespace cairn::trust
