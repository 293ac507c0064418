// A submission: what a contributor hands in for a unit, complete and signed, so that anyone may carry it.
//
// Canonical bytes: docs/formats/submission.md.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/shared_bytes.h"
#include "ledger/event.h"
#include "project/names.h"

namespace cairn::project {

struct Submission {
  std::optional<ledger::Statement> joined;  // with the author's first entry
  std::optional<ledger::Statement> named;   // NameChosen, beside joined
  std::string name;                         // the text that `named` gives the digest of
  ledger::Statement sealed;                 // EntrySealed
  ledger::Statement opened;                 // EntryOpened, put in the log when the round closes
  SharedBytes gradient;                     // a gradient file, packed (work/gradient_store.h)
};

Bytes encode(const Submission& submission);
// Its gradient is where the bytes are.
Result<Submission> decode_submission(const SharedBytes& bytes);
uint64_t max_submission_size(uint64_t gradient_size);  // of a canonical gradient file

}  // namespace cairn::project
