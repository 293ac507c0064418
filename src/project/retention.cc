#include "project/retention.h"

#include <algorithm>
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

}  // namespace

std::set<Digest> withdrawn_files(const trust::State& state) {
  return files_of(state, gone);
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
