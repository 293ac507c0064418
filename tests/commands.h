// A small project and what a person does with it, for tests that run the program.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "program.h"

namespace cairn::tests {

using nlohmann::json;

inline constexpr const char* kRecipe = R"([training]
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
      EXPECT_EQ(work_.forge({"file", "study", file, "-o", file, "--user", user, "--attack", attack}).code, 0);
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

}  // namespace cairn::tests
