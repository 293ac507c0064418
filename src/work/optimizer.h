// The inner optimizers: what a step of local training does to the parameters. Only single IEEE binary32
// operations, element by element, in the order that docs/formats/gradient-file.md lists.
#pragma once

#include <span>
#include <vector>

#include "work/recipe.h"

namespace cairn::work {

// Scales a gradient whose Euclidean norm is above `largest` down to it (Pascanu et al., "On the Difficulty of
// Training Recurrent Neural Networks", ICML 2013). Precondition: largest > 0.
void clip_norm(float largest, std::span<float> gradient);

// What an optimizer remembers from step to step. Starts at zero in every unit.
struct OptimizerState {
  OptimizerState() = default;
  OptimizerState(const Recipe& recipe, size_t parameter_count);

  std::vector<float> first;   // sgd: velocity; adamw: first moment
  std::vector<float> second;  // adamw: second moment; else empty
  float beta1_power = 1;      // beta1 ^ steps
  float beta2_power = 1;
  bool operator==(const OptimizerState&) const = default;
};

// One thread at a time, which has set_float_environment().
class InnerOptimizer {
 public:
  // Both outlive the optimizer.
  InnerOptimizer(const Recipe& recipe, OptimizerState& state) : recipe_(recipe), state_(state) {}

  // Precondition: both spans have as many values as the state was made for.
  void step(float rate, std::span<const float> gradient, std::span<float> parameters);

 private:
  void step_sgd(float rate, std::span<const float> gradient, std::span<float> parameters);
  void step_adamw(float rate, std::span<const float> gradient, std::span<float> parameters);

  const Recipe& recipe_;
  OptimizerState& state_;
};

}  // namespace cairn::work
