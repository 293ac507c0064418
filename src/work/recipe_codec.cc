// A recipe as the project stores it: docs/formats/recipe.md.
#include "work/recipe.h"

namespace cairn::work {
namespace {

constexpr std::string_view kMagic = "cairn recipe";
constexpr uint32_t kVersion = 2;

bool read_flag(ByteReader& reader, const char* field) {
  const uint8_t flag = reader.u8(field);
  if (flag > 1) reader.fail(field, "neither 0 nor 1");
  return flag == 1;
}

void write_inner(const Recipe& recipe, ByteWriter& writer) {
  writer.u8(static_cast<uint8_t>(recipe.optimizer));
  writer.u32(static_cast<uint32_t>(recipe.rate.size()));
  for (const RateKnot& knot : recipe.rate) {
    writer.u32(knot.round);
    writer.u64(knot.rate);
  }
  writer.u32(recipe.warmup_steps);
  writer.f32(recipe.weight_decay);
  writer.f32(recipe.clip);
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
  recipe.clip = reader.f32("inner.clip");
  if (recipe.optimizer == Optimizer::sgd) {
    recipe.momentum = reader.f32("inner.momentum");
    recipe.nesterov = read_flag(reader, "inner.nesterov");
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
  std::vector<float> values(reader.count(field, 4, data::kMaxChannels));
  for (float& value : values) value = reader.f32(field);
  return values;
}

void write_mixup(const std::vector<uint16_t>& shares, ByteWriter& writer) {
  writer.u32(static_cast<uint32_t>(shares.size()));
  for (const uint16_t share : shares) writer.u16(share);
}

std::vector<uint16_t> read_mixup(ByteReader& reader) {
  std::vector<uint16_t> shares(reader.count("training.mixup", 2, kMixupShares));
  for (uint16_t& share : shares) share = reader.u16("training.mixup");
  return shares;
}

void write_augmentation(const Augmentation& augmentation, ByteWriter& writer) {
  writer.u8(static_cast<uint8_t>(augmentation.crop));
  writer.u32(augmentation.padding);
  writer.u32(augmentation.min_area);
  writer.u32(augmentation.max_area);
  writer.u32(augmentation.max_ratio);
  writer.u8(augmentation.flip ? 1 : 0);
  writer.u32(augmentation.brightness);
  writer.u32(augmentation.contrast);
  writer.u32(augmentation.saturation);
}

Augmentation read_augmentation(ByteReader& reader) {
  Augmentation augmentation;
  const uint8_t crop = reader.u8("augmentation.crop");
  if (crop > 2) reader.fail("augmentation.crop", "neither 0 (none), 1 (padded) nor 2 (resized)");
  augmentation.crop = static_cast<Crop>(crop);
  augmentation.padding = reader.u32("augmentation.padding");
  augmentation.min_area = reader.u32("augmentation.min_area");
  augmentation.max_area = reader.u32("augmentation.max_area");
  augmentation.max_ratio = reader.u32("augmentation.max_ratio");
  augmentation.flip = read_flag(reader, "augmentation.flip");
  augmentation.brightness = reader.u32("augmentation.brightness");
  augmentation.contrast = reader.u32("augmentation.contrast");
  augmentation.saturation = reader.u32("augmentation.saturation");
  return augmentation;
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
  if (version != kVersion)
    reader.fail("version", std::to_string(version) + " where " + std::to_string(kVersion) + " is known");
  recipe.seed = reader.u64("training.seed");
  recipe.batch = reader.u32("training.batch");
  recipe.accumulation = reader.u32("training.accumulation");
  recipe.local_steps = reader.u32("training.local_steps");
  recipe.precision = read_precision(reader);
  recipe.trace = reader.u32("training.trace");
  recipe.label_smoothing = reader.f32("training.label_smoothing");
  recipe.mixup = read_mixup(reader);
  read_inner(reader, recipe);
  recipe.bits = reader.u8("gradient.bits");
  recipe.block_size = reader.u32("gradient.block_size");
  recipe.keep = reader.u32("gradient.keep");
  recipe.mean = read_floats(reader, "input.mean");
  recipe.deviation = read_floats(reader, "input.deviation");
  recipe.size = reader.u32("input.size");
  recipe.augmentation = read_augmentation(reader);
  recipe.evaluation_sample = reader.u32("evaluation.sample");
  recipe.evaluation_every = reader.u32("evaluation.every");
  recipe.evaluation_images = reader.u32("evaluation.images");
  CAIRN_CHECK(reader.finish());
  CAIRN_CHECK(check(recipe));
  return recipe;
}

}  // namespace

Bytes encode(const Recipe& recipe) {
  ByteWriter writer;
  writer.string(kMagic);
  writer.u32(kVersion);
  writer.u64(recipe.seed);
  writer.u32(recipe.batch);
  writer.u32(recipe.accumulation);
  writer.u32(recipe.local_steps);
  writer.u8(static_cast<uint8_t>(recipe.precision));
  writer.u32(recipe.trace);
  writer.f32(recipe.label_smoothing);
  write_mixup(recipe.mixup, writer);
  write_inner(recipe, writer);
  writer.u8(recipe.bits);
  writer.u32(recipe.block_size);
  writer.u32(recipe.keep);
  write_floats(recipe.mean, writer);
  write_floats(recipe.deviation, writer);
  writer.u32(recipe.size);
  write_augmentation(recipe.augmentation, writer);
  writer.u32(recipe.evaluation_sample);
  writer.u32(recipe.evaluation_every);
  writer.u32(recipe.evaluation_images);
  return writer.take();
}

Result<Recipe> decode_recipe(BytesView bytes) {
  Result<Recipe> recipe = decode(bytes);
  if (!recipe) return recipe.error().within("recipe");
  return recipe;
}

}  // namespace cairn::work
