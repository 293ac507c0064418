#include "work/optimizer.h"

#include <cmath>

namespace cairn::work {

InnerOptimizer::InnerOptimizer(const Recipe& recipe, size_t parameter_count)
    : recipe_(recipe),
      first_(parameter_count),
      second_(recipe.optimizer == Optimizer::adamw ? parameter_count : 0) {}

void InnerOptimizer::step(float rate, std::span<const float> gradient, std::span<float> parameters) {
  CAIRN_ASSERT(gradient.size() == first_.size() && parameters.size() == first_.size());
  if (recipe_.optimizer == Optimizer::sgd) {
    step_sgd(rate, gradient, parameters);
  } else {
    step_adamw(rate, gradient, parameters);
  }
}

void InnerOptimizer::step_sgd(float rate, std::span<const float> gradient, std::span<float> parameters) {
  const float momentum = recipe_.momentum;
  const float decay = recipe_.weight_decay;
  const bool nesterov = recipe_.nesterov;
  for (size_t i = 0; i < parameters.size(); ++i) {
    const float decayed = gradient[i] + decay * parameters[i];
    const float velocity = momentum * first_[i] + decayed;
    const float direction = nesterov ? decayed + momentum * velocity : velocity;
    first_[i] = velocity;
    parameters[i] = parameters[i] - rate * direction;
  }
}

void InnerOptimizer::step_adamw(float rate, std::span<const float> gradient, std::span<float> parameters) {
  const float beta1 = recipe_.beta1;
  const float beta2 = recipe_.beta2;
  const float rest1 = 1 - beta1;
  const float rest2 = 1 - beta2;
  beta1_power_ = beta1_power_ * beta1;
  beta2_power_ = beta2_power_ * beta2;
  const float keep = 1 - rate * recipe_.weight_decay;
  const float scaled_rate = rate / (1 - beta1_power_);
  const float correction = std::sqrt(1 - beta2_power_);
  for (size_t i = 0; i < parameters.size(); ++i) {
    const float g = gradient[i];
    first_[i] = beta1 * first_[i] + rest1 * g;
    second_[i] = beta2 * second_[i] + (rest2 * g) * g;
    const float divisor = std::sqrt(second_[i]) / correction + recipe_.epsilon;
    parameters[i] = parameters[i] * keep - scaled_rate * (first_[i] / divisor);
  }
}

}  // namespace cairn::work
