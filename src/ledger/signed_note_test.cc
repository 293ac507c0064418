#include "ledger/signed_note.h"

#include <gmock/gmock.h>

#include <random>

#include "base/base64.h"

namespace cairn::ledger {
namespace {

using ::testing::HasSubstr;

// The key, text and signature with which golang.org/x/mod/sumdb/note is tested (note_test.go); Ed25519 is
// deterministic, so the whole note is a known answer.
constexpr std::string_view kVkey = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
constexpr std::string_view kPrivate = "AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz";  // 01 and the seed
constexpr std::string_view kText =
    "If you think cryptography is the answer to your problem,\n"
    "then you don't know what your problem is.\n";
constexpr std::string_view kSignatureLine =
    "\xe2\x80\x94 PeterNeumann "
    "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";

std::string known_note() {
  return std::string(kText) + "\n" + std::string(kSignatureLine);
}

SigningKey known_key() {
  const Bytes bytes = *from_base64(kPrivate);
  std::array<uint8_t, 32> seed;
  std::copy(bytes.begin() + 1, bytes.end(), seed.begin());
  return SigningKey::from_seed(seed);
}

SigningKey some_key(uint8_t number) {
  std::array<uint8_t, 32> seed{};
  seed[0] = number;
  return SigningKey::from_seed(seed);
}

TEST(SignedNote, IsTheKnownAnswerOfGosNotes) {
  const SigningKey key = known_key();
  const NoteKey vkey = decode_vkey(kVkey).value();
  EXPECT_EQ(vkey.name, "PeterNeumann");
  EXPECT_EQ(vkey.key, key.public_key());
  EXPECT_EQ(vkey.id(), 0xc74f20a3);
  EXPECT_EQ(encode_vkey(vkey), kVkey);
  const SignedNote note{std::string(kText), {sign_note(kText, "PeterNeumann", key)}};
  EXPECT_EQ(encode(note), known_note());
  const auto parsed = parse_note(known_note());
  ASSERT_TRUE(parsed.ok()) << parsed.error().message;
  EXPECT_EQ(*parsed, note);
  EXPECT_TRUE(verify_note(*parsed, vkey).ok());
}

// The verifier key that the go command carries.
TEST(SignedNote, KnowsTheKeyOfTheGoChecksumDatabase) {
  const std::string_view vkey = "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8";
  EXPECT_EQ(encode_vkey(decode_vkey(vkey).value()), vkey);
}

// The example of C2SP signed-note: the text itself has an empty line.
TEST(SignedNote, OnlyTheLastEmptyLineSeparates) {
  const std::string note =
      "Ognuno sta solo sul cuor della terra\ntrafitto da un raggio di sole:\n\n\xc3\xa8"
      "d \xc3\xa8 subito sera.\n\n"
      "\xe2\x80\x94 quasimodo.example/salvatore "
      "NnugSzTjtVAewIS+Z/iJhUPeFDkO/5QQ2i5ddnGITLlC+EhfLW9oJKONrMouFSQU0xMcXxj99ihAQwaqP3ZekRwNtIc=\n";
  const auto parsed = parse_note(note);
  ASSERT_TRUE(parsed.ok()) << parsed.error().message;
  EXPECT_TRUE(parsed->text.ends_with("subito sera.\n"));
  ASSERT_EQ(parsed->signatures.size(), 1);
  EXPECT_EQ(parsed->signatures[0].name, "quasimodo.example/salvatore");
  EXPECT_EQ(parsed->signatures[0].key_id, 0x367ba04bU);
  EXPECT_EQ(encode(*parsed), note);
}

TEST(SignedNote, EveryDamagedVkeyIsRefused) {
  for (size_t begin = 0; begin <= kVkey.size(); ++begin) {
    for (size_t end = begin; end <= kVkey.size(); ++end) {
      if (begin == 0 && end == kVkey.size()) continue;
      EXPECT_FALSE(decode_vkey(kVkey.substr(begin, end - begin)).ok()) << begin << " " << end;
    }
  }
  for (size_t i = 0; i < kVkey.size(); ++i) {
    std::string damaged(kVkey);
    ++damaged[i];
    EXPECT_FALSE(decode_vkey(damaged).ok()) << damaged;
  }
  // Too long, and of another algorithm, with the ids that would fit.
  EXPECT_FALSE(
      decode_vkey("PeterNeumann+cc469956+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TWBADKEY==").ok());
  EXPECT_FALSE(decode_vkey("PeterNeumann+173116ae+ZRpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW").ok());
  EXPECT_FALSE(decode_vkey(std::string(1 << 20, 'a')).ok());
}

TEST(SignedNote, NamesOfKeysHaveNoSpacesAndNoPlus) {
  for (const char* name : {"a", "cairn/00ff", "\xc3\xa8.example", "a-b_c"})
    EXPECT_TRUE(check_key_name(name).ok());
  for (const char* name :
       {"", "a b", "a+b", "a\tb", "a\nb", "a\xc2\xa0", "\xe3\x80\x80", "\xe2\x80\xa8", "\xff", "\x01"})
    EXPECT_FALSE(check_key_name(name).ok()) << name;
  EXPECT_TRUE(check_key_name(std::string(256, 'a')).ok());
  EXPECT_FALSE(check_key_name(std::string(257, 'a')).ok());
}

TEST(SignedNote, SignaturesByOthersAreIgnored) {
  const NoteKey key = decode_vkey(kVkey).value();
  SignedNote note = *parse_note(known_note());
  const NoteSignature own = note.signatures[0];
  note.signatures = {sign_note(kText, "witness", some_key(1)),
                     {"PeterNeumann", 7, {1, 2, 3}},           // the name alone
                     {"witness", own.key_id, Bytes(3000, 9)},  // the id alone
                     own};
  const auto parsed = parse_note(encode(note));
  ASSERT_TRUE(parsed.ok()) << parsed.error().message;
  EXPECT_EQ(*parsed, note);
  EXPECT_TRUE(verify_note(*parsed, key).ok());
  note.signatures.pop_back();
  EXPECT_THAT(verify_note(note, key).error().message, HasSubstr("not signed by PeterNeumann+c74f20a3"));
}

TEST(SignedNote, OneFalseSignatureByTheKeyRefusesTheNote) {
  const NoteKey key = decode_vkey(kVkey).value();
  SignedNote note = *parse_note(known_note());
  note.signatures.push_back(note.signatures[0]);
  EXPECT_TRUE(verify_note(note, key).ok());
  note.signatures[1].signature[5] ^= 1;
  EXPECT_THAT(verify_note(note, key).error().message, HasSubstr("is false"));
  note.signatures[1].signature.resize(63);
  EXPECT_FALSE(verify_note(note, key).ok());
  note.signatures[1].signature.resize(65);
  EXPECT_FALSE(verify_note(note, key).ok());
}

TEST(SignedNote, RefusalsNameTheLine) {
  const std::string line(kSignatureLine);
  const std::pair<std::string, const char*> cases[] = {
      {"", "line 1: no line feed at its end"},
      {"a", "line 1: no line feed at its end"},
      {"a\n", "line 2: no blank line"},
      {"a\n" + line, "line 3: no blank line"},
      {"a\n\n", "line 3: no signature"},
      {"a\n\nb\n", "line 3: a signature starts with an em dash"},
      {"a\n\n" + line + "b\n", "line 4: a signature starts with an em dash"},
      {"a\n\n" + line + "\n", "line 5: no signature"},
      {"a\n\n- PeterNeumann x08goAAA\n", "line 3: a signature starts with an em dash"},
      {"a\n\n\xe2\x80\x94 PeterNeumann\n", "line 3: a signature is"},
      {"a\n\n\xe2\x80\x94  x08goAAA\n", "line 3: a key's name"},
      {"a\n\n\xe2\x80\x94 a+b x08goAAA\n", "line 3: a key's name"},
      {"a\n\n\xe2\x80\x94 a x08g\n", "line 3: a signature of no bytes"},
      {"a\n\n\xe2\x80\x94 a x08gow==\n", "line 3: a signature of no bytes"},
      {"a\n\n\xe2\x80\x94 a x08goAAA=\n", "line 3: base 64"},
      {"a\n\n\xe2\x80\x94 a x08goAA*\n", "line 3: a character"},
      {"a\n\n\xe2\x80\x94 a x08goAA\n", "line 3: base 64"},
      {"a\n\n\xe2\x80\x94 a x08goAAA \n", "line 3: base 64"},
      {"a\nb\r\n\n" + line, "line 2: a control character"},
      {std::string("a\0\n\n", 4) + line, "line 1: a control character"},
      {"a\nb\n\xff\n\n" + line, "line 3: not UTF-8"},
      {line.substr(0, line.size() - 1), "line 1: no line feed"},
  };
  for (const auto& [note, message] : cases) {
    const auto parsed = parse_note(note);
    ASSERT_FALSE(parsed.ok()) << note;
    EXPECT_THAT(parsed.error().message, HasSubstr(message)) << note;
  }
}

TEST(SignedNote, KeepsItsLimits) {
  SignedNote note = *parse_note(known_note());
  const NoteSignature large{"w", 1, Bytes(5000)};
  note.signatures.assign(16, large);  // what every verifier has to take
  EXPECT_TRUE(parse_note(encode(note)).ok());
  note.signatures.assign(kMaxNoteSignatures, {"w", 1, Bytes(64)});
  EXPECT_TRUE(parse_note(encode(note)).ok());
  note.signatures.push_back(note.signatures[0]);
  EXPECT_THAT(parse_note(encode(note)).error().message, HasSubstr("line 68: more than 64 signatures"));
  const std::string tail = "\n\n" + std::string(kSignatureLine);
  EXPECT_TRUE(parse_note(std::string(kMaxNoteSize - tail.size(), 'a') + tail).ok());
  EXPECT_FALSE(parse_note(std::string(kMaxNoteSize + 1 - tail.size(), 'a') + tail).ok());
}

// Any damage makes another note: refused, or with another meaning, but never the same.
TEST(SignedNote, DamageIsNeverOverlooked) {
  const NoteKey key = decode_vkey(kVkey).value();
  const std::string good = known_note();
  std::mt19937_64 random(1);
  for (int i = 0; i < 3000; ++i) {
    std::string damaged = good;
    const size_t at = random() % damaged.size();
    const uint64_t how = random() % 3;
    if (how == 0) damaged[at] = static_cast<char>(damaged[at] ^ 1 << random() % 8);
    if (how == 1) damaged.erase(at, 1 + random() % 3);
    if (how == 2) damaged.insert(at, 1, "\n +=A\xe2\x80"[random() % 7]);
    if (damaged == good) continue;
    const auto parsed = parse_note(damaged);
    if (!parsed) continue;
    ASSERT_EQ(encode(*parsed), damaged);
    ASSERT_FALSE(verify_note(*parsed, key).ok()) << damaged;
  }
}

}  // namespace
}  // namespace cairn::ledger
