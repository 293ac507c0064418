// The story of the README, told by the program: a project, entries, a cheater, a claim, a verdict.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/npz.h"
#include "program.h"

namespace cairn::tests {
namespace {

using nlohmann::json;
using testing::HasSubstr;

constexpr const char* kRecipe = R"([training]
batch = 8
local_steps = 2
[trust]
exam_entries = 1
[evaluation]
sample = 32
)";

// A project of a small model on 160 images, 16 to a unit.
class Commands : public testing::Test {
 protected:
  void SetUp() override {
    write_idx_data(work_.file("data"), 160, 40);
    work_.write("recipe.toml", kRecipe);
    work_.must({"new", "study", "--model", "mlp", "--data", "data", "--recipe", "recipe.toml"});
  }

  json ask(std::vector<std::string> arguments) const {
    arguments.push_back("--json");
    return json::parse(work_.must(arguments));
  }

  // Computes and submits the user's next unit; `attack` makes it false first. Returns the entry's number.
  int contribute(const std::string& user, const std::string& attack = "") const {
    const json lease = ask({"unit", "study", "--user", user});
    const std::string file = user + ".gradient";
    work_.must({"gradient", "study", "--unit", lease["unit"].dump(), "--user", user, "-o", file});
    if (!attack.empty()) {
      EXPECT_EQ(work_.forge({"study", file, "-o", file, "--user", user, "--attack", attack}).code, 0);
    }
    return ask({"submit", "study", file})["entry"];
  }

  std::string refused(const std::vector<std::string>& arguments) const {
    const Digest before = tree_digest(work_.file("study"));
    const Outcome outcome = work_.cairn(arguments);
    EXPECT_EQ(outcome.code, 1) << testing::PrintToString(arguments) << outcome.out;
    EXPECT_EQ(tree_digest(work_.file("study")), before) << "a refusal changed the project: " << outcome.err;
    EXPECT_EQ(std::ranges::count(outcome.err, '\n'), 1) << outcome.err;
    return outcome.err;
  }

  double reputation(const std::string& user) const {
    const json status = ask({"status", "study"});
    for (const json& line : status["users"]) {
      if (line["name"] == user) return line["reputation"];
    }
    ADD_FAILURE() << "no user " << user;
    return 0;
  }

  Workshop work_;
};

TEST_F(Commands, HonestPeopleTrainAModel) {
  for (const char* user : {"ada", "bob"}) work_.must({"user", "study", user});
  const double before = ask({"eval", "study"})["loss"];
  for (int round = 0; round < 3; ++round) {
    for (const char* user : {"ada", "bob"}) contribute(user);
    work_.must({"close", "study"});
  }
  EXPECT_LT(ask({"eval", "study"})["loss"].get<double>(), before);
  EXPECT_DOUBLE_EQ(reputation("ada"), 0.004);
  const json verified = ask({"verify", "study"});
  EXPECT_EQ(verified["verify"], "ok");
  EXPECT_EQ(verified["entries"], 6);
  EXPECT_EQ(verified["snapshots_rebuilt"], 4);
  EXPECT_EQ(verified["model_digest"], ask({"status", "study"})["model_digest"]);
}

TEST_F(Commands, TheLogIsTheTextbooks) {
  work_.must({"user", "study", "ada"});
  contribute("ada");
  EXPECT_EQ(work_.must({"log", "study"}), "");  // sealed until the round closes
  work_.must({"close", "study"});
  const std::string log = work_.must({"log", "study"});
  EXPECT_THAT(
      log, testing::MatchesRegex(
               "image: train-[0-9]+(, train-[0-9]+)+\ngradient: [0-9a-f]+\nuserid: 1\nreputation: 0.002\n"));
  const json entry = ask({"log", "study"})[0];
  EXPECT_EQ(entry["image"].size(), 16u);
  EXPECT_EQ(entry["userid"], 1);
  EXPECT_EQ(entry["reputation"], 0.002);
  EXPECT_EQ(ask({"log", "study", "--inline"})[0]["gradient"].size(), 784u * 128 + 128 + 1290);
}

TEST_F(Commands, ACheaterIsFoundAndRemoved) {
  for (const char* user : {"ada", "mallory"}) work_.must({"user", "study", user});
  contribute("ada");
  contribute("mallory");
  const int lie = contribute("mallory", "sign-flip");
  work_.must({"close", "study"});
  EXPECT_EQ(ask({"probe", "study", "--entry", "1"})["match"], true);
  const json probe = ask({"probe", "study", "--entry", std::to_string(lie)});
  EXPECT_EQ(probe["match"], false);
  EXPECT_EQ(probe["user"], "mallory");

  work_.must({"claim", "study", "--entry", std::to_string(lie), "--user", "ada"});
  EXPECT_THAT(work_.must({"judge", "study"}), HasSubstr("upheld"));
  EXPECT_DOUBLE_EQ(reputation("mallory"), 0.001);
  EXPECT_DOUBLE_EQ(reputation("ada"), 0.003);  // 0.002 and half of Mallory's 0.002 above the minimum
  EXPECT_EQ(ask({"log", "study"}).size(), 1u);
  work_.must({"close", "study"});
  EXPECT_EQ(ask({"verify", "study"})["verdicts"], 1);
}

// Ada's gradient of zeros moves nothing, so without Mallory's the model is the one that everybody started
// from.
TEST_F(Commands, AModelWithoutTheCheaterIsTheModelAsIfSheHadNeverBeen) {
  for (const char* user : {"ada", "mallory"}) work_.must({"user", "study", user});
  const json start = ask({"status", "study"})["model_digest"];
  contribute("ada", "zero");
  const int lie = contribute("mallory", "noise");
  work_.must({"close", "study"});
  EXPECT_NE(ask({"status", "study"})["model_digest"], start);
  work_.must({"claim", "study", "--entry", std::to_string(lie), "--user", "ada"});
  work_.must({"judge", "study"});
  work_.must({"close", "study"});
  EXPECT_EQ(ask({"status", "study"})["model_digest"], start);
  EXPECT_EQ(ask({"verify", "study"})["verify"], "ok");
}

TEST_F(Commands, AFalseClaimantSuffersWhatTheLiarWouldHave) {
  for (const char* user : {"ada", "frank"}) work_.must({"user", "study", user});
  const int truth = contribute("ada");
  contribute("frank");
  work_.must({"close", "study"});
  EXPECT_THAT(refused({"claim", "study", "--entry", std::to_string(truth), "--user", "frank"}),
              HasSubstr("would cost you your reputation"));
  work_.must({"claim", "study", "--entry", std::to_string(truth), "--user", "frank", "--digest",
              std::string(64, '7')});
  EXPECT_THAT(work_.must({"judge", "study"}), HasSubstr("rejected"));
  EXPECT_DOUBLE_EQ(reputation("frank"), 0.001);
  EXPECT_DOUBLE_EQ(reputation("ada"), 0.002);
  EXPECT_EQ(ask({"log", "study"}).size(), 1u);
}

// What the claimant got is in the log only once the judge has decided.
TEST_F(Commands, AClaimStaysSealedUntilTheJudgeHasDecided) {
  for (const char* user : {"ada", "mallory"}) work_.must({"user", "study", user});
  contribute("ada");
  const int lie = contribute("mallory", "noise");
  work_.must({"close", "study"});
  const json claim = ask({"claim", "study", "--entry", std::to_string(lie), "--user", "ada"});
  EXPECT_THAT(refused({"claim", "study", "--entry", std::to_string(lie), "--user", "ada"}),
              HasSubstr("made already, as claim 1"));
  work_.must({"close", "study"});  // the openings of claims outlive the round
  const json status = ask({"status", "study"});
  const json verdict = ask({"judge", "study"})[0];
  EXPECT_EQ(verdict["recomputed"], claim["recomputed"]);
  EXPECT_EQ(verdict["bounty"], 0.0005);
  EXPECT_EQ(ask({"status", "study"})["events"].get<int>() - status["events"].get<int>(), 4)
      << "vote sealed, vote opened, claim opened, verdict";
  EXPECT_EQ(ask({"verify", "study"})["verify"], "ok");
}

TEST_F(Commands, AVoidedVerdictHasNeverBeen) {
  for (const char* user : {"ada", "frank"}) work_.must({"user", "study", user});
  const int truth = contribute("ada");
  contribute("frank");
  work_.must({"close", "study"});
  work_.must({"claim", "study", "--entry", std::to_string(truth), "--user", "frank", "--digest",
              std::string(64, '7')});
  work_.must({"judge", "study"});
  EXPECT_THAT(refused({"appeal", "study", "--claim", "1", "--user", "ada"}),
              HasSubstr("agrees with the verdict"));
  work_.must({"void", "study", "--claim", "1"});
  EXPECT_DOUBLE_EQ(reputation("frank"), 0.002);
  EXPECT_EQ(ask({"log", "study"}).size(), 2u);
  work_.must({"close", "study"});
  EXPECT_EQ(ask({"verify", "study"})["verify"], "ok");
}

TEST_F(Commands, AnImageNamesItsEntry) {
  for (const char* user : {"ada", "mallory"}) work_.must({"user", "study", user});
  const int entry = contribute("mallory", "scale");
  contribute("ada");
  work_.must({"close", "study"});
  const std::string image = ask({"log", "study"})[0]["image"][3];
  EXPECT_EQ(ask({"claim", "study", "--image", image, "--user", "ada"})["entry"], entry);
}

TEST_F(Commands, ADumpHoldsWhatWentIntoAGradient) {
  work_.must({"user", "study", "ada"});
  work_.must({"gradient", "study", "--unit", "0", "--user", "ada", "-o", "a", "--dump", "a.npz", "--all"});
  const auto bytes = read_file(work_.file("a.npz"), 1 << 26);
  ASSERT_TRUE(bytes);
  const auto arrays = read_npz(*bytes);
  ASSERT_TRUE(arrays);
  std::vector<std::string> names;
  for (const NpzArray& array : *arrays) names.push_back(array.name);
  EXPECT_THAT(names, testing::IsSupersetOf({"input", "labels", "loss"}));
  EXPECT_EQ(std::ranges::count_if(names, [](auto& name) { return name.starts_with("parameter/"); }), 4);
  EXPECT_EQ(std::ranges::count_if(names, [](auto& name) { return name.starts_with("gradient/"); }), 4);
  EXPECT_GE(std::ranges::count_if(names, [](auto& name) { return name.starts_with("tensor/"); }), 3);
}

TEST_F(Commands, AnExportedModelCanBeTheNextProjects) {
  work_.must({"export", "study", "-o", "model.onnx"});
  work_.must({"new", "next", "--model", "model.onnx", "--data", "data", "--recipe", "recipe.toml"});
  EXPECT_EQ(ask({"status", "next"})["model_digest"], ask({"status", "study"})["model_digest"]);
}

TEST_F(Commands, EveryInstructionSetGivesTheSameGradient) {
  work_.must({"user", "study", "ada"});
  const std::string list = work_.must({"selftest", "--isa", "list"});
  EXPECT_THAT(list, testing::StartsWith("scalar\n"));
  std::set<std::string> gradients;
  std::istringstream isas(list);
  for (std::string isa; std::getline(isas, isa);) {
    gradients.insert(
        ask({"gradient", "study", "--unit", "3", "--user", "ada", "-o", "a", "--isa", isa})["gradient"]);
  }
  EXPECT_EQ(gradients.size(), 1u);
}

TEST_F(Commands, AnEvaluationIsSignedOnceAndCompared) {
  work_.must({"user", "study", "ada"});
  EXPECT_EQ(ask({"eval", "study"})["stated"], json::array());
  EXPECT_THAT(refused({"eval", "study", "--user", "ada"}), HasSubstr("join first"));
  contribute("ada");
  EXPECT_EQ(ask({"eval", "study", "--user", "ada"})["stated"][0]["agrees"], true);
  EXPECT_THAT(refused({"eval", "study", "--user", "ada"}), HasSubstr("has evaluated round 0 already"));
  work_.must({"close", "study"});
  EXPECT_THAT(work_.must({"eval", "study", "--round", "0"}), HasSubstr("ada stated the same"));
  EXPECT_EQ(ask({"eval", "study"})["stated"], json::array());
  EXPECT_EQ(ask({"verify", "study"})["verify"], "ok");
}

TEST_F(Commands, JoiningProvesTheWorkThatTheRecipeAsksFor) {
  std::string recipe = kRecipe;
  recipe.insert(recipe.find("exam_entries"), "join_work = 8\n");
  work_.write("work.toml", recipe);
  work_.must({"new", "worked", "--model", "mlp", "--data", "data", "--recipe", "work.toml"});
  work_.must({"user", "worked", "ada"});
  work_.must({"gradient", "worked", "--unit", "0", "--user", "ada", "-o", "a"});
  EXPECT_EQ(ask({"submit", "worked", "a"})["entry"], 1);
}

TEST_F(Commands, HelpHasAnExampleAndWrongUsageExitsWith2) {
  for (const char* command : {"new", "user", "unit", "gradient", "submit", "close", "probe", "claim", "judge",
                              "appeal", "void", "log", "status", "verify", "eval", "export", "selftest"}) {
    EXPECT_THAT(work_.must({command, "--help"}), HasSubstr(std::string("cairn ") + command));
    EXPECT_EQ(work_.cairn({command, "--no-such-option"}).code, 2) << command;
  }
  EXPECT_EQ(work_.cairn({}).code, 2);
  EXPECT_EQ(work_.cairn({"frobnicate"}).code, 2);
  EXPECT_EQ(work_.cairn({"--version"}).code, 0);
}

TEST_F(Commands, AReturnedUnitGoesToTheNext) {
  for (const char* user : {"ada", "bob"}) work_.must({"user", "study", user});
  EXPECT_EQ(ask({"unit", "study", "--user", "ada"})["unit"], 0);
  EXPECT_THAT(refused({"unit", "study", "--user", "bob", "--return", "0"}), HasSubstr("is not leased"));
  EXPECT_THAT(refused({"unit", "study", "--user", "ada", "--slot", "1"}),
              HasSubstr("only established users"));
  EXPECT_EQ(ask({"unit", "study", "--user", "ada", "--return", "0"})["returned"], 0);
  EXPECT_EQ(ask({"unit", "study", "--user", "bob"})["unit"], 0);
}

// A project whose duplicates are blind, in place of the one that was made.
class BlindCommands : public Commands {
 protected:
  void make(int exam_entries) {
    std::string recipe = kRecipe;
    const std::string exam = "exam_entries = 1";
    recipe.replace(recipe.find(exam), exam.size(),
                   "exam = \"duplicates\"\nexam_entries = " + std::to_string(exam_entries));
    work_.write("blind.toml", recipe);
    std::filesystem::remove_all(work_.file("study"));
    work_.must({"new", "study", "--model", "mlp", "--data", "data", "--recipe", "blind.toml"});
    for (const char* user : {"ada", "bob"}) work_.must({"user", "study", user});
  }
};

TEST_F(BlindCommands, NewcomersCountWhereTheyAgree) {
  make(2);
  contribute("ada");
  contribute("bob");
  work_.must({"close", "study"});
  const json log = ask({"log", "study"});
  ASSERT_EQ(log.size(), 2u);
  EXPECT_EQ(log[0]["unit"], log[1]["unit"]);
  EXPECT_EQ(log[0]["averaged"], true);
  EXPECT_EQ(log[1]["averaged"], false);

  contribute("ada", "sign-flip");
  contribute("bob");
  EXPECT_EQ(ask({"close", "study"})["mismatches"], 0);
  EXPECT_EQ(ask({"log", "study"}).size(), 2u) << "no trace";
  EXPECT_DOUBLE_EQ(reputation("bob"), 0.002);
  EXPECT_EQ(ask({"unit", "study", "--user", "ada"})["unit"], 1) << "goes out again";
  EXPECT_EQ(ask({"verify", "study"})["verify"], "ok");
}

// Nobody needs the exam here, and everybody's first entry is doubled.
TEST_F(BlindCommands, DuplicatesThatDifferGoToTheJudge) {
  make(0);
  contribute("ada", "sign-flip");
  contribute("bob");
  EXPECT_EQ(ask({"close", "study"})["mismatches"], 2);
  EXPECT_THAT(work_.must({"judge", "study"}), testing::AllOf(HasSubstr("upheld"), HasSubstr("rejected")));
  EXPECT_DOUBLE_EQ(reputation("ada"), 0.001);
  EXPECT_DOUBLE_EQ(reputation("bob"), 0.002);
  work_.must({"close", "study"});
  const json log = ask({"log", "study"});
  ASSERT_EQ(log.size(), 1u);
  EXPECT_EQ(log[0]["averaged"], true);
  EXPECT_EQ(ask({"verify", "study"})["verify"], "ok");
}

TEST_F(Commands, OneUnitIsLeasedToOnePersonAtATime) {
  for (const char* user : {"ada", "bob"}) work_.must({"user", "study", user});
  EXPECT_EQ(ask({"unit", "study", "--user", "ada"})["unit"], 0);
  EXPECT_EQ(ask({"unit", "study", "--user", "ada"})["unit"], 0);
  EXPECT_EQ(ask({"unit", "study", "--user", "bob"})["unit"], 1);
  work_.must({"gradient", "study", "--unit", "0", "--user", "bob", "-o", "b"});
  EXPECT_THAT(refused({"submit", "study", "b"}), HasSubstr("leased to somebody else"));
}

}  // namespace
}  // namespace cairn::tests
