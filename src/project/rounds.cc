#include "project/rounds.h"

#include <algorithm>

#include "average/average.h"
#include "project/contribution.h"
#include "project/draft.h"

namespace cairn::project {
namespace {

// What an open round turns into: the statements that close it and open the next.
class Closing {
 public:
  Closing(const SigningKey& coordinator, Draft draft) : coordinator_(coordinator), draft_(std::move(draft)) {}

  // An opening that the rules no longer take (its author's key was retired, say) lapses and holds nobody up.
  void add_openings(const Leases& leases) {
    std::vector<trust::EntryId> now = state().waiting(), later;
    const auto carried = std::ranges::stable_partition(
        now, [&](trust::EntryId id) { return !awaits_duplicate(state(), leases, id); });
    if (carried.begin() != now.begin()) {  // a round that opens nothing helps nobody
      later.assign(carried.begin(), carried.end());
      now.erase(carried.begin(), carried.end());
    }
    for (const trust::EntryId id : now)
      ++(draft_.add_opening(opening_of(id)) ? closed_.openings : closed_.lapsed);
    std::set<std::string> waiting;
    for (const trust::EntryId id : later) waiting.insert(opening_of(id));
    draft_.forget_entries(waiting);
    closed_.carried = static_cast<uint32_t>(later.size());
  }

  // Duplicates that differ: one of them is false, and the judges say which.
  Status add_mismatches() {
    for (const ledger::MismatchFound& found : state().mismatches(*state().open_round())) {
      CAIRN_CHECK(draft_.say(coordinator_, found));
      ++closed_.mismatches;
    }
    return {};
  }

  Status close(int64_t now) {
    const auto reason = state().close_reason(std::max(now, state().time()));
    if (!reason) {
      return Error{"round " + std::to_string(*state().open_round()) +
                   ": the policy's number of units or its time has to be reached before it closes"};
    }
    closed_.round = *state().open_round();
    closed_.next = closed_.round + 1;
    return draft_.say(coordinator_, ledger::RoundClosed{closed_.round, *reason, closed_.openings,
                                                        state().floor_at_close()});
  }

  Status open_next(const average::Snapshot& snapshot) {
    closed_.snapshot = average::parameters_digest(snapshot);
    draft_.add_blob(average::encode_parameters(snapshot));
    return draft_.say(coordinator_,
                      ledger::RoundOpened{closed_.next, closed_.snapshot, average::grid_digest(snapshot)});
  }

  const trust::State& state() const { return draft_.state(); }
  const ClosedRound& result() const { return closed_; }
  Project::Change take() { return draft_.take(); }

 private:
  std::string opening_of(trust::EntryId id) const { return entry_opening(state().entry(id).seal); }

  const SigningKey& coordinator_;
  Draft draft_;
  ClosedRound closed_;
};

}  // namespace

Result<average::Snapshot> starting_snapshot(const Project& project) {
  const uint64_t size = average::parameters_size(model::parameter_count(project.graph()));
  CAIRN_TRY(const Bytes bytes, project.blobs().get(project.genesis().parameters, size));
  CAIRN_TRY(const std::vector<float> parameters, average::decode_parameters(bytes));
  return average::starting_snapshot(parameters);
}

Result<ClosedRound> close_round(Project& project, const SigningKey& coordinator) {
  ClosedRound closed;
  CAIRN_CHECK(project.commit([&]() -> Result<Project::Change> {
    if (!project.state().open_round()) return Error{project.directory().string() + ": no round is open"};
    CAIRN_TRY(Draft draft, Draft::begin(project));
    Closing closing(coordinator, std::move(draft));
    CAIRN_TRY(const Leases leases, leases_of(project, project.environment().now()));
    closing.add_openings(leases);
    CAIRN_CHECK(closing.add_mismatches());
    CAIRN_CHECK(closing.close(project.environment().now()));
    CAIRN_TRY(const average::Snapshot start, starting_snapshot(project));
    CAIRN_TRY(const average::Snapshot snapshot,
              average::average(closing.state(), start, average::BlobGradients(project.blobs())));
    CAIRN_CHECK(closing.open_next(snapshot));
    closed = closing.result();
    return closing.take();
  }));
  return closed;
}

}  // namespace cairn::project
