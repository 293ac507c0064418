#include "work/optimizer.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "base/float_environment.h"

namespace cairn::work {
namespace {

// The textbook's optimizers in binary64: SGD with momentum as PyTorch has it, and decoupled weight decay
// (Loshchilov and Hutter, "Decoupled Weight Decay Regularization", ICLR 2019).
struct Shadow {
  Recipe recipe;
  double first = 0, second = 0;
  int steps = 0;

  double step(double rate, double gradient, double parameter) {
    ++steps;
    if (recipe.optimizer == Optimizer::sgd) {
      const double decayed = gradient + recipe.weight_decay * parameter;
      first = recipe.momentum * first + decayed;
      return parameter - rate * (recipe.nesterov ? decayed + recipe.momentum * first : first);
    }
    first = recipe.beta1 * first + (1.0 - recipe.beta1) * gradient;
    second = recipe.beta2 * second + (1.0 - recipe.beta2) * gradient * gradient;
    const double mean = first / (1 - std::pow(recipe.beta1, steps));
    const double square = second / (1 - std::pow(recipe.beta2, steps));
    return parameter - rate * recipe.weight_decay * parameter -
           rate * mean / (std::sqrt(square) + recipe.epsilon);
  }
};

double largest_error(const Recipe& recipe) {
  set_float_environment();
  constexpr size_t kCount = 200;
  std::mt19937_64 random(1);
  std::normal_distribution<float> normal;
  std::vector<float> parameters(kCount), gradient(kCount);
  for (float& value : parameters) value = normal(random);
  std::vector<double> exact(parameters.begin(), parameters.end());
  std::vector<Shadow> shadows(kCount, Shadow{recipe});
  OptimizerState state(recipe, kCount);
  InnerOptimizer optimizer(recipe, state);
  double error = 0;
  for (uint32_t step = 0; step < 100; ++step) {
    const float rate = inner_rate(recipe, 0, step);
    for (float& value : gradient) value = normal(random) * 0.1f;
    optimizer.step(rate, gradient, parameters);
    for (size_t i = 0; i < kCount; ++i) {
      exact[i] = shadows[i].step(rate, gradient[i], exact[i]);
      error = std::max(error, std::abs(exact[i] - parameters[i]));
    }
  }
  return error;
}

TEST(Optimizer, SgdFollowsABinary64Shadow) {
  Recipe recipe;
  EXPECT_LT(largest_error(recipe), 1e-5);
  recipe.weight_decay = 0.01f;
  recipe.warmup_steps = 10;
  EXPECT_LT(largest_error(recipe), 1e-5);
  recipe.momentum = 0.9f;
  EXPECT_LT(largest_error(recipe), 2e-5);
  recipe.nesterov = true;
  EXPECT_LT(largest_error(recipe), 2e-5);
}

TEST(Optimizer, AdamwFollowsABinary64Shadow) {
  Recipe recipe;
  recipe.optimizer = Optimizer::adamw;
  recipe.rate = {{0, uint64_t{1} << 30}};
  EXPECT_LT(largest_error(recipe), 1e-5);
  recipe.weight_decay = 0.1f;
  recipe.beta1 = 0.8f;
  recipe.beta2 = 0.99f;
  recipe.epsilon = 1e-6f;
  EXPECT_LT(largest_error(recipe), 1e-5);
}

TEST(Optimizer, SubnormalsAreKept) {
  set_float_environment();
  Recipe recipe;
  OptimizerState state(recipe, 1);
  InnerOptimizer optimizer(recipe, state);
  const std::vector<float> gradient = {0x1p-140f};
  std::vector<float> parameters = {0};
  optimizer.step(0.5f, gradient, parameters);
  EXPECT_EQ(parameters[0], -0x1p-141f);
}

}  // namespace
}  // namespace cairn::work
