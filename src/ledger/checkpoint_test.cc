#include "ledger/checkpoint.h"

#include <gmock/gmock.h>

namespace cairn::ledger {
namespace {

using ::testing::HasSubstr;

SigningKey some_key(uint8_t number) {
  std::array<uint8_t, 32> seed{};
  seed[0] = number;
  return SigningKey::from_seed(seed);
}

const Digest kProject = sha256(as_bytes("a project"));
const LogHead kHead{70'000, sha256(as_bytes("a root"))};
const std::string kRootLine = "JXhDSpA/T8uO8YWcCA4Dk5nhU4zV4ZJdBplHlLmqnGM=\n";  // of no log in particular

// A tree head that sum.golang.org signed (quoted in tests of transparency-dev's tools), and its key.
constexpr std::string_view kGoHead =
    "go.sum database tree\n6476701\nmb8QLQIs0Z0yP5Cstq6guj87oXWeC9gEM8oVikmm9Wk=\n\n"
    "\xe2\x80\x94 sum.golang.org "
    "Az3grsLX85Gz+s1SiTbgkuqxgItqFq7gsMUEyVnrsa9LM7Us9S+1xbFIGu95949rj4nPRYfvimWEPWL+o3GeoWwOoAw=\n";
constexpr std::string_view kGoKey = "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8";

TEST(Checkpoint, OfTheGoChecksumDatabaseVerifies) {
  const SignedNote note = parse_note(kGoHead).value();
  EXPECT_TRUE(verify_note(note, decode_vkey(kGoKey).value()).ok());
  const Checkpoint checkpoint = parse_checkpoint_text(note.text).value();
  EXPECT_EQ(checkpoint.origin, "go.sum database tree");
  EXPECT_EQ(checkpoint.head.size, 6'476'701);
  EXPECT_EQ(encode(checkpoint), note.text);
}

TEST(Checkpoint, OfTheSpecificationParses) {
  const SignedNote note =
      parse_note(
          "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n"
          "\xe2\x80\x94 example.com/behind-the-sofa "
          "Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n")
          .value();
  const Checkpoint checkpoint = parse_checkpoint_text(note.text).value();
  EXPECT_EQ(checkpoint.origin, note.signatures[0].name);
  EXPECT_EQ(checkpoint.head.size, 20'852'163);
  EXPECT_EQ(checkpoint.head.root.hex(), "0ac5186a91863e8e1d90c808014aa89bf5da8e3ee1d9f07630f0378f68f1ab62");
}

TEST(Checkpoint, IsReadBackAsItWasSigned) {
  const SigningKey coordinator = some_key(1);
  const NoteKey key = log_key(kProject, coordinator.public_key());
  for (const uint64_t size :
       {uint64_t{0}, uint64_t{1}, uint64_t{255}, uint64_t{70'000}, (uint64_t{1} << 63) - 1}) {
    const std::string note = sign_checkpoint(kProject, {size, kHead.root}, coordinator);
    EXPECT_TRUE(note.starts_with("cairn/" + kProject.hex() + "\n" + std::to_string(size) + "\n"));
    const auto checkpoint = open_checkpoint(note, key);
    ASSERT_TRUE(checkpoint.ok()) << checkpoint.error().message;
    EXPECT_EQ(*checkpoint, (Checkpoint{log_origin(kProject), {size, kHead.root}, {}}));
  }
}

TEST(Checkpoint, OfAnotherLogKeyOrContentIsRefused) {
  const SigningKey coordinator = some_key(1);
  const NoteKey key = log_key(kProject, coordinator.public_key());
  EXPECT_FALSE(open_checkpoint(sign_checkpoint(kProject, kHead, some_key(2)), key).ok());
  EXPECT_FALSE(open_checkpoint(sign_checkpoint(sha256({}), kHead, coordinator), key).ok());
  std::string changed = sign_checkpoint(kProject, kHead, coordinator);
  changed[changed.find("70000")] = '8';
  EXPECT_THAT(open_checkpoint(changed, key).error().message, HasSubstr("is false"));
  // The right key's word about another log.
  const std::string text = encode(Checkpoint{"elsewhere", kHead, {}});
  const std::string note = encode(SignedNote{text, {sign_note(text, key.name, coordinator)}});
  EXPECT_THAT(open_checkpoint(note, key).error().message,
              HasSubstr("line 1: the checkpoint is of another log"));
}

TEST(Checkpoint, ExtensionLinesAreKept) {
  const std::string text = "o\n3\n" + kRootLine + "one more\nand another\n";
  const Checkpoint checkpoint = parse_checkpoint_text(text).value();
  EXPECT_THAT(checkpoint.extensions, ::testing::ElementsAre("one more", "and another"));
  EXPECT_EQ(encode(checkpoint), text);
}

TEST(Checkpoint, RefusalsNameTheLine) {
  const std::pair<std::string, const char*> cases[] = {
      {"", "line feed"},
      {"o\n3\n", "line 3: the text ends before it"},
      {"o\n", "line 2: the text ends before it"},
      {"o\n3\n" + kRootLine.substr(0, kRootLine.size() - 1), "line feed"},
      {"\n3\n" + kRootLine, "line 1: an empty line"},
      {"o\n\n" + kRootLine, "line 2: an empty line"},
      {"o\n3\n" + kRootLine + "\n", "line 4: an empty line"},
      {"o\n03\n" + kRootLine, "line 2: the size"},
      {"o\n00\n" + kRootLine, "line 2: the size"},
      {"o\n+3\n" + kRootLine, "line 2: the size"},
      {"o\n-3\n" + kRootLine, "line 2: the size"},
      {"o\n 3\n" + kRootLine, "line 2: the size"},
      {"o\n3 \n" + kRootLine, "line 2: the size"},
      {"o\n0x3\n" + kRootLine, "line 2: the size"},
      {"o\n9223372036854775808\n" + kRootLine, "line 2: the size"},
      {"o\n99999999999999999999\n" + kRootLine, "line 2: the size"},
      {"o\n3\nJXhDSpA=\n", "line 3: the root must be 32 bytes"},
      {"o\n3\nA" + kRootLine, "line 3: base 64"},
      {"o\n3\n" + kRootLine.substr(0, 42) + "d=\n", "line 3: base 64 with unused bits"},
      {"o\n3\n" + kRootLine.substr(0, 43) + "\n", "line 3: base 64"},
  };
  for (const auto& [text, message] : cases) {
    const auto checkpoint = parse_checkpoint_text(text);
    ASSERT_FALSE(checkpoint.ok()) << text;
    EXPECT_THAT(checkpoint.error().message, HasSubstr(message)) << text;
  }
  EXPECT_FALSE(parse_checkpoint_text(std::string(kMaxNoteSize, '\n')).ok());
}

}  // namespace
}  // namespace cairn::ledger
