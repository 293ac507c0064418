#include "sim/attack.h"

#include <array>

#include "base/philox.h"
#include "work/block_encoding.h"

namespace cairn::sim {
namespace {

constexpr std::array<std::string_view, 4> kNames = {"sign-flip", "noise", "scale", "zero"};

float largest(std::span<const float> values) {
  float result = 0;
  for (const float value : values) result = std::max(result, value < 0 ? -value : value);
  return result;
}

// Uniform in (-bound, bound).
float noise(const RandomSequence& random, uint32_t index, float bound) {
  const auto word = static_cast<int32_t>(random.at(index)[0]);
  return static_cast<float>(word) * 0x1p-31f * bound;
}

float false_value(float value, Attack attack, const RandomSequence& random, uint32_t index, float bound) {
  switch (attack) {
    case Attack::sign_flip:
      return -value;
    case Attack::noise:
      return noise(random, index, bound);
    case Attack::scale:
      return value * 4;
    case Attack::zero:
      return 0;
  }
  return value;
}

}  // namespace

std::span<const std::string_view> attack_names() {
  return kNames;
}

Result<Attack> attack_from_name(std::string_view name) {
  for (size_t i = 0; i < kNames.size(); ++i) {
    if (kNames[i] == name) return static_cast<Attack>(i);
  }
  return Error{"attack " + std::string(name) + ": takes sign-flip, noise, scale or zero"};
}

work::GradientFile falsify(work::GradientFile file, Attack attack, uint64_t seed) {
  std::vector<float> values(file.parameters);
  work::decode_values(file, values);
  const float bound = largest(values);
  const RandomSequence random(seed, RandomStream::probe, file.round, file.unit);
  for (size_t i = 0; i < values.size(); ++i) {
    values[i] = false_value(values[i], attack, random, static_cast<uint32_t>(i), bound);
  }
  const RandomSequence rounding(seed, RandomStream::gradient_rounding, file.round, file.unit);
  const Status encoded =
      work::encode_values(values, static_cast<uint32_t>(file.values.size()), rounding, file);
  CAIRN_ASSERT(encoded.ok());
  return file;
}

work::GradientState falsify(work::GradientState state, uint64_t seed) {
  CAIRN_ASSERT(!state.parameters.empty());
  const float bound = largest(state.parameters) * 0x1p-6f;
  const RandomSequence random(seed, RandomStream::probe, state.batches);
  for (size_t i = 0; i < state.parameters.size(); ++i) {
    state.parameters[i] = state.parameters[i] + noise(random, static_cast<uint32_t>(i), bound);
  }
  return state;
}

}  // namespace cairn::sim
