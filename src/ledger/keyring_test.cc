#include "ledger/keyring.h"

#include <gmock/gmock.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>

#include "base/file.h"

namespace cairn::ledger {
namespace {

using ::testing::HasSubstr;

class KeyRingTest : public ::testing::Test {
 protected:
  KeyRingTest() {
    std::string name = std::filesystem::temp_directory_path() / "cairn-keys-XXXXXX";
    CAIRN_ASSERT(::mkdtemp(name.data()) != nullptr);
    directory_ = name;
    std::filesystem::create_directory(directory_ / "project");
  }
  ~KeyRingTest() override { std::filesystem::remove_all(directory_); }

  KeyRing ring() {
    auto ring = KeyRing::open(directory_ / "data" / "keys", directory_ / "project");
    EXPECT_TRUE(ring.ok()) << ring.error().message;
    return std::move(ring).value();
  }

  static mode_t mode(const std::filesystem::path& path) {
    struct stat info {};
    EXPECT_EQ(::stat(path.c_str(), &info), 0);
    return info.st_mode & 0777;
  }

  std::string refusal_of_content(const std::string& text) {
    KeyRing keys = ring();
    const auto file = keys.path("p", "bob");
    std::filesystem::create_directories(file.parent_path());
    ::chmod(file.parent_path().c_str(), 0700);
    std::ofstream(file) << text;
    ::chmod(file.c_str(), 0600);
    const auto key = keys.load("p", "bob");
    if (!key.ok()) {
      EXPECT_THAT(key.error().message, HasSubstr(file.string() + ": "));
    }
    return key.ok() ? "accepted" : key.error().message;
  }

  std::filesystem::path directory_;
};

TEST_F(KeyRingTest, KeepsKeysPrivately) {
  const ::mode_t before = ::umask(0);
  const auto key = ring().create("p", "root");
  ::umask(before);
  ASSERT_TRUE(key.ok()) << key.error().message;
  const auto loaded = ring().load("p", "root");
  ASSERT_TRUE(loaded.ok()) << loaded.error().message;
  EXPECT_EQ(loaded->public_key(), key->public_key());
  EXPECT_EQ(loaded->seed(), key->seed());
  EXPECT_EQ(mode(ring().path("p", "root")), 0600u);
  EXPECT_EQ(mode(ring().path("p", "root").parent_path()), 0700u);
  EXPECT_EQ(mode(directory_ / "data" / "keys"), 0700u);
}

TEST_F(KeyRingTest, NeverReplacesAKey) {
  const auto key = ring().create("p", "bob");
  ASSERT_TRUE(key.ok());
  EXPECT_THAT(ring().create("p", "bob").error().message, HasSubstr("there is a key of that name already"));
  EXPECT_EQ(ring().load("p", "bob")->public_key(), key->public_key());
  EXPECT_TRUE(ring().create("q", "bob").ok());
  EXPECT_TRUE(ring().create("p", "alice").ok());
  EXPECT_EQ(*ring().names("p"), (std::vector<std::string>{"alice", "bob"}));
  EXPECT_TRUE(ring().names("none")->empty());
}

TEST_F(KeyRingTest, AKeyGetsAnotherName) {
  KeyRing keys = ring();
  const auto ada = keys.create("p", "ada");
  const auto bob = keys.create("p", "bob");
  ASSERT_TRUE(ada && bob);
  EXPECT_FALSE(keys.rename("p", "ada", "bob"));
  EXPECT_FALSE(keys.rename("p", "nobody", "countess"));
  ASSERT_TRUE(keys.rename("p", "ada", "countess"));
  EXPECT_EQ(keys.names("p").value(), (std::vector<std::string>{"bob", "countess"}));
  EXPECT_EQ(keys.load("p", "countess")->public_key(), ada->public_key());
  EXPECT_EQ(keys.load("p", "bob")->public_key(), bob->public_key());
  ASSERT_TRUE(keys.add("p", "ada", *ada));  // as a crash in the middle of it leaves them
  ASSERT_TRUE(keys.rename("p", "ada", "countess"));
  EXPECT_EQ(keys.names("p").value(), (std::vector<std::string>{"bob", "countess"}));
}

TEST_F(KeyRingTest, ASuccessorTakesAKeysPlace) {
  KeyRing keys = ring();
  ASSERT_TRUE(keys.create("p", "ada"));
  EXPECT_FALSE(keys.replace("p", "ada", "ada.next"));
  const auto next = keys.create("p", "ada.next");
  ASSERT_TRUE(next);
  ASSERT_TRUE(keys.replace("p", "ada", "ada.next"));
  EXPECT_EQ(keys.names("p").value(), std::vector<std::string>{"ada"});
  EXPECT_EQ(keys.load("p", "ada")->public_key(), next->public_key());
  EXPECT_EQ(mode(keys.path("p", "ada")), 0600u);
}

TEST_F(KeyRingTest, AddedKeysComeBack) {
  const SigningKey key = SigningKey::from_seed({1, 2, 3});
  ASSERT_TRUE(ring().add("p", "judge", key).ok());
  EXPECT_EQ(ring().load("p", "judge")->seed(), key.seed());
  EXPECT_EQ(to_hex(*read_file(ring().path("p", "judge"), 1000)).size() / 2,
            std::string("cairn private key v1: whoever has this file can sign as \"judge\" in project p; "
                        "never publish it\n")
                    .size() +
                8 + 64 + 1 + 9 + 64 + 1);
}

TEST_F(KeyRingTest, RefusesWhatOthersCanRead) {
  ASSERT_TRUE(ring().create("p", "bob").ok());
  const auto file = ring().path("p", "bob");
  for (const mode_t open_mode : {0640u, 0604u, 0602u, 0610u}) {
    ::chmod(file.c_str(), open_mode);
    EXPECT_THAT(ring().load("p", "bob").error().message,
                HasSubstr(file.string() + ": other users of this computer"));
  }
  ::chmod(file.c_str(), 0400);
  EXPECT_TRUE(ring().load("p", "bob").ok());
  ::chmod((directory_ / "data" / "keys").c_str(), 0755);
  const auto again = KeyRing::open(directory_ / "data" / "keys", directory_ / "project");
  EXPECT_THAT(again.error().message, HasSubstr("chmod 700"));
}

TEST_F(KeyRingTest, RefusesAFolderInsideTheProject) {
  const auto project = directory_ / "project";
  std::filesystem::create_directory(project / "sub");
  std::filesystem::create_directory_symlink(project / "sub", directory_ / "link");
  for (const auto& inside :
       {project, project / "keys", project / "", project / "sub" / "x", directory_ / "link" / "keys",
        directory_ / "other" / ".." / "project" / "keys"}) {
    const auto keys = KeyRing::open(inside, project);
    ASSERT_FALSE(keys.ok()) << inside;
    EXPECT_THAT(keys.error().message, HasSubstr("do not lie in a project directory"));
    EXPECT_FALSE(KeyRing::open(inside, project / "").ok());
  }
  EXPECT_FALSE(std::filesystem::exists(project / "keys"));
  EXPECT_TRUE(KeyRing::open(directory_ / "project-keys", project).ok());
}

TEST_F(KeyRingTest, NamesAreWords) {
  for (const std::string bad : {"", ".", "..", "a/b", "../x", ".hidden", "a b", "a\n"}) {
    EXPECT_THAT(ring().create("p", bad).error().message, HasSubstr("name: needs 1 to 80 letters"));
    EXPECT_THAT(ring().load(bad, "x").error().message, HasSubstr("project: needs 1 to 80 letters"));
  }
  EXPECT_FALSE(ring().create("p", std::string(81, 'a')).ok());
  EXPECT_TRUE(ring().create(std::string(64, 'f'), std::string(80, 'a')).ok());
}

TEST_F(KeyRingTest, DamagedFilesAreRefused) {
  const SigningKey key = SigningKey::from_seed({9});
  const std::string first = "cairn private key v1: x\n";
  const std::string good =
      first + "public: " + key.public_key().hex() + "\nprivate: " + to_hex(key.seed()) + "\n";
  EXPECT_EQ(refusal_of_content(good), "accepted");
  EXPECT_THAT(refusal_of_content(""), HasSubstr("is no private key of Cairn"));
  EXPECT_THAT(refusal_of_content("-----BEGIN OPENSSH PRIVATE KEY-----\n"), HasSubstr("is no private key"));
  EXPECT_THAT(refusal_of_content(good + "\n"), HasSubstr("not the three lines"));
  EXPECT_THAT(refusal_of_content(std::string(5000, 'x')), HasSubstr("at most 4096 are allowed"));
  for (size_t size = 0; size < good.size(); ++size)
    EXPECT_NE(refusal_of_content(good.substr(0, size)), "accepted");
  for (size_t i = first.size(); i < good.size(); ++i) {
    std::string flipped = good;
    flipped[i] = flipped[i] == '1' ? '2' : '1';
    EXPECT_NE(refusal_of_content(flipped), "accepted") << i;
  }
}

TEST_F(KeyRingTest, MissingKeysAreErrors) {
  EXPECT_THAT(ring().load("p", "nobody").error().message,
              HasSubstr("nobody.key: cannot be read: No such file"));
}

TEST_F(KeyRingTest, TheDefaultFolderFollowsTheEnvironment) {
  const auto variable = [](const char* name) {
    const char* value = std::getenv(name);
    return value == nullptr ? std::string() : std::string(value);
  };
  const std::string home = variable("HOME");
  const std::string data = variable("XDG_DATA_HOME");
  ::setenv("HOME", "/home/bob", 1);
  ::unsetenv("XDG_DATA_HOME");
  EXPECT_EQ(*KeyRing::default_directory(), "/home/bob/.local/share/cairn/keys");
  ::setenv("XDG_DATA_HOME", "/data", 1);
  EXPECT_EQ(*KeyRing::default_directory(), "/data/cairn/keys");
  ::setenv("XDG_DATA_HOME", "relative", 1);
  EXPECT_EQ(*KeyRing::default_directory(), "/home/bob/.local/share/cairn/keys");
  ::unsetenv("HOME");
  EXPECT_FALSE(KeyRing::default_directory().ok());
  ::setenv("HOME", home.c_str(), 1);
  data.empty() ? ::unsetenv("XDG_DATA_HOME") : ::setenv("XDG_DATA_HOME", data.c_str(), 1);
}

}  // namespace
}  // namespace cairn::ledger
