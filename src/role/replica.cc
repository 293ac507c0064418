#include "role/replica.h"

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
  CAIRN_TRY(Project project, Project::open(directory, environment, {&remote.blobs(), &remote.shards()}));
  if (project.id() != id) {
    return Error{directory.string() + ": is a copy of another project than " + remote.url() + " hosts"};
  }
  std::unique_ptr<Replica> replica(new Replica(remote, std::move(project)));
  if (auto synced = replica->sync(); !synced) return synced.error();
  return replica;
}

Outcome<void> Replica::sync(const Progress& progress) {
  CAIRN_TRY(const std::string note, remote_.checkpoint());
  const ledger::NoteKey key = ledger::log_key(project_.id(), project_.state().coordinator());
  CAIRN_TRY(const ledger::Checkpoint checkpoint, ledger::open_checkpoint(note, key));
  const ledger::LogHead ours = project_.head();
  if (checkpoint.head.size < ours.size) {
    return broken_rule("its log has " + std::to_string(checkpoint.head.size) + " events where it had " +
                       std::to_string(ours.size) + " before; acknowledged events were dropped");
  }
  if (checkpoint.head.size > ours.size) {
    CAIRN_CHECK(take_events(checkpoint.head, progress));
  } else if (checkpoint.head.root != ours.root) {
    return broken_rule("it shows another history of the same length than before");
  }
  checkpoint_ = note;
  return {};
}

Outcome<void> Replica::take_events(const ledger::LogHead& head, const Progress& progress) {
  Tiles tiles(remote_);
  ledger::TileReader reader(head, tiles.fetch());
  const ledger::LogHead ours = project_.head();
  const auto proof = reader.consistency_proof(ours);
  if (!proof) {
    const Failure failure = tiles.told(proof.error());
    if (failure.kind != Failure::Kind::invalid) return failure;
    return broken_rule("its log does not continue the one of " + std::to_string(ours.size) +
                       " events that it showed before: " + proof.error().message);
  }
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

Status Replica::check_receipt(const ledger::Receipt& receipt) const {
  const uint64_t size = project_.head().size;
  if (receipt.index >= size) return Error{"the log has not reached the receipt's event yet"};
  CAIRN_TRY(const std::vector<Digest> proof, project_.store().inclusion_proof(receipt.index, size));
  return ledger::receipt_honoured(receipt, project_.head(), proof);
}

}  // namespace cairn::role
