// What a project's ledger means: users, entries, claims and rounds, folded from the events in their order.
//
// A pure function of the events, in integers; no clock, no files, no signatures (the caller has checked
// those with ledger::signature_valid). The rules, with their reasons: docs/internals/trust.md.
//
// Every record has facts and, in `standing`, what follows from them. Facts are what somebody stated; they are
// never taken back. What follows (reputations, revocations, settled claims) is made again from the facts when
// the root voids a verdict, as if that verdict had never been.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <span>
#include <vector>

#include "ledger/event.h"
#include "trust/reputation.h"

namespace cairn::trust {

using ledger::ClaimId;
using ledger::EntryId;
using ledger::Round;
using ledger::UnitId;
using ledger::UserId;

inline constexpr size_t kMaxEntriesPerRound = size_t{1} << 20;
inline constexpr size_t kMaxEntriesPerUnit = 3;  // of a round, each by another user
inline constexpr size_t kMaxDeviceKeys = 64;     // of one user
inline constexpr int64_t kHour = 3600 * 1000;    // milliseconds
inline constexpr int64_t kSuspensionDelay = 24 * kHour;
inline constexpr int64_t kVoteDelay = kSuspensionDelay;          // after which a sealed vote lapses
inline constexpr int64_t kAppealWindow = 30 * kSuspensionDelay;  // during which revoked blobs are kept
inline constexpr UserId kCoordinator = 0;                        // as the claimant of a mismatch

struct User {
  PublicKey key;
  std::optional<Digest> name;
  std::vector<EntryId> entries;  // ascending
  std::vector<ClaimId> claims;   // that the user filed, ascending
  uint32_t devices = 0;          // device keys that may sign

  struct Standing {
    Reputation reputation = 0;
    Reputation averaging = 0;  // the reputation that weighs, as last refreshed; never above `reputation`
    uint32_t accepted = 0;     // entries since joining or the last conviction
    bool endowed = false;      // by the root, since the last conviction
    uint32_t steps = 0;        // of growth in the present round
    uint32_t convictions = 0;
    bool banned = false;

    bool passed_exam(const Policy& policy) const { return endowed || accepted >= policy.exam_entries; }
    bool operator==(const Standing&) const = default;
  } standing;
  bool operator==(const User&) const = default;
};

struct Entry {
  enum class Status : uint8_t {
    sealed,     // committed; lapses if it is not opened while its round is current
    opened,     // shown; in the training log once accepted
    revoked,    // gone with its author's reputation
    suspended,  // not averaged, nobody punished
  };
  UserId user = 0;
  Round round = 0;  // whose snapshot it was computed from
  UnitId unit = 0;
  PublicKey key;  // that signed the seal
  Digest seal;
  std::optional<Digest> gradient;            // once opened
  std::optional<Round> opened_in;            // the round in which it counts: its own, or a later one
  std::optional<int64_t> unavailable_since;  // milliseconds, as all times here
  std::optional<int64_t> suspended_since;
  bool dropped = false;  // its blobs are gone

  struct Standing {
    Status status = Status::sealed;
    ClaimId revoked_by = 0;  // the claim whose verdict did it
    bool judged = false;     // one judgement per entry, ever
    bool trusted = false;    // accepted when opened: its author needed no exam when it was sealed
    bool confirmed = false;  // by the same digest of somebody else, or by the judges
    bool accepted =
        false;  // trusted or confirmed, once opened: in the training log, and its author has grown
    Reputation frozen = 0;   // its author's averaging reputation when the round closed
    Reputation settled = 0;  // and as of the last opening at which its weight followed it
    bool operator==(const Standing&) const = default;
  } standing;
  bool operator==(const Entry&) const = default;
};

struct Verdict {
  bool upheld = false;
  Digest gradient;  // what the judges got
  int64_t time = 0;
  bool voided = false;
  bool operator==(const Verdict&) const = default;
};

struct Vote {
  Digest seal;
  bool of_panel = false;           // or a named judge's
  std::optional<Digest> gradient;  // what the judge got, once opened
  bool operator==(const Vote&) const = default;
};

// What the coordinator was committed to before the claims were known whose panels it draws.
struct Lot {
  Digest seal;
  PublicKey key;                // of the coordinator who sealed it
  uint64_t event = 0;           // its index in the log
  std::optional<Digest> value;  // once opened, by the first panel that it drew
  bool operator==(const Lot&) const = default;
};

// The users drawn to judge a claim, by rank; nobody where too few may judge it to reach a verdict.
struct Panel {
  std::vector<UserId> members;
  bool operator==(const Panel&) const = default;
};

struct Claim {
  enum class Status : uint8_t {
    open,
    upheld,    // the entry was false
    rejected,  // the entry was true
    moot,      // the entry went before a verdict: costs nobody anything
    voided,    // its verdict was voided
  };
  EntryId entry = 0;
  UserId claimant = 0;                     // or kCoordinator
  PublicKey key;                           // that signed it
  std::optional<ledger::Stretch> stretch;  // that is false; none: the whole entry is
  std::optional<Digest> seal;              // of what the claimant got; the coordinator does not seal
  std::optional<Digest> gradient;          // what the claimant got, once opened
  int64_t time = 0;
  std::optional<size_t> lot;             // which one draws its panel; none: the named judges decide
  std::vector<UserId> candidates;        // for the panel, ascending, until it is drawn
  std::optional<Panel> panel;            // once drawn
  std::map<PublicKey, Vote> votes;       // by judge
  std::optional<int64_t> votes_opening;  // since when; as long as it is set no votes are sealed
  std::optional<Verdict> verdict;
  std::map<UserId, Digest> appeals;  // by appellant: what it got

  struct Standing {
    Status status = Status::open;
    Reputation bounty = 0;  // paid to the claimant
    bool operator==(const Standing&) const = default;
  } standing;
  bool operator==(const Claim&) const = default;
};

// What a user says about the snapshot of a round.
struct Evaluation {
  uint32_t correct = 0, images = 0;
  uint64_t loss = 0;  // in units of 2^-40
  bool operator==(const Evaluation&) const = default;
};

struct RoundRecord {
  Digest snapshot, state;
  int64_t opened = 0;  // when: milliseconds
  bool closed = false;
  bool rolled_back = false;      // its entries are averaged no more
  uint64_t floor = 0;            // F, fixed at the close
  std::vector<EntryId> sealed;   // while it was open, ascending
  std::vector<EntryId> entries;  // opened while it was open: those that count in it, ascending
  std::map<UnitId, std::vector<EntryId>> units;  // computed from its snapshot, ascending
  std::map<UserId, Evaluation> evaluations;      // of the snapshot; attested, not checked by the fold

  struct Standing {
    uint64_t weight = 0;                      // sum of the averaging reputations in it when it closed
    std::map<UnitId, Digest> truths;          // what the judges got for a unit, by the latest verdict
    std::map<UnitId, std::set<Digest>> lies;  // files of a unit that contradict themselves, by a verdict
    bool operator==(const Standing&) const = default;
  } standing;
  bool operator==(const RoundRecord&) const = default;
};

// Whose a key is or was. A retired key signs nothing any more, and nobody else can take it.
struct KeyOwner {
  UserId user = 0;
  bool device = false;
  bool retired = false;
  bool operator==(const KeyOwner&) const = default;
};

// A line of the training log.
struct LiveEntry {
  EntryId id;
  UserId user;
  Round round;
  UnitId unit;
  Digest gradient;
  Reputation reputation;  // of the author, at present
  bool chosen;            // or a duplicate of the one that is averaged
  bool operator==(const LiveEntry&) const = default;
};

// Not thread-safe; a const State may be read by several threads.
class State {
 public:
  // Takes the next event, or refuses it with a sentence that names what is wrong and stays as it was.
  Status apply(const ledger::Event& event);

  // -- The project
  uint64_t size() const { return size_; }  // events
  bool started() const { return genesis_.has_value(); }
  const Digest& project() const { return project_; }
  const ledger::Genesis& genesis() const { return *genesis_; }  // Precondition: started()
  const PublicKey& coordinator() const { return coordinator_; }
  const std::set<PublicKey>& judges() const { return judges_; }
  bool paused() const { return paused_; }
  int64_t time() const { return time_; }
  std::optional<Round> rolled_back_to() const { return rolled_back_to_; }  // by the latest rollback
  const Policy& policy_for(Round round) const;                             // Precondition: started()
  const Policy& policy() const;                                            // of the latest round opened

  // -- Records; ids count from 1 and rounds from 0. Precondition of the accessors: the number is in range.
  const std::vector<User>& users() const { return users_; }
  const std::vector<Entry>& entries() const { return entries_; }
  const std::vector<Claim>& claims() const { return claims_; }
  const std::vector<RoundRecord>& rounds() const { return rounds_; }
  const std::vector<Lot>& lots() const { return lots_; }  // by the time of their sealing
  const User& user(UserId id) const { return users_[id - 1]; }
  const Entry& entry(EntryId id) const { return entries_[id - 1]; }
  const Claim& claim(ClaimId id) const { return claims_[id - 1]; }
  bool has_user(UserId id) const { return id >= 1 && id <= users_.size(); }
  bool has_entry(EntryId id) const { return id >= 1 && id <= entries_.size(); }
  bool has_claim(ClaimId id) const { return id >= 1 && id <= claims_.size(); }

  const KeyOwner* owner(const PublicKey& key) const;          // nullptr: nobody's
  std::optional<UserId> user_of(const PublicKey& key) const;  // by a key that may sign at present
  std::optional<EntryId> sealed_by(UserId user, const Digest& seal) const;
  std::span<const ClaimId> claims_about(EntryId entry) const;  // ascending
  std::optional<int64_t> ended(EntryId entry) const;           // when it was revoked or suspended
  bool name_taken(const Digest& name) const { return names_.contains(name); }

  // -- Trust in users
  bool passed_exam(UserId user) const { return this->user(user).standing.passed_exam(policy()); }
  bool established(UserId user) const;  // exam passed, ten steps above the minimum, not banned

  // -- Units: up to kMaxEntriesPerUnit users compute the same one from the snapshot of a round, and one of
  // their entries is averaged
  std::span<const EntryId> entries_of(Round round, UnitId unit) const;  // ascending
  bool shown(Round round, UnitId unit) const;  // one of them is opened, so that it could be copied
  bool live(EntryId entry) const;              // in the training log
  bool refuted(EntryId entry) const;           // the judges got another gradient for its unit, or the same
                                               // file is known to contradict itself
  // The entry of a unit that is averaged: the earliest that was trusted when sealed, else the earliest
  // confirmed one; of those opened and neither gone nor refuted.
  std::optional<EntryId> chosen(Round round, UnitId unit) const;
  // What the coordinator has yet to state about entries opened in a round, or their duplicates, that differ.
  // Ascending by entry.
  std::vector<ledger::MismatchFound> mismatches(Round round) const;

  // -- Rounds
  std::optional<Round> open_round() const;
  Round next_round() const { return static_cast<Round>(rounds_.size()); }
  // Whether the open round takes entries that were computed from the snapshot of that round: itself, or one
  // that closed few enough rounds ago.
  bool current(Round round) const;
  std::vector<EntryId> waiting() const;  // sealed, and may be opened in the open round; ascending
  // What closes the open round at that time, by its policy, or nothing yet. Where the policy names neither a
  // number nor a time it is the maintainer. Once three users are established only units of theirs are
  // counted, so that a crowd of newcomers cannot cut rounds short. Precondition: a round is open.
  std::optional<ledger::CloseReason> close_reason(int64_t time) const;
  uint64_t floor_at_close() const;  // F that RoundClosed must carry. Precondition: a round is open

  // -- Claims
  uint32_t open_claims(UserId claimant) const;
  // What the judges get where the claim is false: the entry's gradient, or the digest after the stretch.
  const Digest& stated(ClaimId claim) const;
  // The open claims that say the same of its entry, and so stand and fall together. Ascending.
  std::vector<ClaimId> open_claims_like(ClaimId claim) const;
  // Who may judge a claim: the panel that was drawn for it, by their main keys, and the named judges where
  // there is none, or where it is too small or has had its time.
  bool on_panel(ClaimId claim, const PublicKey& key) const;
  bool named_judges_decide(ClaimId claim, int64_t now) const;
  uint32_t votes_needed(bool of_panel) const;           // equal ones, for a verdict
  size_t votes_on(ClaimId claim, bool of_panel) const;  // sealed or opened
  // Sealed votes that may still be opened at that time.
  bool votes_pending(ClaimId claim, int64_t now) const;
  // The digest that has enough equal votes for a verdict.
  std::optional<Digest> decided(ClaimId claim) const;
  bool decided_about(EntryId entry) const;  // by the votes on an open claim

  // -- Averaging: the weights with which the next round opens
  bool averaged(EntryId entry) const;  // chosen for its unit, its round closed and not rolled back
  Reputation averaging_reputation(UserId user) const;
  Reputation weight(EntryId entry) const;  // of an averaged entry
  // Whether weights of that round's entries are settled by the next opening: the policy's horizon is behind
  // them, they follow reputations no more, and none of them can be claimed.
  bool settled(Round round) const;

  std::vector<LiveEntry> live_entries() const;  // the training log, ascending

  // Equal in everything but the order of events that commute.
  bool operator==(const State& other) const;

 private:
  friend struct Recorder;
  friend class Consequences;

  // A fact from which reputations follow, in the order in which they were stated.
  struct Moment {
    enum class Kind : uint8_t {
      endowed,
      sealed,
      opened,
      suspended,
      claimed,
      judged,
      round_opened,
      round_closed
    };
    Kind kind;
    uint32_t id;  // of the user, entry, claim or round
    Reputation amount = 0;
  };

  uint32_t units_toward_quorum() const;
  std::optional<Digest> contradiction(EntryId entry) const;
  std::optional<size_t> lot_for(const ledger::LogHead& seen) const;
  std::vector<UserId> panel_candidates(EntryId entry) const;
  std::vector<UserId> draw_panel(ClaimId claim, const Digest& lot) const;
  std::optional<Digest> majority(ClaimId claim, bool of_panel) const;
  void happened(Moment moment);
  void replay();

  uint64_t size_ = 0;
  std::optional<ledger::Genesis> genesis_;
  Digest project_;
  PublicKey coordinator_;
  std::set<PublicKey> judges_;
  bool paused_ = false;
  int64_t time_ = 0;
  std::optional<Round> rolled_back_to_;
  std::map<Round, Policy> policies_;  // by the round from which they hold

  std::vector<User> users_;
  std::vector<Entry> entries_;
  std::vector<Claim> claims_;
  std::vector<RoundRecord> rounds_;
  std::vector<Lot> lots_;

  // Indices of the above
  std::map<PublicKey, KeyOwner> keys_;
  std::set<Digest> names_;
  std::map<std::pair<UserId, Digest>, EntryId> seals_;
  std::map<EntryId, std::vector<ClaimId>> claims_about_;

  std::vector<Moment> history_;
};

// Whether apply() would take the event.
Status check(const State& state, const ledger::Event& event);

// The state after all events; or the first refusal, with the number of its event (from 0).
Result<State> fold(std::span<const ledger::Event> events);

}  // namespace cairn::trust
