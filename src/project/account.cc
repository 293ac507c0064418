#include "project/account.h"

#include <algorithm>
#include <set>

#include "ledger/join_work.h"

namespace cairn::project {
namespace {

using ledger::Statement;
using trust::Entry;
using trust::UserId;

constexpr std::string_view kNext = ".next";  // after the name of a key: its successor, until the log has it

Status check_free_name(const Project& project, const std::string& name) {
  CAIRN_CHECK(check_user_name(name));
  if (!project.user_named(name)) return {};
  return Error{"user " + name + ": the name is taken in this project; choose another"};
}

Status check_joined(const Project& project, const PublicKey& key, const std::string& name) {
  if (project.state().owner(key) != nullptr) return {};
  return Error{"user " + name + ": is not in the log yet; hand in an entry first, or run `cairn user " +
               project.directory().string() + " " + name + " --join`"};
}

// The key of that name, made if there is none.
Result<SigningKey> some_key(const Project& project, KeyRing& keys, const std::string& name, bool& made) {
  CAIRN_TRY(const auto names, keys.names(project.id().hex()));
  made = std::ranges::find(names, name) == names.end();
  return made ? keys.create(project.id().hex(), name) : load_key(keys, project, name);
}

// The entries that a key has sealed and that wait to be opened.
std::vector<const Entry*> sealed_by(const trust::State& state, const PublicKey& key) {
  std::vector<const Entry*> sealed;
  for (const trust::EntryId id : state.waiting()) {
    if (state.entry(id).key == key) sealed.push_back(&state.entry(id));
  }
  return sealed;
}

// The rotation, and the openings that wait, signed again by the successor.
Result<Project::Change> rotation(Project& project, const SigningKey& key, const SigningKey& successor) {
  Project::Change change{.statements = {project.sign(key, ledger::KeyRotated{successor.public_key()})}};
  std::set<std::string> seals;
  for (const Entry* entry : sealed_by(project.state(), key.public_key())) seals.insert(entry->seal.hex());
  CAIRN_TRY(const std::vector<ledger::Item> staged, project.store().staged());
  for (const ledger::Item& item : staged) {
    if (!seals.contains(item.key)) continue;
    CAIRN_TRY(const Statement opening, ledger::decode_statement(item.bytes));
    change.staged.push_back({item.key, ledger::encode(project.sign(successor, opening.body))});
  }
  return change;
}

// Whether the log has taken `successor` for the main key of whom `key` belonged to.
bool rotated(const trust::State& state, const PublicKey& key, const PublicKey& successor) {
  const trust::KeyOwner* owner = state.owner(key);
  return owner != nullptr && owner->retired && state.user(owner->user).key == successor;
}

std::vector<std::string> roles(const Project& project, const PublicKey& key) {
  const trust::State& state = project.state();
  std::vector<std::string> roles;
  if (key == state.genesis().root) roles.emplace_back(kRootKey);
  if (key == state.coordinator()) roles.emplace_back(kCoordinatorKey);
  if (state.judges().contains(key)) roles.emplace_back(kJudgeKey);
  if (const trust::KeyOwner* owner = state.owner(key)) {
    const char* kind = owner->retired ? "retired key" : owner->device ? "device" : "main key";
    roles.push_back(kind + (" of " + project.user_name(owner->user)));
  }
  return roles;
}

// Every key that the log has ever given to a user, oldest first.
std::vector<PublicKey> user_keys(const Project& project) {
  std::vector<PublicKey> keys;
  for (const ledger::Event& event : project.events()) {
    const ledger::Body& body = event.statement.body;
    if (std::holds_alternative<ledger::Joined>(body)) keys.push_back(event.statement.author);
    if (const auto* added = std::get_if<ledger::DeviceKeyAdded>(&body)) keys.push_back(added->device);
    if (const auto* rotated = std::get_if<ledger::KeyRotated>(&body)) keys.push_back(rotated->successor);
  }
  return keys;
}

}  // namespace

Result<Joining> sign_joining(const Project& project, const SigningKey& user, const std::string& name,
                             const Progress& progress) {
  const uint32_t bits = project.state().policy().join_work;
  CAIRN_TRY(const uint64_t nonce, ledger::find_join_nonce(project.id(), user.public_key(), bits, progress));
  return Joining{project.sign(user, ledger::Joined{nonce}),
                 project.sign(user, ledger::NameChosen{sha256(as_bytes(name))})};
}

Result<UserId> join(Project& project, KeyRing& keys, const std::string& name, const Progress& progress) {
  CAIRN_CHECK(check_free_name(project, name));
  bool made = false;
  CAIRN_TRY(const SigningKey key, some_key(project, keys, name, made));
  const auto joining = sign_joining(project, key, name, progress);
  Status joined = joining ? Status() : Status(joining.error());
  if (joined) {
    const auto committed = project.commit([&]() -> Result<Project::Change> {
      Project::Change change{.statements = {joining->joined, joining->named}};
      CAIRN_CHECK(change.add_blob(project.blobs(), as_bytes(name)));
      return change;
    });
    if (!committed) joined = committed.error();
  }
  if (joined) return *project.state().user_of(key.public_key());
  if (made) CAIRN_CHECK(keys.remove(project.id().hex(), name));
  return joined.error();
}

Status add_device(Project& project, const SigningKey& user, const PublicKey& device) {
  const auto added = project.add(user, ledger::DeviceKeyAdded{device});
  return added ? Status() : added.error();
}

Result<uint32_t> remove_device(Project& project, const SigningKey& user, const PublicKey& device) {
  CAIRN_TRY(std::ignore, project.add(user, ledger::DeviceKeyRemoved{device}));
  return static_cast<uint32_t>(sealed_by(project.state(), device).size());
}

Result<PublicKey> rotate_key(Project& project, KeyRing& keys, const std::string& name) {
  const std::string next = name + std::string(kNext), id = project.id().hex();
  CAIRN_TRY(const SigningKey key, load_key(keys, project, name));
  CAIRN_CHECK(check_joined(project, key.public_key(), name));
  bool made = false;
  CAIRN_TRY(const SigningKey successor, some_key(project, keys, next, made));
  if (!rotated(project.state(), key.public_key(), successor.public_key())) {
    const auto done = project.commit([&] { return rotation(project, key, successor); });
    if (!done && made) CAIRN_CHECK(keys.remove(id, next));
    if (!done) return done.error();
  }
  CAIRN_CHECK(keys.replace(id, name, next));
  return successor.public_key();
}

Status rename_user(Project& project, KeyRing& keys, const std::string& name, const std::string& new_name) {
  CAIRN_TRY(const SigningKey key, load_key(keys, project, name));
  const auto user = project.state().user_of(key.public_key());
  const auto owner = project.user_named(new_name);
  if (!owner || owner != user) CAIRN_CHECK(check_free_name(project, new_name));
  CAIRN_TRY(const auto names, keys.names(project.id().hex()));
  if (std::ranges::find(names, new_name) != names.end()) {
    CAIRN_TRY(const SigningKey other, load_key(keys, project, new_name));
    if (other.public_key() != key.public_key())
      return Error{"user " + new_name + ": there is a key of that name already; choose another"};
  }
  if (user && owner != user) {  // who is not in the log yet has a name in the key ring only
    CAIRN_CHECK(project.commit([&]() -> Result<Project::Change> {
      Project::Change change{
          .statements = {project.sign(key, ledger::NameChosen{sha256(as_bytes(new_name))})}};
      CAIRN_CHECK(change.add_blob(project.blobs(), as_bytes(new_name)));
      return change;
    }));
  }
  return keys.rename(project.id().hex(), name, new_name);
}

Result<std::vector<KnownKey>> known_keys(const Project& project, const KeyRing& ring) {
  std::vector<KnownKey> known;
  std::set<UserId> mine;
  std::set<PublicKey> seen;
  CAIRN_TRY(const auto names, ring.names(project.id().hex()));
  for (const std::string& name : names) {
    CAIRN_TRY(const SigningKey key, load_key(ring, project, name));
    known.push_back({name, key.public_key(), roles(project, key.public_key())});
    seen.insert(key.public_key());
    if (const auto user = project.state().user_of(key.public_key())) mine.insert(*user);
  }
  for (const PublicKey& key : user_keys(project)) {
    if (!mine.contains(project.state().owner(key)->user) || !seen.insert(key).second) continue;
    known.push_back({"", key, roles(project, key)});
  }
  return known;
}

}  // namespace cairn::project
