#include "project/invites.h"

namespace cairn::project {
namespace {

constexpr std::string_view kInvites = "invites";
constexpr std::string_view kLetters =
    "abcdefghijkmnpqrstuvwxyz23456789";     // 32 that are not taken for each other
constexpr int kGroups = 4, kGroupSize = 4;  // 80 bits

Result<Invites> stored_invites(const Project& project) {
  CAIRN_TRY(const auto stored, project.store().meta(std::string(kInvites)));
  if (!stored) return Invites{};
  auto invites = decode_invites(*stored);
  if (!invites) return invites.error().within(project.directory().string() + ": invites");
  return invites;
}

ledger::Item item(const Invites& invites) {
  return {std::string(kInvites), encode_invites(invites)};
}

std::string new_code(Environment& environment) {
  std::string code;
  for (int group = 0; group < kGroups; ++group) {
    if (group > 0) code += '-';
    uint64_t word = environment.random_word();
    for (int i = 0; i < kGroupSize; ++i, word >>= 5) code += kLetters[word % kLetters.size()];
  }
  return code;
}

// People type codes in capitals and leave dashes out.
Digest code_digest(std::string_view code) {
  std::string plain;
  for (const char letter : code) {
    if (letter >= 'A' && letter <= 'Z') {
      plain += static_cast<char>(letter - 'A' + 'a');
    } else if (letter != '-' && letter != ' ') {
      plain += letter;
    }
  }
  return sha256(as_bytes("cairn invite v1 " + plain));
}

// Who has joined the log meanwhile needs no mention any more.
Status add(Invites& invites, const Project& project, const PublicKey& user) {
  std::erase_if(invites.admitted,
                [&](const PublicKey& key) { return project.state().user_of(key).has_value(); });
  if (invites.admitted.size() >= kMaxAdmitted)
    return Error{"too many were let in and have not handed in anything yet; try again later"};
  invites.admitted.insert(user);
  return {};
}

}  // namespace

Bytes encode_invites(const Invites& invites) {
  ByteWriter writer;
  writer.u32(static_cast<uint32_t>(invites.uses.size()));
  for (const auto& [digest, left] : invites.uses) {
    writer.raw(digest.bytes);
    writer.u32(left);
  }
  writer.u32(static_cast<uint32_t>(invites.admitted.size()));
  for (const PublicKey& key : invites.admitted) writer.raw(key.bytes);
  return writer.take();
}

Result<Invites> decode_invites(BytesView bytes) {
  ByteReader reader(bytes);
  Invites invites;
  for (uint32_t i = reader.count("codes", 36, kMaxInvites); i > 0; --i) {
    const Digest digest{reader.array<32>("digest")};
    invites.uses[digest] = reader.u32("uses");
  }
  for (uint32_t i = reader.count("admitted", 32, kMaxAdmitted); i > 0; --i)
    invites.admitted.insert(PublicKey{reader.array<32>("key")});
  CAIRN_CHECK(reader.finish());
  return invites;
}

Result<std::string> add_invite(Project& project, uint32_t uses, Environment& environment) {
  const std::string code = new_code(environment);
  CAIRN_CHECK(project.commit([&]() -> Result<Project::Change> {
    CAIRN_TRY(Invites invites, stored_invites(project));
    if (invites.uses.size() >= kMaxInvites)
      return Error{"invites: " + std::to_string(kMaxInvites) + " are open already; wait until some are used"};
    invites.uses[code_digest(code)] = uses;
    return Project::Change{.meta = {item(invites)}};
  }));
  return code;
}

Status let_in(Project& project, const PublicKey& user) {
  const auto done = project.commit([&]() -> Result<Project::Change> {
    CAIRN_TRY(Invites invites, stored_invites(project));
    if (project.state().user_of(user) || invites.admitted.contains(user)) return Project::Change{};
    CAIRN_CHECK(add(invites, project, user));
    return Project::Change{.meta = {item(invites)}};
  });
  return done ? Status() : Status(done.error());
}

Result<std::vector<ledger::Item>> admit(const Project& project, const PublicKey& user,
                                        std::string_view code) {
  if (project.state().user_of(user)) return std::vector<ledger::Item>{};
  CAIRN_TRY(Invites invites, stored_invites(project));
  if (invites.admitted.contains(user)) return std::vector<ledger::Item>{};
  const auto found = invites.uses.find(code_digest(code));
  if (found == invites.uses.end()) {
    return Error{
        code.empty()
            ? "this project takes newcomers by invitation: ask its maintainer for a code, and give it "
              "with --invite"
            : "this invite is unknown or used up; ask the project's maintainer for another"};
  }
  if (--found->second == 0) invites.uses.erase(found);
  CAIRN_CHECK(add(invites, project, user));
  return std::vector<ledger::Item>{item(invites)};
}

}  // namespace cairn::project
