// Receipts: the coordinator's signed word that it took a statement into the log, at an index and a time.
//
// A receipt and a checkpoint of the same project that does not honour it convict the coordinator: both are
// signed, so the two together are proof to anyone. docs/formats/tlog.md. Pure functions, safe from any
// thread.
#pragma once

#include "ledger/event.h"
#include "ledger/merkle.h"

namespace cairn::ledger {

struct Receipt {
  Digest project;
  Digest event;        // the leaf's hash, leaf_hash(encode(event))
  uint64_t index = 0;  // where the event stands in the log
  int64_t time = 0;    // of the event: Unix milliseconds
  Signature signature;
  bool operator==(const Receipt&) const = default;
};

inline constexpr size_t kReceiptSize = 2 + 32 + 32 + 8 + 8 + 64;

Receipt sign_receipt(const SigningKey& coordinator, const Digest& project, const Digest& event,
                     uint64_t index, int64_t time);
bool signature_valid(const Receipt& receipt, const PublicKey& coordinator);

// Canonical bytes, kReceiptSize of them. The decoder accepts exactly what encode() writes; its errors name
// the field. It does not check the signature.
Bytes encode(const Receipt& receipt);
Result<Receipt> decode_receipt(BytesView bytes);

// That the receipt is this coordinator's word about that statement: what a contributor checks before it
// believes that it was heard.
Status check_receipt(const Receipt& receipt, const Digest& project, const PublicKey& coordinator,
                     const Statement& statement);

// Whether the log keeps the receipt's word; the error says in one sentence how it does not. A log that has
// not reached the index yet does not keep it. Preconditions of a conviction: signature_valid(), and a head
// that the coordinator signed after the receipt.
Status receipt_honoured(const Receipt& receipt, const MerkleTree& log);
// The same by RFC 6962's inclusion proof of the receipt's leaf at its index.
Status receipt_honoured(const Receipt& receipt, const LogHead& head, const std::vector<Digest>& proof);

}  // namespace cairn::ledger
