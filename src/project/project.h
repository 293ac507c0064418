// A project directory: what is hosted, copied, mirrored and forked. No private key lies in it.
//
//   ledger.sqlite   the log of signed events
//   blobs/          model, recipe, manifest and parameters of the genesis by digest
//   gradients/      gradient files, compressed, by the digest of what is inside
//   snapshots/      the parameters of rounds, packed, by the digest of what is inside
//   shards/         the data, compressed, by the digest of what is inside
//   recipe.toml     the recipe as people read it; what counts is the blob that the genesis event names
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <vector>

#include "base/blob_store.h"
#include "base/environment.h"
#include "base/progress.h"
#include "data/dataset.h"
#include "data/shard_store.h"
#include "ledger/keyring.h"
#include "ledger/store.h"
#include "model/memory_need.h"
#include "project/leases.h"
#include "project/names.h"
#include "project/snapshot_store.h"
#include "trust/state.h"
#include "work/gradient_store.h"
#include "work/recipe.h"

namespace cairn::project {

using ledger::KeyRing;

inline constexpr std::string_view kLogFile = "ledger.sqlite";

// Where a copy of a project fetches what it lacks. What is pointed to outlives the project.
struct Origins {
  const BlobOrigin* blobs = nullptr;
  const BlobOrigin* shards = nullptr;     // compressed, as data::ShardStore keeps them
  const BlobOrigin* gradients = nullptr;  // compressed, as work::GradientStore keeps them
  const BlobOrigin* snapshots = nullptr;  // packed, as SnapshotStore keeps them
};

// One thread uses a Project at a time; several processes may use the same directory.
class Project {
 public:
  static Result<Project> open(const std::filesystem::path& directory, Environment& environment,
                              const Origins& origins = {});
  // In project.cc, with all that they move and destroy: compiled once instead of in every file.
  Project(Project&&) noexcept;
  Project& operator=(Project&&) noexcept;
  ~Project();

  const std::filesystem::path& directory() const { return directory_; }
  const Digest& id() const { return state_.project(); }
  const ledger::Genesis& genesis() const { return state_.genesis(); }
  const trust::State& state() const { return state_; }
  const std::vector<ledger::Event>& events() const { return events_; }
  ledger::LogHead head() const { return store_->head(); }
  const work::Recipe& recipe() const { return recipe_; }
  const model::Graph& graph() const { return graph_; }
  // What computing a gradient takes. Found out at the first call, which may take some seconds.
  const Result<model::MemoryNeed>& memory_need() const;
  const data::DataSet& data() const { return *data_; }
  const data::ShardStore& shards() const { return *shards_; }
  Environment& environment() const { return *environment_; }
  ledger::Store& store() { return *store_; }
  const ledger::Store& store() const { return *store_; }
  BlobStore& blobs() { return blobs_; }
  const BlobStore& blobs() const { return blobs_; }
  work::GradientStore& gradients() { return *gradients_; }
  const work::GradientStore& gradients() const { return *gradients_; }
  const SnapshotStore& snapshots() const { return snapshots_; }

  std::string name() const;                         // of the project
  std::string user_name(trust::UserId user) const;  // "user 7" where none was chosen
  std::optional<trust::UserId> user_named(std::string_view name) const;

  const UnitBoard& unit_board();  // of the state
  const work::UnitOrder& unit_order() const { return *unit_order_; }

  // The parameters that a round opened with.
  Result<std::vector<float>> parameters(trust::Round round) const;

  // What a command does to the log, all of it or nothing.
  struct Change {
    std::vector<ledger::Statement> statements = {};
    std::vector<ledger::Item> staged = {};   // put aside until their round closes
    std::vector<std::string> unstaged = {};  // keys
    std::vector<ledger::Item> meta = {};     // values beside the log
    bool signatures_checked = false;         // of all statements, before and perhaps by another thread
    // That the statements speak of; taken by the stores when the change is.
    std::vector<std::shared_ptr<PreparedBlob>> blobs = {};
    std::vector<std::shared_ptr<PreparedBlob>> gradients = {};
    Status add_blob(const BlobStore& store, BytesView bytes);
  };
  // Takes the log's lock, catches up with other processes, and calls `make` with the project as it is then.
  // Checks every statement (project, signature, the log that its author saw, the rules) and writes durably.
  // Returns the index of the first event. On an error nothing has changed.
  Result<uint64_t> commit(const std::function<Result<Change>()>& make);
  // Signs and commits one statement.
  Result<uint64_t> add(const SigningKey& author, ledger::Body body);

  // Several changes under one lock that become durable together (group commit).
  class Batch;
  Result<Batch> begin();

  // Takes over events of the log that this one is a copy of, the first of which has the index `first`, after
  // checking them like its own; durable once it returns. Those that another process took over meanwhile have
  // to be the same. An error names the first event that does not follow, and then none of them is taken.
  Status follow(uint64_t first, std::span<const ledger::Event> events);

  // Whether a statement may enter this log as far as its bytes tell: project, signature, the log that its
  // author saw.
  Status check_statement(const ledger::Statement& statement) const;
  // The same but for its signature, which check_signature() looks at on any thread.
  Status check_place(const ledger::Statement& statement) const;
  // A statement by `key` about the log as it is now.
  ledger::Statement sign(const SigningKey& key, ledger::Body body) const;

 private:
  Project(std::filesystem::path directory, Environment& environment, const Origins& origins);

  Status load();
  Status catch_up();
  Result<std::span<const ledger::Event>> unknown(uint64_t first, std::span<const ledger::Event> events) const;
  Result<std::vector<ledger::Event>> apply(const Change& change);
  Status write(ledger::Transaction& transaction, const Change& change,
               const std::vector<ledger::Event>& events);

  std::filesystem::path directory_;
  Environment* environment_;
  BlobStore blobs_;
  SnapshotStore snapshots_;
  std::unique_ptr<data::ShardStore> shards_;
  const BlobOrigin* gradient_origin_;
  std::unique_ptr<work::GradientStore> gradients_;  // once the recipe is read
  std::unique_ptr<ledger::Store> store_;
  std::vector<ledger::Event> events_;
  trust::State state_;
  std::optional<UnitBoard> unit_board_;  // as of `unit_board_events_` events
  size_t unit_board_events_ = 0;
  work::Recipe recipe_;
  model::Graph graph_;
  mutable std::optional<Result<model::MemoryNeed>> memory_need_;
  std::unique_ptr<data::DataSet> data_;
  std::optional<work::UnitOrder> unit_order_;
};

// Until it is committed, only its own Project shows what was added. The project outlives it and stays where
// it is; one batch at a time.
class [[nodiscard]] Project::Batch {
 public:
  Batch(Batch&& other) noexcept;
  Batch& operator=(Batch&&) = delete;
  ~Batch();  // undoes what was not committed

  // The index of the change's first event. A change that is refused leaves nothing in the batch; one that
  // cannot be written breaks the whole batch.
  Result<uint64_t> add(const Change& change);
  bool broken() const { return broken_; }
  // Once it succeeds, everything added is kept through kill and power loss.
  Status commit();

 private:
  friend class Project;
  Batch(Project* project, ledger::Transaction transaction);
  Status sync_files();

  Project* project_;  // null once committed, or moved from
  ledger::Transaction transaction_;
  size_t first_;  // events before it
  bool broken_ = false;
  // What it took into a store; what was not there before is gone unless what speaks of it is committed.
  struct Taken {
    std::set<Digest> all;
    std::vector<Digest> fresh;
  };
  template <typename Store>
  static Status take(Store& store, const std::vector<std::shared_ptr<PreparedBlob>>& prepared, Taken& taken);
  Taken blobs_, gradients_;
};

Status check_signature(const ledger::Statement& statement);

// The key of that name in this project.
Result<SigningKey> load_key(const KeyRing& keys, const Project& project, std::string_view name);
// The private half of a role's key, whatever it is called in the ring.
Result<SigningKey> load_role_key(const KeyRing& keys, const Project& project, std::string_view role,
                                 const PublicKey& key);

}  // namespace cairn::project
