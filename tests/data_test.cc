// `cairn data`, and projects that are made with what it leaves behind.
#include <gmock/gmock.h>
#include <signal.h>

#include <thread>

#include "base/file.h"
#include "commands.h"
#include "data/import.h"
#include "data/sample_pictures.h"

namespace cairn::tests {
namespace {

using testing::HasSubstr;

class DataCommand : public testing::Test {
 protected:
  json ask(std::vector<std::string> arguments) const {
    arguments.push_back("--json");
    return json::parse(work_.must(arguments));
  }
  // So many pictures of two classes, all different.
  void make_pictures(uint32_t count) const {
    for (uint32_t i = 0; i < count; ++i) {
      const auto folder = work_.file("pictures") / "train" / (i % 2 == 0 ? "cat" : "dog");
      std::filesystem::create_directories(folder);
      data::write_plain(folder / (std::to_string(i) + ".JPEG"),
                        data::jpeg_file(40, 30, data::plain_pixels(40, 30, i)));
    }
  }

  Workshop work_;
};

TEST_F(DataCommand, AProjectOnImportedDataIsTheProjectOnTheirSource) {
  write_idx_data(work_.file("idx"), 160, 40);
  work_.write("recipe.toml", kRecipe);
  const json imported = ask({"data", "import", "idx", "-o", "data"});
  EXPECT_EQ(imported["train"]["samples"], 160);
  EXPECT_EQ(imported["test"]["samples"], 40);
  EXPECT_EQ(imported["skipped"], json::array());
  EXPECT_EQ(ask({"data", "show", "data"})["digest"], imported["digest"]);
  const json direct = ask({"new", "direct", "--model", "mlp", "--data", "idx", "--recipe", "recipe.toml"});
  const json study = ask({"new", "study", "--model", "mlp", "--data", "data", "--recipe", "recipe.toml"});
  EXPECT_EQ(study["images"], direct["images"]);
  EXPECT_EQ(study["classes"], direct["classes"]);
  std::filesystem::remove_all(work_.file("data"));  // the project has what it needs
  work_.must({"user", "study", "ada"});
  work_.must({"gradient", "study", "--unit", ask({"unit", "study", "--user", "ada"})["unit"].dump(), "--user",
              "ada", "-o", "ada.gradient"});
  work_.must({"submit", "study", "ada.gradient"});
  work_.must({"verify", "study"});
}

TEST_F(DataCommand, SaysWhatItLeftOut) {
  make_pictures(12);
  for (int i = 0; i < 7; ++i)
    work_.write("pictures/train/cat/bad" + std::to_string(i) + ".jpg", "no picture");
  const std::string text = work_.must({"data", "import", "pictures", "-o", "data", "--size", "16"});
  EXPECT_THAT(text, HasSubstr("pictures: images of 16 x 16 pixels, 3 channels, in 2 classes"));
  EXPECT_THAT(text, HasSubstr("training: 12 samples in 1 group"));
  EXPECT_THAT(text, HasSubstr("7 files were left out; data/skipped.txt names each:"));
  EXPECT_THAT(text, HasSubstr(": is neither JPEG nor PNG\n  and 2 more\n"));
  const json again = ask({"data", "import", "pictures", "-o", "again", "--size", "16"});
  EXPECT_EQ(again["skipped"].size(), 7u);
  EXPECT_EQ(again["skipped"][0]["reason"], "is neither JPEG nor PNG");
}

TEST_F(DataCommand, AKilledImportGoesOnToTheSameData) {
  make_pictures(60);
  // Shards of two pictures.
  const std::vector<std::string> size = {"--size", "2000", "--threads", "1"};
  std::vector<std::string> words = {"data", "import", "pictures", "-o", "data"};
  words.insert(words.end(), size.begin(), size.end());
  int killed = 0;
  for (const int milliseconds : {50, 300, 700, 1100}) {
    const pid_t import = work_.start("import", words);
    std::this_thread::sleep_for(std::chrono::milliseconds(milliseconds));
    ::kill(import, SIGKILL);
    if (work_.finish("import", import).code == 0) break;
    ++killed;
    const Outcome shown = work_.cairn({"data", "show", "data"});
    EXPECT_EQ(shown.code, 1);
    const Outcome made = work_.cairn({"new", "study", "--data", "data"});
    EXPECT_EQ(made.code, 1);
    EXPECT_FALSE(std::filesystem::exists(work_.file("study")));
  }
  EXPECT_GE(killed, 2);
  work_.cairn(words);  // which the last one above may have ended
  words[4] = "whole";
  work_.must(words);
  EXPECT_EQ(ask({"data", "show", "data"}), ask({"data", "show", "whole"}));
  EXPECT_FALSE(std::filesystem::exists(work_.file("data") / "import"));
}

TEST_F(DataCommand, RefusesInOneSentence) {
  make_pictures(2);
  const auto refused = [&](const std::vector<std::string>& words) {
    const Outcome outcome = work_.cairn(words);
    EXPECT_EQ(outcome.code, 1) << outcome.out;
    EXPECT_EQ(std::ranges::count(outcome.err, '\n'), 1) << outcome.err;
    return outcome.err;
  };
  EXPECT_THAT(refused({"data", "import", "nowhere", "-o", "data"}), HasSubstr("nowhere: is neither a file"));
  EXPECT_THAT(refused({"data", "import", "pictures", "-o", "data", "--size", "9", "--resize", "8"}),
              HasSubstr("--resize 8: is less than --size 9"));
  EXPECT_THAT(refused({"data", "show", "pictures"}),
              HasSubstr("pictures: holds no data set; `cairn data import` makes one"));
  const Outcome full =
      work_.cairn_with_file_limit(100, {"data", "import", "pictures", "-o", "data", "--size", "500"});
  EXPECT_EQ(full.code, 1);
  EXPECT_THAT(refused({"data", "show", "data"}), HasSubstr("data: ")) << "no part is taken for a whole";
  work_.must({"data", "import", "pictures", "-o", "data", "--size", "500"});
}

}  // namespace
}  // namespace cairn::tests
