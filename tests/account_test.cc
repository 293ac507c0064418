// What users do with their keys and names: two laptops, a lost one, a new key, another name.
#include <gmock/gmock.h>

#include "commands.h"

namespace cairn::tests {
namespace {

using testing::Contains;
using testing::HasSubstr;

class Account : public Commands {
 protected:
  void SetUp() override {
    Commands::SetUp();
    work_.must({"user", "study", "ada"});
  }

  // The laptop has a key ring of its own.
  std::vector<std::string> on_laptop(std::vector<std::string> words) const {
    words.insert(words.end(), {"--keys", work_.file("laptop").string()});
    return words;
  }
  std::vector<std::string> gradient_on_laptop(int unit) const {
    const std::string number = std::to_string(unit);
    return on_laptop({"gradient", "study", "--unit", number, "--user", "ada", "-o", "l" + number});
  }
  std::filesystem::path key_file(const std::string& name) const {
    const std::string project = ask({"status", "study"})["project"];
    return work_.file(".data") / "cairn" / "keys" / project / (name + ".key");
  }
  std::vector<std::string> key_names() const {
    std::vector<std::string> names;
    for (const json& key : ask({"key", "list", "study"})) {
      if (!key["name"].is_null()) names.push_back(key["name"]);
    }
    return names;
  }
};

TEST_F(Account, TwoLaptopsOfOneUser) {
  const std::string laptop = ask(on_laptop({"key", "new", "study", "ada"}))["key"];
  EXPECT_THAT(refused({"key", "add-device", "study", laptop, "--user", "ada"}), HasSubstr("join first"));
  contribute("ada");
  EXPECT_EQ(ask({"key", "add-device", "study", laptop, "--user", "ada"})["device"], laptop);
  EXPECT_THAT(refused({"key", "add-device", "study", laptop, "--user", "ada"}), HasSubstr("already"));
  EXPECT_THAT(refused(on_laptop({"key", "rotate", "study", "--user", "ada"})), HasSubstr("device key"));

  work_.must(gradient_on_laptop(1));
  EXPECT_EQ(ask({"submit", "study", "l1"})["userid"], 1);
  work_.must({"close", "study"});
  EXPECT_EQ(ask({"log", "study"}).size(), 2u);
  EXPECT_DOUBLE_EQ(reputation("ada"), 0.003);
  EXPECT_THAT(work_.must({"key", "list", "study"}),
              HasSubstr("(elsewhere)          " + laptop + "  device of ada"));

  for (const int unit : {2, 3}) work_.must(gradient_on_laptop(unit));
  work_.must({"submit", "study", "l2"});
  EXPECT_EQ(ask({"key", "remove-device", "study", laptop, "--user", "ada"})["lapsing_entries"], 1);
  EXPECT_THAT(refused({"key", "remove-device", "study", laptop, "--user", "ada"}),
              HasSubstr("no device key"));
  EXPECT_THAT(refused({"submit", "study", "l3"}), HasSubstr("revoked key"));
  EXPECT_THAT(refused(gradient_on_laptop(4)), HasSubstr("signs nothing any more"));
  EXPECT_EQ(ask({"close", "study"})["lapsed"], 1);
  EXPECT_EQ(ask({"verify", "study"})["verify"], "ok");
}

TEST_F(Account, ANewKeyKeepsWhatTheOldOneSealed) {
  EXPECT_THAT(refused({"key", "rotate", "study", "--user", "ada"}), HasSubstr("not in the log yet"));
  contribute("ada");
  const json rotated = ask({"key", "rotate", "study", "--user", "ada"});
  EXPECT_NE(rotated["key"], rotated["retired"]);
  EXPECT_THAT(work_.must({"key", "list", "study"}), HasSubstr("retired key of ada"));
  EXPECT_EQ(ask({"close", "study"})["entries"], 1);
  contribute("ada");
  work_.must({"close", "study"});
  EXPECT_DOUBLE_EQ(reputation("ada"), 0.003);
  EXPECT_EQ(ask({"verify", "study"})["verify"], "ok");
}

TEST_F(Account, ARotationThatWasCutOffEndsWhereItBegan) {
  contribute("ada");
  const auto old_key = work_.file("old");
  std::filesystem::copy_file(key_file("ada"), old_key);
  const std::string successor = ask({"key", "rotate", "study", "--user", "ada"})["key"];
  // As after a kill between the log and the key ring.
  std::filesystem::rename(key_file("ada"), key_file("ada.next"));
  std::filesystem::copy_file(old_key, key_file("ada"));
  const json before = ask({"status", "study"});
  EXPECT_EQ(ask({"key", "rotate", "study", "--user", "ada"})["key"], successor);
  EXPECT_EQ(ask({"status", "study"}), before);
  EXPECT_THAT(key_names(), testing::Not(Contains("ada.next")));
  EXPECT_EQ(ask({"close", "study"})["entries"], 1);
}

TEST_F(Account, AnotherName) {
  work_.must({"user", "study", "bob"});
  EXPECT_EQ(ask({"key", "rename", "study", "augusta", "--user", "ada"})["name"],
            "augusta");  // not in the log yet
  contribute("augusta");
  EXPECT_EQ(ask({"key", "rename", "study", "countess", "--user", "augusta"})["name"], "countess");
  EXPECT_THAT(key_names(), testing::UnorderedElementsAre("bob", "coordinator", "countess", "judge", "root"));
  work_.must({"close", "study"});
  EXPECT_EQ(ask({"log", "study"})[0]["user"], "countess");
  EXPECT_THAT(refused({"key", "rename", "study", "bob", "--user", "countess"}), HasSubstr("bob"));
  EXPECT_THAT(refused({"key", "rename", "study", "countess", "--user", "bob"}), HasSubstr("taken"));
  EXPECT_THAT(refused({"key", "rename", "study", "../x", "--user", "bob"}), HasSubstr("user name"));
  EXPECT_THAT(refused({"key", "rename", "study", "judge", "--user", "bob"}), HasSubstr("role"));
  EXPECT_THAT(refused({"key", "rename", "study", "carl", "--user", "nobody"}), HasSubstr("cairn user"));
  contribute("countess");
  work_.must({"close", "study"});
  EXPECT_EQ(ask({"verify", "study"})["verify"], "ok");
}

TEST_F(Account, KeysAreListedWithWhatTheyAre) {
  contribute("ada");
  work_.must({"key", "new", "study", "spare"});
  EXPECT_THAT(refused({"key", "new", "study", "spare"}), HasSubstr("already"));
  EXPECT_THAT(refused({"key", "new", "study", "no/slash"}), HasSubstr("name"));
  EXPECT_THAT(refused({"key", "add-device", "study", "0123", "--user", "ada"}), HasSubstr("key 0123"));
  std::map<std::string, json> roles;
  for (const json& key : ask({"key", "list", "study"})) roles[key["name"]] = key["roles"];
  EXPECT_EQ(roles["root"], json::array({"root"}));
  EXPECT_EQ(roles["coordinator"], json::array({"coordinator"}));
  EXPECT_EQ(roles["judge"], json::array({"judge"}));
  EXPECT_EQ(roles["ada"], json::array({"main key of ada"}));
  EXPECT_EQ(roles["spare"], json::array());
}

}  // namespace
}  // namespace cairn::tests
