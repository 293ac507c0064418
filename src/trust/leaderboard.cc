#include "trust/leaderboard.h"

#include <algorithm>

namespace cairn::trust {
namespace {

__extension__ typedef unsigned __int128 Wide;

}  // namespace

std::vector<Place> leaderboard(const State& state) {
  std::vector<Place> places(state.users().size());
  std::vector<Wide> weights(places.size());  // below 2^32 entries * 2^40
  Wide total = 0;
  for (EntryId id = 1; state.has_entry(id); ++id) {
    const Entry& entry = state.entry(id);
    places[entry.user - 1].accepted += entry.standing.status == Entry::Status::opened;
    places[entry.user - 1].revoked += entry.standing.status == Entry::Status::revoked;
    if (!state.averaged(id)) continue;
    weights[entry.user - 1] += state.weight(id);
    total += state.weight(id);
  }
  for (UserId user = 1; state.has_user(user); ++user) {
    Place& place = places[user - 1];
    place.user = user;
    place.reputation = state.user(user).standing.reputation;
    if (total > 0) place.weight_ppm = static_cast<uint32_t>(weights[user - 1] * 1'000'000 / total);
  }
  std::ranges::stable_sort(places, std::ranges::greater{}, &Place::reputation);
  for (size_t i = 0; i < places.size(); ++i) places[i].rank = static_cast<uint32_t>(i + 1);
  return places;
}

}  // namespace cairn::trust
