#include "project/retention.h"

#include <algorithm>
#include <chrono>
#include <functional>

namespace cairn::project {
namespace {

using trust::Entry;
using trust::EntryId;

bool dropped(const Entry& entry) {
  return entry.dropped;
}

// The gradients of the entries that `leave`, unless one that stays or anything else has the same file.
std::set<Digest> files_of(const trust::State& state, const std::function<bool(const Entry&)>& leave) {
  std::set<Digest> files;
  for (const Entry& entry : state.entries()) {
    if (entry.gradient && leave(entry)) files.insert(*entry.gradient);
  }
  if (files.empty()) return files;
  for (const Entry& entry : state.entries()) {
    if (entry.gradient && !leave(entry)) files.erase(*entry.gradient);
  }
  const ledger::Genesis& genesis = state.genesis();
  for (const Digest& digest :
       {genesis.name, genesis.model, genesis.manifest, genesis.recipe, genesis.parameters})
    files.erase(digest);
  for (const trust::RoundRecord& round : state.rounds()) files.erase(round.snapshot);
  std::erase_if(files, [&](const Digest& digest) { return state.name_taken(digest); });
  return files;
}

// Entries of the open round are left alone: a file of theirs may be that of one that is still sealed.
bool may_be_dropped(const trust::State& state, EntryId id, int64_t now) {
  const Entry& entry = state.entry(id);
  if (!entry.gradient || entry.dropped || state.open_round() == entry.round) return false;
  const auto ended = state.ended(id);
  return ended && now - *ended >= trust::kAppealWindow;
}

constexpr std::chrono::hours kLeftOver{24};  // nothing is averaged for so long

// Somebody may have to recompute its entry.
bool disputed(const trust::Claim& claim, int64_t now) {
  if (claim.standing.status == trust::Claim::Status::open) return true;
  return claim.verdict && !claim.verdict->voided && now - claim.verdict->time < trust::kAppealWindow;
}

std::set<trust::Round> disputed_rounds(const trust::State& state, int64_t now) {
  std::set<trust::Round> rounds;
  for (const trust::Claim& claim : state.claims()) {
    if (disputed(claim, now)) rounds.insert(state.entry(claim.entry).round);
  }
  return rounds;
}

// Some entry computed from it counts in a round that has not settled.
bool has_unsettled_entries(const trust::State& state, const trust::RoundRecord& round) {
  return std::ranges::any_of(round.units, [&](const auto& unit) {
    return std::ranges::any_of(unit.second, [&](EntryId id) {
      const Entry& entry = state.entry(id);
      return entry.opened_in && !state.settled(*entry.opened_in);
    });
  });
}

bool within_horizon(const trust::State& state, trust::Round round) {
  const bool open = state.open_round() && state.current(round);
  return round + 1 == state.next_round() || open || !state.settled(round) ||
         has_unsettled_entries(state, state.rounds()[round]);
}

// Digests of the models that are kept, with all that they are laid upon.
std::set<Digest> kept_snapshots(const Project& project, int64_t now) {
  const trust::State& state = project.state();
  const std::set<trust::Round> disputes = disputed_rounds(state, now);
  std::set<Digest> kept = {project.genesis().parameters};
  for (trust::Round round = 0; round < state.next_round(); ++round) {
    if (!within_horizon(state, round) && !disputes.contains(round)) continue;
    std::optional<Digest> next = state.rounds()[round].snapshot;
    while (next && kept.insert(*next).second) next = project.snapshots().base(*next);
  }
  return kept;
}

// Of a file "ab/cdef…" below snapshots/; a download or a write that was broken off has another name.
std::optional<Digest> snapshot_of(const std::filesystem::path& file) {
  const auto digest = Digest::from_hex(file.parent_path().filename().string() + file.filename().string());
  return digest ? std::optional(*digest) : std::nullopt;
}

bool left_over(const std::filesystem::path& file) {
  std::error_code gone;
  const auto written = std::filesystem::last_write_time(file, gone);
  return !gone && written < std::filesystem::file_time_type::clock::now() - kLeftOver;
}

}  // namespace

std::set<Digest> withdrawn_files(const trust::State& state) {
  return files_of(state, gone);
}

std::set<Digest> droppable_gradients(const trust::State& state, int64_t now) {
  const auto due = [&](const Entry& entry) {
    const auto id = static_cast<EntryId>(&entry - state.entries().data() + 1);
    return entry.dropped || may_be_dropped(state, id, now);
  };
  return files_of(state, due);
}

bool keeps_snapshot(const trust::State& state, trust::Round round, int64_t now) {
  return within_horizon(state, round) || disputed_rounds(state, now).contains(round);
}

std::vector<std::filesystem::path> droppable_snapshots(const Project& project, int64_t now) {
  const std::set<Digest> kept = kept_snapshots(project, now);
  std::set<Digest> known;
  for (const trust::RoundRecord& round : project.state().rounds()) known.insert(round.snapshot);
  std::vector<std::filesystem::path> files;
  std::error_code error;
  const std::filesystem::path folder = project.directory() / "snapshots";
  for (std::filesystem::recursive_directory_iterator it(folder, error), end; !error && it != end;
       it.increment(error)) {
    std::error_code gone;
    if (!it->is_regular_file(gone)) continue;
    const auto digest = snapshot_of(it->path());
    if (digest && kept.contains(*digest)) continue;
    const bool of_a_round = digest && known.contains(*digest);
    if (of_a_round || left_over(it->path())) files.push_back(it->path());
  }
  return files;
}

Result<uint64_t> drop_snapshots(const Project& project, int64_t now) {
  uint64_t dropped = 0;
  for (const std::filesystem::path& file : droppable_snapshots(project, now)) {
    std::error_code error;
    dropped += std::filesystem::remove(file, error) ? 1 : 0;
    if (error) return Error{file.string() + ": cannot be removed: " + error.message()};
  }
  return dropped;
}

Result<uint32_t> drop_blobs(Project& project, const SigningKey& coordinator, int64_t now) {
  const trust::State& state = project.state();
  std::vector<EntryId> due;
  for (EntryId id = 1; state.has_entry(id) && due.size() < kDropsAtOnce && !state.paused(); ++id) {
    if (may_be_dropped(state, id, now)) due.push_back(id);
  }
  if (!due.empty()) {
    CAIRN_CHECK(project.commit([&]() -> Result<Project::Change> {
      Project::Change change;
      for (const EntryId id : due)
        change.statements.push_back(project.sign(coordinator, ledger::BlobsDropped{id}));
      change.signatures_checked = true;
      return change;
    }));
  }
  // What the log does not say yet must not be gone; what it says is dropped may be left from before a crash.
  for (const Digest& file : files_of(project.state(), dropped)) CAIRN_CHECK(project.gradients().remove(file));
  return static_cast<uint32_t>(due.size());
}

}  // namespace cairn::project
