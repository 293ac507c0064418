// The events of a project's ledger: signed statements, in the order that the sequencer gave them.
//
// Leaves hold numbers and digests only; names and files are blobs. Canonical bytes: docs/formats/ledger.md.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <variant>
#include <vector>

#include "base/bytes.h"
#include "base/digest.h"
#include "base/signature.h"
#include "ledger/policy.h"

namespace cairn::ledger {

using UserId = uint32_t;   // join number, from 1
using EntryId = uint32_t;  // order of the seals, from 1
using ClaimId = uint32_t;  // order of the claims, from 1
using Round = uint32_t;    // from 0
using UnitId = uint32_t;   // number of the unit in the project's permutation, from 0

// -- Signed by the root key
// ------------------------------------------------------------------------------------------

struct Genesis {
  Digest name, model, manifest, recipe, parameters;  // blobs
  Policy policy;
  uint32_t arithmetic_version = 0;
  PublicKey root, coordinator;
  std::vector<PublicKey> judges;
  std::optional<Digest> fork_of;  // the root hash of the log that this project continues
  bool operator==(const Genesis&) const = default;
};
struct SettingsChanged {
  Round from_round = 0;
  Policy policy;
  bool operator==(const SettingsChanged&) const = default;
};
struct CoordinatorMoved {
  PublicKey coordinator;
  bool operator==(const CoordinatorMoved&) const = default;
};
struct JudgeAdded {
  PublicKey judge;
  bool operator==(const JudgeAdded&) const = default;
};
struct JudgeRemoved {
  PublicKey judge;
  bool operator==(const JudgeRemoved&) const = default;
};
struct Endowed {
  UserId user = 0;
  Reputation reputation = 0;
  bool operator==(const Endowed&) const = default;
};
struct Paused {
  bool paused = true;
  bool operator==(const Paused&) const = default;
};
struct RolledBack {  // entries of this round and later ones are averaged no more
  Round to_round = 0;
  bool operator==(const RolledBack&) const = default;
};
struct VerdictVoided {
  ClaimId claim = 0;
  bool operator==(const VerdictVoided&) const = default;
};

// -- Signed by a user
// ------------------------------------------------------------------------------------------------

struct Joined {        // the author's key is the user's; logged with the first accepted entry
  uint64_t nonce = 0;  // proof of work, where the policy asks for it: join_work.h
  bool operator==(const Joined&) const = default;
};
struct NameChosen {
  Digest name;  // blob: at most 64 bytes of UTF-8
  bool operator==(const NameChosen&) const = default;
};
struct DeviceKeyAdded {
  PublicKey device;
  bool operator==(const DeviceKeyAdded&) const = default;
};
struct DeviceKeyRemoved {
  PublicKey device;
  bool operator==(const DeviceKeyRemoved&) const = default;
};
struct KeyRotated {
  PublicKey successor;
  bool operator==(const KeyRotated&) const = default;
};
struct EntrySealed {
  Round round = 0;
  UnitId unit = 0;
  Digest seal;  // entry_seal() below
  bool operator==(const EntrySealed&) const = default;
};
struct EntryOpened {
  Digest seal;
  Digest gradient;  // digest of the gradient file
  bool operator==(const EntryOpened&) const = default;
};
struct ClaimFiled {
  EntryId entry = 0;
  Digest seal;  // claim_seal() below
  bool operator==(const ClaimFiled&) const = default;
};
// Some of an entry's local steps, between two digests to which its gradient file commits. Claimant and judges
// recompute them from the state before, and get the digest after, or another one: then the file contradicts
// itself.
struct Stretch {
  uint32_t index = 0;  // from 0
  Digest before;       // of the training state that it begins with; of stretch 0: the snapshot
  Digest after;        // of the one that it ends with; of the last stretch: the gradient file
  bool operator==(const Stretch&) const = default;
};
struct StretchClaimed {
  EntryId entry = 0;
  Stretch stretch;  // that is false, as the entry's file states it
  Digest seal;      // claim_seal() of the digest that the claimant got after it
  bool operator==(const StretchClaimed&) const = default;
};
struct ClaimOpened {  // once the votes decide
  ClaimId claim = 0;
  Digest gradient;  // what the claimant got: the gradient file's digest, or that after the stretch
  bool operator==(const ClaimOpened&) const = default;
};
struct AppealFiled {
  ClaimId claim = 0;
  Digest gradient;  // what the appellant got
  bool operator==(const AppealFiled&) const = default;
};

struct Evaluated {  // how good the snapshot of a round is on the test images
  Round round = 0;
  uint32_t correct = 0, images = 0;
  uint64_t loss = 0;  // the mean, in units of 2^-40
  bool operator==(const Evaluated&) const = default;
};

// -- Signed by a judge
// -----------------------------------------------------------------------------------------------

struct VoteSealed {
  ClaimId claim = 0;
  Digest seal;  // vote_seal() below
  bool operator==(const VoteSealed&) const = default;
};
struct VoteOpened {  // once as many are sealed as a verdict needs
  ClaimId claim = 0;
  Digest gradient;  // what the judge got
  bool operator==(const VoteOpened&) const = default;
};

// -- Signed by the coordinator
// ---------------------------------------------------------------------------------------

struct RoundOpened {
  Round round = 0;
  Digest snapshot;  // of the parameters as binary32
  Digest state;     // of the parameters on the 2^-48 grid
  bool operator==(const RoundOpened&) const = default;
};
enum class CloseReason : uint8_t { maintainer = 0, quorum = 1, deadline = 2 };
struct RoundClosed {
  Round round = 0;
  CloseReason reason = CloseReason::maintainer;
  uint32_t openings = 0;
  uint64_t floor = 0;  // F of section "normalized", fixed here
  bool operator==(const RoundClosed&) const = default;
};
struct MismatchFound {  // by a blind duplicate: the coordinator's own claim, without a bounty
  EntryId entry = 0;
  Digest gradient;  // of another entry of the same unit
  bool operator==(const MismatchFound&) const = default;
};
struct VerdictReached {  // follows from the votes; stated so that it is signed
  ClaimId claim = 0;
  bool upheld = false;
  Digest gradient;  // what the judges got
  bool operator==(const VerdictReached&) const = default;
};
struct EntryUnavailable {  // snapshot or shards unserved
  EntryId entry = 0;
  bool operator==(const EntryUnavailable&) const = default;
};
struct EntrySuspended {
  EntryId entry = 0;
  bool operator==(const EntrySuspended&) const = default;
};
struct BlobsDropped {
  EntryId entry = 0;
  bool operator==(const BlobsDropped&) const = default;
};

struct LotSealed {  // under which the panels of claims to come are drawn
  Digest seal;      // lot_seal() below
  bool operator==(const LotSealed&) const = default;
};
struct PanelDrawn {  // by the lot that was sealed when the claim was signed
  ClaimId claim = 0;
  Digest lot;
  bool operator==(const PanelDrawn&) const = default;
};

// The order of the alternatives is no format; the type numbers of docs/formats/ledger.md are.
using Body =
    std::variant<Genesis, SettingsChanged, CoordinatorMoved, JudgeAdded, JudgeRemoved, Endowed, Paused,
                 RolledBack, VerdictVoided, Joined, NameChosen, DeviceKeyAdded, DeviceKeyRemoved, KeyRotated,
                 EntrySealed, EntryOpened, ClaimFiled, AppealFiled, Evaluated, ClaimOpened, VoteSealed,
                 VoteOpened, RoundOpened, RoundClosed, MismatchFound, VerdictReached, EntryUnavailable,
                 EntrySuspended, BlobsDropped, PanelDrawn, LotSealed, StretchClaimed>;

// The log as an author last verified it: nothing signed for one history counts in another.
struct LogHead {
  uint64_t size = 0;
  Digest root;  // RFC 6962 Merkle tree head
  bool operator==(const LogHead&) const = default;
};

// What an author signs. `project` is the digest of the genesis statement's bytes, and zero in genesis itself.
struct Statement {
  Digest project;
  LogHead seen;
  PublicKey author;
  Body body;
  Signature signature;
  bool operator==(const Statement&) const = default;
};

// A leaf of the log: a statement and the time at which the sequencer took it (Unix milliseconds, never
// decreasing).
struct Event {
  int64_t time = 0;
  Statement statement;
  bool operator==(const Event&) const = default;
};

inline constexpr size_t kMaxEventSize = 65'535;  // C2SP tlog-tiles
inline constexpr uint32_t kMaxJudges = 256;      // in one genesis

Statement sign_statement(const SigningKey& author, const Digest& project, const LogHead& seen, Body body);
bool signature_valid(const Statement& statement);

// SHA-256 of the statement's bytes; of genesis, it names the project.
Digest statement_digest(const Statement& statement);

// Canonical bytes. A decoder accepts exactly what an encoder writes of valid values: what it returns encodes
// to the same bytes again, and its policies satisfy validate(). Its errors name the kind and the field. It
// does not check signatures.
Bytes encode(const Statement& statement);
Bytes encode(const Event& event);
Result<Statement> decode_statement(BytesView bytes);
Result<Event> decode_event(BytesView bytes);
std::string_view kind_name(const Body& body);  // "entry sealed", for people and JSON
uint16_t kind_number(const Body& body);        // as in the bytes; never reused

// SHA-256 over a domain, project, user key, round, unit and digest: commits to a gradient without showing it.
Digest entry_seal(const Digest& project, const PublicKey& user, Round round, UnitId unit,
                  const Digest& gradient);
// The same of what a claimant or a judge got, bound to the entry or the claim.
Digest claim_seal(const Digest& project, const PublicKey& claimant, EntryId entry, const Digest& gradient);
Digest vote_seal(const Digest& project, const PublicKey& judge, ClaimId claim, const Digest& gradient);
// Commits the coordinator to a lot before anybody knows the claims whose panels it draws.
Digest lot_seal(const Digest& project, const Digest& lot);

// The users with the lowest ranks are the panel about the claim with that seal.
Digest panel_rank(const Digest& lot, const Digest& claim_seal, UserId user);

}  // namespace cairn::ledger
