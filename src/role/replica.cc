#include "role/replica.h"

#include <algorithm>

#include "ledger/checkpoint.h"
#include "project/copy.h"

namespace cairn::role {
namespace {

using net::Failure;
using net::Outcome;
using project::Project;

// A tile that cannot be had is a failure of the network, and must not look like a broken rule.
class Tiles {
 public:
  explicit Tiles(Remote& remote) : remote_(remote) {}

  ledger::FetchTile fetch() {
    return [this](const ledger::TileId& tile) -> Result<Bytes> {
      auto bytes = remote_.tile(tile);
      if (bytes) return *std::move(bytes);
      if (bytes.error().status != 404) failure_ = bytes.error();
      return Error{bytes.error().message};
    };
  }
  Failure told(const Error& error) const {
    return failure_ ? *failure_ : Failure(Failure::Kind::invalid, error.message);
  }

 private:
  Remote& remote_;
  std::optional<Failure> failure_;
};

Failure broken_rule(const std::string& what) {
  return {Failure::Kind::invalid, "the coordinator: " + what};
}

// The first event, which names the coordinator's key: proved to be in the log that this key vouches for.
Outcome<ledger::Event> first_event(Remote& remote, const Digest& project) {
  CAIRN_TRY(const PublicKey coordinator, remote.coordinator());
  CAIRN_TRY(const std::string note, remote.checkpoint());
  CAIRN_TRY(const ledger::Checkpoint checkpoint,
            ledger::open_checkpoint(note, ledger::log_key(project, coordinator)));
  Tiles tiles(remote);
  ledger::TileReader reader(checkpoint.head, tiles.fetch());
  const auto bytes = reader.event(0);
  if (!bytes) return tiles.told(bytes.error());
  CAIRN_TRY(ledger::Event event, ledger::decode_event(*bytes));
  if (ledger::statement_digest(event.statement) != project) {
    return broken_rule("the log begins with another project than the one that it says it hosts");
  }
  return event;
}

}  // namespace

Result<std::unique_ptr<Replica>> Replica::open(Remote& remote, const std::filesystem::path& cache,
                                               Environment& environment) {
  CAIRN_TRY(const Digest project, remote.project());
  return open_at(remote, cache / project.hex(), environment);
}

Result<std::unique_ptr<Replica>> Replica::open_at(Remote& remote, const std::filesystem::path& directory,
                                                  Environment& environment) {
  CAIRN_TRY(const Digest id, remote.project());
  CAIRN_CHECK(project::begin_copy(directory, [&]() -> Result<ledger::Event> {
    CAIRN_TRY(ledger::Event genesis, first_event(remote, id));
    return genesis;
  }));
  CAIRN_TRY(Project project,
            Project::open(directory, environment,
                          {&remote.blobs(), &remote.shards(), &remote.gradients(), &remote.snapshots()}));
  if (project.id() != id) {
    return Error{directory.string() + ": is a copy of another project than " + remote.url() + " hosts"};
  }
  std::unique_ptr<Replica> replica(new Replica(remote, std::move(project)));
  if (auto synced = replica->sync(); !synced) return synced.error();
  return replica;
}

Outcome<void> Replica::sync(const Progress& progress) {
  // Before the checkpoint is asked for: it has to keep what was promised by now.
  CAIRN_TRY(const auto promised, witness_.promised());
  CAIRN_TRY(const std::string note, remote_.checkpoint());
  CAIRN_TRY(const ledger::LogHead head, witness_.signed_head(note));
  CAIRN_CHECK(check_continues(head, note));
  CAIRN_CHECK(witness_.remember(note));
  if (head.size > project_.head().size) CAIRN_CHECK(take_events(head, progress));
  CAIRN_CHECK(witness_.check(promised));
  return {};
}

Outcome<void> Replica::check_continues(const ledger::LogHead& head, const std::string& note) {
  const ledger::LogHead seen = witness_.seen();
  if (head == seen) return {};
  Tiles tiles(remote_);
  ledger::TileReader theirs(head, tiles.fetch());
  if (head.size == seen.size)
    return witness_.other_history("is another one of the same length than before", theirs, note);
  if (head.size < seen.size) {
    const auto beginning = project_.store().head_at(std::min(head.size, project_.head().size));
    if (!beginning || *beginning == head || head.size > beginning->size) return witness_.dropped(head.size);
    return witness_.other_history("is another and a shorter one than before", theirs, note);
  }
  if (const auto proof = theirs.consistency_proof(seen); !proof) {
    const Failure failure = tiles.told(proof.error());
    if (failure.kind != Failure::Kind::invalid) return failure;
    return witness_.other_history(
        "does not continue the one of " + std::to_string(seen.size) + " events that it showed before", theirs,
        note);
  }
  return {};
}

Outcome<void> Replica::take_events(const ledger::LogHead& head, const Progress& progress) {
  Tiles tiles(remote_);
  ledger::TileReader reader(head, tiles.fetch());
  while (project_.head().size < head.size) {
    const uint64_t first = project_.head().size;
    const auto encoded = reader.events_from(first);
    if (!encoded) return tiles.told(encoded.error());
    std::vector<ledger::Event> events;
    for (const Bytes& bytes : *encoded) {
      auto event = ledger::decode_event(bytes);
      if (!event)
        return broken_rule(event.error().within("event " + std::to_string(first + events.size())).message);
      events.push_back(*std::move(event));
    }
    if (Status status = project_.follow(first, events); !status) return broken_rule(status.error().message);
    if (!report(progress, project_.head().size, head.size))
      return Failure(Failure::Kind::cancelled, "interrupted");
  }
  return {};
}

}  // namespace cairn::role
