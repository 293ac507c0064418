// A recipe: everything besides model and data that decides a gradient's value. Part of the project, as a
// blob.
//
// Canonical bytes and the meaning of every field: docs/formats/recipe.md.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/schedule.h"
#include "data/manifest.h"
#include "model/precision.h"

namespace cairn::work {

enum class Optimizer : uint8_t { sgd = 0, adamw = 1 };

struct Recipe {
  // [training]
  uint64_t seed = 1;
  uint32_t batch = 32;        // images that go through the model together
  uint32_t accumulation = 1;  // batches whose mean gradient makes a step
  uint32_t local_steps = 0;   // 0: the unit's gradient; H >= 1: the difference that H optimizer steps make
  model::Precision precision = model::Precision::standard;

  // [inner], used where local_steps >= 1
  Optimizer optimizer = Optimizer::sgd;
  std::vector<RateKnot> rate = {{0, uint64_t{1} << 35}};  // by round, in units of 2^-40
  uint32_t warmup_steps = 0;  // the rate of step s is multiplied by min(s + 1, warmup) / warmup
  float weight_decay = 0;
  float momentum = 0;  // sgd
  bool nesterov = false;
  float beta1 = 0.9f;  // adamw
  float beta2 = 0.999f;
  float epsilon = 1e-8f;

  // [gradient]
  uint8_t bits = 16;          // of the integers in a gradient file: 16 or 8
  uint32_t block_size = 256;  // values that share an exponent

  // [input]: a pixel p becomes (p / 255 - mean) / deviation. One number for each channel, or one for all.
  std::vector<float> mean = {0.5f};
  std::vector<float> deviation = {0.5f};

  // [evaluation]
  uint32_t evaluation_sample =
      2048;  // training images, or all, that batch normalization's statistics are taken from

  bool operator==(const Recipe&) const = default;

  uint64_t unit_images() const {
    return uint64_t{batch} * accumulation * (local_steps > 0 ? local_steps : 1);
  }
};

inline constexpr uint64_t kMaxRecipeSize = 64 << 10;

// `toml` may also hold the tables [trust] and [averaging], which are read elsewhere; any other unknown table
// or key is refused. `file_name` begins every message.
Result<Recipe> parse_recipe(std::string_view toml, std::string_view file_name);

Bytes encode(const Recipe& recipe);
Result<Recipe> decode_recipe(BytesView bytes);

// Whether the recipe suits the data: channels, and enough images for a batch. Errors begin with
// the key.
Status check_recipe(const Recipe& recipe, const data::Manifest& manifest);

// The inner learning rate as binary32 at 0-based `step` of a unit of `round`.
float inner_rate(const Recipe& recipe, uint32_t round, uint32_t step);

// What a pixel of the channel becomes, for each of its 256 values.
std::array<float, 256> pixel_table(const Recipe& recipe, uint32_t channel);

// The commented recipe that a new project starts from.
std::string_view default_recipe();

}  // namespace cairn::work
