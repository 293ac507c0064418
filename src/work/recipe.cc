#include "work/recipe.h"

#include <algorithm>
#include <charconv>

#include "work/gradient_file.h"
#include "work/settings.h"

namespace cairn::work {
namespace {

__extension__ typedef unsigned __int128 Wide;

constexpr std::string_view kMagic = "cairn recipe";
constexpr uint32_t kVersion = 1;
constexpr uint64_t kMaxUnitImages = 1 << 24;
constexpr uint32_t kMaxKnots = 1024;
constexpr uint32_t kMaxChannels = 64;

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
  CAIRN_CHECK(check_range("inner.momentum", recipe.momentum, 0, kBelowOne));
  CAIRN_CHECK(check_range("inner.beta1", recipe.beta1, 0, kBelowOne));
  CAIRN_CHECK(check_range("inner.beta2", recipe.beta2, 0, kBelowOne));
  return check_range("inner.epsilon", recipe.epsilon, 0x1p-60, 1);
}

Status check_channels(const char* field, const std::vector<float>& values, double low, double high) {
  if (values.empty() || values.size() > kMaxChannels) {
    return Error{std::string(field) + ": between 1 and " + std::to_string(kMaxChannels) +
                 " numbers are allowed"};
  }
  for (const float value : values) CAIRN_CHECK(check_range(field, value, low, high));
  return {};
}

Status check(const Recipe& recipe) {
  CAIRN_CHECK(check_training(recipe));
  CAIRN_CHECK(check_inner(recipe));
  if (recipe.bits != 8 && recipe.bits != 16) return Error{"gradient.bits: must be 8 or 16"};
  CAIRN_CHECK(check_range("gradient.block_size", recipe.block_size, 1, kMaxBlockSize));
  CAIRN_CHECK(check_channels("input.mean", recipe.mean, -1024, 1024));
  CAIRN_CHECK(check_channels("input.deviation", recipe.deviation, 0x1p-20, 1024));
  CAIRN_CHECK(check_range("evaluation.sample", recipe.evaluation_sample, 1, 1 << 20));
  if (recipe.evaluation_sample % recipe.batch != 0) {
    return Error{"evaluation.sample: must be a multiple of training.batch"};
  }
  return {};
}

// -- TOML: types here, ranges in check() above --------------------------------------------------------------

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

Status read_training(SettingsReader table, Recipe& recipe) {
  recipe.seed = table.integer("seed", recipe.seed, 0, INT64_MAX);
  recipe.batch = whole(table, "batch", recipe.batch);
  recipe.accumulation = whole(table, "accumulation", recipe.accumulation);
  recipe.local_steps = whole(table, "local_steps", recipe.local_steps);
  const std::string precision = table.choice("precision", "standard", {"standard", "high", "fast"});
  recipe.precision = *model::precision_from_name(precision);
  return table.finish();
}

Status read_inner(SettingsReader table, Recipe& recipe) {
  const std::string optimizer = table.choice("optimizer", "sgd", {"sgd", "adamw"});
  recipe.optimizer = optimizer == "adamw" ? Optimizer::adamw : Optimizer::sgd;
  recipe.rate = table.schedule("rate", 0.03125, 0, 1024);
  recipe.warmup_steps = whole(table, "warmup_steps", 0);
  recipe.weight_decay = real(table, "weight_decay", 0);
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
  if (bits != 8 && bits != 16) table.fail("bits", "must be 8 or 16");
  recipe.bits = static_cast<uint8_t>(bits);
  recipe.block_size = whole(table, "block_size", recipe.block_size);
  return table.finish();
}

Status read_input(SettingsReader table, Recipe& recipe) {
  recipe.mean = reals(table, "mean");
  recipe.deviation = reals(table, "deviation");
  return table.finish();
}

Status read_evaluation(SettingsReader table, Recipe& recipe) {
  recipe.evaluation_sample = whole(table, "sample", recipe.evaluation_sample);
  return table.finish();
}

Result<Recipe> read_recipe(const SettingsTable& settings) {
  SettingsReader file(settings, "");
  Recipe recipe;
  CAIRN_CHECK(read_training(file.table("training"), recipe));
  CAIRN_CHECK(read_inner(file.table("inner"), recipe));
  CAIRN_CHECK(read_gradient(file.table("gradient"), recipe));
  CAIRN_CHECK(read_input(file.table("input"), recipe));
  CAIRN_CHECK(read_evaluation(file.table("evaluation"), recipe));
  file.ignore("trust");
  file.ignore("averaging");
  CAIRN_CHECK(file.finish());
  CAIRN_CHECK(check(recipe));
  return recipe;
}

// -- Canonical bytes
// ------------------------------------------------------------------------------------------

void write_inner(const Recipe& recipe, ByteWriter& writer) {
  writer.u8(static_cast<uint8_t>(recipe.optimizer));
  writer.u32(static_cast<uint32_t>(recipe.rate.size()));
  for (const RateKnot& knot : recipe.rate) {
    writer.u32(knot.round);
    writer.u64(knot.rate);
  }
  writer.u32(recipe.warmup_steps);
  writer.f32(recipe.weight_decay);
  if (recipe.optimizer == Optimizer::sgd) {
    writer.f32(recipe.momentum);
    writer.u8(recipe.nesterov ? 1 : 0);
  } else {
    writer.f32(recipe.beta1);
    writer.f32(recipe.beta2);
    writer.f32(recipe.epsilon);
  }
}

void read_inner(ByteReader& reader, Recipe& recipe) {
  const uint8_t optimizer = reader.u8("inner.optimizer");
  if (optimizer > 1) reader.fail("inner.optimizer", "neither 0 (sgd) nor 1 (adamw)");
  recipe.optimizer = static_cast<Optimizer>(optimizer);
  recipe.rate.resize(reader.count("inner.rate", 12, kMaxKnots));
  for (RateKnot& knot : recipe.rate) {
    knot.round = reader.u32("inner.rate");
    knot.rate = reader.u64("inner.rate");
  }
  recipe.warmup_steps = reader.u32("inner.warmup_steps");
  recipe.weight_decay = reader.f32("inner.weight_decay");
  if (recipe.optimizer == Optimizer::sgd) {
    recipe.momentum = reader.f32("inner.momentum");
    const uint8_t nesterov = reader.u8("inner.nesterov");
    if (nesterov > 1) reader.fail("inner.nesterov", "neither 0 nor 1");
    recipe.nesterov = nesterov == 1;
  } else {
    recipe.beta1 = reader.f32("inner.beta1");
    recipe.beta2 = reader.f32("inner.beta2");
    recipe.epsilon = reader.f32("inner.epsilon");
  }
}

void write_floats(const std::vector<float>& values, ByteWriter& writer) {
  writer.u32(static_cast<uint32_t>(values.size()));
  for (const float value : values) writer.f32(value);
}

std::vector<float> read_floats(ByteReader& reader, const char* field) {
  std::vector<float> values(reader.count(field, 4, kMaxChannels));
  for (float& value : values) value = reader.f32(field);
  return values;
}

model::Precision read_precision(ByteReader& reader) {
  const std::optional precision = model::precision_from_byte(reader.u8("training.precision"));
  if (!precision) reader.fail("training.precision", "neither 8 (fast), 13 (standard) nor 14 (high)");
  return precision.value_or(model::Precision::standard);
}

Result<Recipe> decode(BytesView bytes) {
  ByteReader reader(bytes);
  Recipe recipe;
  if (reader.string("magic", kMagic.size()) != kMagic) reader.fail("magic", "this is no recipe");
  const uint32_t version = reader.u32("version");
  if (version != kVersion) reader.fail("version", std::to_string(version) + " where 1 is known");
  recipe.seed = reader.u64("training.seed");
  recipe.batch = reader.u32("training.batch");
  recipe.accumulation = reader.u32("training.accumulation");
  recipe.local_steps = reader.u32("training.local_steps");
  recipe.precision = read_precision(reader);
  read_inner(reader, recipe);
  recipe.bits = reader.u8("gradient.bits");
  recipe.block_size = reader.u32("gradient.block_size");
  recipe.mean = read_floats(reader, "input.mean");
  recipe.deviation = read_floats(reader, "input.deviation");
  recipe.evaluation_sample = reader.u32("evaluation.sample");
  CAIRN_CHECK(reader.finish());
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

Bytes encode(const Recipe& recipe) {
  ByteWriter writer;
  writer.string(kMagic);
  writer.u32(kVersion);
  writer.u64(recipe.seed);
  writer.u32(recipe.batch);
  writer.u32(recipe.accumulation);
  writer.u32(recipe.local_steps);
  writer.u8(static_cast<uint8_t>(recipe.precision));
  write_inner(recipe, writer);
  writer.u8(recipe.bits);
  writer.u32(recipe.block_size);
  write_floats(recipe.mean, writer);
  write_floats(recipe.deviation, writer);
  writer.u32(recipe.evaluation_sample);
  return writer.take();
}

Result<Recipe> decode_recipe(BytesView bytes) {
  Result<Recipe> recipe = decode(bytes);
  if (!recipe) return recipe.error().within("recipe");
  return recipe;
}

Status check_recipe(const Recipe& recipe, const data::Manifest& manifest) {
  for (const auto* values : {&recipe.mean, &recipe.deviation}) {
    if (values->size() == 1 || values->size() == manifest.channels) continue;
    return Error{std::string("input.") + (values == &recipe.mean ? "mean" : "deviation") + ": has " +
                 std::to_string(values->size()) + " numbers, but the images have " +
                 std::to_string(manifest.channels) + " channels"};
  }
  if (recipe.batch > manifest.count(data::Split::train)) {
    return Error{"training.batch: " + std::to_string(recipe.batch) + " is more than the " +
                 std::to_string(manifest.count(data::Split::train)) + " training images"};
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

}  // namespace cairn::work
