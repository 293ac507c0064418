// Random ledgers for property tests: every kind of event, mostly plausible, some refused.
#pragma once

#include <random>

#include "trust/chronicle.h"

namespace cairn::trust {

class RandomHistory {
 public:
  RandomHistory(uint64_t seed, Policy policy, uint32_t judges = 3)
      : random_(seed), log_(std::move(policy), judges), judges_(judges) {}

  const Chronicle& log() const { return log_; }
  const State& state() const { return log_.state; }
  const std::vector<ledger::Event>& events() const { return log_.events; }

  uint64_t draw(uint64_t below) { return random_() % below; }

  // An event that may or may not be allowed to follow.
  ledger::Event candidate() {
    if (draw(12) == 0) log_.now += static_cast<int64_t>(draw(kSuspensionDelay));
    if (draw(100) < 60) return round_event();
    return draw(100) < 65 ? justice_event() : other_event();
  }

  Status tell(const ledger::Event& event) {
    CAIRN_CHECK(log_.tell(event));
    if (std::holds_alternative<ledger::EntrySealed>(event.statement.body)) {
      log_.gradients[static_cast<EntryId>(log_.state.entries().size())] = sealed_gradient_;
    }
    const ledger::Body& body = event.statement.body;
    if (std::holds_alternative<ledger::ClaimFiled>(body) ||
        std::holds_alternative<ledger::StretchClaimed>(body)) {
      log_.claimed[static_cast<ClaimId>(log_.state.claims().size())] = sealed_gradient_;
    }
    if (const auto* sealed = std::get_if<ledger::VoteSealed>(&event.statement.body)) {
      log_.voted[{sealed->claim, event.statement.author}] = sealed_gradient_;
    }
    return {};
  }

  void grow(size_t steps) {
    for (size_t i = 0; i < steps; ++i) static_cast<void>(tell(candidate()));
  }

 private:
  // A third of the users lie in half of what they do.
  static bool lies(UserId user, uint64_t coin) { return user % 3 == 0 && coin % 2 == 0; }

  ledger::Event by(const PublicKey& author, ledger::Body body) { return log_.event(author, std::move(body)); }
  ledger::Event by_root(ledger::Body body) { return by(Chronicle::key("root"), std::move(body)); }
  ledger::Event by_coordinator(ledger::Body body) {
    const std::string name = moved_ == 0 ? "coordinator" : "coordinator " + std::to_string(moved_);
    return by(Chronicle::key(name), std::move(body));
  }
  ledger::Event by_user(UserId user, ledger::Body body) {
    return by(state().user(user).key, std::move(body));
  }

  uint32_t some_number(size_t count) {
    return 1 + static_cast<uint32_t>(draw(count + 1));
  }  // or one too many
  UserId some_user() { return 1 + static_cast<UserId>(draw(state().users().size())); }
  EntryId some_entry() { return some_number(state().entries().size()); }
  ClaimId some_claim() { return some_number(state().claims().size()); }
  PublicKey new_key() { return Chronicle::key("key " + std::to_string(random_())); }
  Digest new_digest() { return Chronicle::digest(std::to_string(random_())); }

  // With a proof of the work that the policy asks for, mostly.
  ledger::Event joining_event() {
    const PublicKey key = new_key();
    return by(key, draw(8) == 0 ? ledger::Joined{random_()} : log_.joined(key));
  }

  ledger::Event evaluation_event() {
    const auto images = static_cast<uint32_t>(draw(50));
    return by_user(some_user(), ledger::Evaluated{static_cast<Round>(draw(state().next_round() + 1)),
                                                  static_cast<uint32_t>(draw(55)), images, random_()});
  }

  ledger::Event round_event() {
    if (state().users().size() < 3) return joining_event();
    if (!state().open_round()) return opening_of_round();
    const RoundRecord& round = state().rounds().back();
    const bool opening = !round.entries.empty() || (round.sealed.size() > 3 && draw(5) == 0);
    if (!opening && !round.sealed.empty() && draw(60) == 0) return by_coordinator(log_.closing());
    return opening ? opening_event() : sealing_event();
  }

  ledger::Event opening_of_round() {
    if (state().next_round() > 0 && draw(10) != 0) {
      const auto found = state().mismatches(state().next_round() - 1);
      if (!found.empty()) return by_coordinator(found[draw(found.size())]);
    }
    return by_coordinator(ledger::RoundOpened{state().next_round(), {}, {}});
  }

  ledger::Event sealing_event() {
    const UserId user = some_user();
    Round round = *state().open_round();
    if (draw(4) == 0) round -= std::min(round, static_cast<Round>(draw(4)));
    const auto unit = static_cast<UnitId>(draw(10));
    sealed_gradient_ = lies(user, random_()) ? Chronicle::lie(round, unit) : Chronicle::truth(round, unit);
    const PublicKey author = state().user(user).key;
    return by(author, log_.seal(author, round, unit, sealed_gradient_));
  }

  ledger::Event opening_event() {
    if (draw(20) == 0) return by_coordinator(log_.closing());
    for (EntryId id : state().waiting()) {
      if (draw(3) != 0) return by_user(state().entry(id).user, log_.opening(id));
    }
    return by_coordinator(log_.closing());
  }

  // An entry that is false, if one of a few draws is.
  EntryId suspect() {
    EntryId id = some_entry();
    for (int i = 0; i < 4; ++i, id = some_entry()) {
      if (state().has_entry(id) && log_.gradients.at(id) != log_.truth_of(id)) break;
    }
    return id;
  }

  // What somebody who recomputes the entry, or a stretch of it, gets, mostly.
  Digest recomputed(EntryId id, const std::optional<ledger::Stretch>& about = {}) {
    return state().has_entry(id) && draw(8) != 0 ? log_.true_about(id, about) : new_digest();
  }

  // Half of the claims are about a stretch: that which is false where one is, mostly.
  ledger::Event claim_event() {
    const EntryId entry = suspect();
    const PublicKey claimant = state().user(some_user()).key;
    if (!state().has_entry(entry) || draw(2) == 0) {
      sealed_gradient_ = recomputed(entry);
      return by(claimant, log_.claiming(claimant, entry, sealed_gradient_));
    }
    const bool anywhere = draw(3) == 0;
    ledger::Stretch about = log_.stretch(
        entry, anywhere ? static_cast<uint32_t>(draw(Chronicle::kStretches)) : Chronicle::kFalseStretch);
    if (draw(10) == 0) about.before = new_digest();
    sealed_gradient_ = recomputed(entry, about);
    return by(claimant, log_.claiming(claimant, entry, about, sealed_gradient_));
  }

  ledger::Event justice_event() {
    if (state().users().empty()) return joining_event();
    if (lot_is_due()) return by_coordinator(log_.sealed_lot());
    switch (draw(8)) {
      case 0:
      case 1:
      case 2:
        return claim_event();
      case 3: {
        const ClaimId claim = some_claim();
        return by_user(some_user(), ledger::AppealFiled{claim, new_digest()});
      }
      case 4: {
        if (state().next_round() > 0) {
          const auto found = state().mismatches(state().next_round() - 1);
          if (!found.empty()) return by_coordinator(found[0]);
        }
        const EntryId entry = some_entry();
        return by_coordinator(ledger::MismatchFound{entry, recomputed(entry)});
      }
      default:
        return verdict_event();
    }
  }

  ledger::Event verdict_event() {
    for (ClaimId id = 1; id <= state().claims().size(); ++id) {
      const Claim& claim = state().claim(id);
      if (claim.standing.status != Claim::Status::open || draw(3) == 0) continue;
      if (state().decided(id)) return draw(6) != 0 ? claim_opening(id) : by_coordinator(log_.verdict(id));
      if (claim.lot && (!claim.panel || draw(20) == 0)) return by_coordinator(log_.drawing(id));
      return draw(3) == 0 ? vote_sealing(id) : vote_opening(id);
    }
    return by_root(ledger::VerdictVoided{some_claim()});
  }

  // Somebody who may judge the claim, mostly.
  PublicKey some_judge(ClaimId id) {
    const auto& panel = state().claim(id).panel;
    if (panel && !panel->members.empty() && draw(5) != 0) {
      return state().user(panel->members[draw(panel->members.size())]).key;
    }
    return Chronicle::judge(static_cast<uint32_t>(draw(judges_)));
  }

  // A lot is there to be drawn by, mostly.
  bool lot_is_due() {
    if (state().policy().judges != ledger::Judges::panel) return draw(100) == 0;
    return state().lots().empty() || state().lots().back().value ? draw(3) != 0 : draw(50) == 0;
  }

  ledger::Event vote_sealing(ClaimId id) {
    const PublicKey judge = some_judge(id);
    sealed_gradient_ = recomputed(state().claim(id).entry, state().claim(id).stretch);
    return by(judge, log_.voting(judge, id, sealed_gradient_));
  }

  ledger::Event vote_opening(ClaimId id) {
    for (const auto& [judge, vote] : state().claim(id).votes) {
      if (!vote.gradient && draw(2) == 0)
        return by(judge, ledger::VoteOpened{id, log_.voted.at({id, judge})});
    }
    return vote_sealing(id);
  }

  ledger::Event claim_opening(ClaimId decided) {
    const auto about = state().claims_about(state().claim(decided).entry);
    const auto alike = state().open_claims_like(decided);
    const std::vector<ClaimId> all(about.begin(), about.end());
    for (const ClaimId id : draw(10) == 0 ? all : alike) {  // those about something else are refused
      const Claim& claim = state().claim(id);
      if (claim.claimant == kCoordinator || claim.gradient || draw(4) == 0) continue;
      return by_user(claim.claimant, ledger::ClaimOpened{id, log_.claimed.at(id)});
    }
    return by_coordinator(log_.verdict(decided));
  }

  ledger::Event account_event() {
    const UserId user = some_user();
    switch (draw(4)) {
      case 0:
        return by_user(user, ledger::NameChosen{Chronicle::digest(std::to_string(draw(9)))});
      case 1:
        return by_user(user, ledger::DeviceKeyAdded{device_ = new_key()});
      case 2:
        return by_user(user, ledger::DeviceKeyRemoved{device_});
      default:
        return by_user(user, ledger::KeyRotated{new_key()});
    }
  }

  // An entry that has been unavailable, if there is one.
  EntryId overdue() {
    for (EntryId id = 1; id <= state().entries().size(); ++id) {
      if (state().entry(id).unavailable_since && !state().ended(id) && draw(2) == 0) return id;
    }
    return some_entry();
  }

  ledger::Event coordinator_event() {
    switch (draw(3)) {
      case 0:
        return by_coordinator(ledger::EntryUnavailable{some_entry()});
      case 1:
        return by_coordinator(ledger::EntrySuspended{overdue()});
      default:
        if (draw(4) == 0) log_.now += kAppealWindow;
        return by_coordinator(ledger::BlobsDropped{some_entry()});
    }
  }

  ledger::Event settings_event() {
    Policy policy = state().policy();
    policy.step = 1 + draw(ledger::kReputationOne / 50);
    policy.max_steps_per_round = 1 + static_cast<uint32_t>(draw(5));
    policy.refresh_rounds = 1 + static_cast<uint32_t>(draw(4));
    policy.averaging = static_cast<ledger::Averaging>(draw(3));
    policy.clip = static_cast<ledger::Clip>(draw(3));
    policy.clip_norm = uint64_t{1} << (40 + draw(12));
    policy.round_size = 1 + static_cast<uint32_t>(draw(8));
    policy.rate = {{0, draw(uint64_t{2} << 40)}, {20, draw(uint64_t{2} << 40)}};
    return by_root(ledger::SettingsChanged{state().next_round() + static_cast<Round>(draw(2)), policy});
  }

  ledger::Event root_event() {
    switch (draw(8)) {
      case 0:
        return settings_event();
      case 1:
        return by_root(ledger::JudgeAdded{Chronicle::judge(static_cast<uint32_t>(draw(judges_)))});
      case 2:
        return by_root(ledger::JudgeRemoved{Chronicle::judge(static_cast<uint32_t>(draw(judges_)))});
      case 3:
        return by_root(ledger::Paused{true});
      case 4:
        return by_root(ledger::RolledBack{state().next_round() - static_cast<Round>(draw(3))});
      case 5:
        moved_ = 1 + draw(100);
        return by_root(ledger::CoordinatorMoved{Chronicle::key("coordinator " + std::to_string(moved_))});
      case 6:
        return by_root(ledger::VerdictVoided{some_claim()});
      default:
        return by_root(ledger::Endowed{some_user(), draw(ledger::kReputationOne)});
    }
  }

  ledger::Event other_event() {
    if (state().paused()) return by_root(ledger::Paused{false});
    if (state().users().empty()) return joining_event();
    const uint64_t choice = draw(100);
    if (choice < 15) return joining_event();
    if (choice < 30 && state().users().back().entries.empty()) {
      const auto newcomer = static_cast<UserId>(state().users().size());
      return by_root(ledger::Endowed{newcomer, draw(ledger::kReputationOne)});
    }
    if (choice < 37) return evaluation_event();
    if (choice < 58) return account_event();
    return choice < 82 ? coordinator_event() : root_event();
  }

  std::mt19937_64 random_;
  Chronicle log_;
  uint32_t judges_;
  uint64_t moved_ = 0;
  Digest sealed_gradient_;
  PublicKey device_;
};

// A policy of the given number, so that every variant has its turn: short horizons, so that every rule bites.
inline Policy policy_variant(uint64_t number) {
  Policy policy;
  policy.growth = static_cast<ledger::Growth>(number % 2);
  policy.fate = static_cast<ledger::Fate>(number / 2 % 4 == 3);
  policy.averaging = static_cast<ledger::Averaging>(number / 8 % 3);
  policy.clip = static_cast<ledger::Clip>(number / 24 % 3);
  policy.judge_votes = 1 + static_cast<uint32_t>(number / 72 % 2);
  policy.minimum = policy.growth == ledger::Growth::linear ? ledger::kReputationOne / 1000 : 10'000;
  policy.growth_ppm = 200'000;
  policy.step = ledger::kReputationOne / 100;
  policy.max_steps_per_round = 2;
  policy.exam = static_cast<ledger::Exam>(number / 5 % 2);
  policy.exam_entries = 1;
  policy.judges = static_cast<ledger::Judges>(number / 3 % 3 == 1);
  policy.panel_size = 3;
  policy.panel_votes = 1 + static_cast<uint32_t>(number / 9 % 2);
  policy.panel_reputation = policy.minimum;
  policy.panel_hours = 4;
  policy.join_work = static_cast<uint32_t>(number % 3);
  policy.clip_norm = uint64_t{1} << 47;
  policy.refresh_rounds = 2;
  policy.floor_rounds = 3;
  policy.horizon = static_cast<uint32_t>(number / 4 % 4);
  policy.round_size = 5;
  policy.staleness = static_cast<uint32_t>(number % 4);
  return policy;
}

}  // namespace cairn::trust
