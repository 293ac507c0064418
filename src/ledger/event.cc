#include "ledger/event.h"

#include "ledger/event_codec.h"

namespace cairn::ledger {
namespace {

constexpr std::string_view kStatementDomain = "cairn statement v1";
constexpr std::string_view kSealDomain = "cairn entry seal v1";
constexpr std::string_view kClaimSealDomain = "cairn claim seal v1";
constexpr std::string_view kVoteSealDomain = "cairn vote seal v1";
constexpr std::string_view kLotSealDomain = "cairn lot seal v1";
constexpr std::string_view kPanelDomain = "cairn panel v1";

// The domain, a zero byte, and the statement's bytes without the signature.
Bytes signed_message(const Statement& statement) {
  Encoder encoder;
  signed_fields(encoder, statement);
  ByteWriter message;
  message.raw(as_bytes(kStatementDomain));
  message.u8(0);
  message.raw(encoder.bytes());
  return message.take();
}

Digest numbered_seal(std::string_view domain, const Digest& project, const PublicKey& author, uint32_t number,
                     const Digest& gradient) {
  ByteWriter content;
  content.raw(project.bytes);
  content.raw(author.bytes);
  content.u32(number);
  content.raw(gradient.bytes);
  return Hasher(domain).update(content.bytes()).finish();
}

}  // namespace

Statement sign_statement(const SigningKey& author, const Digest& project, const LogHead& seen, Body body) {
  Statement statement{project, seen, author.public_key(), std::move(body), {}};
  statement.signature = author.sign(signed_message(statement));
  return statement;
}

bool signature_valid(const Statement& statement) {
  return cairn::signature_valid(statement.author, signed_message(statement), statement.signature);
}

Digest statement_digest(const Statement& statement) {
  return sha256(encode(statement));
}

Digest entry_seal(const Digest& project, const PublicKey& user, Round round, UnitId unit,
                  const Digest& gradient) {
  ByteWriter content;
  content.raw(project.bytes);
  content.raw(user.bytes);
  content.u32(round);
  content.u32(unit);
  content.raw(gradient.bytes);
  return Hasher(kSealDomain).update(content.bytes()).finish();
}

Digest claim_seal(const Digest& project, const PublicKey& claimant, EntryId entry, const Digest& gradient) {
  return numbered_seal(kClaimSealDomain, project, claimant, entry, gradient);
}

Digest vote_seal(const Digest& project, const PublicKey& judge, ClaimId claim, const Digest& gradient) {
  return numbered_seal(kVoteSealDomain, project, judge, claim, gradient);
}

Digest lot_seal(const Digest& project, const Digest& lot) {
  return Hasher(kLotSealDomain).update(project.bytes).update(lot.bytes).finish();
}

Digest panel_rank(const Digest& lot, const Digest& claim_seal, UserId user) {
  ByteWriter content;
  content.raw(lot.bytes);
  content.raw(claim_seal.bytes);
  content.u32(user);
  return Hasher(kPanelDomain).update(content.bytes()).finish();
}

}  // namespace cairn::ledger
