// Random chains under every instruction set against the reference, byte for byte.
#include "exact/chain.h"

#include <gtest/gtest.h>

#include "exact/isa_test.h"
#include "exact/reference.h"
#include "exact/test_values.h"

namespace cairn::exact {
namespace {

using Kind = ChainStep::Kind;

// What one run of a chain wrote.
struct Outcome {
  std::optional<size_t> diverged;
  std::vector<std::vector<float>> stored;  // empty where the step stores nothing
  std::vector<int16_t> integers;
  std::vector<int32_t> exponents;
  std::vector<float> dgamma, dbeta, dx;
};

bool same_bits(const std::vector<float>& a, const std::vector<float>& b) {
  const auto same = [](float x, float y) { return bits_of(x) == bits_of(y) || (x != x && y != y); };
  return std::ranges::equal(a, b, same);
}

// A random chain with all that it reads. Steps read tensors or earlier steps; some store, some are checked.
class RandomChain {
 public:
  RandomChain(std::mt19937_64& random, const Channels& shape, Floats kind)
      : random_(random), shape_(shape), count_(shape.samples * shape.channels * shape.inner) {
    for (int i = 0; i < 3; ++i) tensors_.push_back(random_floats(random, count_, i == 0 ? kind : any()));
    for (int i = 0; i < 4; ++i)
      vectors_.push_back(random_floats(random, shape.channels, i == 1 ? Floats::plain : any()));
    const size_t steps = 1 + random() % 6;
    for (size_t i = 0; i < steps; ++i) add_step();
    end_ = static_cast<int>(random() % 4);  // nothing, integers, dithered integers, a gradient
    if (end_ == 3 && shape.inner == 1) end_ = 0;
    bits_ = 2 + static_cast<int>(random() % 14);
    stores_.back() = stores_.back() || end_ == 0;
    in_place_ = random() % 2 == 0 && overwritable();
  }

  Outcome run(Backend& backend) const {
    Outcome o;
    std::vector<float> overwritten = tensors_[0];
    std::vector<ChainStep> steps = steps_;
    o.stored.resize(steps.size());
    for (size_t i = 0; i < steps.size(); ++i) {
      for (ChainInput& input : steps[i].inputs) {
        if (input.tensor == tensors_[0].data()) input.tensor = overwritten.data();
      }
      if (!stores_[i]) continue;
      o.stored[i].resize(static_cast<size_t>(count_));
      steps[i].store = o.stored[i].data();
    }
    if (in_place_ && stores_.back()) steps.back().store = overwritten.data();
    Chain chain{.count = count_, .steps = steps};
    add_end(chain, o);
    auto* gradient = std::get_if<ChainNormalizeGradient>(&chain.end);
    if (in_place_ && !stores_.back()) gradient->dx = overwritten.data();
    o.diverged = backend.run_chain(chain);
    if (in_place_) (stores_.back() ? o.stored.back() : o.dx) = overwritten;
    return o;
  }

  std::string text() const {
    std::string result = "[" + std::to_string(shape_.samples) + "," + std::to_string(shape_.channels) + "," +
                         std::to_string(shape_.inner) + "] end " + std::to_string(end_) + " steps";
    for (const ChainStep& step : steps_) result += " " + std::to_string(static_cast<int>(step.kind));
    return result;
  }

 private:
  Floats any() { return random_() % 4 == 0 ? static_cast<Floats>(random_() % kFloats) : Floats::plain; }

  ChainInput input() {
    if (!steps_.empty() && random_() % 3 != 0) return {nullptr, static_cast<int>(random_() % steps_.size())};
    return {tensors_[random_() % tensors_.size()].data(), -1};
  }

  void add_step() {
    ChainStep step{.kind = static_cast<Kind>(random_() % 9)};
    step.inputs = {input(), input()};
    if (!steps_.empty()) step.inputs[random_() % 2].step = static_cast<int>(steps_.size()) - 1;
    for (size_t i = 0; i < 4; ++i) step.per_channel[i] = vectors_[i].data();
    step.shape = shape_;
    step.function = static_cast<Activation>(random_() % kActivations);
    step.a = random_float(random_, Floats::plain);
    step.b = random_float(random_, Floats::plain);
    step.checked = random_() % 4 == 0;
    steps_.push_back(step);
    stores_.push_back(random_() % 3 == 0);
  }

  // The last step alone may be stored where a tensor lies, or else the gradient that it goes into.
  bool overwritable() const { return stores_.back() || end_ == 3; }

  void add_end(Chain& chain, Outcome& o) const {
    if (end_ == 1 || end_ == 2) {
      const Groups groups{1, 1, shape_.samples, shape_.channels * shape_.inner};
      o.integers.resize(static_cast<size_t>(count_));
      o.exponents.resize(static_cast<size_t>(shape_.samples));
      chain.end = ChainQuantization{.groups = groups,
                                    .bits = bits_,
                                    .dithered = end_ == 2,
                                    .key = 77,
                                    .out = {o.integers.data(), o.exponents.data()}};
    }
    if (end_ != 3) return;
    o.dgamma.resize(static_cast<size_t>(shape_.channels));
    o.dbeta = o.dgamma;
    o.dx.resize(static_cast<size_t>(count_));
    chain.end = ChainNormalizeGradient{.x = tensors_[1].data(),
                                       .shape = shape_,
                                       .mean = vectors_[0].data(),
                                       .inverse = vectors_[1].data(),
                                       .gamma = vectors_[2].data(),
                                       .dgamma = o.dgamma.data(),
                                       .dbeta = o.dbeta.data(),
                                       .dx = o.dx.data()};
  }

  std::mt19937_64& random_;
  Channels shape_;
  int64_t count_;
  std::vector<std::vector<float>> tensors_, vectors_;
  std::vector<ChainStep> steps_;
  std::vector<bool> stores_;
  int end_ = 0, bits_ = 0;
  bool in_place_ = false;
};

class ChainTest : public IsaTest {};

TEST_P(ChainTest, EveryChainGivesWhatItsStepsGiveOneByOne) {
  std::mt19937_64 random(20261201);
  ThreadPool one(1);
  Reference reference(one);
  std::vector<std::unique_ptr<ThreadPool>> pools;
  std::vector<std::unique_ptr<Backend>> fast;
  for (int threads = 1; threads <= 3; ++threads) {
    pools.push_back(std::make_unique<ThreadPool>(threads));
    fast.push_back(make_backend(GetParam(), *pools.back()));
  }
  const std::vector<Channels> shapes = {
      {1, 1, 1},  {3, 5, 1},    {40, 300, 1},    {9, 7, 49}, {3, 16, 784}, {33, 4, 2}, {2, 2, 2 * kBlock + 5},
      {2, 3, 40}, {1, 9000, 1}, {2, 9, 1 << 15}, {1, 3, 31}};
  int finite = 0, diverged = 0;
  for (int round = 0; round < 1200; ++round) {
    const Channels& shape = shapes[static_cast<size_t>(round) % shapes.size()];
    if (shape.inner == 1 << 15 && round % 8 != 0) continue;
    const RandomChain chain(random, shape, static_cast<Floats>(random() % kFloats));
    const Outcome expected = chain.run(reference);
    (expected.diverged ? diverged : finite)++;
    for (size_t i = 0; i < fast.size(); ++i) {
      const std::string what = chain.text() + ", threads " + std::to_string(i + 1);
      const Outcome got = chain.run(*fast[i]);
      ASSERT_EQ(got.diverged, expected.diverged) << what;
      if (expected.diverged) continue;
      ASSERT_EQ(got.integers, expected.integers) << what;
      ASSERT_EQ(got.exponents, expected.exponents) << what;
      for (size_t step = 0; step < expected.stored.size(); ++step)
        ASSERT_TRUE(same_bits(got.stored[step], expected.stored[step])) << what << " step " << step;
      for (const auto part : {&Outcome::dgamma, &Outcome::dbeta, &Outcome::dx})
        ASSERT_TRUE(same_bits(got.*part, expected.*part)) << what;
    }
  }
  EXPECT_GT(finite, 100);
  EXPECT_GT(diverged, 100);
}

INSTANTIATE_TEST_SUITE_P(Isas, ChainTest, testing::ValuesIn(fast_isas()), isa_suffix);

}  // namespace
}  // namespace cairn::exact
