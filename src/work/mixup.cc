#include "work/mixup.h"

#include <algorithm>
#include <cmath>

#include "work/recipe.h"

namespace cairn::work {

// Below one half the density of Beta(alpha, alpha) is x^(alpha-1) (1-x)^(alpha-1). With u = x^alpha, what is
// left to integrate is (1 - u^(1/alpha))^(alpha-1), which is smooth.
std::vector<uint16_t> mixup_shares(double alpha) {
  constexpr int kSteps = 1 << 14;
  const double width = std::pow(0.5, alpha) / kSteps;
  const auto x_at = [&](double step) { return std::pow(step * width, 1 / alpha); };
  std::vector<double> below = {0};  // the integral up to each step, by the midpoint rule
  for (int step = 0; step < kSteps; ++step)
    below.push_back(below.back() + std::pow(1 - x_at(step + 0.5), alpha - 1));
  std::vector<uint16_t> shares;
  for (size_t i = 0; i < kMixupShares; ++i) {
    const double quantile = (static_cast<double>(i) + 0.5) / static_cast<double>(kMixupShares) * below.back();
    const auto next = std::ranges::lower_bound(below, quantile);
    const double part = (quantile - *(next - 1)) / (*next - *(next - 1));
    const double smaller = x_at(static_cast<double>(next - below.begin() - 1) + part);
    shares.push_back(static_cast<uint16_t>(std::min(65535.0, std::round((1 - smaller) * kWhole))));
  }
  std::ranges::reverse(shares);
  return shares;
}

}  // namespace cairn::work
