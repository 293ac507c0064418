// Proof of work at registration, so that accounts in bulk cost their maker something. Hashcash's idea, over
// the project and the new user's key: work done for one account counts for no other.
#pragma once

#include "base/digest.h"
#include "base/progress.h"
#include "base/signature.h"

namespace cairn::ledger {

// The leading zero bits of SHA-256 over a domain, project, user key and nonce: docs/formats/ledger.md. 0 to
// 256.
uint32_t join_work(const Digest& project, const PublicKey& user, uint64_t nonce);

// The first nonce that proves at least so many bits: 2^bits hashes on average. Progress counts hashes against
// that average (it may exceed it); stopping is an error.
Result<uint64_t> find_join_nonce(const Digest& project, const PublicKey& user, uint32_t bits,
                                 const Progress& progress);

}  // namespace cairn::ledger
