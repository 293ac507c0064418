#include "role/views.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/json.h"
#include "exact/backend.h"
#include "project/training_log.h"

namespace cairn::role {
namespace {

using project::Project;
using trust::Entry;

struct Standing {
  trust::UserId user = 0;
  trust::Reputation reputation = 0;
  uint64_t accepted = 0, revoked = 0;
  double share = 0;  // of the weights of all averaged entries
};

std::vector<Standing> standings(const Project& project) {
  const trust::State& state = project.state();
  std::vector<Standing> list(state.users().size());
  double total = 0;
  for (trust::EntryId id = 1; state.has_entry(id); ++id) {
    const Entry& entry = state.entry(id);
    Standing& author = list[entry.user - 1];
    author.accepted += entry.standing.status == Entry::Status::opened;
    author.revoked += entry.standing.status == Entry::Status::revoked;
    if (!state.averaged(id)) continue;
    author.share += static_cast<double>(state.weight(id));
    total += static_cast<double>(state.weight(id));
  }
  for (trust::UserId user = 1; state.has_user(user); ++user) {
    Standing& line = list[user - 1];
    line.user = user;
    line.reputation = state.user(user).standing.reputation;
    if (total > 0) line.share /= total;
  }
  std::ranges::stable_sort(list, std::ranges::greater{}, &Standing::reputation);
  return list;
}

}  // namespace

std::string project_json(const Project& project) {
  const trust::State& state = project.state();
  const auto round = state.open_round();
  Json json = {{"project", project.id().hex()},
               {"name", project.name()},
               {"coordinator", state.coordinator().hex()},
               {"arithmetic_version", exact::kArithmeticVersion},
               {"parameters", model::parameter_count(project.graph())},
               {"unit_images", project.recipe().unit_images()},
               {"training_images", project.data().count(data::Split::train)},
               {"head", {{"size", project.head().size}, {"root", project.head().root.hex()}}},
               {"users", state.users().size()},
               {"paused", state.paused()}};
  json["round"] = round ? Json(*round) : Json(nullptr);
  json["snapshot"] = state.rounds().back().snapshot.hex();
  return json.dump() + "\n";
}

std::string leaderboard_json(const Project& project) {
  Json lines = Json::array();
  for (const Standing& line : standings(project)) {
    lines.push_back({{"rank", lines.size() + 1},
                     {"userid", line.user},
                     {"name", project.user_name(line.user)},
                     {"reputation", trust::to_decimal(line.reputation)},
                     {"accepted", line.accepted},
                     {"revoked", line.revoked},
                     {"weight", fmt::format("{:.4f}", line.share)}});
  }
  return lines.dump() + "\n";
}

Result<std::string> training_log_json(const Project& project, trust::EntryId from, uint32_t count) {
  Json lines = Json::array();
  for (const trust::LiveEntry& entry : project.state().live_entries()) {
    if (entry.id < from) continue;
    if (lines.size() >= count) break;
    CAIRN_TRY(const project::LogLine line, project::log_line(project, entry, false));
    lines.push_back({{"entry", entry.id},
                     {"image", line.images},
                     {"gradient", entry.gradient.hex()},
                     {"userid", entry.user},
                     {"reputation", line.reputation}});
  }
  return lines.dump() + "\n";
}

}  // namespace cairn::role
