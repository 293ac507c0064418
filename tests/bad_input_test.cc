// Everything from outside that is wrong: one error that names file and field, exit code 1, nothing changed.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/file.h"
#include "base/philox.h"
#include "program.h"
#include "project/contribution.h"

namespace cairn::tests {
namespace {

using testing::HasSubstr;

class BadInput : public testing::Test {
 protected:
  void SetUp() override {
    write_idx_data(work_.file("data"), 64, 8);
    work_.write("recipe.toml", "[training]\nbatch = 4\nlocal_steps = 0\n[evaluation]\nsample = 8\n");
    work_.must({"new", "study", "--model", "mlp", "--data", "data", "--recipe", "recipe.toml"});
    work_.must({"user", "study", "ada"});
    work_.must({"gradient", "study", "--unit", "0", "--user", "ada", "-o", "good"});
    good_ = *read_file(work_.file("good"), 1 << 26);
  }

  std::string refused(const std::vector<std::string>& arguments) const {
    const Digest before = tree_digest(work_.file("study"));
    const Outcome outcome = work_.cairn(arguments);
    EXPECT_EQ(outcome.code, 1) << testing::PrintToString(arguments) << outcome.out << outcome.err;
    EXPECT_EQ(tree_digest(work_.file("study")), before) << "a refusal changed the project: " << outcome.err;
    EXPECT_EQ(std::ranges::count(outcome.err, '\n'), 1) << outcome.err;
    return outcome.err;
  }

  std::string refused_submission(const Bytes& bytes) const {
    EXPECT_TRUE(write_file(work_.file("bad"), bytes));
    return refused({"submit", "study", "bad"});
  }

  std::string refused_recipe(const std::string& text) const {
    work_.write("bad.toml", text);
    const std::string error =
        refused({"new", "other", "--model", "mlp", "--data", "data", "--recipe", "bad.toml"});
    EXPECT_FALSE(std::filesystem::exists(work_.file("other")));
    return error;
  }

  Workshop work_;
  Bytes good_;
};

TEST_F(BadInput, MoreMemoryThanIsOffered) {
  const std::string error =
      refused({"gradient", "study", "--unit", "0", "--user", "ada", "-o", "small", "--memory", "100K"});
  EXPECT_THAT(error, HasSubstr("of memory at the least for a batch of 4, but may have 0 MiB"));
  EXPECT_THAT(error, HasSubstr("give it more (--memory), or choose a recipe with a smaller batch"));
  EXPECT_FALSE(std::filesystem::exists(work_.file("small")));
}

TEST_F(BadInput, APrecisionThatIsNotOfferedForTheModel) {
  work_.write("fast.toml", "[training]\nbatch = 4\nprecision = \"fast\"\n[evaluation]\nsample = 8\n");
  const std::string mobile = CAIRN_SOURCE_DIR "/tests/golden/mobile.onnx";
  EXPECT_THAT(refused({"new", "other", "--model", mobile, "--data", "data", "--recipe", "fast.toml"}),
              HasSubstr("recipe: training.precision: \"fast\" is not offered for models with depthwise"));
  EXPECT_FALSE(std::filesystem::exists(work_.file("other")));
  work_.must({"new", "other", "--model", "lenet", "--data", "data", "--recipe", "fast.toml"});
}

TEST_F(BadInput, DamagedSubmissions) {
  EXPECT_THAT(refused_submission({}), HasSubstr("bad: magic"));
  EXPECT_THAT(refused_submission(to_bytes("{\"gradient\": 1}")), HasSubstr("bad: magic"));
  EXPECT_THAT(refused_submission(Bytes(good_.begin(), good_.begin() + 200)), HasSubstr("ends too early"));
  Bytes longer = good_;
  longer.push_back(0);
  EXPECT_THAT(refused_submission(longer), HasSubstr("bad: "));
  EXPECT_THAT(refused_submission(Bytes(size_t{1} << 25)), HasSubstr("where at most"));
}

TEST_F(BadInput, AnyFlippedBitOfASubmissionIsRefused) {
  for (uint32_t i = 0; i < 40; ++i) {
    Bytes damaged = good_;
    const auto words = philox4x32({i, 0, 0, 0}, {1, 2});
    // Half of the flips in the first kilobyte, where the statements are.
    const size_t place = i % 2 == 0 ? words[0] % 1024 : words[0] % damaged.size();
    damaged[place] = static_cast<uint8_t>(damaged[place] ^ (1u << (words[1] % 8)));
    refused_submission(damaged);
  }
}

TEST_F(BadInput, AGradientOfAnotherProjectRoundOrUnit) {
  work_.must({"submit", "study", "good"});
  EXPECT_THAT(refused({"submit", "study", "good"}), HasSubstr("unit"));  // a second entry for the same unit
  work_.must({"gradient", "study", "--unit", "1", "--user", "ada", "-o", "late"});
  for (int rounds = 0; rounds < 5; ++rounds) work_.must({"close", "study"});
  EXPECT_THAT(refused({"submit", "study", "late"}), HasSubstr("takes nothing older than 4 rounds"));
  work_.must({"new", "other", "--model", "mlp", "--data", "data", "--recipe", "recipe.toml"});
  work_.must({"user", "other", "ada"});
  work_.must({"gradient", "other", "--unit", "5", "--user", "ada", "-o", "foreign"});
  EXPECT_THAT(refused({"submit", "study", "foreign"}), HasSubstr("project"));
}

// Mallory has Ada's gradient in hand and puts her own name on it, in every way there is.
TEST_F(BadInput, AGradientOfAnotherUser) {
  work_.must({"user", "study", "mallory"});
  std::vector<std::pair<std::string, Bytes>> forgeries;  // what is said of each
  {
    auto project = project::Project::open(work_.file("study"), system_environment());
    auto ring = ledger::KeyRing::open(work_.file(".data") / "cairn" / "keys", work_.file("study"));
    ASSERT_TRUE(project && ring);
    const auto mallory = project::load_key(*ring, *project, "mallory");
    ASSERT_TRUE(mallory);
    const project::Submission honest = *project::decode_submission(good_);
    const auto by_mallory = [&](ledger::Statement& statement) {
      statement = project->sign(*mallory, statement.body);
    };
    const auto forge = [&](const std::string& reason, auto change) {
      project::Submission forged = honest;
      change(forged);
      forgeries.emplace_back(reason, project::encode(forged));
    };
    forge("bad: opening: author", [&](auto& s) { by_mallory(s.sealed); });
    forge("bad: opening: author", [&](auto& s) { by_mallory(s.opened); });
    forge("bad: joined: author", [&](auto& s) { by_mallory(*s.joined); });
    forge("bad: name: author", [&](auto& s) { by_mallory(*s.named); });
    forge("bad: name: is not the one", [&](auto& s) { s.name = "mallory"; });
    forge("bad: seal: does not commit this author", [&](auto& s) {
      for (ledger::Statement* statement : {&*s.joined, &*s.named, &s.sealed, &s.opened})
        by_mallory(*statement);
    });
    forge("signature", [&](auto& s) { s.sealed.signature.bytes[7] ^= 1; });
    forge("signature", [&](auto& s) { s.opened.signature.bytes[7] ^= 1; });
  }
  for (const auto& [reason, bytes] : forgeries) EXPECT_THAT(refused_submission(bytes), HasSubstr(reason));
}

TEST_F(BadInput, Recipes) {
  EXPECT_THAT(refused_recipe("[training]\nbacth = 4\n"), HasSubstr("bad.toml: training.bacth: unknown key"));
  EXPECT_THAT(refused_recipe("[training]\nbatch = \"many\"\n"), HasSubstr("training.batch"));
  EXPECT_THAT(refused_recipe("[training]\nbatch = 0\n"), HasSubstr("training.batch"));
  EXPECT_THAT(refused_recipe("[training\n"), HasSubstr("bad.toml"));
  EXPECT_THAT(refused_recipe("[inner]\nrate = nan\n"), HasSubstr("inner.rate"));
  EXPECT_THAT(refused_recipe("[averaging]\nrule = \"best\"\n"), HasSubstr("averaging.rule"));
  EXPECT_THAT(refused_recipe(std::string(1 << 20, '#')), HasSubstr("bad.toml"));
}

TEST_F(BadInput, ModelsAndData) {
  work_.write("bad.onnx", "this is no protobuf");
  EXPECT_THAT(refused({"new", "other", "--model", "bad.onnx", "--data", "data"}), HasSubstr("bad.onnx"));
  EXPECT_THAT(refused({"new", "other", "--model", "alexnet", "--data", "data"}), HasSubstr("alexnet"));
  EXPECT_THAT(refused({"new", "other", "--model", "mlp", "--data", "nowhere"}), HasSubstr("nowhere"));
  EXPECT_THAT(refused({"new", "study", "--model", "mlp", "--data", "data"}), HasSubstr("is there already"));
  std::filesystem::create_directory(work_.file("cut"));
  std::filesystem::copy(work_.file("data"), work_.file("cut"), std::filesystem::copy_options::recursive);
  std::filesystem::resize_file(work_.file("cut") / "train-images-idx3-ubyte", 1000);
  EXPECT_THAT(refused({"new", "other", "--model", "mlp", "--data", "cut"}),
              HasSubstr("train-images-idx3-ubyte"));
  EXPECT_FALSE(std::filesystem::exists(work_.file("other")));
}

TEST_F(BadInput, UsersAndNumbersThatAreNotThere) {
  EXPECT_THAT(refused({"user", "study", "ada"}), HasSubstr("ada"));
  EXPECT_THAT(refused({"user", "study", "../ada"}), HasSubstr("user name"));
  EXPECT_THAT(refused({"user", "study", "judge"}), HasSubstr("role"));
  EXPECT_THAT(refused({"unit", "study", "--user", "nobody"}), HasSubstr("cairn user"));
  EXPECT_THAT(refused({"probe", "study", "--entry", "7"}), HasSubstr("entry 7"));
  EXPECT_THAT(refused({"probe", "study"}), HasSubstr("no entry"));
  EXPECT_THAT(refused({"claim", "study", "--image", "cat.jpeg", "--user", "ada"}), HasSubstr("cat.jpeg"));
  EXPECT_THAT(refused({"root", "void", "study", "--claim", "1"}), HasSubstr("claim"));
  EXPECT_THAT(refused({"status", "nowhere"}), HasSubstr("is no project"));
}

TEST_F(BadInput, AFullDiskChangesNothing) {
  const Digest blobs = tree_digest(work_.file("study") / "blobs");
  std::filesystem::create_directory(work_.file("study") / "gradients");
  const Digest gradients = tree_digest(work_.file("study") / "gradients");
  const std::string status = work_.must({"status", "study", "--json"});
  for (const uint64_t limit : {0, 1000, 20'000}) {
    const Outcome outcome = work_.cairn_with_file_limit(limit, {"submit", "study", "good"});
    EXPECT_EQ(outcome.code, 1) << limit << outcome.out;
    // SQLite may leave its journal behind, which is empty of anything that was committed.
    EXPECT_EQ(tree_digest(work_.file("study") / "blobs"), blobs) << limit << outcome.err;
    EXPECT_EQ(tree_digest(work_.file("study") / "gradients"), gradients) << limit << outcome.err;
    EXPECT_EQ(work_.must({"status", "study", "--json"}), status) << limit;
  }
  EXPECT_EQ(work_.cairn_with_file_limit(1000, {"new", "other", "--model", "mlp", "--data", "data"}).code, 1);
  EXPECT_FALSE(std::filesystem::exists(work_.file("other")));
  EXPECT_EQ(
      work_.cairn_with_file_limit(1000, {"gradient", "study", "--unit", "1", "--user", "ada", "-o", "g"})
          .code,
      1);
  EXPECT_FALSE(std::filesystem::exists(work_.file("g")));
  work_.must({"submit", "study", "good"});
}

TEST_F(BadInput, ManifestsRecipesAndModelsThatAreNotWhatTheGenesisNames) {
  for (const auto& entry : std::filesystem::recursive_directory_iterator(work_.file("study") / "blobs")) {
    if (!entry.is_regular_file()) continue;
    const Bytes bytes = *read_file(entry.path(), 1 << 26);
    Bytes damaged = bytes;
    damaged[bytes.size() / 2] ^= 1;
    ASSERT_TRUE(write_file(entry.path(), damaged));
    const Outcome outcome = work_.cairn({"gradient", "study", "--unit", "0", "--user", "ada", "-o", "g"});
    // The project's name is the one blob that no computation needs.
    const bool is_name = bytes == to_bytes("study");
    EXPECT_EQ(outcome.code, is_name ? 0 : 1) << entry.path();
    EXPECT_THAT(outcome.err, is_name ? HasSubstr("") : HasSubstr("do not have the digest"));
    ASSERT_TRUE(write_file(entry.path(), bytes));
  }
}

TEST_F(BadInput, ADamagedLedgerIsNamed) {
  const auto path = work_.file("study") / "ledger.sqlite";
  const Bytes whole = *read_file(path, 1 << 26);
  ASSERT_TRUE(
      write_file(path, Bytes(whole.begin(), whole.begin() + static_cast<ptrdiff_t>(whole.size() / 2))));
  EXPECT_THAT(refused({"status", "study"}), HasSubstr("ledger.sqlite"));
  ASSERT_TRUE(write_file(path, to_bytes("not a database")));
  EXPECT_THAT(refused({"verify", "study"}), HasSubstr("ledger.sqlite"));
}

TEST_F(BadInput, AMissingOrDamagedBlobIsNamedByVerify) {
  work_.must({"submit", "study", "good"});
  work_.must({"close", "study"});
  work_.must({"verify", "study"});
  for (const std::string folder : {"blobs", "gradients"}) {
    int damaged_files = 0;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(work_.file("study") / folder)) {
      if (!entry.is_regular_file()) continue;
      const Bytes bytes = *read_file(entry.path(), 1 << 26);
      if (bytes.size() < 1000) continue;
      Bytes damaged = bytes;
      damaged[500] ^= 1;
      ASSERT_TRUE(write_file(entry.path(), damaged));
      EXPECT_EQ(work_.cairn({"verify", "study"}).code, 1) << entry.path();
      ASSERT_TRUE(write_file(entry.path(), bytes));
      ++damaged_files;
    }
    EXPECT_GT(damaged_files, 0) << folder;
  }
  work_.must({"verify", "study"});
}

}  // namespace
}  // namespace cairn::tests
