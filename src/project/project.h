// A project directory: what is hosted, copied, mirrored and forked. No private key lies in it.
//
//   ledger.sqlite   the log of signed events
//   blobs/          model, recipe, manifest, snapshots and gradient files by digest
//   shards/         the data, compressed, by the digest of what is inside
//   recipe.toml     the recipe as people read it; what counts is the blob that the genesis event names
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "base/blob_store.h"
#include "base/environment.h"
#include "base/progress.h"
#include "data/dataset.h"
#include "ledger/key_ring.h"
#include "ledger/store.h"
#include "model/graph.h"
#include "trust/state.h"
#include "work/recipe.h"

namespace cairn::project {

using ledger::KeyRing;

// The names of the project's own keys in a key ring.
inline constexpr std::string_view kRootKey = "role-root";
inline constexpr std::string_view kCoordinatorKey = "role-coordinator";
inline constexpr std::string_view kJudgeKey = "role-judge";

struct NewProject {
  std::string name;
  model::Graph graph;
  std::vector<float> parameters;
  std::string recipe_text;  // TOML, with [trust] and [averaging]
  std::string recipe_name;  // for messages
  std::string data;         // "fashion-mnist" or a folder of IDX files
};

// One thread uses a Project at a time; several processes may use the same directory.
class Project {
 public:
  // Makes the directory whole or not at all, and the project's own keys in `keys`.
  static Result<Project> create(const std::filesystem::path& directory, NewProject project,
                                const KeyRing& keys, Environment& environment, const Progress& progress);
  static Result<Project> open(const std::filesystem::path& directory, Environment& environment);

  const std::filesystem::path& directory() const { return directory_; }
  const Digest& id() const { return state_.project(); }
  const ledger::Genesis& genesis() const { return state_.genesis(); }
  const trust::State& state() const { return state_; }
  const std::vector<ledger::Event>& events() const { return events_; }
  ledger::LogHead head() const { return store_->head(); }
  const work::Recipe& recipe() const { return recipe_; }
  const model::Graph& graph() const { return graph_; }
  const data::DataSet& data() const { return *data_; }
  ledger::Store& store() { return *store_; }
  BlobStore& blobs() { return blobs_; }
  const BlobStore& blobs() const { return blobs_; }
  uint64_t parameter_count() const;

  std::string name() const;                         // of the project
  std::string user_name(trust::UserId user) const;  // "user 7" where none was chosen
  std::optional<trust::UserId> find_user(const std::string& name) const;

  // The parameters that a snapshot digest stands for.
  Result<std::vector<float>> parameters(const Digest& snapshot) const;
  // Of the newest round.
  Result<std::vector<float>> latest_parameters() const;
  Digest latest_snapshot() const { return state_.rounds().back().snapshot; }

  // Appends what `make` gives, all or nothing, in the order given. Under the log's lock: catches up with
  // other processes, calls make, checks every statement (project, signature, seen head, rules), writes
  // durably. `staged` is put aside in the same transaction, `unstaged` removed. Returns the index of the
  // first event.
  struct Change {
    std::vector<ledger::Statement> statements;
    std::vector<std::pair<Digest, Bytes>> staged;
    std::vector<Digest> unstaged;
  };
  Result<uint64_t> append(const std::function<Result<Change>(const trust::State&)>& make);

  // A statement by `key` about the log as it is now.
  ledger::Statement sign(const SigningKey& key, ledger::Body body) const;

 private:
  Project(std::filesystem::path directory, Environment& environment);

  Status load();
  Status catch_up();

  std::filesystem::path directory_;
  Environment* environment_;
  BlobStore blobs_;
  std::unique_ptr<ledger::Store> store_;
  std::vector<ledger::Event> events_;
  trust::State state_;
  work::Recipe recipe_;
  model::Graph graph_;
  std::unique_ptr<data::DataSet> data_;
};

}  // namespace cairn::project
