// Checkpoints: the head of a log under its coordinator's signature, as C2SP tlog-checkpoint defines them. A
// checkpoint is a signed note; its text is the log's origin, its size and its root.
//
// Two checkpoints of one log that no consistency proof connects convict whoever signed them. Pure functions,
// safe from any thread. docs/formats/tlog.md
#pragma once

#include "ledger/event.h"
#include "ledger/signed_note.h"

namespace cairn::ledger {

struct Checkpoint {
  std::string origin;  // which log
  LogHead head;
  // Opaque further lines. Cairn writes none, and gives those of others no meaning.
  std::vector<std::string> extensions;
  bool operator==(const Checkpoint&) const = default;
};

// "cairn/" and the project's digest in hexadecimal: the origin of its log and the name of the key that signs.
std::string log_origin(const Digest& project);
NoteKey log_key(const Digest& project, const PublicKey& coordinator);

// The note's text, without signatures. Errors of the decoder name the line.
std::string encode(const Checkpoint& checkpoint);
Result<Checkpoint> parse_checkpoint_text(std::string_view text);

// The signed note of a project's head, ready to be served.
std::string sign_checkpoint(const Digest& project, const LogHead& head, const SigningKey& coordinator);

// The head that this note states: strictly parsed, signed by the key, with the key's name as its origin.
Result<Checkpoint> open_checkpoint(std::string_view note, const NoteKey& key);

}  // namespace cairn::ledger
