#include "work/recipe.h"

#include <algorithm>
#include <charconv>

#include "work/gradient_file.h"

namespace cairn::work {
namespace {

__extension__ typedef unsigned __int128 Wide;

constexpr uint64_t kMaxUnitImages = 1 << 24;
constexpr uint32_t kMaxPadding = 1024;

std::string shortest(double value) {
  char text[32];
  const auto end = std::to_chars(text, text + sizeof text, value);
  return {text, end.ptr};
}

Status check_range(const char* field, double value, double low, double high) {
  if (value >= low && value <= high) return {};
  return Error{std::string(field) + ": " + shortest(value) + " is not between " + shortest(low) + " and " +
               shortest(high)};
}

Status check_training(const Recipe& recipe) {
  CAIRN_CHECK(check_range("training.batch", recipe.batch, 1, 65536));
  CAIRN_CHECK(check_range("training.accumulation", recipe.accumulation, 1, 65536));
  CAIRN_CHECK(check_range("training.local_steps", recipe.local_steps, 0, 65536));
  CAIRN_CHECK(check_range("training.trace", recipe.trace, 0, 65536));
  CAIRN_CHECK(check_range("training.label_smoothing", recipe.label_smoothing, 0, 0.5));
  if (recipe.trace > 0 && recipe.local_steps == 0) {
    return Error{"training.trace: is for units of local steps; with local_steps = 0 leave it out"};
  }
  if (recipe.unit_images() > kMaxUnitImages) {
    return Error{"training: batch * accumulation * local_steps is " + std::to_string(recipe.unit_images()) +
                 " images a unit, of which there may be " + std::to_string(kMaxUnitImages) + " at most"};
  }
  return {};
}

Status check_rate(const std::vector<RateKnot>& knots) {
  if (knots.empty() || knots.size() > kMaxKnots) {
    return Error{"inner.rate: between 1 and " + std::to_string(kMaxKnots) + " knots are allowed"};
  }
  for (size_t i = 0; i < knots.size(); ++i) {
    CAIRN_CHECK(check_range("inner.rate", static_cast<double>(knots[i].rate) * 0x1p-40, 0, 1024));
    if (i > 0 && knots[i].round <= knots[i - 1].round) return Error{"inner.rate: the rounds must ascend"};
  }
  return {};
}

Status check_inner(const Recipe& recipe) {
  constexpr double kBelowOne = 0x1.fffffep-1;  // the largest binary32 below 1
  CAIRN_CHECK(check_rate(recipe.rate));
  CAIRN_CHECK(check_range("inner.warmup_steps", recipe.warmup_steps, 0, 65536));
  CAIRN_CHECK(check_range("inner.weight_decay", recipe.weight_decay, 0, 1));
  CAIRN_CHECK(check_range("inner.clip", recipe.clip, 0, 0x1p40));
  CAIRN_CHECK(check_range("inner.momentum", recipe.momentum, 0, kBelowOne));
  CAIRN_CHECK(check_range("inner.beta1", recipe.beta1, 0, kBelowOne));
  CAIRN_CHECK(check_range("inner.beta2", recipe.beta2, 0, kBelowOne));
  return check_range("inner.epsilon", recipe.epsilon, 0x1p-60, 1);
}

Status check_channels(const char* field, const std::vector<float>& values, double low, double high) {
  if (values.empty() || values.size() > data::kMaxChannels) {
    return Error{std::string(field) + ": between 1 and " + std::to_string(data::kMaxChannels) +
                 " numbers are allowed"};
  }
  for (const float value : values) CAIRN_CHECK(check_range(field, value, low, high));
  return {};
}

Status check_mixup(const std::vector<uint16_t>& shares) {
  if (shares.empty() || shares.size() == kMixupShares) return {};
  return Error{"training.mixup: has " + std::to_string(shares.size()) + " shares where " +
               std::to_string(kMixupShares) + " or none are needed"};
}

Status check_gradient(const Recipe& recipe) {
  if (recipe.bits != 4 && recipe.bits != 8 && recipe.bits != 16)
    return Error{"gradient.bits: must be 4, 8 or 16"};
  CAIRN_CHECK(check_range("gradient.block_size", recipe.block_size, 1, kMaxBlockSize));
  return check_range("gradient.keep", recipe.keep / 1e6, 1e-6, 1);
}

Status check_input(const Recipe& recipe) {
  CAIRN_CHECK(check_channels("input.mean", recipe.mean, -1024, 1024));
  CAIRN_CHECK(check_channels("input.deviation", recipe.deviation, 0x1p-20, 1024));
  return check_range("input.size", recipe.size, 0, data::kMaxSide);
}

Status check_fraction(const char* field, uint32_t value, uint32_t low, uint32_t high) {
  return check_range(field, value * 0x1p-16, low * 0x1p-16, high * 0x1p-16);
}

Status check_augmentation(const Augmentation& augmentation) {
  CAIRN_CHECK(check_range("augmentation.padding", augmentation.padding, 0, kMaxPadding));
  CAIRN_CHECK(check_fraction("augmentation.max_area", augmentation.max_area, 1, kWhole));
  CAIRN_CHECK(check_fraction("augmentation.min_area", augmentation.min_area, 1, augmentation.max_area));
  CAIRN_CHECK(check_fraction("augmentation.max_ratio", augmentation.max_ratio, kWhole, 16 * kWhole));
  CAIRN_CHECK(check_fraction("augmentation.brightness", augmentation.brightness, 0, kWhole));
  CAIRN_CHECK(check_fraction("augmentation.contrast", augmentation.contrast, 0, kWhole));
  return check_fraction("augmentation.saturation", augmentation.saturation, 0, kWhole);
}

Status check_evaluation(const Recipe& recipe) {
  CAIRN_CHECK(check_range("evaluation.sample", recipe.evaluation_sample, 1, 1 << 20));
  if (recipe.evaluation_sample % recipe.batch != 0) {
    return Error{"evaluation.sample: must be a multiple of training.batch"};
  }
  CAIRN_CHECK(check_range("evaluation.every", recipe.evaluation_every, 0, 1 << 20));
  return check_range("evaluation.images", recipe.evaluation_images, 0, data::kMaxImages);
}

}  // namespace

Status check(const Recipe& recipe) {
  CAIRN_CHECK(check_training(recipe));
  CAIRN_CHECK(check_mixup(recipe.mixup));
  CAIRN_CHECK(check_inner(recipe));
  CAIRN_CHECK(check_gradient(recipe));
  CAIRN_CHECK(check_input(recipe));
  CAIRN_CHECK(check_augmentation(recipe.augmentation));
  return check_evaluation(recipe);
}

namespace {

// What makes no sense of tokens.
Status check_text_recipe(const Recipe& recipe) {
  const Recipe none;
  const auto wrong = [](const char* key) {
    return Error{std::string(key) + ": is for images, and this data is text; leave it out"};
  };
  if (!recipe.mixup.empty()) return wrong("training.mixup");
  if (recipe.mean != none.mean || recipe.deviation != none.deviation || recipe.size != 0)
    return wrong("input");
  if (recipe.augmentation != none.augmentation) return wrong("augmentation");
  return {};
}

Status check_image_recipe(const Recipe& recipe, const data::Manifest& manifest) {
  for (const auto* values : {&recipe.mean, &recipe.deviation}) {
    if (values->size() == 1 || values->size() == manifest.channels) continue;
    return Error{std::string("input.") + (values == &recipe.mean ? "mean" : "deviation") + ": has " +
                 std::to_string(values->size()) + " numbers, but the images have " +
                 std::to_string(manifest.channels) + " channels"};
  }
  if (recipe.size > std::min(manifest.height, manifest.width)) {
    return Error{"input.size: " + std::to_string(recipe.size) + " is more than the images have, which are " +
                 std::to_string(manifest.height) + " by " + std::to_string(manifest.width)};
  }
  if (recipe.augmentation.saturation > 0 && manifest.channels != 3) {
    return Error{"augmentation.saturation: is for images of three channels, and these have " +
                 std::to_string(manifest.channels)};
  }
  return {};
}

}  // namespace

Status check_recipe(const Recipe& recipe, const data::Manifest& manifest) {
  const bool text = manifest.kind == data::Kind::text;
  CAIRN_CHECK(text ? check_text_recipe(recipe) : check_image_recipe(recipe, manifest));
  if (recipe.batch > manifest.count(data::Split::train)) {
    return Error{"training.batch: " + std::to_string(recipe.batch) + " is more than the " +
                 std::to_string(manifest.count(data::Split::train)) +
                 (text ? " pieces of training text" : " training images")};
  }
  return {};
}

float inner_rate(const Recipe& recipe, uint32_t round, uint32_t step) {
  uint64_t rate = rate_at(recipe.rate, round);
  if (step + 1 < recipe.warmup_steps) {
    rate = static_cast<uint64_t>(Wide{rate} * (step + 1) / recipe.warmup_steps);
  }
  return static_cast<float>(rate) * 0x1p-40f;
}

std::array<float, 256> pixel_table(const Recipe& recipe, uint32_t channel) {
  const float mean = recipe.mean[recipe.mean.size() == 1 ? 0 : channel];
  const float deviation = recipe.deviation[recipe.deviation.size() == 1 ? 0 : channel];
  std::array<float, 256> table;
  for (size_t pixel = 0; pixel < table.size(); ++pixel) {
    const float unit = static_cast<float>(pixel) / 255.0f;
    table[pixel] = (unit - mean) / deviation;
  }
  return table;
}

InputSize input_size(const Recipe& recipe, const data::Manifest& manifest) {
  if (recipe.size == 0) return {manifest.height, manifest.width};
  return {recipe.size, recipe.size};
}

}  // namespace cairn::work
