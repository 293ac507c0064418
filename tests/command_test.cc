// The story of the README, told by the program: a project, entries, a cheater, a claim, a verdict.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include "base/file.h"
#include "base/npz.h"
#include "base/philox.h"
#include "commands.h"

namespace cairn::tests {
namespace {

using testing::HasSubstr;

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

// One false step of eight, in the middle: who claims and who judges recompute the two steps around it.
TEST_F(Commands, AFalseStepIsFoundAndJudgedByItsStretch) {
  work_.write("long.toml", "[training]\nbatch = 8\nlocal_steps = 8\ntrace = 2\n[trust]\nexam_entries = 1\n");
  work_.must({"new", "traced", "--model", "mlp", "--data", "data", "--recipe", "long.toml"});
  for (const std::string user : {"ada", "mallory"}) {
    work_.must({"user", "traced", user});
    const json lease = ask({"unit", "traced", "--user", user});
    work_.must({"gradient", "traced", "--unit", lease["unit"].dump(), "--user", user, "-o", user});
    if (user == "mallory") {
      EXPECT_EQ(work_.forge({"file", "traced", user, "-o", user, "--user", user, "--step", "4"}).code, 0);
    }
    work_.must({"submit", "traced", user});
  }
  work_.must({"close", "traced"});
  EXPECT_EQ(ask({"probe", "traced", "--entry", "1"})["match"], true);
  const json probe = ask({"probe", "traced", "--entry", "2"});
  EXPECT_EQ(probe["match"], false);
  EXPECT_EQ(probe["stretch"], 2);
  EXPECT_EQ(probe["steps"], json::array({4, 6}));
  EXPECT_THAT(work_.must({"claim", "traced", "--entry", "2", "--user", "ada"}),
              HasSubstr("entry 2 by mallory is false in steps 4 to 6 of 8"));
  EXPECT_THAT(work_.must({"judge", "traced"}),
              HasSubstr("upheld. Entry 2 is false in steps 4 to 6 of 8: mallory"));
  EXPECT_THAT(work_.must({"log", "traced", "--format", "story"}), HasSubstr("false in steps 4 to 6 of 8"));
  work_.must({"close", "traced"});
  EXPECT_EQ(ask({"verify", "traced"})["verdicts"], 1);
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
  work_.must({"root", "void", "study", "--claim", "1"});
  EXPECT_THAT(refused({"root", "void", "study", "--claim", "1"}), HasSubstr("voided already"));
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

TEST_F(Commands, ExportsWhatTheEndingOrTheOptionSays) {
  const std::pair<const char*, const char*> files[] = {
      {"m.onnx", "onnx"}, {"m.safetensors", "safetensors"}, {"m.pt", "pytorch"}, {"m.pth", "pytorch"}};
  for (const auto& [file, format] : files) EXPECT_EQ(ask({"export", "study", "-o", file})["format"], format);
  EXPECT_EQ(ask({"export", "study", "-o", "m.bin", "--format", "pytorch"})["format"], "pytorch");
  EXPECT_THAT(refused({"export", "study", "-o", "m.bin"}), HasSubstr("--format"));
  const auto weights = read_file(work_.file("m.safetensors"), 1 << 24);
  ASSERT_TRUE(weights);
  EXPECT_THAT(std::string(weights->begin() + 8, weights->begin() + 200), HasSubstr("fc1.weight"));
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
  work_.must({"user", "worked", "bob", "--join"});
}

TEST_F(Commands, PeopleWorkOnOneDirectoryAtOnce) {
  const std::vector<std::string> users = {"ada", "bob", "cleo", "dan"};
  for (const std::string& user : users) work_.must({"user", "study", user});
  const auto all_at_once = [&](const std::function<std::vector<std::string>(const std::string&)>& words) {
    std::map<std::string, pid_t> running;
    std::map<std::string, json> answers;
    for (const std::string& user : users) running[user] = work_.start(user, words(user));
    for (const auto& [user, process] : running) {
      const Outcome outcome = work_.finish(user, process);
      EXPECT_EQ(outcome.code, 0) << outcome.err;
      answers[user] = json::parse(outcome.out);
    }
    return answers;
  };
  std::set<int> units;
  for (int round = 0; round < 2; ++round) {
    auto leases = all_at_once([&](const std::string& user) -> std::vector<std::string> {
      return {"unit", "study", "--user", user, "--json"};
    });
    for (const std::string& user : users) units.insert(leases[user]["unit"].get<int>());
    all_at_once([&](const std::string& user) -> std::vector<std::string> {
      return {"gradient",  "study", "--unit", leases[user]["unit"].dump(), "--user", user, "-o", user,
              "--threads", "1",     "--json"};
    });
    all_at_once([&](const std::string& user) -> std::vector<std::string> {
      return {"submit", "study", user, "--json"};
    });
    work_.must({"close", "study"});
  }
  EXPECT_EQ(units.size(), 8u);
  EXPECT_EQ(ask({"log", "study"}).size(), 8u);
  EXPECT_EQ(ask({"verify", "study"})["verify"], "ok");
}

// Whatever instant a kill falls on: what was acknowledged is there, what was not can be done again.
TEST_F(Commands, KilledAtAnyInstantItGoesOn) {
  work_.must({"user", "study", "ada"});
  uint64_t entries = 0;
  for (uint32_t round = 0; round < 6; ++round) {
    contribute("ada");
    ++entries;
    work_.must({"gradient", "study", "--unit", std::to_string(100 + round), "--user", "ada", "-o", "a"});
    for (const std::vector<std::string>& words : std::vector<std::vector<std::string>>{
             {"submit", "study", "a", "--json"}, {"close", "study", "--json"}}) {
      const pid_t process = work_.start("killed", words);
      ::usleep(philox4x32({round, 0, 0, 0}, {1, static_cast<uint32_t>(words.size())})[0] % 30'000);
      ::kill(process, SIGKILL);
      const Outcome killed = work_.finish("killed", process);
      const json status = ask({"status", "study"});
      const bool submitting = words[0] == "submit";
      const bool done = submitting ? status["entries"]["sealed"] == 2 : status["round"] == round + 1;
      if (!killed.out.empty()) {
        EXPECT_TRUE(done) << "acknowledged and lost: " << killed.out;
      }
      if (!done) work_.must(words);
      entries += submitting ? 1 : 0;
    }
    EXPECT_EQ(ask({"log", "study"}).size(), entries);
  }
  EXPECT_EQ(ask({"verify", "study"})["verify"], "ok");
}

TEST_F(Commands, AGradientGoesThroughAPipe) {
  work_.must({"user", "study", "ada"});
  const Outcome outcome =
      work_.cairn({"gradient", "study", "--unit", "0", "--user", "ada", "-o", "-", "--json"});
  EXPECT_EQ(outcome.code, 0);
  EXPECT_EQ(json::parse(outcome.err)["unit"], 0);
  work_.write("piped", outcome.out);
  EXPECT_EQ(ask({"submit", "study", "piped"})["entry"], 1);
  EXPECT_THAT(refused({"submit", "study", "-"}), HasSubstr("standard input: magic"));  // nothing comes
  EXPECT_FALSE(std::filesystem::exists(work_.file("-")));
}

TEST_F(Commands, ThePlaceOfAFileIsCheckedBeforeTheWork) {
  work_.must({"user", "study", "ada"});
  const auto gradient = [&](const std::string& output, const std::string& dump) {
    return refused({"gradient", "study", "--unit", "0", "--user", "ada", "-o", output, "--dump", dump});
  };
  EXPECT_THAT(gradient("nowhere/a", "d"), HasSubstr("nowhere/a: there is no folder nowhere"));
  EXPECT_THAT(gradient("a", "nowhere/d"), HasSubstr("nowhere/d: there is no folder"));
  EXPECT_THAT(gradient("data", "d"), HasSubstr("data: is a folder"));
  EXPECT_THAT(gradient("a", "-"), HasSubstr("--dump"));
  EXPECT_THAT(refused({"export", "study", "-o", "nowhere/m.onnx"}), HasSubstr("there is no folder"));
  EXPECT_FALSE(std::filesystem::exists(work_.file("a")));
  EXPECT_FALSE(std::filesystem::exists(work_.file("d")));
}

TEST_F(Commands, AdviceCanBePastedWhateverTheFolderIsCalled) {
  const std::string odd = "it's a \"study\" $HOME";
  work_.must({"new", odd, "--model", "mlp", "--data", "data", "--recipe", "recipe.toml"});
  EXPECT_THAT(work_.must({"user", odd, "ada"}),
              HasSubstr("cairn unit 'it'\\''s a \"study\" $HOME' --user ada"));
  EXPECT_EQ(ask({"unit", odd, "--user", "ada"})["unit"], 0);
}

TEST_F(Commands, AClaimThatTheRulesRefuseIsNotComputed) {
  for (const char* user : {"ada", "bob", "cleo"}) work_.must({"user", "study", user});
  const int entry = contribute("ada");
  EXPECT_THAT(refused({"claim", "study", "--entry", "1", "--user", "bob"}), HasSubstr("sealed"));
  work_.must({"close", "study"});
  EXPECT_THAT(refused({"claim", "study", "--entry", std::to_string(entry), "--user", "ada"}),
              HasSubstr("own"));
  EXPECT_THAT(refused({"claim", "study", "--entry", "1", "--user", "bob"}), HasSubstr("join first"));
  contribute("cleo");
  EXPECT_THAT(refused({"claim", "study", "--entry", "1", "--user", "cleo"}), HasSubstr("0 accepted entries"));
}

TEST_F(Commands, BenchMeasuresAProjectAndAModelFile) {
  const json of_project = ask({"bench", "study", "--seconds", "0"});
  EXPECT_EQ(of_project["batch"], 8);
  EXPECT_GT(of_project["images_per_second"], 0);
  work_.must({"export", "study", "-o", "model.onnx"});
  const json of_file =
      ask({"bench", "model.onnx", "--batch", "2", "--precision", "fast", "--threads", "1", "--seconds", "0"});
  EXPECT_EQ(of_file["parameters"], of_project["parameters"]);
  EXPECT_EQ(of_file["batch"], 2);
  EXPECT_EQ(of_file["precision"], "fast");
  EXPECT_EQ(of_project["precision"], "standard");
  double whole = 0;
  for (const json& share : of_file["shares"]) whole += share["share"].get<double>();
  EXPECT_NEAR(whole, 1, 1e-6);
  EXPECT_EQ(of_file["memory"]["parameters"], 4 * of_file["parameters"].get<int>());
  EXPECT_GT(of_file["traffic_bytes"].get<uint64_t>(), of_file["memory"]["parameters"].get<uint64_t>());
  EXPECT_TRUE(of_file.contains("convolution_outputs"));
  EXPECT_THAT(
      work_.must({"bench", "study", "--seconds", "0"}),
      testing::AllOf(HasSubstr("\ntraffic "), HasSubstr(" MiB a step"), HasSubstr("where the time goes:\n")));
  EXPECT_THAT(refused({"bench", "nowhere.onnx"}), HasSubstr("nowhere.onnx: cannot be opened"));
  EXPECT_THAT(refused({"bench", "study", "--memory", "64K"}), HasSubstr("choose a recipe with a smaller batch"));
  EXPECT_THAT(refused({"bench", "study", "--batch", "0"}), HasSubstr("batch: must be"));
  EXPECT_EQ(work_.cairn({"bench", "study", "--precision", "low"}).code, 2);
}

// Takes everybody's right to write below a folder, and gives the owner's back in the end.
class ReadOnly {
 public:
  explicit ReadOnly(std::filesystem::path folder) : folder_(std::move(folder)) { set(perm_options::remove); }
  ~ReadOnly() { set(perm_options::add); }

 private:
  using perm_options = std::filesystem::perm_options;
  using perms = std::filesystem::perms;
  void set(perm_options change) const {
    const perms write = change == perm_options::add
                            ? perms::owner_write
                            : perms::owner_write | perms::group_write | perms::others_write;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(folder_))
      std::filesystem::permissions(entry.path(), write, change);
    std::filesystem::permissions(folder_, write, change);
  }
  std::filesystem::path folder_;
};

TEST_F(Commands, AReadOnlyCopyCanBeReadAndChecked) {
  work_.must({"user", "study", "ada"});
  contribute("ada");
  work_.must({"close", "study"});
  std::filesystem::copy(work_.file("study"), work_.file("a copy?#%"),
                        std::filesystem::copy_options::recursive);
  const std::string log = work_.must({"log", "study"});
  const ReadOnly guard(work_.file("a copy?#%"));
  const Digest before = tree_digest(work_.file("a copy?#%"));
  EXPECT_EQ(work_.cairn_with_plain_rights({"log", "a copy?#%"}).out, log);
  for (const char* command : {"status", "verify", "eval", "probe"}) {
    const Outcome outcome = work_.cairn_with_plain_rights({command, "a copy?#%"});
    EXPECT_EQ(outcome.code, 0) << command << outcome.err;
  }
  const Outcome closed = work_.cairn_with_plain_rights({"close", "a copy?#%"});
  EXPECT_EQ(closed.code, 1);
  EXPECT_THAT(closed.err, HasSubstr("cannot be written"));
  EXPECT_EQ(tree_digest(work_.file("a copy?#%")), before);
}

TEST_F(Commands, HelpHasAnExampleAndWrongUsageExitsWith2) {
  for (const char* command : {"new",
                              "user",
                              "unit",
                              "gradient",
                              "submit",
                              "close",
                              "probe",
                              "claim",
                              "judge",
                              "appeal",
                              "log",
                              "status",
                              "verify",
                              "bench",
                              "eval",
                              "export",
                              "selftest",
                              "key list",
                              "key new",
                              "key add-device",
                              "key remove-device",
                              "key rotate",
                              "key rename",
                              "root settings",
                              "root pause",
                              "root resume",
                              "root rollback",
                              "root void",
                              "root endow",
                              "root add-judge",
                              "root remove-judge",
                              "root move-coordinator"}) {
    std::vector<std::string> words;
    std::istringstream text(command);
    for (std::string word; text >> word;) words.push_back(word);
    words.emplace_back("--help");
    EXPECT_THAT(work_.must(words), HasSubstr(std::string("Example:\n  cairn ") + command));
    words.back() = "--no-such-option";
    EXPECT_EQ(work_.cairn(words).code, 2) << command;
  }
  for (const char* group : {"key", "root"}) {
    EXPECT_THAT(work_.must({group, "--help"}), HasSubstr("COMMAND --help"));
    EXPECT_EQ(work_.cairn({group}).code, 2);
    EXPECT_EQ(work_.cairn({group, "frobnicate"}).code, 2);
  }
  EXPECT_EQ(work_.cairn({}).code, 2);
  EXPECT_EQ(work_.cairn({"key", "rotate", "study"}).err,
            "cairn: --user is required; see `cairn key rotate --help`\n");
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
