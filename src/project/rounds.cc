#include "project/rounds.h"

#include "average/average.h"

namespace cairn::project {
namespace {

using ledger::Statement;

// What an open round turns into: the statements that close it and open the next.
class Closing {
 public:
  Closing(Project& project, const SigningKey& coordinator)
      : project_(project), coordinator_(coordinator), state_(project.state()) {}

  // Adds a statement if the rules take it after those before it.
  Status add(Statement statement) {
    CAIRN_CHECK(project_.check_statement(statement));
    CAIRN_CHECK(state_.apply({state_.time(), statement}));
    change_.statements.push_back(std::move(statement));
    return {};
  }

  // An opening that the rules no longer take (its author's key was retired, say) lapses and holds nobody up.
  Status add_openings() {
    CAIRN_TRY(const std::vector<ledger::Item> staged, project_.store().staged());
    for (const ledger::Item& item : staged) {
      change_.unstaged.push_back(item.key);
      openings_.emplace(item.key, item.bytes);
    }
    for (const trust::EntryId id : state_.rounds().back().entries) {
      const auto opening = openings_.find(state_.entry(id).seal.hex());
      const bool opened = opening != openings_.end() && add_opening(opening->second);
      ++(opened ? closed_.openings : closed_.lapsed);
    }
    return {};
  }

  // Duplicates that differ: one of them is false, and the judges say which.
  Status add_mismatches() {
    for (const ledger::MismatchFound& found : state_.mismatches(*state_.open_round())) {
      CAIRN_CHECK(add(project_.sign(coordinator_, found)));
      ++closed_.mismatches;
    }
    return {};
  }

  Status close() {
    closed_.round = *state_.open_round();
    closed_.next = closed_.round + 1;
    return add(project_.sign(coordinator_, ledger::RoundClosed{closed_.round, ledger::CloseReason::maintainer,
                                                               closed_.openings, state_.floor_at_close()}));
  }

  Status open_next(const average::Snapshot& snapshot) {
    closed_.snapshot = average::parameters_digest(snapshot);
    change_.blobs.push_back(average::encode_parameters(snapshot));
    return add(project_.sign(
        coordinator_, ledger::RoundOpened{closed_.next, closed_.snapshot, average::grid_digest(snapshot)}));
  }

  const trust::State& state() const { return state_; }
  const ClosedRound& result() const { return closed_; }
  Project::Change take() { return std::move(change_); }

 private:
  bool add_opening(BytesView bytes) {
    auto statement = ledger::decode_statement(bytes);
    return statement.ok() && add(*std::move(statement)).ok();
  }

  Project& project_;
  const SigningKey& coordinator_;
  trust::State state_;
  std::map<std::string, Bytes> openings_;
  Project::Change change_;
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
    Closing closing(project, coordinator);
    CAIRN_CHECK(closing.add_openings());
    CAIRN_CHECK(closing.add_mismatches());
    CAIRN_CHECK(closing.close());
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
