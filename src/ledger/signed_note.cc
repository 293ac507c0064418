#include "ledger/signed_note.h"

#include <algorithm>

#include "base/base64.h"
#include "base/digest.h"
#include "base/text.h"

namespace cairn::ledger {
namespace {

constexpr uint8_t kEd25519 = 1;                      // the algorithm's number in signed-note
constexpr std::string_view kDash = "\xe2\x80\x94 ";  // an em dash and a space
constexpr size_t kIdSize = 4;

// Unicode's White_Space beyond ASCII, in UTF-8.
constexpr std::string_view kSpaces[] = {"\xc2\x85",     "\xc2\xa0",     "\xe1\x9a\x80", "\xe2\x80\x80",
                                        "\xe2\x80\x81", "\xe2\x80\x82", "\xe2\x80\x83", "\xe2\x80\x84",
                                        "\xe2\x80\x85", "\xe2\x80\x86", "\xe2\x80\x87", "\xe2\x80\x88",
                                        "\xe2\x80\x89", "\xe2\x80\x8a", "\xe2\x80\xa8", "\xe2\x80\xa9",
                                        "\xe2\x80\xaf", "\xe2\x81\x9f", "\xe3\x80\x80"};

bool is_control(char c) {
  return static_cast<uint8_t>(c) < 0x20;
}

bool is_space(std::string_view character) {
  return character == " " ||
         std::find(std::begin(kSpaces), std::end(kSpaces), character) != std::end(kSpaces);
}

uint32_t big_endian_u32(BytesView bytes) {
  return uint32_t{bytes[0]} << 24 | uint32_t{bytes[1]} << 16 | uint32_t{bytes[2]} << 8 | uint32_t{bytes[3]};
}

void append_big_endian(Bytes& out, uint32_t value) {
  for (int shift = 24; shift >= 0; shift -= 8) out.push_back(static_cast<uint8_t>(value >> shift));
}

std::string id_in_hex(uint32_t id) {
  Bytes bytes;
  append_big_endian(bytes, id);
  return to_hex(bytes);
}

// The algorithm and the key, as ids and vkeys hold them.
Bytes typed_key(const PublicKey& key) {
  ByteWriter writer;
  writer.u8(kEd25519);
  writer.raw(key.bytes);
  return writer.take();
}

Error at_line(size_t line, const std::string& message) {
  return Error{message}.within("line " + std::to_string(line));
}

size_t lines_in(std::string_view text) {
  return static_cast<size_t>(std::count(text.begin(), text.end(), '\n'));
}

// Well-formed UTF-8 whose only control character is the line feed, at its end at the latest.
Status check_characters(std::string_view bytes) {
  size_t line = 1;
  for (size_t i = 0; i < bytes.size();) {
    const size_t length = utf8_length(bytes.substr(i));
    if (length == 0) return at_line(line, "not UTF-8");
    if (is_control(bytes[i]) && bytes[i] != '\n') return at_line(line, "a control character");
    if (bytes[i] == '\n') ++line;
    i += length;
  }
  if (!bytes.ends_with('\n')) return at_line(line, "no line feed at its end");
  return {};
}

// "— NAME BASE64", without its line feed.
Result<NoteSignature> parse_signature_line(std::string_view line) {
  if (!line.starts_with(kDash)) return Error{"a signature starts with an em dash and a space"};
  line.remove_prefix(kDash.size());
  const size_t space = line.find(' ');
  if (space == std::string_view::npos) return Error{"a signature is an em dash, a name and base 64"};
  NoteSignature result;
  result.name = line.substr(0, space);
  CAIRN_CHECK(check_key_name(result.name));
  CAIRN_TRY(const Bytes bytes, from_base64(line.substr(space + 1)));
  if (bytes.size() <= kIdSize) return Error{"a signature of no bytes"};
  result.key_id = big_endian_u32(bytes);
  result.signature.assign(bytes.begin() + kIdSize, bytes.end());
  return result;
}

}  // namespace

Status check_key_name(std::string_view name) {
  if (name.empty() || name.size() > kMaxNoteKeyNameSize) return Error{"a key's name has 1 to 256 bytes"};
  for (size_t i = 0; i < name.size();) {
    const size_t length = utf8_length(name.substr(i));
    if (length == 0) return Error{"a key's name must be UTF-8"};
    if (is_space(name.substr(i, length)) || is_control(name[i]) || name[i] == '+')
      return Error{"a key's name must hold no space, control character or plus sign"};
    i += length;
  }
  return {};
}

uint32_t NoteKey::id() const {
  return big_endian_u32(
      Hasher().update(as_bytes(name)).update(as_bytes("\n")).update(typed_key(key)).finish().bytes);
}

std::string encode_vkey(const NoteKey& key) {
  return key.name + "+" + id_in_hex(key.id()) + "+" + to_base64(typed_key(key.key));
}

Result<NoteKey> decode_vkey(std::string_view text) {
  if (text.size() > kMaxNoteKeyNameSize + 64) return Error{"a verifier key of more than 320 bytes"};
  const size_t first = text.find('+');
  const size_t second = first == std::string_view::npos ? first : text.find('+', first + 1);
  if (second == std::string_view::npos) return Error{"a verifier key reads NAME+ID+KEY"};
  NoteKey key;
  key.name = text.substr(0, first);
  CAIRN_CHECK(check_key_name(key.name));
  CAIRN_TRY(const Bytes bytes, from_base64(text.substr(second + 1)));
  if (bytes.size() != 1 + key.key.bytes.size() || bytes[0] != kEd25519)
    return Error{"only verifier keys of Ed25519 are known: 01 and 32 bytes, in base 64"};
  std::copy(bytes.begin() + 1, bytes.end(), key.key.bytes.begin());
  if (text.substr(first + 1, second - first - 1) != id_in_hex(key.id()))
    return Error{"the id in the verifier key is not that of its name and key; was it copied whole?"};
  return key;
}

NoteSignature sign_note(std::string_view text, const std::string& name, const SigningKey& key) {
  const Signature signature = key.sign(as_bytes(text));
  return {name, NoteKey{name, key.public_key()}.id(), {signature.bytes.begin(), signature.bytes.end()}};
}

std::string encode(const SignedNote& note) {
  std::string bytes = note.text + "\n";
  for (const NoteSignature& signature : note.signatures) {
    Bytes raw;
    append_big_endian(raw, signature.key_id);
    raw.insert(raw.end(), signature.signature.begin(), signature.signature.end());
    bytes.append(kDash).append(signature.name).append(" ").append(to_base64(raw)).append("\n");
  }
  return bytes;
}

Result<SignedNote> parse_note(std::string_view bytes) {
  if (bytes.size() > kMaxNoteSize)
    return Error{"a note of " + std::to_string(bytes.size()) + " bytes where at most " +
                 std::to_string(kMaxNoteSize) + " are allowed"};
  CAIRN_CHECK(check_characters(bytes));
  const size_t split = bytes.rfind("\n\n");
  if (split == std::string_view::npos)
    return at_line(lines_in(bytes) + 1, "no blank line between the text and its signatures");
  SignedNote note;
  note.text = bytes.substr(0, split + 1);
  std::string_view rest = bytes.substr(split + 2);
  size_t line = lines_in(note.text) + 2;
  if (rest.empty()) return at_line(line, "no signature after the blank line");
  for (; !rest.empty(); ++line) {
    if (note.signatures.size() == kMaxNoteSignatures)
      return at_line(line, "more than " + std::to_string(kMaxNoteSignatures) + " signatures");
    const size_t end = rest.find('\n');
    auto signature = parse_signature_line(rest.substr(0, end));
    if (!signature) return at_line(line, signature.error().message);
    note.signatures.push_back(std::move(signature).value());
    rest.remove_prefix(end + 1);
  }
  return note;
}

Status verify_note(const SignedNote& note, const NoteKey& key) {
  const std::string who = key.name + "+" + id_in_hex(key.id());
  bool found = false;
  for (const NoteSignature& by : note.signatures) {
    if (by.name != key.name || by.key_id != key.id()) continue;
    found = true;
    Signature signature;
    const bool fits = by.signature.size() == signature.bytes.size();
    if (fits) std::copy(by.signature.begin(), by.signature.end(), signature.bytes.begin());
    if (!fits || !signature_valid(key.key, as_bytes(note.text), signature))
      return Error{"the signature of " + who + " is false"};
  }
  if (!found) return Error{"not signed by " + who};
  return {};
}

}  // namespace cairn::ledger
