#include "project/project.h"

#include <algorithm>

#include "average/snapshot.h"
#include "exact/backend.h"
#include "ledger/sqlite_store.h"

namespace cairn::project {
namespace {

constexpr uint64_t kEventsAtOnce = 4096;
constexpr uint64_t kMaxNameBlob = 4096;

std::string text(const Result<Bytes>& bytes, const std::string& fallback) {
  return bytes ? std::string(bytes->begin(), bytes->end()) : fallback;
}

// Blobs that are taken back unless what speaks of them is committed.
class NewBlobs {
 public:
  explicit NewBlobs(BlobStore& store) : store_(store) {}
  ~NewBlobs() {
    for (const Digest& digest : added_) std::ignore = store_.remove(digest).ok();
  }
  Status put(BytesView bytes) {
    const bool had = store_.has(sha256(bytes));
    CAIRN_TRY(const Digest digest, store_.put(bytes));
    if (!had) added_.push_back(digest);
    return {};
  }
  void keep() { added_.clear(); }

 private:
  BlobStore& store_;
  std::vector<Digest> added_;
};

}  // namespace

Project::Project(std::filesystem::path directory, Environment& environment)
    : directory_(std::move(directory)),
      environment_(&environment),
      blobs_(directory_ / "blobs"),
      shards_(std::make_unique<data::ShardStore>(directory_ / "shards")) {}

Result<Project> Project::open(const std::filesystem::path& directory, Environment& environment) {
  const std::filesystem::path log = directory / kLogFile;
  std::error_code error;
  if (!std::filesystem::is_regular_file(log, error)) {
    return Error{directory.string() + ": is no project; `cairn new` makes one"};
  }
  Project project(directory, environment);
  CAIRN_TRY(project.store_, ledger::open_sqlite_store(log));
  CAIRN_CHECK(project.catch_up());
  if (!project.state_.started()) return Error{log.string() + ": the log is empty"};
  CAIRN_CHECK(project.load());
  return project;
}

Status Project::catch_up() {
  while (events_.size() < store_->size()) {
    CAIRN_TRY(std::vector<ledger::Event> events, store_->read_range(events_.size(), kEventsAtOnce));
    for (ledger::Event& event : events) {
      if (Status status = state_.apply(event); !status) {
        const std::string place =
            (directory_ / kLogFile).string() + ": event " + std::to_string(events_.size());
        return status.error().within(place);
      }
      events_.push_back(std::move(event));
    }
  }
  return {};
}

Status Project::load() {
  const ledger::Genesis& genesis = state_.genesis();
  if (genesis.arithmetic_version != exact::kArithmeticVersion) {
    return Error{directory_.string() + ": made for arithmetic version " +
                 std::to_string(genesis.arithmetic_version) + "; this program computes version " +
                 std::to_string(exact::kArithmeticVersion)};
  }
  CAIRN_TRY(const Bytes recipe, blobs_.get(genesis.recipe, work::kMaxRecipeSize));
  CAIRN_TRY(recipe_, work::decode_recipe(recipe));
  CAIRN_TRY(const Bytes graph, blobs_.get(genesis.model, model::kMaxModelFileSize));
  CAIRN_TRY(graph_, model::decode_graph(graph));
  CAIRN_TRY(data::DataSet data, data::DataSet::open(genesis.manifest, blobs_, *shards_));
  data_ = std::make_unique<data::DataSet>(std::move(data));
  return {};
}

Status Project::check_statement(const ledger::Statement& statement) const {
  const std::string kind(ledger::kind_name(statement.body));
  const bool founds = std::holds_alternative<ledger::Genesis>(statement.body);
  if (!founds && statement.project != id()) return Error{kind + ": project: was signed for another project"};
  if (!ledger::signature_valid(statement)) return Error{kind + ": signature: does not fit the statement"};
  CAIRN_TRY(const ledger::LogHead then, store_->head_at(statement.seen.size));
  if (then != statement.seen) return Error{kind + ": seen: its author saw another log than this one"};
  return {};
}

Status Project::append(ledger::Transaction& transaction, const Change& change,
                       std::vector<ledger::Event>& added) {
  for (const ledger::Statement& statement : change.statements) {
    CAIRN_CHECK(check_statement(statement));
    ledger::Event event{std::max(environment_->now(), state_.time()), statement};
    CAIRN_CHECK(state_.apply(event));
    added.push_back(std::move(event));
    if (auto index = transaction.append(added.back()); !index) return index.error();
  }
  for (const ledger::Item& item : change.staged) CAIRN_CHECK(transaction.put_staged(item.key, item.bytes));
  for (const std::string& key : change.unstaged) CAIRN_CHECK(transaction.remove_staged(key));
  for (const ledger::Item& item : change.meta) CAIRN_CHECK(transaction.put_meta(item.key, item.bytes));
  NewBlobs blobs(blobs_);
  for (const Bytes& bytes : change.blobs) CAIRN_CHECK(blobs.put(bytes));
  CAIRN_CHECK(transaction.commit());
  blobs.keep();
  return {};
}

// A state is large, and most changes are of one statement, which the rules refuse without a trace: only of
// several is the state before kept. What can go wrong with a single one afterwards is the disk's; then the
// events are folded anew.
Result<uint64_t> Project::commit(const std::function<Result<Change>()>& make) {
  CAIRN_TRY(ledger::Transaction transaction, store_->begin());
  CAIRN_CHECK(catch_up());
  CAIRN_TRY(const Change change, make());
  std::optional<trust::State> before;
  if (change.statements.size() > 1) before = state_;
  std::vector<ledger::Event> added;
  if (const Status status = append(transaction, change, added); !status) {
    if (before) {
      state_ = *std::move(before);
    } else if (!added.empty()) {
      CAIRN_TRY(state_, trust::fold(events_));
    }
    return status.error();
  }
  const uint64_t first = events_.size();
  events_.insert(events_.end(), added.begin(), added.end());
  return first;
}

Result<uint64_t> Project::add(const SigningKey& author, ledger::Body body) {
  return commit([&]() -> Result<Change> { return Change{.statements = {sign(author, std::move(body))}}; });
}

ledger::Statement Project::sign(const SigningKey& key, ledger::Body body) const {
  return ledger::sign_statement(key, id(), head(), std::move(body));
}

std::string Project::name() const {
  return text(blobs_.get(genesis().name, kMaxNameBlob), directory_.filename().string());
}

std::string Project::user_name(trust::UserId user) const {
  const std::string fallback = "user " + std::to_string(user);
  const auto& name = state_.user(user).name;
  return name ? text(blobs_.get(*name, kMaxUserNameSize), fallback) : fallback;
}

std::optional<trust::UserId> Project::user_named(std::string_view name) const {
  const Digest digest = sha256(as_bytes(name));
  const auto user = std::ranges::find(state_.users(), digest, &trust::User::name);
  if (user == state_.users().end()) return std::nullopt;
  return static_cast<trust::UserId>(user - state_.users().begin() + 1);
}

Result<std::vector<float>> Project::parameters(trust::Round round) const {
  const uint64_t count = model::parameter_count(graph_);
  const Digest& snapshot = state_.rounds()[round].snapshot;
  const std::string place = "the model of round " + std::to_string(round);
  const auto bytes = blobs_.get(snapshot, average::parameters_size(count));
  if (!bytes) return bytes.error().within(place);
  auto parameters = average::decode_parameters(*bytes);
  if (!parameters) return parameters.error().within(place);
  if (parameters->size() != count) {
    return Error{place + ": has " + std::to_string(parameters->size()) + " parameters where " +
                 std::to_string(count) + " are expected"};
  }
  return parameters;
}

Result<SigningKey> load_key(const KeyRing& keys, const Project& project, std::string_view name) {
  return keys.load(project.id().hex(), std::string(name));
}

Result<SigningKey> load_role_key(const KeyRing& keys, const Project& project, std::string_view role,
                                 const PublicKey& key) {
  CAIRN_TRY(const auto names, keys.names(project.id().hex()));
  std::optional<Error> unreadable;
  for (const std::string& name : names) {
    Result<SigningKey> held = load_key(keys, project, name);
    if (held && held->public_key() == key) return held;
    if (!held && !unreadable) unreadable = held.error();
  }
  if (unreadable) return *unreadable;
  return Error{(keys.directory() / project.id().hex()).string() + ": does not hold the " + std::string(role) +
               "'s key " + key.hex().substr(0, 16) +
               "…; who has it can do this, and --keys names another folder"};
}

}  // namespace cairn::project
