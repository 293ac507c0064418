// A recipe as people write it. Types are checked here, ranges in check() of recipe.cc.
#include <cmath>

#include "work/mixup.h"
#include "work/recipe.h"
#include "work/settings.h"

namespace cairn::work {
namespace {

constexpr double kAnyNumber = 0x1p100;

uint32_t whole(SettingsReader& table, std::string_view key, uint32_t fallback) {
  return static_cast<uint32_t>(table.integer(key, fallback, 0, UINT32_MAX));
}

float real(SettingsReader& table, std::string_view key, double fallback) {
  return static_cast<float>(table.number(key, fallback, -kAnyNumber, kAnyNumber));
}

std::vector<float> reals(SettingsReader& table, std::string_view key) {
  const std::vector<double> values = table.numbers(key, {0.5}, -kAnyNumber, kAnyNumber);
  return {values.begin(), values.end()};
}

// A decimal as a whole number of units of 1 / `units`.
uint32_t fraction(SettingsReader& table, std::string_view key, uint32_t fallback, double high,
                  double units = kWhole) {
  if (!table.has(key)) return fallback;
  return static_cast<uint32_t>(std::llrint(table.number(key, 0, 0, high) * units));
}

std::vector<uint16_t> read_mixup(SettingsReader& table) {
  const double alpha = table.number("mixup", 0, 0, kMaxMixup);
  if (alpha == 0) return {};
  if (alpha < kMinMixup) table.fail("mixup", "must be 0 or between 0.05 and 8");
  return mixup_shares(std::max(alpha, kMinMixup));
}

Status read_training(SettingsReader table, Recipe& recipe) {
  recipe.seed = table.integer("seed", recipe.seed, 0, INT64_MAX);
  recipe.batch = whole(table, "batch", recipe.batch);
  recipe.accumulation = whole(table, "accumulation", recipe.accumulation);
  recipe.local_steps = whole(table, "local_steps", recipe.local_steps);
  const std::string precision = table.choice("precision", "standard", {"standard", "high", "fast"});
  recipe.precision = *model::precision_from_name(precision);
  recipe.trace = whole(table, "trace", recipe.trace);
  recipe.label_smoothing = real(table, "label_smoothing", 0);
  recipe.mixup = read_mixup(table);
  return table.finish();
}

Status read_inner(SettingsReader table, Recipe& recipe) {
  const std::string optimizer = table.choice("optimizer", "sgd", {"sgd", "adamw"});
  recipe.optimizer = optimizer == "adamw" ? Optimizer::adamw : Optimizer::sgd;
  recipe.rate = table.schedule("rate", 0.03125, 0, 1024);
  recipe.warmup_steps = whole(table, "warmup_steps", 0);
  recipe.weight_decay = real(table, "weight_decay", 0);
  recipe.clip = real(table, "clip", 0);
  if (recipe.optimizer == Optimizer::sgd) {
    recipe.momentum = real(table, "momentum", 0);
    recipe.nesterov = table.boolean("nesterov", false);
  } else {
    recipe.beta1 = real(table, "beta1", 0.9);
    recipe.beta2 = real(table, "beta2", 0.999);
    recipe.epsilon = real(table, "epsilon", 1e-8);
  }
  return table.finish();
}

Status read_gradient(SettingsReader table, Recipe& recipe) {
  const uint32_t bits = whole(table, "bits", recipe.bits);
  if (bits != 4 && bits != 8 && bits != 16) table.fail("bits", "must be 4, 8 or 16");
  recipe.bits = static_cast<uint8_t>(bits);
  recipe.block_size = whole(table, "block_size", recipe.block_size);
  recipe.keep = fraction(table, "keep", recipe.keep, 1, Recipe::kAll);
  return table.finish();
}

Status read_input(SettingsReader table, Recipe& recipe) {
  recipe.mean = reals(table, "mean");
  recipe.deviation = reals(table, "deviation");
  recipe.size = whole(table, "size", recipe.size);
  return table.finish();
}

Status read_augmentation(SettingsReader table, Augmentation& augmentation) {
  const std::string crop = table.choice("crop", "none", {"none", "padded", "resized"});
  augmentation.crop = crop == "none" ? Crop::none : crop == "padded" ? Crop::padded : Crop::resized;
  if (augmentation.crop == Crop::padded) augmentation.padding = whole(table, "padding", augmentation.padding);
  if (augmentation.crop == Crop::resized) {
    augmentation.min_area = fraction(table, "min_area", augmentation.min_area, 1);
    augmentation.max_area = fraction(table, "max_area", augmentation.max_area, 1);
    augmentation.max_ratio = fraction(table, "max_ratio", augmentation.max_ratio, 16);
  }
  augmentation.flip = table.boolean("flip", false);
  augmentation.brightness = fraction(table, "brightness", 0, 1);
  augmentation.contrast = fraction(table, "contrast", 0, 1);
  augmentation.saturation = fraction(table, "saturation", 0, 1);
  return table.finish();
}

Status read_evaluation(SettingsReader table, Recipe& recipe) {
  recipe.evaluation_sample = whole(table, "sample", recipe.evaluation_sample);
  recipe.evaluation_every = whole(table, "every", recipe.evaluation_every);
  recipe.evaluation_images = whole(table, "images", recipe.evaluation_images);
  return table.finish();
}

Result<Recipe> read_recipe(const SettingsTable& settings) {
  SettingsReader file(settings, "");
  Recipe recipe;
  CAIRN_CHECK(read_training(file.table("training"), recipe));
  CAIRN_CHECK(read_inner(file.table("inner"), recipe));
  CAIRN_CHECK(read_gradient(file.table("gradient"), recipe));
  CAIRN_CHECK(read_input(file.table("input"), recipe));
  CAIRN_CHECK(read_augmentation(file.table("augmentation"), recipe.augmentation));
  CAIRN_CHECK(read_evaluation(file.table("evaluation"), recipe));
  file.ignore("trust");
  file.ignore("averaging");
  CAIRN_CHECK(file.finish());
  CAIRN_CHECK(check(recipe));
  return recipe;
}

}  // namespace

Result<Recipe> parse_recipe(std::string_view toml, std::string_view file_name) {
  CAIRN_TRY(const SettingsTable settings, parse_settings(toml, file_name));
  Result<Recipe> recipe = read_recipe(settings);
  if (!recipe) return recipe.error().within(std::string(file_name));
  return recipe;
}

}  // namespace cairn::work
