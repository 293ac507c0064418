// Evidence against a coordinator: what it signed and cannot have signed honestly, in one file that convicts
// it before anybody. Whoever checks it needs nothing but the digest of the project: no log, no network, no
// trust in who hands it over. docs/formats/evidence.md. Pure functions, safe from any thread.
#pragma once

#include <string>
#include <variant>
#include <vector>

#include "ledger/checkpoint.h"
#include "ledger/merkle.h"
#include "ledger/receipt.h"

namespace cairn::ledger {

// Two checkpoints that no log has both: the larger one's log begins otherwise than the smaller one says.
struct SplitView {
  std::string smaller, larger;  // signed notes; of one size perhaps
  Digest beginning;             // root of the larger one's first events, as many as the smaller one has
  std::vector<Digest> proof;    // that it begins so: RFC 6962, 2.1.2
  bool operator==(const SplitView&) const = default;
};

// A receipt, and a log that has another event in its place.
struct BrokenReceipt {
  Receipt receipt;
  std::string checkpoint;     // a signed note
  Digest found;               // the leaf in the receipt's place
  std::vector<Digest> proof;  // that it is there: RFC 6962, 2.1.1
  bool operator==(const BrokenReceipt&) const = default;
};

struct Evidence {
  Statement genesis;               // names the coordinator's key, and by its digest the project
  std::optional<Statement> moved;  // the root's, where the coordinator has another key by now
  std::variant<SplitView, BrokenReceipt> lie;
  bool operator==(const Evidence&) const = default;
};

inline constexpr size_t kMaxEvidenceSize = size_t{1} << 19;
inline constexpr uint32_t kMaxProofSize = 128;  // hashes

// Canonical bytes. The decoder accepts exactly what encode() writes; it checks no signature.
Bytes encode(const Evidence& evidence);
Result<Evidence> decode_evidence(BytesView bytes);

struct Conviction {
  Digest project;
  PublicKey coordinator;
  std::string lie;  // one clause, of which the coordinator is the subject
};
// What the evidence proves; an error says why it proves nothing.
Result<Conviction> check_evidence(const Evidence& evidence);

}  // namespace cairn::ledger
