// What a contributor asks of a coordinator and that never enters the log: a unit to compute, to give one
// back, or to send a large submission in pieces. Signed, so that nobody can ask in another's name. Canonical
// bytes: docs/formats/protocol.md.
//
// Nothing is remembered about requests that were answered. A replay within kMaxClockDifference does no harm:
// a lease is asked for by its slot, and asking again gives the same one. Pure functions, safe from any
// thread.
#pragma once

#include "base/digest.h"
#include "base/signature.h"
#include "ledger/event.h"
#include "project/leases.h"

namespace cairn::role {

inline constexpr int64_t kMaxClockDifference = 10 * 60 * 1000;      // milliseconds
inline constexpr std::string_view kTicketHeader = "Cairn-Request";  // in hexadecimal, with each piece
inline constexpr std::string_view kInviteHeader = "Cairn-Invite";   // with a newcomer's request for a unit
inline constexpr std::string_view kWorkHeader = "Cairn-Join-Work";  // likewise: a nonce (ledger/join_work.h)
inline constexpr size_t kMaxRequestSize = 4096;
inline constexpr uint64_t kPieceSize = uint64_t{8} << 20;  // bytes; larger gradients go in pieces
inline constexpr uint64_t kMaxWholeSubmission = kPieceSize + (1 << 20);

struct UnitRequest {
  enum class Kind : uint8_t { lease = 1, give_back = 2, upload = 3, state = 4 };

  Kind kind = Kind::lease;
  Digest project;
  int64_t time = 0;  // Unix milliseconds by the author's clock
  PublicKey author;
  uint32_t slot = 0;  // which of the author's leases: below project::kMaxSlots
  uint32_t unit = 0;  // what is given back or sent; of a state, the entry that is to be claimed
  Signature signature;
  bool operator==(const UnitRequest&) const = default;
};

UnitRequest sign_request(const SigningKey& author, UnitRequest request);  // fills author and signature

Bytes encode(const UnitRequest& request);
Result<UnitRequest> decode_request(BytesView bytes);

// Signed by its author, for this project, and not long ago or ahead. The error names the field; for a clock
// that is off, it says by how much.
Status check_request(const UnitRequest& request, const Digest& project, int64_t now);

// What is said together: a u32 count and that many statements, each as its length (u32) and its bytes.
inline constexpr uint32_t kMaxStatements = 8;
inline constexpr size_t kMaxStatementsSize = 4 + kMaxStatements * (4 + ledger::kMaxEventSize);
Bytes encode_statements(const std::vector<ledger::Statement>& statements);
Result<std::vector<ledger::Statement>> decode_statements(BytesView bytes);

}  // namespace cairn::role
