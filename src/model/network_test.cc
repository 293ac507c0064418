#include "model/network.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>

#include "model/builtin.h"
#include "model/graph_builder.h"

namespace cairn::model {
namespace {

using ::testing::HasSubstr;

// A model with a batch of data: classes are bright squares at different places, in noise.
struct Toy {
  Toy(std::string_view name, int64_t batch, exact::Backend& backend, const Shape& shape = {1, 1, 16, 16},
      Precision precision = Precision::standard)
      : graph(*builtin_model(name, shape, 4)),
        network(*Network::compile(graph, {.batch = batch, .bits = product_bits(precision)}, backend)),
        parameters(initial_parameters(graph, 3)) {
    std::mt19937 random(5);
    const int64_t height = shape[2];
    const int64_t width = shape[3];
    for (int64_t n = 0; n < batch; ++n) {
      const auto label = static_cast<int32_t>(random() % 4);
      labels.push_back(label);
      for (int64_t i = 0; i < shape[1] * height * width; ++i) {
        const int64_t row = i / width % height / (height / 2);
        const int64_t column = i % width / (width / 2);
        const float noise = static_cast<float>(random() % 1000) / 1000.0f;
        input.push_back(noise - 0.5f + (row * 2 + column == label ? 1.0f : 0.0f));
      }
    }
  }

  std::vector<float> gradient(const DitherKey& key = {1, 2, 3, 4}) {
    std::vector<float> result(parameters.size());
    auto status = network.gradient(parameters, input, labels, key, result);
    EXPECT_TRUE(status.ok()) << status.error().message;
    if (status.ok()) loss = *status;
    return result;
  }

  Graph graph;
  Network network;
  std::vector<float> parameters;
  std::vector<float> input;
  std::vector<int32_t> labels;
  float loss = 0;
};

class NetworkTest : public ::testing::Test {
 protected:
  ThreadPool pool_{1};
  std::unique_ptr<exact::Backend> backend_ = exact::make_backend(exact::Isa::scalar, pool_);
};

TEST_F(NetworkTest, TrainingAnMlpLowersTheLoss) {
  Toy toy("mlp", 32, *backend_);
  toy.gradient();
  const float first = toy.loss;
  EXPECT_NEAR(first, 1.386f, 0.3f);  // log(4): nothing is known yet
  for (uint32_t step = 0; step < 30; ++step) {
    const std::vector<float> g = toy.gradient({1, 0, 0, step});
    for (size_t i = 0; i < g.size(); ++i) toy.parameters[i] -= 0.1f * g[i];
  }
  toy.gradient();
  EXPECT_LT(toy.loss, first / 10);
}

// Of this model at this precision, with every instruction set and some numbers of threads.
void expect_same_bits(std::string_view name, Precision precision, exact::Backend& scalar) {
  const Shape shape = {1, 1, 16, 16};
  Toy reference(name, 5, scalar, shape, precision);
  const std::vector<float> expected = reference.gradient();
  for (exact::Isa isa : exact::supported_isas()) {
    for (int threads : {1, 2, 3}) {
      ThreadPool pool(threads);
      auto backend = exact::make_backend(isa, pool);
      Toy toy(name, 5, *backend, shape, precision);
      EXPECT_EQ(toy.gradient(), expected)
          << name << " " << precision_name(precision) << " " << exact::isa_name(isa) << " " << threads;
      EXPECT_EQ(toy.loss, reference.loss);
    }
  }
}

TEST_F(NetworkTest, SameBitsUnderEveryIsaAndThreadCount) {
  for (std::string_view name : builtin_names()) {
    for (Precision precision : {Precision::fast, Precision::standard, Precision::high}) {
      expect_same_bits(name, precision, *backend_);
    }
  }
}

TEST_F(NetworkTest, PrecisionIsHowFarAGradientIsFromAHigherOne) {
  const Shape shape = {1, 1, 16, 16};
  const std::vector<float> high = Toy("lenet", 5, *backend_, shape, Precision::high).gradient();
  const auto distance_of = [&](Precision precision) {
    const std::vector<float> other = Toy("lenet", 5, *backend_, shape, precision).gradient();
    double square = 0, norm = 0;
    for (size_t i = 0; i < high.size(); ++i) {
      square += std::pow(double{high[i]} - other[i], 2);
      norm += std::pow(double{high[i]}, 2);
    }
    return std::sqrt(square / norm);
  };
  EXPECT_LT(distance_of(Precision::standard), 2e-3);
  EXPECT_LT(distance_of(Precision::fast), 3e-1);
  EXPECT_GT(distance_of(Precision::fast), 4 * distance_of(Precision::standard));
}

TEST_F(NetworkTest, GradientIsAPureFunctionOfItsArguments) {
  Toy toy("resnet8", 3, *backend_);
  const std::vector<float> first = toy.gradient();
  auto statistics = toy.network.batch_statistics(toy.parameters, toy.input);
  ASSERT_TRUE(statistics.ok());
  ASSERT_TRUE(toy.network.logits(toy.parameters, *statistics, toy.input).ok());
  EXPECT_NE(toy.gradient({1, 2, 3, 5}), first) << "the dither key must matter";
  EXPECT_EQ(toy.gradient(), first);
}

TEST(DitherKeyTest, EveryPartMatters) {
  const DitherKey base{1, 2, 3, 4};
  const uint32_t word = dither_key(base, 5);
  EXPECT_EQ(word, dither_key({1, 2, 3, 4}, 5));
  for (const DitherKey& other :
       {DitherKey{9, 2, 3, 4}, {1, 9, 3, 4}, {1, 2, 9, 4}, {1, 2, 3, 9}, {1, 3, 2, 4}}) {
    EXPECT_NE(dither_key(other, 5), word);
  }
  EXPECT_NE(dither_key(base, 6), word);
  EXPECT_EQ(word, 0x1232cf14u) << "computed by a separate program from docs/formats/model-file.md";
}

TEST_F(NetworkTest, EvaluationWithTheBatchsOwnStatisticsGivesItsTrainingLogits) {
  auto graph = builtin_model("resnet8", {1, 3, 8, 8}, 4);
  ASSERT_TRUE(graph.ok());
  auto network = Network::compile(*graph, {.batch = 4, .keep_tensors = true}, *backend_);
  ASSERT_TRUE(network.ok()) << network.error().message;
  Toy toy("resnet8", 4, *backend_, {1, 3, 8, 8});
  auto statistics = network->batch_statistics(toy.parameters, toy.input);
  ASSERT_TRUE(statistics.ok());
  EXPECT_EQ(statistics->size(), network->statistics_count());
  std::vector<float> training_logits;
  const auto take_last = [&](const std::string&, const Shape& shape, std::span<const float> values) {
    EXPECT_EQ(static_cast<size_t>(elements(shape)), values.size());
    training_logits.assign(values.begin(), values.end());
  };
  ASSERT_TRUE(network->visit(take_last).ok());
  auto logits = network->logits(toy.parameters, *statistics, toy.input);
  ASSERT_TRUE(logits.ok()) << logits.error().message;
  EXPECT_EQ(*logits, training_logits);
}

TEST_F(NetworkTest, KeepingTensorsChangesNoBit) {
  Toy toy("resnet8", 3, *backend_);
  auto keeping = Network::compile(toy.graph, {.batch = 3, .keep_tensors = true}, *backend_);
  ASSERT_TRUE(keeping.ok());
  EXPECT_GT(keeping->memory_bytes(), toy.network.memory_bytes());
  std::vector<float> gradient(toy.parameters.size());
  auto loss = keeping->gradient(toy.parameters, toy.input, toy.labels, {1, 2, 3, 4}, gradient);
  ASSERT_TRUE(loss.ok());
  EXPECT_EQ(gradient, toy.gradient());
  std::vector<std::string> names;
  ASSERT_TRUE(
      keeping->visit([&](const std::string& name, const Shape&, auto) { names.push_back(name); }).ok());
  ASSERT_EQ(names.size(), toy.graph.nodes.size());
  EXPECT_EQ(names.front(), "conv1");
  EXPECT_THAT(toy.network.visit([](const auto&, const auto&, auto) {}).error().message,
              HasSubstr("keep_tensors"));
}

TEST_F(NetworkTest, NamesWhatHasDiverged) {
  Toy toy("mlp", 2, *backend_);
  const auto message = [&] {
    std::vector<float> gradient(toy.parameters.size());
    auto result = toy.network.gradient(toy.parameters, toy.input, toy.labels, {}, gradient);
    EXPECT_FALSE(result.ok());
    return result.ok() ? std::string() : result.error().message;
  };
  const float good = toy.input[7];
  toy.input[7] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_THAT(message(), HasSubstr("input: the values have diverged"));
  toy.input[7] = good;
  toy.parameters[3] = std::numeric_limits<float>::infinity();
  EXPECT_THAT(message(), HasSubstr("parameter 'fc1.weight': the values have diverged"));
  toy.parameters[3] = 0;
  const uint64_t bias = toy.network.parameters()[1].offset;
  toy.parameters[bias] = std::numeric_limits<float>::quiet_NaN();  // a ReLU would hide it
  EXPECT_THAT(message(), HasSubstr("node 'fc1': the values have diverged"));
}

// Of a product itself, and of steps within a chain that a later step would hide.
TEST_F(NetworkTest, NamesTheNodeOfAChainThatHasDiverged) {
  GraphBuilder g({1, 2, 2, 2});
  const auto vector = [&](const char* name) { return g.parameter(name, {2}, Initializer::one); };
  const ValueId w = g.parameter("w", {2, 2, 1, 1}, Initializer::one);
  ValueId x = g.node(Operator::conv, "conv", {g.input(), w},
                     {.kernel = {1, 1}, .strides = {1, 1}, .pads = {0, 0, 0, 0}, .dilations = {1, 1}});
  x = g.node(Operator::batch_normalization, "norm", {x, vector("gamma"), vector("beta")});
  x = g.node(Operator::relu, "relu", {x});
  x = g.node(Operator::multiply, "gate", {x, g.parameter("gate.w", {2, 1, 1}, Initializer::one)});
  x = g.node(Operator::clip, "clip", {x}, {.alpha = -1, .beta = 1});
  x = g.node(Operator::flatten, "flatten", {x});
  g.node(Operator::gemm, "fc", {x, g.parameter("fc.w", {3, 8}, Initializer::one)});
  const Graph graph = *std::move(g).finish();
  const std::vector<int32_t> labels = {0, 2};
  const std::vector<float> good = initial_parameters(graph, 1),
                           input = {1, 2, 3, 4, 5, 6, 7, 8, 2, 1, 4, 3, 6, 5, 8, 9};
  for (exact::Isa isa : exact::supported_isas()) {
    auto backend = exact::make_backend(isa, pool_);
    auto network = Network::compile(graph, {.batch = 2}, *backend);
    ASSERT_TRUE(network.ok()) << network.error().message;
    const auto message = [&](const std::string& parameter, float value) {
      std::vector<float> parameters = good, gradient(good.size());
      for (const ParameterInfo& p : network->parameters()) {
        if (p.name == parameter) parameters[p.offset] = value;
      }
      auto result = network->gradient(parameters, input, labels, {}, gradient);
      return result.ok() ? std::string("fine") : result.error().message;
    };
    EXPECT_EQ(message("w", 1), "fine");
    EXPECT_THAT(message("beta", std::numeric_limits<float>::quiet_NaN()), HasSubstr("node 'norm'"));
    EXPECT_THAT(message("gate.w", std::numeric_limits<float>::infinity()), HasSubstr("node 'gate'"));
  }
}

// Exponents near 63 on both sides: integers multiply to more than binary32 holds.
TEST_F(NetworkTest, NamesTheNodeOfAProductThatOverflows) {
  Toy toy("mlp", 2, *backend_);
  std::ranges::fill(toy.input, 0x1p70f);
  for (size_t i = 0; i < toy.network.parameters()[0].count; ++i) toy.parameters[i] = 0x1p60f;
  std::vector<float> gradient(toy.parameters.size());
  auto result = toy.network.gradient(toy.parameters, toy.input, toy.labels, {}, gradient);
  ASSERT_FALSE(result.ok());
  EXPECT_THAT(result.error().message, HasSubstr("node 'fc1'"));
}

TEST_F(NetworkTest, RefusesWrongSizesAndLabels) {
  Toy toy("mlp", 2, *backend_);
  std::vector<float> gradient(toy.parameters.size());
  const auto error = [&](std::span<const float> parameters, std::span<const float> input,
                         std::span<const int32_t> labels, std::span<float> out) {
    return toy.network.gradient(parameters, input, labels, {}, out).error().message;
  };
  const std::vector<int32_t> bad_labels = {0, 4};
  EXPECT_THAT(error(std::span(toy.parameters).first(5), toy.input, toy.labels, gradient),
              HasSubstr("parameters"));
  EXPECT_THAT(error(toy.parameters, std::span(toy.input).first(5), toy.labels, gradient), HasSubstr("input"));
  EXPECT_THAT(error(toy.parameters, toy.input, std::span(toy.labels).first(1), gradient),
              HasSubstr("labels"));
  EXPECT_THAT(error(toy.parameters, toy.input, toy.labels, std::span(gradient).first(1)),
              HasSubstr("gradient"));
  EXPECT_THAT(error(toy.parameters, toy.input, bad_labels, gradient), HasSubstr("4 is no class"));
}

TEST_F(NetworkTest, RefusesWhatCannotBeComputed) {
  const Graph graph = *builtin_model("resnet8", {1, 1, 4, 4}, 4);
  EXPECT_THAT(Network::compile(graph, {.batch = 1}, *backend_).error().message,
              HasSubstr("node 'block3.shortcut.bn': batch normalization needs two values"));
  EXPECT_THAT(Network::compile(graph, {.batch = 0}, *backend_).error().message, HasSubstr("batch"));
  EXPECT_THAT(Network::compile(graph, {.batch = 2, .bits = {13, 16, 13}}, *backend_).error().message,
              HasSubstr("bits"));
  EXPECT_THAT(Network::compile(graph, {.batch = 8, .memory_limit = 1000}, *backend_).error().message,
              HasSubstr("smaller batch"));
}

// The largest files that decode must not take long to compile, whatever they hold.
TEST_F(NetworkTest, CompilesAsManyNodesAsAFileMayHold) {
  GraphBuilder g({1, 2});
  const ValueId scale = g.parameter("scale", {2}, Initializer::one);
  const ValueId shift = g.parameter("shift", {2}, Initializer::zero);
  ValueId x = g.input();
  for (uint32_t n = 0; n < kMaxNodes; ++n) {
    const std::string name = std::to_string(n);
    x = n % 2 ? g.node(Operator::add, name, {x, x})
              : g.node(Operator::batch_normalization, name, {x, scale, shift});
  }
  const Graph graph = *std::move(g).finish();
  auto network = Network::compile(graph, {.batch = 4}, *backend_);
  ASSERT_TRUE(network.ok()) << network.error().message;
  const std::vector<float> input = {1, 2, 3, 4, 5, 6, 7, 9};
  EXPECT_TRUE(network->batch_statistics(initial_parameters(graph, 1), input).ok());
}

// An aligned sum has 2^48 for its products: 2^20 of 15 bits, 2^24 of 13 bits.
TEST_F(NetworkTest, RefusesMoreRowsThanAnExactSumHolds) {
  GraphBuilder g({1, 3, 4});
  const ValueId rows = g.node(Operator::matmul, "rows", {g.input(), g.parameter("w", {4, 1})});
  g.node(Operator::flatten, "flatten", {rows});
  const Graph graph = *std::move(g).finish();
  const int64_t batch = 1 << 19;
  EXPECT_THAT(Network::compile(graph, {.batch = batch, .bits = {13, 13, 15}}, *backend_).error().message,
              HasSubstr("node 'rows': more than 1048576 rows"));
  EXPECT_TRUE(Network::compile(graph, {.batch = batch, .bits = {15, 15, 13}}, *backend_).ok());
}

}  // namespace
}  // namespace cairn::model
