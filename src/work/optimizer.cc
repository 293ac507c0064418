#include "work/optimizer.h"

#include <cmath>

namespace cairn::work {

void clip_norm(float largest, std::span<float> gradient) {
  constexpr size_t kSums =
      8;  // side by side, so that the order is fixed and yet no addition waits for the last
  double sums[kSums] = {};
  for (size_t i = 0; i < gradient.size(); ++i) {
    const double value = gradient[i];
    sums[i % kSums] = sums[i % kSums] + value * value;
  }
  const double square =
      ((sums[0] + sums[1]) + (sums[2] + sums[3])) + ((sums[4] + sums[5]) + (sums[6] + sums[7]));
  const double norm = std::sqrt(square);
  if (!(norm > largest)) return;
  const auto factor = static_cast<float>(largest / norm);
  for (float& value : gradient) value = value * factor;
}

OptimizerState::OptimizerState(const Recipe& recipe, size_t parameter_count)
    : first(parameter_count), second(recipe.optimizer == Optimizer::adamw ? parameter_count : 0) {}

void InnerOptimizer::step(float rate, std::span<const float> gradient, std::span<float> parameters) {
  CAIRN_ASSERT(gradient.size() == state_.first.size() && parameters.size() == gradient.size());
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
  const std::span<float> first = state_.first;
  for (size_t i = 0; i < parameters.size(); ++i) {
    const float decayed = gradient[i] + decay * parameters[i];
    const float velocity = momentum * first[i] + decayed;
    const float direction = nesterov ? decayed + momentum * velocity : velocity;
    first[i] = velocity;
    parameters[i] = parameters[i] - rate * direction;
  }
}

void InnerOptimizer::step_adamw(float rate, std::span<const float> gradient, std::span<float> parameters) {
  const float beta1 = recipe_.beta1;
  const float beta2 = recipe_.beta2;
  const float rest1 = 1 - beta1;
  const float rest2 = 1 - beta2;
  const std::span<float> first = state_.first, second = state_.second;
  state_.beta1_power = state_.beta1_power * beta1;
  state_.beta2_power = state_.beta2_power * beta2;
  const float keep = 1 - rate * recipe_.weight_decay;
  const float scaled_rate = rate / (1 - state_.beta1_power);
  const float correction = std::sqrt(1 - state_.beta2_power);
  for (size_t i = 0; i < parameters.size(); ++i) {
    const float g = gradient[i];
    first[i] = beta1 * first[i] + rest1 * g;
    second[i] = beta2 * second[i] + (rest2 * g) * g;
    const float divisor = std::sqrt(second[i]) / correction + recipe_.epsilon;
    parameters[i] = parameters[i] * keep - scaled_rate * (first[i] / divisor);
  }
}

}  // namespace cairn::work
