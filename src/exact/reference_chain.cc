#include "exact/chain.h"
#include "exact/reference.h"

namespace cairn::exact {
namespace {

void run_step(Backend& f, const ChainStep& s, const float* x, const float* y, int64_t n, float* out) {
  using Kind = ChainStep::Kind;
  const auto& c = s.per_channel;
  if (s.kind == Kind::add) f.add(x, y, n, out);
  if (s.kind == Kind::multiply) f.multiply(x, y, n, out);
  if (s.kind == Kind::relu) f.relu(x, n, out);
  if (s.kind == Kind::relu_gradient) f.relu_gradient(x, y, n, out);
  if (s.kind == Kind::activate) f.activate(s.function, s.a, s.b, x, n, out);
  if (s.kind == Kind::activation_gradient) f.activation_gradient(s.function, s.a, s.b, x, y, n, out);
  if (s.kind == Kind::add_channels) f.add_channels(x, c[0], s.shape, out);
  if (s.kind == Kind::multiply_channels) f.multiply_channels(x, c[0], s.shape, out);
  if (s.kind == Kind::normalize) f.normalize(x, s.shape, c[0], c[1], c[2], c[3], out);
}

struct RunEnd {
  Backend& f;
  const float* x;

  bool operator()(const std::monostate&) const { return true; }
  bool operator()(const ChainQuantization& q) const {
    if (q.dithered) return f.quantize_dithered(x, q.groups, q.bits, q.key, q.out);
    return f.quantize(x, q.groups, q.bits, q.out);
  }
  bool operator()(const ChainNormalizeGradient& g) const {
    return f.normalize_gradient(g.x, x, g.shape, g.mean, g.inverse, g.gamma, g.dgamma, g.dbeta, g.dx);
  }
};

}  // namespace

std::optional<size_t> Reference::run_chain(const Chain& chain) {
  std::vector<std::vector<float>> results;
  const auto values = [&](const ChainInput& input) {
    return input.step < 0 ? input.tensor : results[static_cast<size_t>(input.step)].data();
  };
  for (const ChainStep& step : chain.steps) {
    std::vector<float> result(static_cast<size_t>(chain.count));
    run_step(*this, step, values(step.inputs[0]), values(step.inputs[1]), chain.count, result.data());
    if (step.checked && !finite(result.data(), chain.count)) return results.size();
    if (step.store != nullptr) std::ranges::copy(result, step.store);
    results.push_back(std::move(result));
  }
  if (!std::visit(RunEnd{*this, results.back().data()}, chain.end)) return results.size();
  return std::nullopt;
}

}  // namespace cairn::exact
