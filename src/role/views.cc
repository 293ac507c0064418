#include "role/views.h"

#include <fmt/format.h>

#include "base/json.h"
#include "exact/backend.h"
#include "project/training_log.h"
#include "trust/leaderboard.h"

namespace cairn::role {
namespace {

using project::Project;

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
               {"join_work", state.policy().join_work},
               {"head", {{"size", project.head().size}, {"root", project.head().root.hex()}}},
               {"users", state.users().size()},
               {"paused", state.paused()}};
  // Bytes, for who would like to know before joining.
  const auto& memory = project.memory_need();
  json["memory"] = memory ? Json{{"least", memory->least}, {"roomy", memory->roomy}} : Json(nullptr);
  json["round"] = round ? Json(*round) : Json(nullptr);
  json["snapshot"] = state.rounds().back().snapshot.hex();
  return json.dump() + "\n";
}

std::string leaderboard_json(const Project& project) {
  Json lines = Json::array();
  for (const trust::Place& line : trust::leaderboard(project.state())) {
    lines.push_back({{"rank", line.rank},
                     {"userid", line.user},
                     {"name", project.user_name(line.user)},
                     {"reputation", trust::to_decimal(line.reputation)},
                     {"accepted", line.accepted},
                     {"revoked", line.revoked},
                     {"weight", fmt::format("{:.4f}", line.weight_ppm / 1e6)}});
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
