#include "project/rounds.h"

#include <algorithm>
#include <set>

#include "average/average.h"
#include "project/contribution.h"
#include "project/draft.h"

namespace cairn::project {
namespace {

std::string opening_of(const trust::State& state, trust::EntryId id) {
  return entry_opening(state.entry(id).seal);
}

// The entries to open now. What awaits a duplicate comes later, unless nothing else is there to open: a round
// without entries helps nobody.
std::vector<trust::EntryId> entries_to_open(const trust::State& state, const Leases& leases) {
  const std::vector<trust::EntryId> waiting = state.waiting();
  std::vector<trust::EntryId> now;
  std::ranges::copy_if(waiting, std::back_inserter(now),
                       [&](trust::EntryId id) { return !awaits_duplicate(state, leases, id); });
  return now.empty() ? waiting : now;
}

// An opening that the rules no longer take (its author's key was retired, say) lapses and holds nobody up.
void add_openings(Draft& draft, const Leases& leases, ClosedRound& closed) {
  const std::vector<trust::EntryId> now = entries_to_open(draft.state(), leases);
  std::set<std::string> later;
  for (const trust::EntryId id : draft.state().waiting()) {
    if (!std::ranges::binary_search(now, id)) later.insert(opening_of(draft.state(), id));
  }
  closed.carried = static_cast<uint32_t>(later.size());
  for (const trust::EntryId id : now)
    ++(draft.add_opening(opening_of(draft.state(), id)) ? closed.openings : closed.lapsed);
  draft.forget_entries(later);
}

// Duplicates that differ: one of them is false, and the judges say which.
Result<uint32_t> add_mismatches(Draft& draft, const SigningKey& coordinator) {
  const auto found = draft.state().mismatches(draft.state().next_round() - 1);
  for (const ledger::MismatchFound& mismatch : found) CAIRN_CHECK(draft.say(coordinator, mismatch));
  return static_cast<uint32_t>(found.size());
}

Status add_close(Draft& draft, const SigningKey& coordinator, int64_t now, const ClosedRound& closed) {
  const trust::State& state = draft.state();
  const auto reason = state.close_reason(std::max(now, state.time()));
  if (!reason) {
    return Error{"round " + std::to_string(closed.round) +
                 ": the policy's number of units or its time has to be reached before it closes"};
  }
  return draft.say(coordinator,
                   ledger::RoundClosed{closed.round, *reason, closed.openings, state.floor_at_close()});
}

}  // namespace

Result<average::Snapshot> starting_snapshot(const Project& project) {
  return starting_snapshot(project.blobs(), project.genesis().parameters,
                           model::parameter_count(project.graph()));
}

Result<average::Snapshot> starting_snapshot(const BlobSource& blobs, const Digest& parameters,
                                            uint64_t parameter_count) {
  CAIRN_TRY(const Bytes bytes, blobs.get(parameters, average::parameters_size(parameter_count)));
  CAIRN_TRY(const std::vector<float> values, average::decode_parameters(bytes));
  return average::starting_snapshot(values);
}

Average average_of(const Project& project) {
  return [&project](const trust::State& state) -> Result<average::Snapshot> {
    CAIRN_TRY(const average::Snapshot start, starting_snapshot(project));
    return average::average(state, start, average::BlobGradients(project.gradients()));
  };
}

Result<ClosedRound> close_round(Project& project, const SigningKey& coordinator) {
  ClosedRound closed;
  CAIRN_CHECK(project.commit([&]() -> Result<Project::Change> {
    const auto round = project.state().open_round();
    if (!round) return Error{project.directory().string() + ": no round is open"};
    closed = {.round = *round};
    const int64_t now = project.environment().now();
    CAIRN_TRY(const Leases leases, leases_of(project, now));
    CAIRN_TRY(Draft draft, Draft::begin(project));
    add_openings(draft, leases, closed);
    CAIRN_TRY(closed.mismatches, add_mismatches(draft, coordinator));
    CAIRN_CHECK(add_close(draft, coordinator, now, closed));
    return draft.take();
  }));
  return closed;
}

Result<OpenedRound> open_round(Project& project, const SigningKey& coordinator, const Average& average) {
  OpenedRound opened;
  CAIRN_CHECK(project.commit([&]() -> Result<Project::Change> {
    if (const auto open = project.state().open_round())
      return Error{project.directory().string() + ": round " + std::to_string(*open) + " is open"};
    CAIRN_TRY(Draft draft, Draft::begin(project));
    CAIRN_CHECK(add_mismatches(draft, coordinator));  // of before a verdict that was voided since
    CAIRN_TRY(const average::Snapshot snapshot, average(draft.state()));
    const std::vector<float> parameters = average::parameters(snapshot);
    opened = {draft.state().next_round(), average::parameters_digest(parameters)};
    // On disk before the event that names it; without that event it is a file that nobody asks for.
    CAIRN_CHECK(project.snapshots().put(opened.snapshot, parameters, draft.state().rounds().back().snapshot));
    CAIRN_CHECK(draft.say(
        coordinator, ledger::RoundOpened{opened.round, opened.snapshot, average::grid_digest(snapshot)}));
    return draft.take();
  }));
  return opened;
}

}  // namespace cairn::project
