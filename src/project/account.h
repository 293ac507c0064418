// What users do about themselves: join early, change their name, look after the keys of their devices.
//
// A user signs with one main key, which may change the account, and with any number of device keys, which may
// only contribute, claim and appeal (docs/internals/trust.md).
#pragma once

#include "project/project.h"

namespace cairn::project {

// What puts a user into the log: the statement of joining, with the proof of work that the policy asks for
// (whose progress is reported), and that of the name.
struct Joining {
  ledger::Statement joined, named;
};
Result<Joining> sign_joining(const Project& project, const SigningKey& user, const std::string& name,
                             const Progress& progress);

// Puts a user into the log before the first entry, so that the root can endow them. Makes the key unless the
// key ring has it.
Result<trust::UserId> join(Project& project, KeyRing& keys, const std::string& name,
                           const Progress& progress = {});

Status add_device(Project& project, const SigningKey& user, const PublicKey& device);

// Returns how many entries that the device sealed in the open round lapse with it.
Result<uint32_t> remove_device(Project& project, const SigningKey& user, const PublicKey& device);

// Makes a new main key, which replaces the one of that name in log and key ring. Sealed entries stay: the new
// key opens them. Run again after a crash, it ends what it began.
Result<PublicKey> rotate_key(Project& project, KeyRing& keys, const std::string& name);

// The key in the ring goes by the new name too. Run again after a crash, it ends what it began.
Status rename_user(Project& project, KeyRing& keys, const std::string& name, const std::string& new_name);

struct KnownKey {
  std::string name;  // in the key ring; empty: the private half lies elsewhere
  PublicKey key;
  std::vector<std::string> roles;  // "judge", "device of ada": what the log says of it
};
// The keys of this project in the ring, and those that the log knows of the same users.
Result<std::vector<KnownKey>> known_keys(const Project& project, const KeyRing& keys);

}  // namespace cairn::project
