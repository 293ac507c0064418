// Who may take part in a project that its host keeps to invited people: codes, each good for so many
// newcomers, and those whom a code let in. The host's own business, beside the log, and kept as digests:
// whoever copies the directory learns no code. Who is a user already needs none.
#pragma once

#include <map>
#include <set>

#include "project/project.h"

namespace cairn::project {

inline constexpr uint32_t kMaxInvites = 1000;  // that are not used up
inline constexpr uint32_t kMaxInviteUses = 10'000;
inline constexpr uint32_t kMaxAdmitted = 20'000;  // who have not joined the log yet

struct Invites {
  std::map<Digest, uint32_t> uses;  // left, by the digest of the code
  std::set<PublicKey> admitted;
  bool operator==(const Invites&) const = default;
};
Bytes encode_invites(const Invites& invites);
Result<Invites> decode_invites(BytesView bytes);

// A new code, which is shown once.
Result<std::string> add_invite(Project& project, uint32_t uses, Environment& environment);

// Lets a user in without a code: the maintainer's own, say.
Status let_in(Project& project, const PublicKey& user);

// What a user's asking to take part changes: nothing if they may already; a use of the code; or a refusal.
Result<std::vector<ledger::Item>> admit(const Project& project, const PublicKey& user, std::string_view code);

}  // namespace cairn::project
