// Embedding, Dropout, Constant, Max and Min, and models with one label for each position of a sample.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "base/philox.h"
#include "exact/arithmetic.h"
#include "model/graph_builder.h"
#include "model/network.h"
#include "model/shadow.h"

namespace cairn::model {
namespace {

using ::testing::HasSubstr;

constexpr int64_t kPositions = 5, kTokens = 7, kWidth = 4, kBatch = 3;

// Tokens -> embedding, plus places -> logits that use the same table.
Graph language_model() {
  GraphBuilder g({1, kPositions});
  const ValueId table = g.parameter("table", {kTokens, kWidth});
  const ValueId chosen = g.node(Operator::embedding, "embedding", {g.input(), table});
  const ValueId x = g.node(Operator::add, "places", {chosen, g.parameter("p", {kPositions, kWidth})});
  g.node(Operator::gemm, "logits", {g.node(Operator::tanh, "tanh", {x}), table});
  return std::move(g).finish().value();
}

std::vector<float> numbers(size_t count, int seed) {
  std::vector<float> result(count);
  for (size_t i = 0; i < count; ++i)
    result[i] = std::sin(static_cast<float>(i * 37 + static_cast<size_t>(seed)));
  return result;
}

std::vector<float> tokens() {
  std::vector<float> result;
  for (int64_t i = 0; i < kBatch * kPositions; ++i) result.push_back(static_cast<float>(i * i % kTokens));
  return result;
}

std::vector<int32_t> next_tokens() {
  std::vector<int32_t> result;
  for (int64_t i = 0; i < kBatch * kPositions; ++i)
    result.push_back(static_cast<int32_t>((i + 1) * (i + 1) % kTokens));
  return result;
}

class SequenceTest : public ::testing::Test {
 protected:
  Network compile(const Graph& graph, int64_t batch = kBatch) {
    return Network::compile(graph, {.batch = batch, .keep_tensors = true}, *backend_).value();
  }

  ThreadPool pool_{1};
  std::unique_ptr<exact::Backend> backend_ = exact::make_backend(exact::Isa::scalar, pool_);
};

TEST_F(SequenceTest, ALabelForEachPositionAndATiedTable) {
  const Graph graph = language_model();
  EXPECT_EQ(rows_per_sample(graph), kPositions);
  EXPECT_EQ(token_limit(graph), kTokens);
  auto network = compile(graph);
  ASSERT_EQ(network.label_count(), static_cast<uint64_t>(kBatch * kPositions));
  ASSERT_EQ(network.classes(), kTokens);
  const std::vector<float> parameters = numbers(network.parameter_count(), 1);
  std::vector<float> gradient(parameters.size());
  const auto loss = network.gradient(parameters, tokens(), next_tokens(), {.seed = 1}, gradient);
  ASSERT_TRUE(loss.ok()) << loss.error().message;

  std::vector<Doubles> tensors;
  ASSERT_TRUE(network
                  .visit([&](const std::string&, const Shape&, std::span<const float> values) {
                    tensors.emplace_back(values.begin(), values.end());
                  })
                  .ok());
  Shadow shadow(graph, kBatch, parameters, tokens());
  shadow.forward(tensors);
  EXPECT_NEAR(*loss, shadow.loss(next_tokens()), 1e-3);
  const std::vector<Doubles> expected = shadow.backward(next_tokens());
  size_t index = 0;
  for (const ParameterInfo& p : network.parameters()) {
    EXPECT_LE(relative_error(std::span(gradient).subspan(p.offset, p.count), expected[index++], 0), 1e-3)
        << p.name;
  }
}

TEST_F(SequenceTest, LogitsHaveARowForEachPosition) {
  auto network = compile(language_model());
  const auto logits = network.logits(numbers(network.parameter_count(), 1), {}, tokens());
  ASSERT_TRUE(logits.ok()) << logits.error().message;
  EXPECT_EQ(logits->size(), static_cast<size_t>(kBatch * kPositions * kTokens));
}

TEST_F(SequenceTest, RefusesWhatChoosesNoRow) {
  auto network = compile(language_model());
  const std::vector<float> parameters = numbers(network.parameter_count(), 1);
  std::vector<float> gradient(parameters.size());
  for (const float bad : {-1.0f, 7.0f, 1.5f, std::nanf(""), 1e30f}) {
    std::vector<float> input = tokens();
    input[4] = bad;
    const auto loss = network.gradient(parameters, input, next_tokens(), {.seed = 1}, gradient);
    ASSERT_FALSE(loss.ok()) << bad;
    EXPECT_THAT(loss.error().message, HasSubstr("input: a number chooses no row of a table of 7 rows"));
  }
}

TEST_F(SequenceTest, RefusesAChoiceThatDependsOnParameters) {
  GraphBuilder g({1, kPositions});
  const ValueId moved = g.node(Operator::add, "moved", {g.input(), g.parameter("p", {kPositions})});
  g.node(Operator::embedding, "op", {moved, g.parameter("table", {kTokens, kWidth})});
  const Graph graph = std::move(g).finish().value();
  const auto network = Network::compile(graph, {.batch = 1}, *backend_);
  ASSERT_FALSE(network.ok());
  EXPECT_THAT(network.error().message, HasSubstr("node 'op': the numbers that choose rows depend on"));
}

constexpr float kRatio = 0.375f;

Graph dropping(bool relu) {
  GraphBuilder g({1, 40});
  const ValueId x = g.node(Operator::add, "entry", {g.input(), g.parameter("p", {40})});
  Attributes a;
  a.alpha = kRatio;
  g.node(Operator::dropout, "dropout", {relu ? g.node(Operator::relu, "relu", {x}) : x}, a);
  return std::move(g).finish().value();
}

TEST_F(SequenceTest, DropoutDropsByItsKeyAndScalesTheRest) {
  auto network = compile(dropping(false), 50);
  const std::vector<float> parameters(40, 0.0f), input = numbers(2000, 2);
  std::vector<float> gradient(40);
  const DitherKey key{.seed = 0x123456789, .round = 2, .unit = 3, .step = 4};
  ASSERT_TRUE(network.gradient(parameters, input, std::vector<int32_t>(50, 1), key, gradient).ok());
  std::vector<float> dropped;
  ASSERT_TRUE(network
                  .visit([&](const std::string& name, const Shape&, std::span<const float> values) {
                    if (name == "dropout") dropped.assign(values.begin(), values.end());
                  })
                  .ok());
  // As model-file.md says it.
  const auto w = philox4x32({4, 3, 2, 6}, {0x23456789, 1});
  const uint32_t word = philox4x32({1, 0, 0, 6}, {w[0], w[1]})[0];
  size_t gone = 0;
  for (uint32_t i = 0; i < 2000; ++i) {
    const bool drops = exact::mix(word + i) < 0x60000000u;  // 0.375 * 2^32
    EXPECT_EQ(dropped[i], drops ? 0.0f : input[i] * 1.6f) << i;
    gone += drops;
  }
  EXPECT_NEAR(static_cast<double>(gone), 750, 75);
}

TEST_F(SequenceTest, DropoutsGradientIsDroppedAlike) {
  auto network = compile(dropping(true), 1);
  const std::vector<float> parameters(40, 1.0f), input(40, 0.0f);
  std::vector<float> gradient(40), other(40);
  const auto run = [&](uint32_t step, std::vector<float>& result) {
    ASSERT_TRUE(
        network.gradient(parameters, input, std::vector<int32_t>{0}, {.seed = 5, .step = step}, result).ok());
  };
  run(0, gradient);
  std::vector<float> y;
  ASSERT_TRUE(network
                  .visit([&](const std::string& name, const Shape&, std::span<const float> values) {
                    if (name == "dropout") y.assign(values.begin(), values.end());
                  })
                  .ok());
  for (size_t i = 0; i < 40; ++i) EXPECT_EQ(gradient[i] == 0, y[i] == 0) << i;
  run(1, other);
  EXPECT_NE(gradient, other);
  run(0, other);
  EXPECT_EQ(gradient, other);
}

TEST_F(SequenceTest, EvaluationDropsNothing) {
  auto network = compile(dropping(false), 2);
  const std::vector<float> input = numbers(80, 3);
  EXPECT_EQ(network.logits(std::vector<float>(40, 0.0f), {}, input).value(), input);
}

std::string refusal(Operator op, const Attributes& a, const Shape& shape) {
  GraphBuilder g(shape);
  const bool pair = op == Operator::maximum;
  g.node(op, "op", pair ? std::vector{g.input(), g.parameter("w", shape)} : std::vector{g.input()}, a);
  const auto graph = std::move(g).finish();
  return graph.ok() ? "no error" : graph.error().message;
}

TEST(SequenceOperators, RefuseWhatTheyCannotDo) {
  Attributes a;
  for (const float ratio : {-0.25f, 1.0f, 2.0f}) {
    a.alpha = ratio;
    EXPECT_THAT(refusal(Operator::dropout, a, {1, 4}), HasSubstr("must be from 0 to below 1"));
  }
  EXPECT_THAT(refusal(Operator::maximum, {}, {1, 4}), HasSubstr("two activations of the same shape"));
  a = {};
  a.shape = {0, 5};
  EXPECT_THAT(refusal(Operator::expand, a, {1, 4}), HasSubstr("dimension 1 of 4 cannot become 5"));
  a.shape = {2, 4};
  EXPECT_THAT(refusal(Operator::expand, a, {1, 4}), HasSubstr("must begin with 0"));
  a.shape = {0, 1, 4};
  EXPECT_THAT(refusal(Operator::expand, a, {1, 4}), HasSubstr("another number of dimensions"));
}

std::string refusal_of_constant(const Shape& shape, std::vector<float> values, Operator user) {
  GraphBuilder g({1, 4});
  Attributes a;
  a.shape = shape;
  a.values = std::move(values);
  const ValueId numbers_of_it = g.node(Operator::constant, "numbers", {}, a);
  g.node(user, "op", {g.input(), numbers_of_it});
  const auto graph = std::move(g).finish();
  return graph.ok() ? "no error" : graph.error().message;
}

TEST(SequenceOperators, ConstantsAreFiniteFitTheirShapeAndAreNoWeights) {
  EXPECT_EQ(refusal_of_constant({4}, {1, 2, 3, 4}, Operator::add), "no error");
  EXPECT_THAT(refusal_of_constant({4}, {1, 2, 3}, Operator::add), HasSubstr("as many as the shape holds"));
  EXPECT_THAT(refusal_of_constant({4}, {1, 2, 3, INFINITY}, Operator::add), HasSubstr("must be finite"));
  EXPECT_THAT(refusal_of_constant({1, 4}, {1, 2, 3, 4}, Operator::gemm),
              HasSubstr("a Constant can only be added or multiplied"));
}

TEST(SequenceOperators, SurviveTheFile) {
  GraphBuilder g({1, 4});
  Attributes a;
  a.shape = {4};
  a.values = {1, -0.0f, 3, 1e-30f};
  const ValueId sum = g.node(Operator::add, "sum", {g.input(), g.node(Operator::constant, "numbers", {}, a)});
  Attributes half;
  half.alpha = 0.5f;
  g.node(Operator::dropout, "dropout", {sum}, half);
  const Graph graph = std::move(g).finish().value();
  const auto decoded = decode_graph(encode(graph));
  ASSERT_TRUE(decoded.ok()) << decoded.error().message;
  EXPECT_EQ(*decoded, graph);
  EXPECT_EQ(encode(*decoded), encode(graph));
}

}  // namespace
}  // namespace cairn::model
