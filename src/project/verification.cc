#include "project/verification.h"

#include <algorithm>
#include <set>

#include "average/average.h"
#include "project/retention.h"
#include "project/rounds.h"
#include "work/gradient_file.h"

namespace cairn::project {
namespace {

// Follows the log event by event with a state of its own.
class Verifier {
 public:
  Verifier(const Project& project, average::Snapshot start)
      : project_(project), gradients_(project.gradients()), average_(std::move(start)) {}

  Status check(uint64_t index, const ledger::Event& event) {
    if (Status status = check_event(event); !status) {
      const std::string kind(ledger::kind_name(event.statement.body));
      return status.error().within("event " + std::to_string(index) + " (" + kind + ")");
    }
    ++result_.events;
    return {};
  }

  Verification finish() {
    result_.model = state_.rounds().back().snapshot;
    result_.root = project_.head().root;
    return result_;
  }

 private:
  Status check_event(const ledger::Event& event) {
    const auto& body = event.statement.body;
    CAIRN_CHECK(project_.check_statement(event.statement));
    if (const auto* opened = std::get_if<ledger::RoundOpened>(&body)) CAIRN_CHECK(check_snapshot(*opened));
    CAIRN_CHECK(state_.apply(event));
    if (const auto* opened = std::get_if<ledger::EntryOpened>(&body))
      CAIRN_CHECK(check_file(event.statement.author, *opened));
    if (std::holds_alternative<ledger::VerdictReached>(body)) ++result_.verdicts;
    return {};
  }

  // The model that the round opens with is the average of what the log holds so far.
  Status check_snapshot(const ledger::RoundOpened& opened) {
    if (std::ranges::any_of(gone_, [this](trust::EntryId id) { return state_.averaged(id); })) {
      ++result_.attested;
      return {};
    }
    CAIRN_TRY(const average::Snapshot snapshot, average_.update(state_, gradients_));
    if (average::grid_digest(snapshot) != opened.state) {
      return Error{"state: rebuilding gives " + average::grid_digest(snapshot).hex()};
    }
    if (average::parameters_digest(snapshot) != opened.snapshot) {
      return Error{"snapshot: rebuilding gives " + average::parameters_digest(snapshot).hex()};
    }
    ++result_.snapshots;
    if (!keeps_snapshot(project_.state(), opened.round, project_.environment().now())) return {};
    return check_stored(opened.snapshot, snapshot.grid.size());
  }

  // What contributors fetch is there, and becomes what it should. The round before is kept, so that each file
  // is unpacked once.
  Status check_stored(const Digest& digest, uint64_t count) {
    auto parameters = project_.snapshots().get(digest, count, &stored_);
    if (!parameters) return parameters.error().within("snapshot");
    stored_ = {digest, *std::move(parameters)};
    return {};
  }

  // The file behind an entry is there, whole, and of the round and unit that the entry says.
  Status check_file(const PublicKey& author, const ledger::EntryOpened& opened) {
    const auto user = state_.user_of(author);
    const auto id = user ? state_.sealed_by(*user, opened.seal) : std::nullopt;
    CAIRN_ASSERT(id.has_value());
    const trust::Entry& entry = state_.entry(*id);
    const auto file = gradients_.get(opened.gradient);
    if (!file && may_be_gone(*id)) {
      gone_.insert(*id);
      return {};
    }
    if (!file) return file.error();
    if (file->project != project_.id() || file->round != entry.round || file->unit != entry.unit) {
      return Error{"gradient: the file is of another project, round or unit"};
    }
    ++result_.entries;
    return {};
  }

  // Files of entries that are revoked or suspended by now are no longer served.
  bool may_be_gone(trust::EntryId id) const {
    const auto status = project_.state().entry(id).standing.status;
    return status == trust::Entry::Status::revoked || status == trust::Entry::Status::suspended;
  }

  const Project& project_;
  average::BlobGradients gradients_;
  average::RunningAverage average_;
  trust::State state_;
  SnapshotStore::Known stored_;    // the last one that was looked at
  std::set<trust::EntryId> gone_;  // opened entries without a file
  Verification result_;
};

}  // namespace

Result<Verification> verify(const Project& project, const Progress& progress) {
  CAIRN_TRY(average::Snapshot start, starting_snapshot(project));
  Verifier verifier(project, std::move(start));
  const auto& events = project.events();
  for (uint64_t i = 0; i < events.size(); ++i) {
    CAIRN_CHECK(verifier.check(i, events[i]));
    if (!report(progress, i + 1, events.size())) return Error{"interrupted"};
  }
  return verifier.finish();
}

}  // namespace cairn::project
