// What follows from the facts: growth, verdicts, revocation, bounties, weights.
//
// Each fact takes effect at its place in the history. Effects never fail: a fact was checked against the
// state in which it was stated, and a replay without a voided verdict only ever finds more entries alive.
#pragma once

#include "trust/state.h"

namespace cairn::trust {

class Consequences {
 public:
  // How much of the state exists at this point of its history.
  struct Reach {
    EntryId entries = 0;
    ClaimId claims = 0;
    Round round = 0;
  };
  Consequences(State& state, Reach reach) : state_(state), reach_(reach) {}

  void follow(const State::Moment& moment);

  static User::Standing newcomer(const Policy& policy);

  // The sum of the averaging reputations of a round's entries that are averaged once it is closed.
  static uint64_t weight_of(const State& state, const RoundRecord& round);

 private:
  void endowed(UserId user, Reputation reputation);
  void sealed(EntryId entry);
  void opened(EntryId entry);
  void compare(EntryId entry);
  void confirm(EntryId entry);
  void accept(EntryId entry);
  void learn(Round round, UnitId unit, const Digest& truth);
  void suspended(EntryId entry);
  void judged(ClaimId claim);
  void judged_whole(ClaimId claim);
  void judged_stretch(ClaimId claim);
  void disbelieve(Round round, UnitId unit, const Digest& lie);
  void reject(const std::vector<ClaimId>& open, ClaimId by);
  void round_opened(Round round);
  void settle(Round round);
  void round_closed(Round round);

  void uphold(ClaimId claim, const std::vector<ClaimId>& open);
  void convict(UserId user, ClaimId by);
  void revoke(EntryId entry, ClaimId by);
  void drop_claims(EntryId entry);
  void pay(ClaimId claim, Reputation bounty);
  std::vector<ClaimId> open_claims_about(EntryId entry) const;

  User::Standing& user(UserId id) { return state_.users_[id - 1].standing; }
  Entry::Standing& entry(EntryId id) { return state_.entries_[id - 1].standing; }
  Claim::Standing& claim(ClaimId id) { return state_.claims_[id - 1].standing; }

  State& state_;
  Reach reach_;
};

}  // namespace cairn::trust
