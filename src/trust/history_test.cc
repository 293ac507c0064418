// The laws of the fold over thousands of random ledgers.
#include <gtest/gtest.h>

#include <numeric>

#include "trust/random_history.h"

namespace cairn::trust {
namespace {

using ledger::Event;

constexpr uint64_t kHistories = 3000;
constexpr size_t kSteps = 150;

template <class Kind>
const Kind* as(const Event& event) {
  return std::get_if<Kind>(&event.statement.body);
}

RandomHistory history(uint64_t seed) {
  RandomHistory history(seed, policy_variant(seed));
  history.grow(kSteps);
  return history;
}

uint64_t sum_of_reputations(const State& state) {
  uint64_t sum = 0;
  for (const User& user : state.users()) sum += user.standing.reputation;
  return sum;
}

// Every kind and every outcome occurs, or the properties below would say little.
TEST(History, TheRandomLedgersReachEverything) {
  std::vector<size_t> kinds(std::variant_size_v<ledger::Body>);
  std::map<Claim::Status, size_t> claims;
  std::map<Entry::Status, size_t> entries;
  size_t paid = 0, duplicates = 0, confirmed = 0, unaccepted = 0, refuted = 0, mismatches = 0;
  size_t late = 0, by_panel = 0, by_named_instead = 0, stretches_upheld = 0, stretches_rejected = 0;
  for (uint64_t seed = 0; seed < 2000; ++seed) {
    const RandomHistory random = history(seed);
    for (const Event& event : random.events()) ++kinds[event.statement.body.index()];
    for (const Claim& claim : random.state().claims()) {
      ++claims[claim.standing.status];
      paid += claim.standing.bounty > 0 ? 1 : 0;
      mismatches += claim.claimant == kCoordinator ? 1 : 0;
      if (claim.verdict && claim.stretch) ++(claim.verdict->upheld ? stretches_upheld : stretches_rejected);
      if (!claim.verdict || !claim.panel) continue;
      const bool panel = std::ranges::any_of(
          claim.votes, [](const auto& vote) { return vote.second.of_panel && vote.second.gradient; });
      ++(panel ? by_panel : by_named_instead);
    }
    for (EntryId id = 1; random.state().has_entry(id); ++id) {
      const Entry& entry = random.state().entry(id);
      ++entries[entry.standing.status];
      confirmed += entry.standing.confirmed ? 1 : 0;
      late += entry.opened_in && *entry.opened_in != entry.round ? 1 : 0;
      unaccepted += entry.standing.status == Entry::Status::opened && !entry.standing.accepted ? 1 : 0;
      refuted += random.state().live(id) && random.state().refuted(id) ? 1 : 0;
      const auto chosen = random.state().chosen(entry.round, entry.unit);
      duplicates += random.state().live(id) && chosen && *chosen != id ? 1 : 0;
    }
  }
  for (size_t kind = 0; kind < kinds.size(); ++kind) EXPECT_GT(kinds[kind], 0u) << "kind " << kind;
  for (int status = 0; status < 5; ++status) EXPECT_GT(claims[Claim::Status(status)], 20u) << status;
  for (int status = 0; status < 4; ++status) EXPECT_GT(entries[Entry::Status(status)], 20u) << status;
  EXPECT_GT(paid, 20u);
  EXPECT_GT(duplicates, 20u);
  EXPECT_GT(confirmed, 20u);
  EXPECT_GT(late, 20u);
  EXPECT_GT(unaccepted, 20u);
  EXPECT_GT(mismatches, 20u);
  EXPECT_GT(by_panel, 20u);
  EXPECT_GT(by_named_instead, 20u);
  EXPECT_GT(refuted, 0u);
  EXPECT_GT(stretches_upheld, 20u);
  EXPECT_GT(stretches_rejected, 20u);
}

TEST(History, TheFoldOfAllEventsIsTheStateReachedStepByStep) {
  for (uint64_t seed = 0; seed < kHistories; ++seed) {
    const RandomHistory random = history(seed);
    Result<State> folded = fold(random.events());
    ASSERT_TRUE(folded) << seed << ": " << folded.error().message;
    ASSERT_EQ(*folded, random.state()) << seed;
  }
}

TEST(History, ARefusedEventLeavesTheStateUnchanged) {
  size_t refused = 0;
  for (uint64_t seed = 0; seed < kHistories; seed += 6) {
    RandomHistory random(seed, policy_variant(seed));
    for (size_t i = 0; i < kSteps; ++i) {
      const State before = random.state();
      if (random.tell(random.candidate())) continue;
      ++refused;
      ASSERT_EQ(random.state(), before) << seed;
    }
  }
  EXPECT_GT(refused, 10'000u);
}

TEST(History, ReputationIsNeverMinted) {
  for (uint64_t seed = 0; seed < kHistories; ++seed) {
    RandomHistory random(seed, policy_variant(seed));
    for (size_t i = 0; i < kSteps; ++i) {
      const uint64_t before = sum_of_reputations(random.state());
      const Policy policy = random.state().started() ? random.state().policy() : Policy();
      const Event event = random.candidate();
      if (!random.tell(event)) continue;
      uint64_t allowed = 0;
      if (as<ledger::Joined>(event)) allowed = policy.minimum;
      if (const auto* endowed = as<ledger::Endowed>(event)) allowed = endowed->reputation;
      if (as<ledger::EntryOpened>(event) || as<ledger::VerdictReached>(event)) {  // may confirm a whole unit
        const bool linear = policy.growth == ledger::Growth::linear;
        const Reputation step = linear ? policy.step : policy.maximum * policy.growth_ppm / 1'000'000;
        allowed = kMaxEntriesPerUnit * step;
      }
      if (as<ledger::VerdictVoided>(event)) continue;  // gives back; bounded by the sequence without it
      ASSERT_LE(sum_of_reputations(random.state()), before + allowed)
          << seed << ": " << kind_name(event.statement.body);
    }
  }
}

TEST(History, EveryReputationIsInRangeAndWeighsNoMoreThanItIs) {
  for (uint64_t seed = 0; seed < kHistories; ++seed) {
    const RandomHistory random = history(seed);
    for (const User& user : random.state().users()) {
      ASSERT_GE(user.standing.averaging, random.state().policy().minimum);
      ASSERT_LE(user.standing.averaging, user.standing.reputation);
      ASSERT_LE(user.standing.reputation, random.state().policy().maximum);
    }
    for (EntryId id = 1; id <= random.state().entries().size(); ++id) {
      const Entry& entry = random.state().entry(id);
      ASSERT_EQ(random.state().ended(id).has_value(), entry.standing.status >= Entry::Status::revoked);
      ASSERT_FALSE(random.state().averaged(id) && !entry.gradient);
      ASSERT_FALSE(random.state().averaged(id) && !random.state().live(id));
    }
  }
}

// -- Settling

TEST(History, ASettledWeightIsThatOfTheLastOpeningWithinTheHorizon) {
  size_t settled = 0, others = 0;
  for (uint64_t seed = 0; seed < kHistories; ++seed) {
    RandomHistory random(seed, policy_variant(seed));
    std::map<EntryId, Reputation> last;
    for (size_t i = 0; i < kSteps; ++i) {
      const Event event = random.candidate();
      if (!random.tell(event)) continue;
      if (as<ledger::VerdictVoided>(event)) break;  // other weights have always been
      const State& state = random.state();
      for (EntryId id = 1; state.has_entry(id); ++id) {
        const Entry& entry = state.entry(id);
        if (!entry.opened_in) continue;
        const Policy& policy = state.policy_for(*entry.opened_in);
        const auto* opened = as<ledger::RoundOpened>(event);
        if (opened && opened->round == *entry.opened_in + policy.horizon)
          last[id] = state.user(entry.user).standing.averaging;
        ASSERT_EQ(state.settled(*entry.opened_in), policy.horizon > 0 && last.contains(id)) << seed;
        if (!last.contains(id) || !state.averaged(id)) continue;
        if (policy.averaging == ledger::Averaging::at_acceptance || policy.horizon == 0) continue;
        ASSERT_EQ(state.weight(id), last[id]) << seed << " entry " << id;
        ++settled;
        others += state.averaging_reputation(entry.user) != last[id] ? 1 : 0;
      }
    }
  }
  EXPECT_GT(settled, 1000u);
  EXPECT_GT(others, 100u) << "reputations went on";
}

// -- Units

TEST(History, AUserHasOneEntryInAUnitAndAUnitOneInTheAverage) {
  for (uint64_t seed = 0; seed < kHistories; ++seed) {
    const RandomHistory random = history(seed);
    const State& state = random.state();
    std::map<std::pair<Round, UnitId>, std::set<UserId>> authors;
    std::set<std::pair<Round, UnitId>> averaged;
    for (EntryId id = 1; state.has_entry(id); ++id) {
      const Entry& entry = state.entry(id);
      const std::pair unit(entry.round, entry.unit);
      ASSERT_TRUE(authors[unit].insert(entry.user).second) << seed << " entry " << id;
      ASSERT_LE(authors[unit].size(), kMaxEntriesPerUnit);
      const bool twice = state.averaged(id) && !averaged.insert(unit).second;
      ASSERT_FALSE(twice) << seed << " entry " << id;
    }
  }
}

// A newcomer's entry that nobody has confirmed: no growth, no line in the log, no place in the model.
TEST(History, WhatNobodyConfirmedOfANewcomerLeavesNoTrace) {
  for (uint64_t seed = 0; seed < kHistories; ++seed) {
    const RandomHistory random = history(seed);
    const State& state = random.state();
    std::map<UserId, uint32_t> accepted;
    for (EntryId id = 1; state.has_entry(id); ++id) {
      const Entry::Standing& standing = state.entry(id).standing;
      if (standing.accepted) ++accepted[state.entry(id).user];
      if (standing.trusted || standing.accepted) continue;
      ASSERT_FALSE(state.live(id) || state.averaged(id) || standing.confirmed) << seed;
    }
    for (UserId user = 1; state.has_user(user); ++user) {
      ASSERT_LE(state.user(user).standing.accepted, accepted[user]) << seed;
    }
  }
}

// -- Stretches

// Those who said the same share the outcome; nobody else's claim is judged.
void check_claims(const State& before, const State& after, const ledger::VerdictReached& verdict) {
  const auto alike = before.open_claims_like(verdict.claim);
  for (ClaimId id = 1; before.has_claim(id); ++id) {
    const Claim::Status status = after.claim(id).standing.status;
    if (std::ranges::find(alike, id) != alike.end()) {
      ASSERT_EQ(status, verdict.upheld ? Claim::Status::upheld : Claim::Status::rejected);
    } else if (status != before.claim(id).standing.status) {
      ASSERT_EQ(status, Claim::Status::moot);
    }
  }
}

// The same file is refuted whoever sent it; of no other file anything is learnt.
void check_entries(const State& before, const State& after, const ledger::VerdictReached& verdict) {
  const EntryId accused = before.claim(verdict.claim).entry;
  ASSERT_FALSE(after.entry(accused).standing.judged);
  ASSERT_FALSE(verdict.upheld && after.live(accused));
  for (EntryId id = 1; before.has_entry(id); ++id) {
    ASSERT_LE(after.entry(id).standing.confirmed, before.entry(id).standing.confirmed);
    const bool same_file = before.entry(id).gradient == before.entry(accused).gradient;
    ASSERT_FALSE(same_file && verdict.upheld && after.averaged(id));
    ASSERT_TRUE(same_file || after.refuted(id) == before.refuted(id));
  }
}

TEST(History, AVerdictAboutAStretchTouchesNothingElse) {
  size_t upheld = 0, rejected = 0;
  for (uint64_t seed = 0; seed < kHistories; ++seed) {
    SCOPED_TRACE(seed);
    RandomHistory random(seed, policy_variant(seed));
    for (size_t i = 0; i < kSteps && !HasFatalFailure(); ++i) {
      const Event event = random.candidate();
      const auto* verdict = as<ledger::VerdictReached>(event);
      const State before = verdict != nullptr ? random.state() : State();
      if (!random.tell(event) || verdict == nullptr || !before.claim(verdict->claim).stretch) continue;
      ++(verdict->upheld ? upheld : rejected);
      check_claims(before, random.state(), *verdict);
      check_entries(before, random.state(), *verdict);
    }
  }
  EXPECT_GT(upheld, 50u);
  EXPECT_GT(rejected, 50u);
}

// -- Voided verdicts

// The events without that verdict and its voiding, and with the floors that then follow; nullopt where
// something later would not have been allowed.
std::optional<State> without_verdict(const std::vector<Event>& events, ClaimId claim) {
  State state;
  for (Event event : events) {
    if (const auto* verdict = as<ledger::VerdictReached>(event); verdict && verdict->claim == claim) continue;
    if (const auto* voided = as<ledger::VerdictVoided>(event); voided && voided->claim == claim) continue;
    if (const auto* appeal = as<ledger::AppealFiled>(event); appeal && appeal->claim == claim) continue;
    if (auto* closed = std::get_if<ledger::RoundClosed>(&event.statement.body);
        closed && state.open_round()) {
      closed->floor = state.floor_at_close();
    }
    if (!state.apply(event)) return std::nullopt;
  }
  return state;
}

// A panel stays as it was drawn, by the reputations of that time.
Claim settled(Claim claim) {
  claim.candidates.clear();
  claim.panel.reset();
  return claim;
}

TEST(History, AVoidedVerdictIsAsIfItHadNeverBeen) {
  size_t compared = 0;
  for (uint64_t seed = 0; seed < kHistories; ++seed) {
    RandomHistory random = history(seed);
    for (ClaimId id = 1; id <= random.state().claims().size(); ++id) {
      const auto& verdict = random.state().claim(id).verdict;
      if (!verdict || verdict->voided) continue;
      Chronicle log = random.log();
      if (!log.tell(Chronicle::key("root"), ledger::VerdictVoided{id})) continue;
      const std::optional<State> never = without_verdict(log.events, id);
      if (!never) continue;
      ++compared;
      ASSERT_EQ(log.state.users().size(), never->users().size());
      for (UserId user = 1; user <= never->users().size(); ++user) {
        ASSERT_EQ(log.state.user(user), never->user(user)) << seed << " user " << user;
      }
      ASSERT_EQ(log.state.entries(), never->entries()) << seed;
      ASSERT_EQ(log.state.live_entries(), never->live_entries()) << seed;
      for (ClaimId other = 1; other <= never->claims().size(); ++other) {
        if (other == id) continue;
        ASSERT_EQ(settled(log.state.claim(other)), settled(never->claim(other)))
            << seed << " claim " << other;
      }
    }
  }
  EXPECT_GT(compared, 300u);
}

// -- Order

// Pairs of which neither mentions what the other changes.
bool commute(const State& before, const Event& a, const Event& b) {
  const auto user = [&](const Event& event) { return before.user_of(event.statement.author).value_or(0); };
  if (as<ledger::EntryOpened>(a) && as<ledger::EntryOpened>(b)) return true;
  const Event* pair[] = {&a, &b};
  for (int i = 0; i < 2; ++i) {
    const Event& x = *pair[i];
    const Event& y = *pair[1 - i];
    const bool quiet = as<ledger::NameChosen>(x) || as<ledger::DeviceKeyAdded>(x) || as<ledger::Joined>(x);
    if (as<ledger::EntryOpened>(x) && as<ledger::VoteSealed>(y)) return true;
    if (quiet && (as<ledger::VoteSealed>(y) || as<ledger::VerdictReached>(y))) return true;
    if (as<ledger::NameChosen>(x) && as<ledger::EntryOpened>(y)) return true;
    if (as<ledger::NameChosen>(x) && as<ledger::ClaimFiled>(y)) return true;
    if (as<ledger::NameChosen>(x) && as<ledger::EntrySealed>(y)) return true;
    if (as<ledger::NameChosen>(x) && as<ledger::DeviceKeyAdded>(y)) return user(x) != user(y);
    if (as<ledger::EntryUnavailable>(x) && as<ledger::VoteSealed>(y)) return true;
    if (as<ledger::Evaluated>(x) && (as<ledger::VoteSealed>(y) || as<ledger::EntryOpened>(y))) return true;
    const bool candidates = before.started() && before.policy().judges == ledger::Judges::panel;
    if (as<ledger::ClaimFiled>(x) && as<ledger::Endowed>(y))
      return !candidates && user(x) != as<ledger::Endowed>(y)->user;
    if (as<ledger::JudgeAdded>(x) && as<ledger::EntryOpened>(y)) return true;
  }
  const auto* vote = as<ledger::VoteSealed>(a);
  const auto* other = as<ledger::VoteSealed>(b);
  return vote && other && vote->claim != other->claim;
}

TEST(History, EventsThatCommuteGiveTheSameStateInAnyOrder) {
  size_t swapped = 0;
  for (uint64_t seed = 0; seed < kHistories; seed += 3) {
    RandomHistory random = history(seed);
    std::vector<Event> events = random.events();
    for (Event& event : events) event.time = 0;
    std::erase_if(events, [](const Event& e) {
      return as<ledger::EntrySuspended>(e) || as<ledger::BlobsDropped>(e);  // these look at the time
    });
    Result<State> expected = fold(events);
    if (!expected) continue;  // a suspension had made something possible
    State before;
    for (size_t i = 0; i + 1 < events.size(); ++i) {
      if (random.draw(2) == 0 && commute(before, events[i], events[i + 1])) {
        std::swap(events[i], events[i + 1]);
        ++swapped;
      }
      ASSERT_TRUE(before.apply(events[i])) << seed;
    }
    Result<State> reordered = fold(events);
    ASSERT_TRUE(reordered) << seed << ": " << reordered.error().message;
    ASSERT_EQ(*reordered, *expected) << seed;
  }
  EXPECT_GT(swapped, 5'000u);
}

}  // namespace
}  // namespace cairn::trust
