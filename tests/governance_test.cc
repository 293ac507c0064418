// What the root decides: endowments, pauses, rollbacks, settings, judges, the coordinator.
#include <gmock/gmock.h>

#include "commands.h"

namespace cairn::tests {
namespace {

using testing::HasSubstr;

class Governance : public Commands {
 protected:
  size_t events() const { return ask({"status", "study"})["events"]; }
};

TEST_F(Governance, TheRootEndowsWhomItKnows) {
  work_.must({"user", "study", "ada"});
  EXPECT_THAT(refused({"root", "endow", "study", "ada", "0.25"}), HasSubstr("cairn user study ada --join"));
  EXPECT_EQ(ask({"user", "study", "ada", "--join"})["userid"], 1);
  EXPECT_EQ(ask({"root", "endow", "study", "ada", "0.25"})["reputation"], 0.25);
  EXPECT_DOUBLE_EQ(reputation("ada"), 0.25);
  for (const char* wrong : {"1.5", "much", "0.0000000000001", ""})
    EXPECT_THAT(refused({"root", "endow", "study", "ada", wrong}), HasSubstr("reputation"));
  EXPECT_THAT(refused({"root", "endow", "study", "ada", "0.2"}), HasSubstr("not between"));
  contribute("ada");
  EXPECT_THAT(refused({"root", "endow", "study", "ada", "0.5"}), HasSubstr("only newcomers"));
  work_.must({"close", "study"});
  EXPECT_DOUBLE_EQ(reputation("ada"), 0.251);
  EXPECT_EQ(ask({"verify", "study"})["verify"], "ok");
}

TEST_F(Governance, OnlyTheRootDecides) {
  const std::string key(64, 'a');
  for (const std::vector<std::string>& decision :
       std::vector<std::vector<std::string>>{{"pause", "study"},
                                             {"rollback", "study", "--round", "0"},
                                             {"add-judge", "study", key},
                                             {"move-coordinator", "study", key}}) {
    std::vector<std::string> words = {"root", "--keys", work_.file("others").string()};
    words.insert(words.end(), decision.begin(), decision.end());
    EXPECT_THAT(refused(words), HasSubstr("does not hold the root's key"));
  }
}

TEST_F(Governance, APausedProjectTakesNothing) {
  work_.must({"user", "study", "ada"});
  work_.must({"gradient", "study", "--unit", "0", "--user", "ada", "-o", "a"});
  EXPECT_THAT(refused({"root", "resume", "study"}), HasSubstr("not paused"));
  EXPECT_EQ(ask({"root", "pause", "study"})["paused"], true);
  EXPECT_THAT(refused({"root", "pause", "study"}), HasSubstr("paused already"));
  EXPECT_EQ(ask({"status", "study"})["paused"], true);
  EXPECT_THAT(work_.must({"status", "study"}), HasSubstr("paused by the root"));
  EXPECT_THAT(refused({"submit", "study", "a"}), HasSubstr("paused"));
  EXPECT_THAT(refused({"unit", "study", "--user", "ada"}), HasSubstr("paused"));
  EXPECT_THAT(refused({"close", "study"}), HasSubstr("paused"));
  EXPECT_EQ(ask({"root", "resume", "study"})["paused"], false);
  work_.must({"submit", "study", "a"});
  work_.must({"close", "study"});
  EXPECT_EQ(ask({"verify", "study"})["verify"], "ok");
}

TEST_F(Governance, RolledBackRoundsAreAveragedNoMore) {
  const std::string start = ask({"status", "study"})["model_digest"];
  work_.must({"user", "study", "ada"});
  contribute("ada");
  const std::string first = ask({"close", "study"})["model_digest"];
  contribute("ada");
  EXPECT_NE(ask({"close", "study"})["model_digest"], first);
  EXPECT_THAT(refused({"root", "rollback", "study", "--round", "3"}), HasSubstr("has not been opened yet"));
  EXPECT_EQ(ask({"root", "rollback", "study", "--round", "0"})["to_round"], 2);
  EXPECT_EQ(ask({"close", "study"})["model_digest"], start);
  EXPECT_EQ(ask({"log", "study"}).size(), 2u);  // they stay in the log, and keep what they earned
  EXPECT_DOUBLE_EQ(reputation("ada"), 0.003);
  EXPECT_EQ(ask({"verify", "study"})["verify"], "ok");
}

TEST_F(Governance, SettingsHoldFromARoundOn) {
  work_.must({"user", "study", "ada"});
  work_.write("present.toml", work_.must({"root", "settings", "study"}));
  EXPECT_THAT(refused({"root", "settings", "study", "present.toml"}), HasSubstr("nothing is changed"));
  work_.write("policy.toml", "[trust]\nstep = 0.01\n");
  const json changed = ask({"root", "settings", "study", "policy.toml", "--from-round", "2"});
  EXPECT_EQ(changed["trust"]["step"], 0.01);
  EXPECT_EQ(changed["trust"]["exam_entries"], 1);  // as the project was made with
  EXPECT_EQ(ask({"root", "settings", "study"})["trust"]["step"], 0.001);
  EXPECT_EQ(ask({"root", "settings", "study", "--from-round", "2"})["trust"]["step"], 0.01);
  for (int round = 0; round < 3; ++round) {
    contribute("ada");
    work_.must({"close", "study"});
  }
  EXPECT_DOUBLE_EQ(reputation("ada"), 0.013);
  EXPECT_EQ(ask({"verify", "study"})["verify"], "ok");
}

TEST_F(Governance, SettingsThatCannotChangeAreRefused) {
  const auto refusal = [&](const std::string& toml, const std::string& round = "1") {
    work_.write("bad.toml", toml);
    return refused({"root", "settings", "study", "bad.toml", "--from-round", round});
  };
  EXPECT_THAT(refusal("[trust]\nstep = 0.01\n", "0"), HasSubstr("opened already"));
  EXPECT_THAT(refusal("[trust]\nminimum = 0.002\n"), HasSubstr("fixed in the genesis"));
  EXPECT_THAT(refusal("[trust]\nstpe = 0.01\n"), HasSubstr("bad.toml: trust.stpe: unknown key"));
  EXPECT_THAT(refusal("[trust]\nstep = 2.0\n"), HasSubstr("bad.toml: trust.step"));
  EXPECT_THAT(refusal(""), HasSubstr("neither a [trust] nor"));
  EXPECT_THAT(refusal("[trsut]\nstep = 0.01\n"), HasSubstr("trsut"));
  EXPECT_THAT(refusal("[training]\nbatch = 4\n[trust]\nstep = 0.01\n"), HasSubstr("recipe, which is fixed"));
  EXPECT_THAT(refusal(std::string(1 << 20, '#')), HasSubstr("bad.toml"));
  EXPECT_THAT(refused({"root", "settings", "study", "nowhere.toml"}), HasSubstr("nowhere.toml"));
  work_.write("whole.toml", std::string(kRecipe) + "[averaging]\nrate = 0.5\n");
  EXPECT_EQ(ask({"root", "settings", "study", "whole.toml"})["averaging"]["rate"], 0.5);
}

TEST_F(Governance, JudgesComeAndGo) {
  for (const char* user : {"ada", "mallory"}) work_.must({"user", "study", user});
  contribute("ada");
  const int lie = contribute("mallory", "noise");
  work_.must({"close", "study"});
  const std::string key = ask({"key", "new", "study", "second"})["key"];
  EXPECT_EQ(ask({"root", "add-judge", "study", "second"})["judges"].size(), 2u);
  EXPECT_THAT(refused({"root", "add-judge", "study", key}), HasSubstr("is a judge already"));
  EXPECT_EQ(ask({"root", "remove-judge", "study", "judge"})["judges"], json::array({key}));
  EXPECT_THAT(refused({"root", "remove-judge", "study", "judge"}), HasSubstr("is no judge"));
  EXPECT_THAT(refused({"root", "add-judge", "study", "nobody"}), HasSubstr("key nobody"));
  work_.must({"claim", "study", "--entry", std::to_string(lie), "--user", "ada"});
  EXPECT_THAT(refused({"judge", "study"}), HasSubstr("no judge"));
  const std::filesystem::path carried = work_.file("carried.key");  // as to another computer
  for (const auto& project : std::filesystem::directory_iterator(work_.file(".data") / "cairn" / "keys"))
    std::filesystem::rename(project.path() / "second.key", carried);
  EXPECT_THAT(refused({"judge", "study", "--key", "second"}), HasSubstr("second.key"));
  EXPECT_EQ(ask({"judge", "study", "--key", carried.string()})[0]["verdict"], "upheld");
  EXPECT_THAT(work_.must({"root", "remove-judge", "study", key}), HasSubstr("note: a verdict needs 1 vote"));
  work_.must({"close", "study"});
  EXPECT_EQ(ask({"verify", "study"})["verify"], "ok");
}

TEST_F(Governance, TwoJudgesVoteAndTheCoordinatorStatesTheVerdict) {
  for (const char* user : {"ada", "mallory"}) work_.must({"user", "study", user});
  work_.write("policy.toml", "[trust]\njudge_votes = 2\n");
  EXPECT_THAT(work_.must({"root", "settings", "study", "policy.toml"}),
              HasSubstr("note: a verdict needs 2 votes"));
  work_.must({"close", "study"});
  contribute("ada");
  const int lie = contribute("mallory", "noise");
  work_.must({"close", "study"});
  work_.must({"claim", "study", "--entry", std::to_string(lie), "--user", "ada"});
  // The second judge has a key ring of their own, without the coordinator's key, and votes last.
  const std::string others = work_.file("others").string();
  const std::string key = ask({"key", "new", "study", "judge", "--keys", others})["key"];
  work_.must({"root", "add-judge", "study", key});
  EXPECT_EQ(ask({"judge", "study"})[0]["verdict"], "open");
  EXPECT_EQ(ask({"judge", "study"}), json::array());
  EXPECT_EQ(ask({"judge", "study", "--keys", others})[0]["verdict"], "open");
  const json stated = ask({"judge", "study"});
  EXPECT_EQ(stated[0]["verdict"], "upheld");
  EXPECT_EQ(stated[0]["fallen"], "mallory");
  EXPECT_THAT(refused({"judge", "study", "--keys", work_.file("nobody").string()}), HasSubstr("judge.key"));
  EXPECT_EQ(ask({"verify", "study"})["verify"], "ok");
}

TEST_F(Governance, TheCoordinatorMoves) {
  const std::string others = work_.file("others").string();
  const std::string key = ask({"key", "new", "study", "host", "--keys", others})["key"];
  EXPECT_THAT(refused({"close", "study", "--keys", others}),
              HasSubstr("does not hold the coordinator's key"));
  EXPECT_EQ(ask({"root", "move-coordinator", "study", key})["coordinator"], key);
  EXPECT_THAT(refused({"root", "move-coordinator", "study", key}), HasSubstr("already"));
  EXPECT_THAT(refused({"close", "study"}), HasSubstr("does not hold the coordinator's key"));
  EXPECT_EQ(ask({"close", "study", "--keys", others})["next_round"], 1);
  EXPECT_EQ(ask({"status", "study"})["coordinator"], key);
  EXPECT_EQ(ask({"verify", "study"})["verify"], "ok");
}

}  // namespace
}  // namespace cairn::tests
