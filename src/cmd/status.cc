#include <fmt/format.h>

#include <algorithm>

#include "cmd/command.h"
#include "project/disk_use.h"
#include "role/disk_limit.h"

namespace cairn::cmd {
namespace {

using trust::Claim;
using trust::Entry;

struct UserLine {
  trust::UserId id;
  std::string name;
  trust::Reputation reputation;
  uint64_t live = 0, revoked = 0;
  bool banned = false;
};

std::vector<UserLine> leaderboard(const project::Project& project) {
  std::vector<UserLine> lines;
  const trust::State& state = project.state();
  for (trust::UserId id = 1; state.has_user(id); ++id) {
    const trust::User& user = state.user(id);
    UserLine line{id, project.user_name(id), user.standing.reputation, 0, 0, user.standing.banned};
    for (const trust::EntryId entry : user.entries) {
      line.live += state.live(entry);
      line.revoked += state.entry(entry).standing.status == Entry::Status::revoked;
    }
    lines.push_back(std::move(line));
  }
  std::ranges::stable_sort(lines, std::ranges::greater{}, &UserLine::reputation);
  return lines;
}

uint64_t claims_with(const trust::State& state, Claim::Status status) {
  return static_cast<uint64_t>(
      std::ranges::count(state.claims(), status, [](const Claim& claim) { return claim.standing.status; }));
}

uint64_t live_entries(const trust::State& state) {
  uint64_t live = 0;
  for (trust::EntryId id = 1; state.has_entry(id); ++id) live += state.live(id);
  return live;
}

uint64_t entries_with(const trust::State& state, Entry::Status status) {
  return static_cast<uint64_t>(
      std::ranges::count(state.entries(), status, [](const Entry& entry) { return entry.standing.status; }));
}

Json to_json(const project::Project& project) {
  const trust::State& state = project.state();
  Json json = {{"project", project.id().hex()},
               {"round", state.rounds().size() - 1},
               {"paused", state.paused()},
               {"model_digest", state.rounds().back().snapshot.hex()},
               {"events", project.events().size()},
               {"memory", memory_json(project)},
               {"log_root", project.head().root.hex()},
               {"entries",
                {{"live", live_entries(state)},
                 {"sealed", entries_with(state, Entry::Status::sealed)},
                 {"revoked", entries_with(state, Entry::Status::revoked)}}},
               {"claims",
                {{"open", claims_with(state, Claim::Status::open)},
                 {"upheld", claims_with(state, Claim::Status::upheld)},
                 {"rejected", claims_with(state, Claim::Status::rejected)},
                 {"voided", claims_with(state, Claim::Status::voided)}}}};
  for (const UserLine& line : leaderboard(project)) {
    json["users"].push_back({{"userid", line.id},
                             {"name", line.name},
                             {"reputation", number(line.reputation)},
                             {"entries", line.live},
                             {"revoked_entries", line.revoked},
                             {"banned", line.banned}});
  }
  const project::DiskUse disk = project::disk_use(project, project.environment().now());
  json["disk"] = {{"log", disk.log},       {"snapshots", disk.snapshots}, {"gradients", disk.gradients},
                  {"blobs", disk.blobs},   {"shards", disk.shards},       {"other", disk.other},
                  {"total", disk.total()}, {"droppable", disk.droppable}, {"withdrawn", disk.withdrawn}};
  json["coordinator"] = state.coordinator().hex();
  for (const PublicKey& judge : state.judges()) json["judges"].push_back(judge.hex());
  return json;
}

std::string disk_line(const project::DiskUse& disk) {
  using role::size_text;
  std::string text =
      fmt::format("disk: {}: log {}, models {}, gradients {}, data {}, the rest {}\n",
                  size_text(disk.total()), size_text(disk.log), size_text(disk.snapshots),
                  size_text(disk.gradients), size_text(disk.shards), size_text(disk.blobs + disk.other));
  if (disk.droppable > 0)
    text += fmt::format("      {} of it go when the host next drops what nobody needs\n",
                        size_text(disk.droppable));
  if (disk.withdrawn > 0)
    text += fmt::format("      {} of revoked entries are kept for appeals, for 30 days\n",
                        size_text(disk.withdrawn));
  return text;
}

std::string to_text(const project::Project& project) {
  const trust::State& state = project.state();
  std::string text = fmt::format(
      "project {}\nround {} is open, with model {}\n{} live, {} sealed, {} revoked; claims: {} open, {} "
      "upheld, {} rejected\n"
      "log: {}, root {}\n",
      project.id().hex().substr(0, 16), state.rounds().size() - 1,
      state.rounds().back().snapshot.hex().substr(0, 16), plural(live_entries(state), "entry", "entries"),
      entries_with(state, Entry::Status::sealed), entries_with(state, Entry::Status::revoked),
      claims_with(state, Claim::Status::open), claims_with(state, Claim::Status::upheld),
      claims_with(state, Claim::Status::rejected), plural(project.events().size(), "event", "events"),
      project.head().root.hex().substr(0, 16));
  text += disk_line(project::disk_use(project, project.environment().now()));
  text += memory_text(project);
  if (state.paused()) text += "paused by the root: takes nothing until resumed\n";
  const auto lines = leaderboard(project);
  if (!lines.empty())
    text += fmt::format("\n{:>6}  {:<20} {:>12} {:>8} {:>8}\n", "userid", "name", "reputation", "entries",
                        "revoked");
  for (const UserLine& line : lines) {
    text += fmt::format("{:>6}  {:<20} {:>12} {:>8} {:>8}{}\n", line.id, printable(line.name),
                        trust::to_decimal(line.reputation), line.live, line.revoked,
                        line.banned ? "  banned" : "");
  }
  return text;
}

Result<int> run(const Shared& shared, const std::filesystem::path& directory) {
  CAIRN_TRY(const auto project, project::Project::open(directory, system_environment()));
  print(shared, to_json(project), to_text(project));
  return kDone;
}

}  // namespace

void add_status(Command app, const Shared& shared) {
  Command command =
      add_command(app, "status", "Round, entries, claims and the leaderboard", "cairn status study");
  auto directory = std::make_shared<std::filesystem::path>();
  command.add_option("DIR", *directory, "The project").required();
  set_action(command, [&shared, directory] { return run(shared, *directory); });
}

}  // namespace cairn::cmd
