#include "project/leases.h"

#include <algorithm>
#include <map>
#include <tuple>

namespace cairn::project {
namespace {

using trust::Entry;
using trust::State;
using trust::UnitId;

constexpr size_t kLeaseSize = 4 + 4 + 32 + 4 + 8 + 1;
constexpr uint64_t kDrawRange = uint64_t{1} << 32;
constexpr uint64_t kThreePercent = kDrawRange * 3 / 100;
constexpr size_t kEstablishedForLimit = 3;  // users, before newcomers are limited

// The same for all keys of a user.
PublicKey person(const State& state, const PublicKey& key) {
  const auto user = state.user_of(key);
  return user ? state.user(*user).key : key;
}

bool gone(const Entry& entry) {
  return entry.standing.status == Entry::Status::revoked || entry.standing.status == Entry::Status::suspended;
}

// Whether what is computed from that round's snapshot will also be taken in the round after the open one.
bool lasts(const State& state, trust::Round round) {
  return *state.open_round() - round < state.policy().staleness;
}

bool has_entry(const State& state, trust::Round round, UnitId unit, const PublicKey& who) {
  const auto entries = state.entries_of(round, unit);
  return std::ranges::any_of(entries,
                             [&](trust::EntryId id) { return state.user(state.entry(id).user).key == who; });
}

// Who is at a unit, from the same snapshot, with a lease or with an entry that is still sealed.
struct UnitView {
  std::vector<PublicKey> people;
  size_t places = 0;  // of the entries that a unit takes
  bool established = false;
  bool doubled = false;
};

class Choice {
 public:
  Choice(const State& state, const DoneUnits& done, const Leases& leases, const LeaseRequest& request)
      : state_(state),
        done_(done),
        leases_(leases),
        request_(request),
        round_(*state.open_round()),
        user_(state.user_of(request.user)),
        who_(person(state, request.user)) {}

  Result<Lease> run() {
    if (request_.slot >= kMaxSlots) {
      return Error{"slot: " + std::to_string(request_.slot) + " where slots are numbered 0 to " +
                   std::to_string(kMaxSlots - 1)};
    }
    if (user_ && state_.user(*user_).standing.banned) {
      return Error{"units: user " + std::to_string(*user_) + " is banned"};
    }
    if (const Lease* held = held_lease()) return *held;
    look_around();
    CAIRN_CHECK(may_hold_another());
    return new_lease();
  }

 private:
  bool open(const Lease& lease) const {
    return !has_entry(state_, lease.round, lease.unit, person(state_, lease.holder));
  }

  // Of a thousand leases few are of the user's, so keys are looked up only where they may be of one person.
  bool mine(const Lease& lease) const {
    const bool other_key = lease.holder != request_.user;
    if (other_key && (!user_ || person(state_, lease.holder) != who_)) return false;
    return open(lease);
  }

  const Lease* held_lease() const {
    const auto held = std::ranges::find_if(
        leases_, [this](const Lease& lease) { return lease.slot == request_.slot && mine(lease); });
    return held == leases_.end() ? nullptr : &*held;
  }

  // A unit of somebody who is gone keeps its place, but nobody is at it.
  void look_around() {
    const std::vector<trust::EntryId> waiting = state_.waiting();
    std::set<trust::EntryId> entries(waiting.begin(), waiting.end());
    entries.insert(state_.rounds()[round_].sealed.begin(), state_.rounds()[round_].sealed.end());
    for (const trust::EntryId id : entries) look_at(id);
    for (const Lease& lease : leases_) {
      UnitView& view = units_[{lease.unit, lease.round}];
      view.doubled |= lease.doubled;
      if (!open(lease)) continue;
      ++view.places;
      add(view, person(state_, lease.holder));
    }
  }

  void look_at(trust::EntryId id) {
    const Entry& entry = state_.entry(id);
    UnitView& view = units_[{entry.unit, entry.round}];
    ++view.places;
    if (!gone(entry)) add(view, state_.user(entry.user).key);
  }

  void add(UnitView& view, const PublicKey& who) {
    view.people.push_back(who);
    const auto user = state_.user_of(who);
    const bool established = user && state_.established(*user);
    view.established |= established;
    ++shares_;
    if (!established) ++shares_of_others_;
  }

  bool duplicates() const { return state_.policy().exam == ledger::Exam::duplicates; }
  bool newcomer() const { return !user_ || !state_.passed_exam(*user_); }

  Status may_hold_another() const {
    if (leases_.size() >= kMaxLeases)
      return Error{"units: all that may be out at once are leased; try again later"};
    if (!user_ && newcomers() >= kMaxNewcomerLeases)
      return Error{"units: as many newcomers are at work as may be at once; try again later"};
    if (user_ && state_.established(*user_)) return {};
    if (std::ranges::any_of(leases_, [this](const Lease& lease) { return mine(lease); })) {
      return Error{"slot: only established users hold several units at once; hand in the one that you have"};
    }
    if (duplicates() && is_protected() && 5 * (shares_of_others_ + 1) > shares_ + 1) {
      return Error{
          "units: those who are not established have a fifth of this round already; try again later"};
    }
    return {};
  }

  size_t newcomers() const {
    return static_cast<size_t>(
        std::ranges::count_if(leases_, [this](const Lease& lease) { return !state_.user_of(lease.holder); }));
  }

  // Enough users are established for newcomers to be limited.
  bool is_protected() const {
    size_t established = 0;
    for (trust::UserId id = 1; state_.has_user(id) && established < kEstablishedForLimit; ++id) {
      established += state_.established(id) ? 1 : 0;
    }
    return established == kEstablishedForLimit;
  }

  Lease new_lease() const {
    if (!duplicates()) return lease({free_unit(), round_}, false);
    if (newcomer()) {
      const auto place = place_to_accompany();
      return place ? lease(*place, false) : lease({free_unit(), round_}, true);
    }
    const auto place = place_to_double();
    return place ? lease(*place, false) : lease({free_unit(), round_}, draws_double());
  }

  using Place = std::pair<UnitId, trust::Round>;  // a unit, computed from the snapshot of a round

  Lease lease(const Place& place, bool doubled) const {
    return {place.first, place.second, request_.user, request_.slot, request_.now + kLeaseTime, doubled};
  }

  // A duplicate has to come in before the other is shown, so it is handed out while there is a round to
  // spare.
  bool takes_me(const Place& place, const UnitView& view) const {
    const auto& [unit, round] = place;
    return view.places < trust::kMaxEntriesPerUnit && (round == round_ || lasts(state_, round)) &&
           std::ranges::find(view.people, who_) == view.people.end() && !has_entry(state_, round, unit, who_);
  }

  // Units leave in the order of the permutation; so what lapsed or was returned goes next.
  UnitId free_unit() const {
    UnitId unit = done_.first_left;
    while (done_.contains(unit) || !is_free(unit)) ++unit;
    return unit;
  }

  // Nobody is at it, from whatever snapshot.
  bool is_free(UnitId unit) const {
    for (auto it = units_.lower_bound({unit, 0}); it != units_.end() && it->first.first == unit; ++it) {
      if (!it->second.people.empty()) return false;
      if (it->first.second == round_ && !takes_me(it->first, it->second)) return false;
    }
    return true;
  }

  // One of somebody established, before others; where few are, before many; the lowest.
  std::optional<Place> place_to_accompany() const {
    std::optional<std::tuple<bool, size_t, Place>> best;
    for (const auto& [place, view] : units_) {
      if (view.people.empty() || !takes_me(place, view)) continue;
      const std::tuple candidate(!view.established, view.people.size(), place);
      if (!best || candidate < *best) best = candidate;
    }
    if (!best) return std::nullopt;
    return std::get<Place>(*best);
  }

  std::optional<Place> place_to_double() const {
    for (const auto& [place, view] : units_) {
      if (view.doubled && view.people.size() == 1 && takes_me(place, view)) return place;
    }
    return std::nullopt;
  }

  // With probability max(3 %, 1/n) for the user's n-th entry.
  bool draws_double() const {
    const auto held = std::ranges::count_if(leases_, [this](const Lease& lease) { return mine(lease); });
    const uint64_t n = state_.user(*user_).entries.size() + static_cast<uint64_t>(held) + 1;
    const uint64_t draw = request_.random >> 32;
    return draw < kThreePercent || draw * n < kDrawRange;
  }

  const State& state_;
  const DoneUnits& done_;
  const Leases& leases_;
  const LeaseRequest& request_;
  trust::Round round_;
  std::optional<trust::UserId> user_;
  PublicKey who_;
  std::map<std::pair<UnitId, trust::Round>, UnitView> units_;
  size_t shares_ = 0;  // of people in units
  size_t shares_of_others_ = 0;
};

}  // namespace

Bytes encode_leases(const Leases& leases) {
  ByteWriter writer;
  writer.u32(static_cast<uint32_t>(leases.size()));
  for (const Lease& lease : leases) {
    writer.u32(lease.unit);
    writer.u32(lease.round);
    writer.raw(lease.holder.bytes);
    writer.u32(lease.slot);
    writer.i64(lease.expires);
    writer.u8(lease.doubled ? 1 : 0);
  }
  return writer.take();
}

Result<Leases> decode_leases(BytesView bytes) {
  ByteReader reader(bytes);
  Leases leases(reader.count("leases", kLeaseSize, kMaxLeases));
  for (Lease& lease : leases) {
    lease.unit = reader.u32("unit");
    lease.round = reader.u32("round");
    lease.holder.bytes = reader.array<32>("holder");
    lease.slot = reader.u32("slot");
    lease.expires = reader.i64("expires");
    lease.doubled = reader.u8("doubled") != 0;
  }
  CAIRN_CHECK(reader.finish());
  return leases;
}

Leases current_leases(const State& state, Leases leases, int64_t now) {
  std::erase_if(leases, [&](const Lease& lease) {
    if (!state.current(lease.round) || state.shown(lease.round, lease.unit)) return true;
    // A unit that waits for its duplicate is remembered after its first entry came in.
    if (has_entry(state, lease.round, lease.unit, person(state, lease.holder))) return !lease.doubled;
    return lease.expires <= now;
  });
  return leases;
}

DoneUnits done_units(const State& state) {
  DoneUnits done;
  for (const trust::RoundRecord& record : state.rounds()) {
    for (const trust::EntryId id : record.entries) {
      if (state.averaged(id)) done.units.insert(state.entry(id).unit);
    }
  }
  while (done.units.contains(done.first_left)) ++done.first_left;
  return done;
}

// What is said while a round is open: its own entries are not averaged yet.
bool leaves_done_units(const ledger::Body& body) {
  return std::holds_alternative<ledger::Joined>(body) || std::holds_alternative<ledger::NameChosen>(body) ||
         std::holds_alternative<ledger::EntrySealed>(body);
}

Result<Lease> choose_lease(const State& state, const DoneUnits& done, const Leases& leases,
                           const LeaseRequest& request) {
  return Choice(state, done, leases, request).run();
}

Status check_lease(const State& state, const DoneUnits& done, const Leases& leases, trust::Round round,
                   UnitId unit, const PublicKey& user) {
  const PublicKey who = person(state, user);
  bool taken = false;
  for (const Lease& lease : leases) {
    if (lease.unit != unit) continue;
    if (lease.round == round && person(state, lease.holder) == who) return {};
    taken = true;
  }
  const std::string place = "unit " + std::to_string(unit);
  if (taken) return Error{place + ": is leased to somebody else; `cairn unit` gives a free one"};
  const Error is_done{place + ": is done already; `cairn unit` gives a free one"};
  if (done.contains(unit)) return is_done;
  for (const trust::EntryId id : state.waiting()) {
    const Entry& entry = state.entry(id);
    if (entry.unit == unit && state.user(entry.user).key != who) return is_done;
  }
  return {};
}

bool awaits_duplicate(const State& state, const Leases& leases, trust::EntryId id) {
  const Entry& entry = state.entry(id);
  if (!lasts(state, entry.round)) return false;
  const PublicKey& author = state.user(entry.user).key;
  const bool alone = state.entries_of(entry.round, entry.unit).size() == 1;
  return std::ranges::any_of(leases, [&](const Lease& lease) {
    if (lease.round != entry.round || lease.unit != entry.unit) return false;
    const PublicKey holder = person(state, lease.holder);
    if (holder != author) return !has_entry(state, entry.round, entry.unit, holder);
    return lease.doubled && alone && !entry.standing.trusted;  // worth nothing until somebody confirms it
  });
}

}  // namespace cairn::project
