#include "project/leases.h"

#include <algorithm>
#include <set>
#include <tuple>

#include "project/home_groups.h"

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

// Whether what is computed from that round's snapshot will also be taken in the round after the open one.
bool lasts(const State& state, trust::Round round) {
  return *state.open_round() - round < state.policy().staleness;
}

bool has_entry(const State& state, trust::Round round, UnitId unit, const PublicKey& who) {
  const auto entries = state.entries_of(round, unit);
  return std::ranges::any_of(entries,
                             [&](trust::EntryId id) { return state.user(state.entry(id).user).key == who; });
}

// Who is at a place, by lease or by an entry that is still sealed.
struct PlaceView {
  std::vector<PublicKey> people;
  size_t places = 0;  // of the entries that a unit takes
  bool established = false;
  bool doubled = false;
};

class Choice {
 public:
  Choice(const State& state, const UnitBoard& board, const work::UnitOrder& order, const Leases& leases,
         const LeaseRequest& request)
      : state_(state),
        board_(board),
        order_(order),
        leases_(leases),
        request_(request),
        round_(*state.open_round()),
        user_(state.user_of(request.user)),
        who_(person(state, request.user)),
        home_(order, who_) {}

  Result<Lease> run() {
    if (request_.slot >= kMaxSlots) {
      return Error{"slot: " + std::to_string(request_.slot) + " where slots are numbered 0 to " +
                   std::to_string(kMaxSlots - 1)};
    }
    if (user_ && state_.user(*user_).standing.banned) {
      return Error{"units: user " + std::to_string(*user_) + " is banned"};
    }
    if (const Lease* held = held_lease()) return *held;
    CAIRN_CHECK(may_hold_another());
    sort_leases();
    return new_lease();
  }

 private:
  // Current leases are used up by an entry, but for those that are remembered for their duplicate.
  bool open(const Lease& lease) const {
    return !lease.doubled || !has_entry(state_, lease.round, lease.unit, person(state_, lease.holder));
  }

  // Another key may be of the same person only where that person has several.
  bool mine(const Lease& lease) const {
    if (lease.holder == request_.user) return open(lease);
    if (!user_ || state_.user(*user_).devices == 0) return false;
    return person(state_, lease.holder) == who_ && open(lease);
  }

  const Lease* held_lease() const {
    const auto held = std::ranges::find_if(
        leases_, [this](const Lease& lease) { return lease.slot == request_.slot && mine(lease); });
    return held == leases_.end() ? nullptr : &*held;
  }

  bool duplicates() const { return state_.policy().exam == ledger::Exam::duplicates; }
  bool newcomer() const { return !user_ || !state_.passed_exam(*user_); }
  bool established(const PublicKey& who) const {
    const auto user = state_.user_of(who);
    return user && state_.established(*user);
  }

  Status may_hold_another() const {
    if (leases_.size() >= kMaxLeases)
      return Error{"units: all that may be out at once are leased; try again later"};
    if (!user_ && newcomers() >= kMaxNewcomerLeases)
      return Error{"units: as many newcomers are at work as may be at once; try again later"};
    if (user_ && state_.established(*user_)) return {};
    if (std::ranges::any_of(leases_, [this](const Lease& lease) { return mine(lease); })) {
      return Error{"slot: only established users hold several units at once; hand in the one that you have"};
    }
    if (duplicates() && is_protected() && others_have_a_fifth()) {
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

  bool others_have_a_fifth() const {
    size_t all = 0, others = 0;
    const auto count = [&](bool is_established) {
      ++all;
      others += is_established ? 0 : 1;
    };
    for (const auto& [place, sealed] : board_.sealed) {
      for (const trust::UserId user : sealed.people) count(state_.established(user));
    }
    for (const Lease& lease : leases_) {
      if (open(lease)) count(established(person(state_, lease.holder)));
    }
    return 5 * (others + 1) > all + 1;
  }

  Lease new_lease() {
    if (!duplicates()) return lease({free_unit(), round_}, false);
    if (newcomer()) {
      const auto place = place_to_accompany();
      return place ? lease(*place, false) : lease({free_unit(), round_}, true);
    }
    const auto place = place_to_double();
    return place ? lease(*place, false) : lease({free_unit(), round_}, draws_double());
  }

  Lease lease(const Place& place, bool doubled) const {
    return {place.first, place.second, request_.user, request_.slot, request_.now + kLeaseTime, doubled};
  }

  void sort_leases() {
    for (const Lease& lease : leases_) leased_.push_back({{lease.unit, lease.round}, &lease});
    std::ranges::sort(leased_, {}, &Leased::place);
  }

  // A unit of somebody who is gone keeps its place, but nobody is at it.
  PlaceView view(const Place& place) const {
    PlaceView view;
    if (const auto sealed = board_.sealed.find(place); sealed != board_.sealed.end()) {
      view.places = sealed->second.places;
      for (const trust::UserId user : sealed->second.people) add(view, state_.user(user).key);
    }
    for (const Leased& leased : std::ranges::equal_range(leased_, place, {}, &Leased::place)) {
      view.doubled |= leased.lease->doubled;
      if (!open(*leased.lease)) continue;
      ++view.places;
      add(view, person(state_, leased.lease->holder));
    }
    return view;
  }

  void add(PlaceView& view, const PublicKey& who) const {
    view.people.push_back(who);
    view.established |= established(who);
  }

  // A duplicate has to come in before the other is shown, so it is handed out while there is a round to
  // spare.
  bool takes_me(const Place& place, const PlaceView& view) const {
    const auto& [unit, round] = place;
    return view.places < trust::kMaxEntriesPerUnit && (round == round_ || lasts(state_, round)) &&
           std::ranges::find(view.people, who_) == view.people.end() && !has_entry(state_, round, unit, who_);
  }

  // Epoch after epoch, so that no image is left out; in it the user's own groups first, and there in the
  // order of the permutation, so what lapsed or was returned goes next.
  UnitId free_unit() const {
    for (uint32_t epoch = order_.epoch_of(board_.first_left);; ++epoch) {
      for (const auto& [begin, end] : home_.units(epoch)) {
        for (UnitId unit = std::max(begin, board_.first_left); unit < end; ++unit) {
          if (is_free(unit)) return unit;
        }
      }
    }
  }

  // Nobody may be at it, from whatever snapshot.
  bool is_free(UnitId unit) const {
    if (board_.is_done(unit)) return false;
    for (auto sealed = board_.sealed.lower_bound({unit, 0});
         sealed != board_.sealed.end() && sealed->first.first == unit; ++sealed) {
      if (!sealed->second.people.empty()) return false;
    }
    for (auto leased = std::ranges::lower_bound(leased_, Place{unit, 0}, {}, &Leased::place);
         leased != leased_.end() && leased->place.first == unit; ++leased) {
      if (open(*leased->lease)) return false;
    }
    return takes_me({unit, round_}, view({unit, round_}));
  }

  // One of somebody established, before others; where few are, before many; of the user's own groups; the
  // lowest.
  std::optional<Place> place_to_accompany() {
    std::optional<std::tuple<bool, size_t, uint32_t, Place>> best;
    for (const Place& place : places()) {
      const PlaceView here = view(place);
      if (here.people.empty() || !takes_me(place, here)) continue;
      const std::tuple candidate(!here.established, here.people.size(), home_.rank(place.first), place);
      if (!best || candidate < *best) best = candidate;
    }
    if (!best) return std::nullopt;
    return std::get<Place>(*best);
  }

  std::set<Place> places() const {
    std::set<Place> places;
    for (const auto& [place, sealed] : board_.sealed) places.insert(places.end(), place);
    for (const Leased& leased : leased_) places.insert(leased.place);
    return places;
  }

  std::optional<Place> place_to_double() {
    std::optional<std::pair<uint32_t, Place>> best;
    for (const Leased& leased : leased_) {
      if (!leased.lease->doubled) continue;
      const PlaceView here = view(leased.place);
      if (here.people.size() != 1 || !takes_me(leased.place, here)) continue;
      const std::pair candidate(home_.rank(leased.place.first), leased.place);
      if (!best || candidate < *best) best = candidate;
    }
    if (!best) return std::nullopt;
    return best->second;
  }

  // With probability max(3 %, 1/n) for the user's n-th entry.
  bool draws_double() const {
    const auto held = std::ranges::count_if(leases_, [this](const Lease& lease) { return mine(lease); });
    const uint64_t n = state_.user(*user_).entries.size() + static_cast<uint64_t>(held) + 1;
    const uint64_t draw = request_.random >> 32;
    return draw < kThreePercent || draw * n < kDrawRange;
  }

  struct Leased {
    Place place;
    const Lease* lease;
  };

  const State& state_;
  const UnitBoard& board_;
  const work::UnitOrder& order_;
  const Leases& leases_;
  const LeaseRequest& request_;
  trust::Round round_;
  std::optional<trust::UserId> user_;
  PublicKey who_;
  HomeGroups home_;
  std::vector<Leased> leased_;  // ascending by place
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

Result<Lease> choose_lease(const State& state, const UnitBoard& board, const work::UnitOrder& order,
                           const Leases& leases, const LeaseRequest& request) {
  return Choice(state, board, order, leases, request).run();
}

Status check_lease(const State& state, const UnitBoard& board, const Leases& leases, trust::Round round,
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
  if (board.is_done(unit)) return is_done;
  for (auto at = board.sealed.lower_bound({unit, 0}); at != board.sealed.end() && at->first.first == unit;
       ++at) {
    for (const trust::UserId other : at->second.people) {
      if (state.user(other).key != who) return is_done;
    }
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
