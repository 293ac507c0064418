#include "trust/probe.h"

namespace cairn::trust {
namespace {

__extension__ typedef unsigned __int128 Wide;

bool probable(const State& state, EntryId id, UserId auditor) {
  const Entry& entry = state.entry(id);
  return state.live(id) && !entry.standing.judged && entry.user != auditor &&
         !state.settled(*entry.opened_in);
}

uint64_t share(const State& state, EntryId id, bool by_weight) {
  if (!by_weight) return state.entry(id).standing.confirmed ? 0 : 1;
  return state.averaged(id) ? state.weight(id) : 0;
}

// The entry at which the shares, added up, first exceed `fraction` / 2^48 of their total.
std::optional<EntryId> pick(const State& state, UserId auditor, const std::set<EntryId>& found_true,
                            bool by_weight, uint64_t fraction) {
  Wide total = 0;  // below 2^32 entries * 2^40
  std::vector<std::pair<EntryId, Wide>> running;
  for (EntryId id = 1; id <= state.entries().size(); ++id) {
    if (!probable(state, id, auditor) || found_true.contains(id)) continue;
    total += share(state, id, by_weight);
    running.emplace_back(id, total);
  }
  const Wide point = total * fraction >> 48;
  for (const auto& [id, sum] : running) {
    if (sum > point) return id;
  }
  return std::nullopt;
}

}  // namespace

// The highest bit chooses the half, the 48 below it the place.
std::optional<EntryId> pick_probe(const State& state, uint64_t random, UserId auditor,
                                  const std::set<EntryId>& found_true) {
  const uint64_t fraction = random << 1 >> 16;
  const bool by_weight = random >> 63 != 0;
  const auto drawn = pick(state, auditor, found_true, by_weight, fraction);
  return drawn ? drawn : pick(state, auditor, found_true, !by_weight, fraction);
}

}  // namespace cairn::trust
