#include "project/project.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "base/file.h"
#include "base/file_group.h"
#include "exact/backend.h"
#include "ledger/sqlite_store.h"
#include "project/retention.h"
#include "work/gradient.h"

namespace cairn::project {
namespace {

constexpr uint64_t kEventsAtOnce = 4096;
constexpr uint64_t kMaxNameBlob = 4096;

std::string text(const Result<Bytes>& bytes, const std::string& fallback) {
  return bytes ? std::string(bytes->begin(), bytes->end()) : fallback;
}

}  // namespace

Project::Project(std::filesystem::path directory, Environment& environment, const Origins& origins)
    : directory_(std::move(directory)),
      environment_(&environment),
      blobs_(directory_ / "blobs", origins.blobs),
      snapshots_(directory_, origins.snapshots, origins.blobs),
      shards_(std::make_unique<data::ShardStore>(directory_ / "shards", origins.shards)),
      gradient_origin_(origins.gradients) {}

Project::Project(Project&&) noexcept = default;
Project& Project::operator=(Project&&) noexcept = default;
Project::~Project() = default;

Result<Project> Project::open(const std::filesystem::path& directory, Environment& environment,
                              const Origins& origins) {
  const std::filesystem::path log = directory / kLogFile;
  std::error_code error;
  if (!std::filesystem::is_regular_file(log, error)) {
    return Error{directory.string() + ": is no project; `cairn new` makes one"};
  }
  Project project(directory, environment, origins);
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
  const uint64_t gradient_size = work::gradient_size(recipe_, model::parameter_count(graph_));
  gradients_ =
      std::make_unique<work::GradientStore>(directory_ / "gradients", gradient_size, gradient_origin_);
  CAIRN_TRY(data::DataSet data, data::DataSet::open(genesis.manifest, blobs_, *shards_));
  data_ = std::make_unique<data::DataSet>(std::move(data));
  const auto groups = data_->groups(data::Split::train);
  unit_order_.emplace(recipe_, std::vector<uint32_t>(groups.begin(), groups.end()));
  return {};
}

Status check_signature(const ledger::Statement& statement) {
  if (ledger::signature_valid(statement)) return {};
  return Error{std::string(ledger::kind_name(statement.body)) + ": signature: does not fit the statement"};
}

Status Project::check_statement(const ledger::Statement& statement) const {
  CAIRN_CHECK(check_place(statement));
  return check_signature(statement);
}

Status Project::check_place(const ledger::Statement& statement) const {
  const std::string kind(ledger::kind_name(statement.body));
  const bool founds = std::holds_alternative<ledger::Genesis>(statement.body);
  if (!founds && statement.project != id()) return Error{kind + ": project: was signed for another project"};
  CAIRN_TRY(const ledger::LogHead then, store_->head_at(statement.seen.size));
  if (then != statement.seen) return Error{kind + ": seen: its author saw another log than this one"};
  return {};
}

Status Project::Change::add_blob(const BlobStore& store, BytesView bytes) {
  CAIRN_TRY(PreparedBlob blob, store.prepare(bytes));
  blobs.push_back(std::make_shared<PreparedBlob>(std::move(blob)));
  return {};
}

// All of them or none.
Result<std::vector<ledger::Event>> Project::apply(const Change& change) {
  std::optional<trust::State> before;  // a single statement that is refused changes nothing by itself
  if (change.statements.size() > 1) before = state_;
  std::vector<ledger::Event> added;
  for (const ledger::Statement& statement : change.statements) {
    ledger::Event event{std::max(environment_->now(), state_.time()), statement};
    Status status = change.signatures_checked ? check_place(statement) : check_statement(statement);
    if (status) status = state_.apply(event);
    if (!status) {
      if (before) state_ = *std::move(before);
      return status.error();
    }
    added.push_back(std::move(event));
  }
  return added;
}

Status Project::write(ledger::Transaction& transaction, const Change& change,
                      const std::vector<ledger::Event>& events) {
  for (const ledger::Event& event : events) {
    if (auto index = transaction.append(event); !index) return index.error();
  }
  for (const ledger::Item& item : change.staged) CAIRN_CHECK(transaction.put_staged(item.key, item.bytes));
  for (const std::string& key : change.unstaged) CAIRN_CHECK(transaction.remove_staged(key));
  for (const ledger::Item& item : change.meta) CAIRN_CHECK(transaction.put_meta(item.key, item.bytes));
  return {};
}

Result<uint64_t> Project::commit(const std::function<Result<Change>()>& make) {
  CAIRN_TRY(Batch batch, begin());
  CAIRN_TRY(const Change change, make());
  CAIRN_TRY(const uint64_t first, batch.add(change));
  CAIRN_CHECK(batch.commit());
  return first;
}

Result<Project::Batch> Project::begin() {
  CAIRN_TRY(ledger::Transaction transaction, store_->begin());
  CAIRN_CHECK(catch_up());
  return Batch(this, std::move(transaction));
}

Project::Batch::Batch(Project* project, ledger::Transaction transaction)
    : project_(project), transaction_(std::move(transaction)), first_(project->events_.size()) {}

Project::Batch::Batch(Batch&& other) noexcept
    : project_(std::exchange(other.project_, nullptr)),
      transaction_(std::move(other.transaction_)),
      first_(other.first_),
      broken_(other.broken_),
      blobs_(std::move(other.blobs_)),
      gradients_(std::move(other.gradients_)) {}

// Undoing is rare (a full disk, a process that ends) and may cost a fold; so nothing is copied beforehand.
Project::Batch::~Batch() {
  if (project_ == nullptr) return;
  for (const Digest& digest : blobs_.fresh) std::ignore = project_->blobs_.remove(digest).ok();
  for (const Digest& digest : gradients_.fresh) std::ignore = project_->gradients_->remove(digest).ok();
  auto& events = project_->events_;
  if (events.size() == first_) return;
  events.resize(first_);
  auto before = trust::fold(events);
  CAIRN_ASSERT(before.ok());  // they were applied before
  project_->state_ = *std::move(before);
  project_->unit_board_.reset();
}

// On disk once the batch is committed.
template <typename Store>
Status Project::Batch::take(Store& store, const std::vector<std::shared_ptr<PreparedBlob>>& prepared,
                            Taken& taken) {
  for (const auto& blob : prepared) {
    if (!taken.all.insert(blob->digest()).second) continue;
    const bool was_there = store.has(blob->digest());
    CAIRN_CHECK(store.take(*blob));
    if (!was_there) taken.fresh.push_back(blob->digest());
  }
  return {};
}

// Before the events that speak of them.
Status Project::Batch::sync_files() {
  std::vector<std::filesystem::path> files;
  for (const Digest& digest : blobs_.all) files.push_back(project_->blobs_.path(digest));
  for (const Digest& digest : gradients_.all) files.push_back(project_->gradients_->path(digest));
  return cairn::sync_files(project_->directory_, files);
}

Result<uint64_t> Project::Batch::add(const Change& change) {
  CAIRN_TRY(const std::vector<ledger::Event> added, project_->apply(change));
  auto& events = project_->events_;
  const uint64_t index = events.size();
  events.insert(events.end(), added.begin(), added.end());
  broken_ = true;  // unless all of it can be written
  CAIRN_CHECK(take(project_->blobs_, change.blobs, blobs_));
  CAIRN_CHECK(take(*project_->gradients_, change.gradients, gradients_));
  CAIRN_CHECK(project_->write(transaction_, change, added));
  broken_ = false;
  return index;
}

Status Project::Batch::commit() {
  CAIRN_ASSERT(!broken_);
  CAIRN_CHECK(sync_files());
  CAIRN_CHECK(transaction_.commit());
  project_ = nullptr;
  return {};
}

// What follows the events that are here already.
Result<std::span<const ledger::Event>> Project::unknown(uint64_t first,
                                                        std::span<const ledger::Event> events) const {
  if (first > events_.size()) return Error{"event " + std::to_string(events_.size()) + ": is missing"};
  const size_t known = std::min<size_t>(events_.size() - first, events.size());
  for (size_t i = 0; i < known; ++i) {
    if (events[i] != events_[first + i])
      return Error{"event " + std::to_string(first + i) + ": is another one than before"};
  }
  return events.subspan(known);
}

Status Project::follow(uint64_t first, std::span<const ledger::Event> events) {
  CAIRN_TRY(ledger::Transaction transaction, store_->begin());
  CAIRN_CHECK(catch_up());
  CAIRN_TRY(events, unknown(first, events));
  trust::State next = state_;
  for (const ledger::Event& event : events) {
    Status status = check_statement(event.statement);
    if (status) status = next.apply(event);
    if (!status) return status.error().within("event " + std::to_string(store_->size()));
    if (auto index = transaction.append(event); !index) return index.error();
  }
  CAIRN_CHECK(transaction.commit());
  state_ = std::move(next);
  events_.insert(events_.end(), events.begin(), events.end());
  return {};
}

Result<uint64_t> Project::add(const SigningKey& author, ledger::Body body) {
  return commit([&]() -> Result<Change> { return Change{.statements = {sign(author, std::move(body))}}; });
}

const UnitBoard& Project::unit_board() {
  if (unit_board_) {
    project::follow(*unit_board_, state_, std::span(events_).subspan(unit_board_events_));
  } else {
    unit_board_ = project::unit_board(state_);
  }
  unit_board_events_ = events_.size();
  return *unit_board_;
}

ledger::Statement Project::sign(const SigningKey& key, ledger::Body body) const {
  return ledger::sign_statement(key, id(), head(), std::move(body));
}

const Result<model::MemoryNeed>& Project::memory_need() const {
  if (!memory_need_)
    memory_need_ = model::memory_need(graph_, recipe_.batch, model::product_bits(recipe_.precision));
  return *memory_need_;
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
  if (round >= state_.rounds().size()) return Error{"round " + std::to_string(round) + ": has not opened yet"};
  auto parameters = snapshots_.get(state_.rounds()[round].snapshot, model::parameter_count(graph_));
  if (parameters) return parameters;
  std::string place = "the model of round " + std::to_string(round);
  if (!keeps_snapshot(state_, round, environment_->now()))
    place += ", which is older than the policy's horizon and need not be kept";
  return parameters.error().within(place);
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
