#include "work/recipe.h"

#include <gmock/gmock.h>

#include <cmath>
#include <numbers>

#include "base/digest.h"
#include "data/mutation.h"
#include "work/mixup.h"
#include "work/templates.h"

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

std::string_view default_text() {
  return templates().front().recipe;
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
  const Recipe recipe = parsed(default_text());
  data::Manifest manifest;
  manifest.channels = 1;
  manifest.height = manifest.width = 28;
  manifest.groups[0].push_back({60'000, {}});
  EXPECT_TRUE(check_recipe(recipe, manifest).ok());
}

TEST(Recipe, ATemplateTakesThePixelsOfTheData) {
  const Template& first = templates().front();
  ASSERT_TRUE(first.own_pixels);
  const std::string text =
      with_pixels(first.recipe, std::vector{0.5, 0.25, 0.12345}, std::vector{1.0, 0.5, 0.1});
  EXPECT_THAT(text, HasSubstr("\nmean = [0.500, 0.250, 0.123] # one number"));
  const Recipe recipe = parsed(text);
  EXPECT_THAT(recipe.mean, ElementsAre(0.5f, 0.25f, 0.123f));
  EXPECT_THAT(recipe.deviation, ElementsAre(1.0f, 0.5f, 0.1f));
}

TEST(Recipe, EveryTemplateParses) {
  for (const Template& one : templates()) {
    EXPECT_EQ(find_template(one.name), &one);
    parsed(one.recipe);
  }
  EXPECT_EQ(find_template("horoscope"), nullptr);
}

TEST(Recipe, ReadsEveryKey) {
  const Recipe sgd = parsed(R"(
    [training]
    seed = 9
    batch = 8
    accumulation = 2
    local_steps = 5
    precision = "high"
    trace = 2
    label_smoothing = 0.1
    mixup = 0.2
    [inner]
    rate = [[0, 0.5], [10, 0.25]]
    warmup_steps = 3
    momentum = 0.9
    nesterov = true
    weight_decay = 1e-4
    clip = 2.5
    [gradient]
    bits = 4
    block_size = 64
    keep = 0.015625
    [input]
    mean = [0.1, 0.2, 0.3]
    deviation = [1, 2, 3]
    size = 128
    [augmentation]
    crop = "resized"
    min_area = 0.25
    max_area = 0.5
    max_ratio = 1.5
    flip = true
    brightness = 0.5
    contrast = 0.25
    saturation = 1
    [evaluation]
    sample = 80
    every = 7
    images = 1000)");
  EXPECT_EQ(sgd.seed, 9u);
  EXPECT_EQ(sgd.unit_images(), 80u);
  EXPECT_EQ(sgd.precision, model::Precision::high);
  EXPECT_THAT(sgd.rate, ElementsAre(RateKnot{0, uint64_t{1} << 39}, RateKnot{10, uint64_t{1} << 38}));
  EXPECT_EQ(sgd.momentum, 0.9f);
  EXPECT_TRUE(sgd.nesterov);
  EXPECT_EQ(sgd.weight_decay, 1e-4f);
  EXPECT_EQ(sgd.trace, 2u);
  EXPECT_EQ(sgd.label_smoothing, 0.1f);
  EXPECT_EQ(sgd.mixup, mixup_shares(0.2));
  EXPECT_EQ(sgd.clip, 2.5f);
  EXPECT_EQ(sgd.bits, 4);
  EXPECT_EQ(sgd.keep, 15'625u);
  EXPECT_EQ(sgd.size, 128u);
  EXPECT_EQ(sgd.augmentation,
            (Augmentation{Crop::resized, 4, 0x4000, 0x8000, 0x18000, true, 0x8000, 0x4000, 0x10000}));
  EXPECT_EQ(sgd.evaluation_every, 7u);
  EXPECT_EQ(sgd.evaluation_images, 1000u);
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
      {"[gradient]\nbits = 12", "gradient.bits: must be 4, 8 or 16"},
      {"[gradient]\nbits = 264", "gradient.bits: must be 4, 8 or 16"},
      {"[gradient]\nkeep = 0", "gradient.keep: 0 is not between 1e-06 and 1"},
      {"[gradient]\nkeep = 2", "gradient.keep: 2 is not between 0 and 1"},
      {"[training]\ntrace = 3", "training.trace: is for units of local steps"},
      {"[training]\nlabel_smoothing = 0.6", "training.label_smoothing: 0.6"},
      {"[training]\nmixup = 9", "training.mixup: 9 is not between 0 and 8"},
      {"[training]\nmixup = 0.01", "training.mixup: must be 0 or between 0.05 and 8"},
      {"[inner]\nclip = -1", "inner.clip: -1 is not between"},
      {"[inner]\nschedule = 'sine'", "inner.schedule: must be \"constant\" or \"cosine\" or \"steps\""},
      {"[inner]\nrounds = 5", "inner.rounds: unknown key"},
      {"[inner]\nschedule = 'cosine'", "inner.rounds: is needed for a cosine"},
      {"[inner]\nschedule = 'cosine'\nrounds = 5\nwarmup_rounds = 5", "inner.rounds: 5 is not between 6"},
      {"[inner]\nschedule = 'steps'", "inner.milestones: are needed"},
      {"[inner]\nschedule = 'steps'\nmilestones = [4, 3]", "inner.milestones: must be at most 64 ascending"},
      {"[inner]\nrate = [[0, 1]]\nschedule = 'cosine'", "inner.schedule: unknown key"},
      {"[input]\nsize = 100000", "input.size: 1e+05 is not between"},
      {"[augmentation]\ncrop = 'square'", "augmentation.crop: must be"},
      {"[augmentation]\npadding = 3", "augmentation.padding: unknown key"},
      {"[augmentation]\ncrop = 'padded'\npadding = 2000", "augmentation.padding: 2000 is not between"},
      {"[augmentation]\ncrop = 'resized'\nmin_area = 0.9\nmax_area = 0.5",
       "augmentation.min_area: 0.899993896484375 is not between"},
      {"[augmentation]\ncrop = 'resized'\nmax_ratio = 0.5", "augmentation.max_ratio: 0.5 is not between 1"},
      {"[augmentation]\nbrightness = 1.5", "augmentation.brightness: 1.5 is not between 0 and 1"},
      {"[evaluation]\nevery = 2000000", "evaluation.every: 2e+06 is not between"},
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
  const BytesView text = as_bytes(default_text());
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
  for (const Recipe& recipe : {Recipe(), parsed(default_text()), adamw, high, fast}) {
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
            "4758ad3f7ecaf3758427be9f3642fe721b5f275d309d405f68a52c3c8614d105")
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
  const Bytes originals[] = {encode(parsed(default_text())), encode(parsed("[inner]\noptimizer = 'adamw'"))};
  for (int i = 0; i < 10'000; ++i) {
    const Bytes damaged = data::mutate(originals[i % 2], random);
    const auto decoded = decode_recipe(damaged);
    if (decoded) {
      ASSERT_EQ(encode(*decoded), damaged);
    } else {
      ASSERT_THAT(
          decoded.error().message,
          MatchesRegex(
              "recipe: (magic|version|training|inner|gradient|input|augmentation|evaluation|end)[a-z0-9_.]*: "
              ".+"));
    }
  }
}

TEST(Recipe, MustSuitTheData) {
  data::Manifest manifest;
  manifest.channels = 3;
  manifest.height = 32;
  manifest.width = 48;
  manifest.groups[0].push_back({100, {}});
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

TEST(Recipe, MustSuitTheSizeAndColoursOfTheImages) {
  data::Manifest manifest;
  manifest.channels = 1;
  manifest.height = 32;
  manifest.width = 48;
  manifest.groups[0].push_back({100, {}});
  Recipe recipe;
  EXPECT_EQ(input_size(recipe, manifest), (InputSize{32, 48}));
  recipe.size = 24;
  EXPECT_EQ(input_size(recipe, manifest), (InputSize{24, 24}));
  EXPECT_TRUE(check_recipe(recipe, manifest).ok());
  recipe.size = 33;
  EXPECT_EQ(check_recipe(recipe, manifest).error().message,
            "input.size: 33 is more than the images have, which are 32 by 48");
  recipe.size = 0;
  recipe.augmentation.saturation = 1;
  EXPECT_EQ(check_recipe(recipe, manifest).error().message,
            "augmentation.saturation: is for images of three channels, and these have 1");
}

TEST(Recipe, CosineFallsFromTheRateToTheFinalOne) {
  const Recipe recipe =
      parsed("[inner]\nrate = 1\nschedule = 'cosine'\nrounds = 1010\nwarmup_rounds = 10\nfinal_rate = 0.5");
  EXPECT_LE(recipe.rate.size(), 66u);
  const auto at = [&](uint32_t round) { return static_cast<double>(rate_at(recipe.rate, round)) * 0x1p-40; };
  EXPECT_NEAR(at(0), 1 / 11.0, 1e-9);
  EXPECT_NEAR(at(5), (1 + 5) / 11.0, 1e-9);
  for (uint32_t round = 10; round <= 1010; round += 10) {
    EXPECT_NEAR(at(round), 0.75 + 0.25 * std::cos(std::numbers::pi * (round - 10) / 1000), 3e-4) << round;
  }
  EXPECT_EQ(at(5000), 0.5);
  // Shorter than the parts that a cosine has: a knot for each round.
  EXPECT_EQ(parsed("[inner]\nrate = 1\nschedule = 'cosine'\nrounds = 4").rate.size(), 5u);
}

TEST(Recipe, StepsMultiplyTheRateAtTheirRounds) {
  const Recipe recipe = parsed(
      "[inner]\nrate = 1\nschedule = 'steps'\nmilestones = [3, 4, 10]\nfactor = 0.5\nwarmup_rounds = 1");
  std::vector<double> rates;
  for (uint32_t round = 0; round < 12; ++round)
    rates.push_back(static_cast<double>(rate_at(recipe.rate, round)) * 0x1p-40);
  EXPECT_THAT(rates, ElementsAre(0.5, 1, 1, 0.5, 0.25, 0.25, 0.25, 0.25, 0.25, 0.25, 0.125, 0.125));
}

TEST(Mixup, SharesAreQuantilesOfTheBetaDistribution) {
  // Beta(1, 1) is uniform: the larger of x and 1 - x lies between one half and one.
  const std::vector<uint16_t> uniform = mixup_shares(1);
  ASSERT_EQ(uniform.size(), kMixupShares);
  for (size_t i = 0; i < uniform.size(); ++i)
    EXPECT_NEAR(uniform[i], 32768 + (static_cast<double>(i) + 0.5) * 512, 1.5);
  // The larger half of Beta(2, 2) has the distribution function 6 (x^2 / 2 - x^3 / 3), doubled, less one.
  const std::vector<uint16_t> two = mixup_shares(2);
  for (size_t i = 0; i < two.size(); ++i) {
    const double x = two[i] / 65536.0;
    EXPECT_NEAR(2 * (3 * x * x - 2 * x * x * x) - 1, (static_cast<double>(i) + 0.5) / 64, 1e-3);
  }
  // And that of Beta(1/2, 1/2) is the arcsine law.
  const std::vector<uint16_t> half = mixup_shares(0.5);
  for (size_t i = 0; i < half.size(); ++i) {
    const double x = half[i] / 65536.0;
    EXPECT_NEAR(4 / std::numbers::pi * std::asin(std::sqrt(x)) - 1, (static_cast<double>(i) + 0.5) / 64,
                3e-3);
  }
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
