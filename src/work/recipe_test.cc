#include "work/recipe.h"

#include <gmock/gmock.h>

#include "base/digest.h"
#include "data/mutation.h"

namespace cairn::work {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;

Recipe parsed(std::string_view toml) {
  auto recipe = parse_recipe(toml, "recipe.toml");
  EXPECT_TRUE(recipe.ok()) << recipe.error().message;
  return recipe ? *recipe : Recipe();
}

std::string refusal(std::string_view toml) {
  const auto recipe = parse_recipe(toml, "recipe.toml");
  return recipe ? "accepted" : recipe.error().message;
}

TEST(Recipe, EmptyFileGivesTheDefaults) {
  EXPECT_EQ(parsed(""), Recipe());
  EXPECT_EQ(parsed("[trust]\nanything = 1\n[averaging]\nrate = 'x'"), Recipe());
}

TEST(Recipe, CommentsMayBeInAnyScript) {
  EXPECT_EQ(parsed("# é § 中 🏔\n[training] # \xcc\xaa\n"), Recipe());
  EXPECT_THAT(refusal("é = 1"), HasSubstr("recipe.toml: line 1: "));
  EXPECT_THAT(refusal("[training]\nbatch = 8 §"), HasSubstr("recipe.toml: line 2: "));
}

TEST(Recipe, DefaultTextParsesAndSuitsFashionMnist) {
  const Recipe recipe = parsed(default_recipe());
  data::Manifest manifest;
  manifest.channels = 1;
  manifest.shards[0].push_back({60'000, {}, {}});
  EXPECT_TRUE(check_recipe(recipe, manifest).ok());
}

TEST(Recipe, ReadsEveryKey) {
  const Recipe sgd = parsed(R"(
    [training]
    seed = 9
    batch = 8
    accumulation = 2
    local_steps = 5
    precision = "high"
    [inner]
    rate = [[0, 0.5], [10, 0.25]]
    warmup_steps = 3
    momentum = 0.9
    nesterov = true
    weight_decay = 1e-4
    [gradient]
    bits = 8
    block_size = 64
    [input]
    mean = [0.1, 0.2, 0.3]
    deviation = [1, 2, 3]
    [evaluation]
    sample = 80)");
  EXPECT_EQ(sgd.seed, 9u);
  EXPECT_EQ(sgd.unit_images(), 80u);
  EXPECT_EQ(sgd.precision, model::Precision::high);
  EXPECT_THAT(sgd.rate, ElementsAre(RateKnot{0, uint64_t{1} << 39}, RateKnot{10, uint64_t{1} << 38}));
  EXPECT_EQ(sgd.momentum, 0.9f);
  EXPECT_TRUE(sgd.nesterov);
  EXPECT_EQ(sgd.weight_decay, 1e-4f);
  EXPECT_EQ(sgd.bits, 8);
  EXPECT_EQ(sgd.block_size, 64u);
  EXPECT_THAT(sgd.mean, ElementsAre(0.1f, 0.2f, 0.3f));
  EXPECT_THAT(sgd.deviation, ElementsAre(1.0f, 2.0f, 3.0f));
  EXPECT_EQ(sgd.evaluation_sample, 80u);
  const Recipe adamw = parsed(
      "[inner]\noptimizer = 'adamw'\nbeta1 = 0.8\nbeta2 = 0.95\nepsilon = 1e-6\nweight_decay = 0.1\nrate = "
      "1");
  EXPECT_EQ(adamw.optimizer, Optimizer::adamw);
  EXPECT_EQ(adamw.beta1, 0.8f);
  EXPECT_EQ(adamw.beta2, 0.95f);
  EXPECT_EQ(adamw.epsilon, 1e-6f);
  EXPECT_THAT(adamw.rate, ElementsAre(RateKnot{0, uint64_t{1} << 40}));
}

struct Refusal {
  const char* toml;
  const char* message;
};

TEST(Recipe, RefusalsNameTheKey) {
  const Refusal cases[] = {
      {"[training]\nbacth = 3", "recipe.toml: training.bacth: unknown key; did you mean batch?"},
      {"[trainign]\nbatch = 3", "recipe.toml: trainign: unknown key; did you mean training?"},
      {"[training]\nphase_of_the_moon = 3", "recipe.toml: training.phase_of_the_moon: unknown key"},
      {"batch = 3", "recipe.toml: batch: unknown key"},
      {"training = 3", "recipe.toml: training: must be a table, written [training]"},
      {"[training]\nbatch = 0", "recipe.toml: training.batch: 0 is not between 1 and 65536"},
      {"[training]\nbatch = -1", "recipe.toml: training.batch: -1 is not between 0 and 4294967295"},
      {"[training]\nbatch = 4294967297", "training.batch: 4294967297 is not between"},
      {"[training]\nbatch = 3.5", "recipe.toml: training.batch: must be a whole number"},
      {"[training]\nbatch = '3'", "recipe.toml: training.batch: must be a whole number"},
      {"[training]\nseed = -3", "recipe.toml: training.seed: -3 is not between"},
      {"[training]\nlocal_steps = 65537", "training.local_steps: 65537 is not between 0 and 65536"},
      {"[training]\nbatch = 4096\nlocal_steps = 8192",
       "training: batch * accumulation * local_steps is 33554432"},
      {"[training]\nprecision = 'low'", "training.precision: must be \"standard\" or \"high\" or \"fast\""},
      {"[training]\nprecision = 13", "training.precision: must be \"standard\" or \"high\" or \"fast\""},
      {"[inner]\noptimizer = 'lion'", "inner.optimizer: must be \"sgd\" or \"adamw\""},
      {"[inner]\noptimizer = 'adamw'\nmomentum = 0.9", "inner.momentum: unknown key"},
      {"[inner]\nbeta1 = 0.9", "inner.beta1: unknown key"},
      {"[inner]\nmomentum = 1.0", "inner.momentum: 1 is not between 0 and 0.99999994"},
      {"[inner]\nmomentum = nan", "inner.momentum: nan is not between"},
      {"[inner]\nrate = -0.1", "inner.rate: -0.1 is not between 0 and 1024"},
      {"[inner]\nrate = inf", "inner.rate: inf is not between 0 and 1024"},
      {"[inner]\nrate = []", "inner.rate: must be a number or a list of [round, rate] with ascending rounds"},
      {"[inner]\nrate = [1, 2]", "inner.rate: must be a number or a list"},
      {"[inner]\nrate = [[0, 1], [0, 2]]", "inner.rate: must be a number or a list"},
      {"[inner]\nrate = [[0.5, 1]]", "inner.rate: must be a number or a list"},
      {"[inner]\nrate = [[0, 1, 2]]", "inner.rate: must be a number or a list"},
      {"[inner]\nrate = [[0, 'x']]", "inner.rate: must be a number"},
      {"[inner]\nrate = 1979-05-27",
       "recipe.toml: line 2: a number, true, false, a string or a list is expected"},
      {"[inner]\nnesterov = 1", "inner.nesterov: must be true or false"},
      {"[inner]\nweight_decay = 2", "inner.weight_decay: 2 is not between 0 and 1"},
      {"[gradient]\nbits = 12", "gradient.bits: must be 8 or 16"},
      {"[gradient]\nbits = 264", "gradient.bits: must be 8 or 16"},
      {"[gradient]\nblock_size = 0", "gradient.block_size: 0 is not between 1 and 1048576"},
      {"[input]\nmean = 0.5", "input.mean: must be a list of numbers"},
      {"[input]\nmean = []", "input.mean: must be a list of numbers"},
      {"[input]\nmean = [0.5, true]", "input.mean: must be a number"},
      {"[input]\ndeviation = [0]", "input.deviation: 0 is not between"},
      {"[evaluation]\nsample = 33", "evaluation.sample: must be a multiple of training.batch"},
      {"[training", "recipe.toml: line 1: "},
      {"[training]\nbatch = 1\nbatch = 2", "recipe.toml: line 3: "},
      {"[training]\n\xff = 1", "recipe.toml: line 2: "},
      {"[inner]\noptimizer = 's\xc3\xa7"
       "d'",
       "inner.optimizer: must be \"sgd\" or \"adamw\""},
  };
  for (const Refusal& refused : cases)
    EXPECT_THAT(refusal(refused.toml), HasSubstr(refused.message)) << refused.toml;
  EXPECT_THAT(refusal(std::string(70'000, '#')), HasSubstr("recipe.toml: is larger than"));
}

TEST(Recipe, DamagedTextNeverCrashes) {
  std::mt19937_64 random(1);
  const BytesView text = as_bytes(default_recipe());
  for (int i = 0; i < 3'000; ++i) {
    const Bytes damaged = data::mutate({text.begin(), text.end()}, random);
    const std::string toml(damaged.begin(), damaged.end());
    const auto recipe = parse_recipe(toml, "recipe.toml");
    if (!recipe) {
      EXPECT_THAT(recipe.error().message, HasSubstr("recipe.toml: "));
    }
  }
}

TEST(Recipe, CanonicalBytesRoundTrip) {
  Recipe adamw = parsed("[inner]\noptimizer = 'adamw'\nrate = [[3, 1], [4, 0.5]]");
  const Recipe high = parsed("[training]\nprecision = 'high'");
  const Recipe fast = parsed("[training]\nprecision = 'fast'");
  for (const Recipe& recipe : {Recipe(), parsed(default_recipe()), adamw, high, fast}) {
    const auto decoded = decode_recipe(encode(recipe));
    ASSERT_TRUE(decoded.ok()) << decoded.error().message;
    EXPECT_EQ(*decoded, recipe);
  }
}

TEST(Recipe, PrecisionIsOneByteThatNeverChangesItsMeaning) {
  constexpr size_t kPlace = 40;  // after magic, version, seed, batch, accumulation and local steps
  for (const auto& [precision, byte] : {std::pair(model::Precision::fast, 8),
                                        {model::Precision::standard, 13},
                                        {model::Precision::high, 14}}) {
    Recipe recipe;
    recipe.precision = precision;
    EXPECT_EQ(encode(recipe)[kPlace], byte);
  }
  EXPECT_EQ(sha256(encode(Recipe())).hex(),
            "f2d4688d9aa05bbc3734f2db239c2b132522d8d3a1ca3276015c922138288a6c")
      << "computed by a separate program from docs/formats/recipe.md";
  for (const int byte : {0, 7, 9, 12, 15, 255}) {
    Bytes bytes = encode(Recipe());
    bytes[kPlace] = static_cast<uint8_t>(byte);
    EXPECT_EQ(decode_recipe(bytes).error().message,
              "recipe: training.precision: neither 8 (fast), 13 (standard) nor 14 (high)");
  }
}

TEST(Recipe, DamagedBytesAreRefusedByField) {
  std::mt19937_64 random(2);
  const Bytes originals[] = {encode(parsed(default_recipe())),
                             encode(parsed("[inner]\noptimizer = 'adamw'"))};
  for (int i = 0; i < 10'000; ++i) {
    const Bytes damaged = data::mutate(originals[i % 2], random);
    const auto decoded = decode_recipe(damaged);
    if (decoded) {
      ASSERT_EQ(encode(*decoded), damaged);
    } else {
      ASSERT_THAT(decoded.error().message,
                  MatchesRegex(
                      "recipe: (magic|version|training|inner|gradient|input|evaluation|end)[a-z0-9_.]*: .+"));
    }
  }
}

TEST(Recipe, MustSuitTheData) {
  data::Manifest manifest;
  manifest.channels = 3;
  manifest.shards[0].push_back({100, {}, {}});
  Recipe recipe;
  recipe.evaluation_sample = 96;
  EXPECT_TRUE(check_recipe(recipe, manifest).ok());
  recipe.mean = {1, 2, 3};
  EXPECT_TRUE(check_recipe(recipe, manifest).ok());
  recipe.deviation = {1, 2};
  EXPECT_EQ(check_recipe(recipe, manifest).error().message,
            "input.deviation: has 2 numbers, but the images have 3 channels");
  recipe.deviation = {1};
  recipe.batch = 128;
  EXPECT_EQ(check_recipe(recipe, manifest).error().message,
            "training.batch: 128 is more than the 100 training images");
}

TEST(Recipe, RateWarmsUpAndFollowsTheRounds) {
  Recipe recipe;
  recipe.rate = {{0, uint64_t{1} << 40}, {10, uint64_t{1} << 39}};
  recipe.warmup_steps = 4;
  EXPECT_EQ(inner_rate(recipe, 0, 0), 0.25f);
  EXPECT_EQ(inner_rate(recipe, 0, 2), 0.75f);
  EXPECT_EQ(inner_rate(recipe, 0, 3), 1.0f);
  EXPECT_EQ(inner_rate(recipe, 0, 100), 1.0f);
  EXPECT_EQ(inner_rate(recipe, 5, 100), 0.75f);
  EXPECT_EQ(inner_rate(recipe, 50, 1), 0.25f);
  recipe.warmup_steps = 0;
  EXPECT_EQ(inner_rate(recipe, 0, 0), 1.0f);
}

TEST(Recipe, PixelsAreNormalizedByTable) {
  Recipe recipe;
  recipe.mean = {0.5f, 0.25f};
  recipe.deviation = {0.5f};
  EXPECT_EQ(pixel_table(recipe, 0)[0], -1.0f);
  EXPECT_EQ(pixel_table(recipe, 0)[255], 1.0f);
  EXPECT_EQ(pixel_table(recipe, 1)[255], 1.5f);
  EXPECT_EQ(pixel_table(recipe, 1)[51], (51.0f / 255.0f - 0.25f) / 0.5f);
}

}  // namespace
}  // namespace cairn::work
