// The inner optimizers: what a step of local training does to the parameters. Only single IEEE binary32
// operations, element by element, in the order that docs/formats/gradient-file.md lists.
#pragma once

#include <span>
#include <vector>

#include "work/recipe.h"

namespace cairn::work {

// One unit's optimizer; its state starts at zero. One thread at a time, which has set_float_environment().
class InnerOptimizer {
 public:
  // The recipe outlives the optimizer.
  InnerOptimizer(const Recipe& recipe, size_t parameter_count);

  // Precondition: both spans have parameter_count values.
  void step(float rate, std::span<const float> gradient, std::span<float> parameters);

 private:
  void step_sgd(float rate, std::span<const float> gradient, std::span<float> parameters);
  void step_adamw(float rate, std::span<const float> gradient, std::span<float> parameters);

  const Recipe& recipe_;
  std::vector<float> first_;   // sgd: velocity; adamw: first moment
  std::vector<float> second_;  // adamw: second moment
  float beta1_power_ = 1;      // beta1 ^ steps
  float beta2_power_ = 1;
};

}  // namespace cairn::work
