#include "average/weighing.h"

#include <algorithm>
#include <optional>

#include "base/schedule.h"

namespace cairn::average {
namespace {

using ledger::Averaging;
using ledger::Clip;
using trust::EntryId;
using trust::Policy;
using trust::Reputation;
using trust::Round;

struct Weighted {
  EntryId id;
  Reputation weight;
};

std::vector<Weighted> averaged_entries(const trust::State& state, Round round) {
  std::vector<Weighted> entries;
  for (EntryId id : state.rounds()[round].entries) {
    if (state.averaged(id)) entries.push_back({id, state.weight(id)});
  }
  return entries;
}

uint64_t sum_of_weights(const std::vector<Weighted>& entries) {
  uint64_t sum = 0;  // at most 2^20 entries of less than 2^40
  for (const Weighted& entry : entries) sum += entry.weight;
  return sum;
}

// What the weights of a round are measured against.
Wide total(const Policy& policy, const std::vector<Weighted>& entries, uint64_t floor) {
  if (policy.averaging == Averaging::plain) return Wide{ledger::kReputationOne} * policy.round_size;
  return std::max(sum_of_weights(entries), floor);
}

class Weighing {
 public:
  Weighing(const trust::State& state, const NormOf& norm_of) : state_(state), norm_of_(norm_of) {}

  Result<std::map<EntryId, Coefficient>> run() {
    for (Round round = 0; round < state_.next_round(); ++round) CAIRN_CHECK(weigh_round(round));
    return std::move(coefficients_);
  }

 private:
  Status weigh_round(Round round) {
    const std::vector<Weighted> entries = averaged_entries(state_, round);
    if (entries.empty()) return {};
    const Policy& policy = state_.policy_for(round);
    const uint64_t rate = rate_at(policy.rate, round);
    const Wide divisor = total(policy, entries, state_.rounds()[round].floor);
    CAIRN_TRY(const std::optional<Norm> limit, clip_limit(policy, round, entries));
    for (const Weighted& entry : entries) {
      uint32_t clip = kUnclipped;
      if (limit) {
        CAIRN_TRY(const Norm norm, norm_of_(entry.id));
        clip = clip_factor(*limit, norm);
      }
      coefficients_[entry.id] = coefficient(rate, clip, entry.weight, divisor);
    }
    return {};
  }

  Result<std::optional<Norm>> clip_limit(const Policy& policy, Round round,
                                         const std::vector<Weighted>& entries) {
    if (policy.clip == Clip::none) return std::optional<Norm>();
    if (policy.clip == Clip::fixed) return std::optional(norm_on_grid(policy.clip_norm));
    for (Round earlier = round; earlier-- > 0;) {
      CAIRN_TRY(const Norm median, median_of_round(earlier));
      if (!median.zero()) return std::optional(twice(median));
    }
    CAIRN_TRY(const Norm own, median_norm(entries));  // nothing came before
    return std::optional(twice(own));
  }

  Result<Norm> median_of_round(Round round) {
    if (const auto known = medians_.find(round); known != medians_.end()) return known->second;
    CAIRN_TRY(const Norm median, median_norm(averaged_entries(state_, round)));
    medians_[round] = median;
    return median;
  }

  // The smallest norm such that those up to it have half of the weight, of gradients that are not zero.
  Result<Norm> median_norm(const std::vector<Weighted>& entries) {
    std::vector<std::pair<Norm, Reputation>> norms;
    uint64_t sum = 0;
    for (const Weighted& entry : entries) {
      CAIRN_TRY(const Norm norm, norm_of_(entry.id));
      if (norm.zero()) continue;
      norms.emplace_back(norm, entry.weight);
      sum += entry.weight;
    }
    std::sort(norms.begin(), norms.end());
    uint64_t up_to = 0;
    for (const auto& [norm, weight] : norms) {
      up_to += weight;
      if (2 * up_to >= sum) return norm;
    }
    return Norm{};
  }

  const trust::State& state_;
  const NormOf& norm_of_;
  std::map<EntryId, Coefficient> coefficients_;
  std::map<Round, Norm> medians_;
};

}  // namespace

bool leaves_weights(const ledger::Body& body) {
  return std::visit(
      []<class Kind>(const Kind&) {
        using namespace ledger;
        constexpr auto one_of = []<class... Kinds>() { return (std::is_same_v<Kind, Kinds> || ...); };
        return one_of
            .template operator()<CoordinatorMoved, JudgeAdded, JudgeRemoved, Paused, Joined, NameChosen,
                                 DeviceKeyAdded, DeviceKeyRemoved, KeyRotated, EntrySealed, ClaimFiled,
                                 ClaimOpened, AppealFiled, Evaluated, VoteSealed, VoteOpened, MismatchFound,
                                 EntryUnavailable, BlobsDropped, LotSealed, PanelDrawn, StretchClaimed>();
      },
      body);
}

Result<std::map<EntryId, Coefficient>> weigh(const trust::State& state, const NormOf& norm_of) {
  return Weighing(state, norm_of).run();
}

}  // namespace cairn::average
