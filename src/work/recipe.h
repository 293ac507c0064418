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
enum class Crop : uint8_t { none = 0, padded = 1, resized = 2 };

// Fractions here are integers in units of 2^-16.
inline constexpr uint32_t kWhole = 1 << 16;

// What happens to a training image by chance before the model sees it: work/augmentation.h.
struct Augmentation {
  Crop crop = Crop::none;
  uint32_t padding = 4;        // padded: pixels of black around the image from which a square is cut
  uint32_t min_area = 5243;    // resized: the smallest part of the image that is cut out (0.08) …
  uint32_t max_area = kWhole;  // … and the largest
  uint32_t max_ratio = 87381;  // resized: of width and height, either way (4/3)
  bool flip = false;           // left and right, every other time
  uint32_t brightness = 0, contrast = 0, saturation = 0;  // multiplied by 1 - x to 1 + x
  bool operator==(const Augmentation&) const = default;
};

struct Recipe {
  static constexpr uint32_t kAll = 1'000'000;

  // [training]
  uint64_t seed = 1;
  uint32_t batch = 32;        // images that go through the model together
  uint32_t accumulation = 1;  // batches whose mean gradient makes a step
  uint32_t local_steps = 0;   // 0: the unit's gradient; H >= 1: the difference that H optimizer steps make
  model::Precision precision = model::Precision::standard;
  uint32_t trace = 0;         // local steps between two digests of the state in a gradient file; 0: none
  float label_smoothing = 0;  // of the label's share, spread over all classes
  // Shares of an image in its mixture with another, in units of 2^-16, of which every batch draws one
  // (Zhang et al., "mixup: Beyond Empirical Risk Minimization", ICLR 2018). Empty: nothing is mixed.
  std::vector<uint16_t> mixup;

  // [inner], used where local_steps >= 1
  Optimizer optimizer = Optimizer::sgd;
  std::vector<RateKnot> rate = {{0, uint64_t{1} << 35}};  // by round, in units of 2^-40
  uint32_t warmup_steps = 0;  // the rate of step s is multiplied by min(s + 1, warmup) / warmup
  float weight_decay = 0;
  float clip = 0;      // the largest norm of a step's gradient, which is scaled down to it; 0: none
  float momentum = 0;  // sgd
  bool nesterov = false;
  float beta1 = 0.9f;  // adamw
  float beta2 = 0.999f;
  float epsilon = 1e-8f;

  // [gradient]
  uint8_t bits = 16;          // of the integers in a gradient file: 16, 8 or 4
  uint32_t block_size = 256;  // values that share an exponent
  uint32_t keep = kAll;       // of a million values how many are kept, the largest

  // [input]: a pixel p becomes (p / 255 - mean) / deviation. One number for each channel, or one for all.
  std::vector<float> mean = {0.5f};
  std::vector<float> deviation = {0.5f};
  uint32_t size = 0;  // side of the square that the model sees; 0: images as the data set has them

  Augmentation augmentation;

  // [evaluation]
  uint32_t evaluation_sample =
      2048;  // training images, or all, that batch normalization's statistics are taken from
  uint32_t evaluation_every = 0;   // rounds between two evaluations by contributors; 0: none
  uint32_t evaluation_images = 0;  // test images that they are made on, the first; 0: all

  bool operator==(const Recipe&) const = default;

  bool keeps_all() const { return keep == kAll; }
  uint64_t unit_images() const {
    return uint64_t{batch} * accumulation * (local_steps > 0 ? local_steps : 1);
  }
};

inline constexpr size_t kMixupShares = 64;
inline constexpr uint32_t kMaxKnots = 1024;  // of a rate
inline constexpr uint64_t kMaxRecipeSize = 64 << 10;

// `toml` may also hold the tables [trust] and [averaging], which are read elsewhere; any other unknown table
// or key is refused. `file_name` begins every message.
Result<Recipe> parse_recipe(std::string_view toml, std::string_view file_name);

// Whether the values lie in their ranges, whatever the data; both of these end with it. Errors begin with the
// key.
Status check(const Recipe& recipe);

Bytes encode(const Recipe& recipe);
Result<Recipe> decode_recipe(BytesView bytes);

// Whether the recipe suits the data: channels, and enough images for a batch. Errors begin with
// the key.
Status check_recipe(const Recipe& recipe, const data::Manifest& manifest);

// The inner learning rate as binary32 at 0-based `step` of a unit of `round`.
float inner_rate(const Recipe& recipe, uint32_t round, uint32_t step);

// What a pixel of the channel becomes, for each of its 256 values.
std::array<float, 256> pixel_table(const Recipe& recipe, uint32_t channel);

// The side lengths of what the model sees of the images of that data set.
struct InputSize {
  uint32_t height, width;
  bool operator==(const InputSize&) const = default;
};
InputSize input_size(const Recipe& recipe, const data::Manifest& manifest);

}  // namespace cairn::work
