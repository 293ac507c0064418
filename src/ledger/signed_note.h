// Notes: text signed by one or more keys, as C2SP signed-note v1.0.0 defines them, with its Ed25519
// signatures.
//
// Here a note is a checkpoint (checkpoint.h); other log tools read, witness and sign the same bytes. Errors
// name the line, from 1. Pure functions, safe from any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/signature.h"

namespace cairn::ledger {

// Room for 16 post-quantum signatures of 5 kB, which a verifier has to accept.
inline constexpr size_t kMaxNoteSize = size_t{1} << 17;
inline constexpr size_t kMaxNoteSignatures = 64;
inline constexpr size_t kMaxNoteKeyNameSize = 256;

// A name: 1 to 256 bytes of UTF-8 without spaces, control characters and plus signs.
Status check_key_name(std::string_view name);

// An Ed25519 key under the name by which it signs.
struct NoteKey {
  std::string name;
  PublicKey key;
  bool operator==(const NoteKey&) const = default;

  uint32_t id() const;  // of signed-note: the start of a digest of name, algorithm and key
};

// The "vkey" of the Go checksum database and its tools: NAME+ID in hexadecimal+base64(0x01 || key).
std::string encode_vkey(const NoteKey& key);
Result<NoteKey> decode_vkey(std::string_view text);

struct NoteSignature {
  std::string name;
  uint32_t key_id = 0;
  Bytes signature;  // of a length that the algorithm of the key tells; 64 for Ed25519
  bool operator==(const NoteSignature&) const = default;
};

struct SignedNote {
  std::string text;  // ends with a line feed
  std::vector<NoteSignature> signatures;
  bool operator==(const SignedNote&) const = default;
};

// Precondition: the text and `name` are ones that parse_note() accepts.
NoteSignature sign_note(std::string_view text, const std::string& name, const SigningKey& key);
std::string encode(const SignedNote& note);

// What it returns encodes to the same bytes again. It checks no signature: the text is nobody's word yet.
Result<SignedNote> parse_note(std::string_view bytes);

// Signed by that key. Signatures by other keys are ignored; a second one by this key must hold as well.
Status verify_note(const SignedNote& note, const NoteKey& key);

}  // namespace cairn::ledger
