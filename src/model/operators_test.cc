// Each operator alone, forward and backward, against binary64: an error of at most 1e-3 at 13 bits.
#include "model/operators.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <random>

#include "model/graph_builder.h"
#include "model/network.h"
#include "model/shadow.h"

namespace cairn::model {
namespace {

using Values = std::vector<ValueId>;

constexpr double kTolerance = 1e-3;
constexpr int64_t kBatch = 3;

struct Case {
  std::string name;
  Shape input;
  // Appends the operator under test to `x`, whose gradient is needed, and returns its output.
  std::function<ValueId(GraphBuilder&, ValueId x)> build;
};

void PrintTo(const Case& c, std::ostream* out) {
  *out << c.name;
}

Attributes window(Shape kernel, Shape strides, Shape pads) {
  return {.kernel = std::move(kernel), .strides = std::move(strides), .pads = std::move(pads)};
}

Attributes convolution(Shape kernel, Shape strides, Shape pads, Shape dilations, int64_t groups) {
  Attributes a = window(std::move(kernel), std::move(strides), std::move(pads));
  a.dilations = std::move(dilations);
  a.groups = groups;
  return a;
}

Case conv(std::string name, Shape input, Shape weight, bool bias, Attributes a) {
  return {std::move(name), std::move(input), [=](GraphBuilder& g, ValueId x) {
            Values inputs = {x, g.parameter("w", weight)};
            if (bias) inputs.push_back(g.parameter("b", {weight[0]}));
            return g.node(Operator::conv, "op", inputs, a);
          }};
}

Case with_parameter(std::string name, Operator op, Shape input, Shape parameter, bool first = false) {
  return {std::move(name), std::move(input), [=](GraphBuilder& g, ValueId x) {
            const ValueId p = g.parameter("w", parameter);
            return g.node(op, "op", first ? Values{p, x} : Values{x, p});
          }};
}

Case unary(std::string name, Operator op, Shape input, Attributes a = {}) {
  return {std::move(name), std::move(input),
          [=](GraphBuilder& g, ValueId x) { return g.node(op, "op", {x}, a); }};
}

// Combines x with the mean of each of its images' channels, as squeeze-and-excitation does.
Case per_image(std::string name, Operator op, bool first) {
  return {std::move(name), {1, 3, 3, 2}, [=](GraphBuilder& g, ValueId x) {
            const ValueId mean = g.node(Operator::global_average_pool, "mean", {x});
            return g.node(op, "op", first ? Values{mean, x} : Values{x, mean});
          }};
}

Case twice(std::string name, Operator op) {
  return {std::move(name), {1, 12}, [=](GraphBuilder& g, ValueId x) { return g.node(op, "op", {x, x}); }};
}

Case batch_normalization(std::string name, Shape input) {
  return {std::move(name), input, [=](GraphBuilder& g, ValueId x) {
            const ValueId scale = g.parameter("scale", {input[1]});
            return g.node(Operator::batch_normalization, "op", {x, scale, g.parameter("shift", {input[1]})});
          }};
}

Case depthwise(std::string name, Shape input, Shape kernel, bool bias, Attributes a) {
  return {std::move(name), input, [=](GraphBuilder& g, ValueId x) {
            Values inputs = {x, g.parameter("w", {input[1], 1, kernel[0], kernel[1]})};
            if (bias) inputs.push_back(g.parameter("b", {input[1]}));
            return g.node(Operator::depthwise_conv, "op", inputs, a);
          }};
}

// With normally distributed inputs; functions of positive numbers get theirs from an exponential.
Case function(std::string name, Operator op, float alpha = 0, float beta = 0, bool positive = false) {
  Attributes a;
  a.alpha = alpha;
  a.beta = beta;
  return {std::move(name), {1, 3, 2, 4}, [=](GraphBuilder& g, ValueId x) {
            return g.node(op, "op", {positive ? g.node(Operator::exp, "positive", {x}) : x}, a);
          }};
}

Case concat(std::string name, int64_t axis) {
  return {std::move(name), {1, 3, 2, 4}, [=](GraphBuilder& g, ValueId x) {
            const ValueId other = g.node(Operator::square, "square", {x});
            Attributes a;
            a.axis = axis;
            return g.node(Operator::concat, "op", {x, other, x}, a);
          }};
}

Case slice(std::string name, int64_t axis, int64_t start, int64_t length) {
  Attributes a;
  a.axis = axis;
  a.start = start;
  a.length = length;
  return unary(std::move(name), Operator::slice, {1, 3, 4, 5}, a);
}

Case transpose(std::string name, Shape input, std::vector<int64_t> permutation) {
  Attributes a;
  a.permutation = std::move(permutation);
  return unary(std::move(name), Operator::transpose, std::move(input), a);
}

Case rows(std::string name, Operator op, Shape input, int64_t axis) {
  Attributes a;
  a.axis = axis;
  return unary(std::move(name), op, std::move(input), a);
}

// x times a function of itself, transposed: with and without a second dimension of the batch.
Case batch_matmul(std::string name, Shape input, std::vector<int64_t> permutation) {
  return {std::move(name), std::move(input), [=](GraphBuilder& g, ValueId x) {
            Attributes a;
            a.permutation = permutation;
            const ValueId other = g.node(Operator::transpose, "transposed", {x}, a);
            return g.node(Operator::batch_matmul, "op", {x, g.node(Operator::tanh, "tanh", {other})});
          }};
}

Case shared_weight() {
  return {"one weight in two layers", {1, 6}, [](GraphBuilder& g, ValueId x) {
            const ValueId w = g.parameter("w", {6, 6});
            const ValueId hidden = g.node(Operator::gemm, "first", {x, w});
            return g.node(Operator::gemm, "op", {hidden, w});
          }};
}

Case gemm_with_bias() {
  return {"gemm with bias", {1, 20}, [](GraphBuilder& g, ValueId x) {
            const ValueId w = g.parameter("w", {7, 20});
            return g.node(Operator::gemm, "op", {x, w, g.parameter("b", {7})});
          }};
}

Case gemm_of_rows() {
  return {"gemm of rows with bias", {1, 3, 8}, [](GraphBuilder& g, ValueId x) {
            const ValueId w = g.parameter("w", {5, 8});
            return g.node(Operator::gemm, "op", {x, w, g.parameter("b", {5})});
          }};
}

Case expand(std::string name, Shape input, Shape shape) {
  Attributes a;
  a.shape = std::move(shape);
  return unary(std::move(name), Operator::expand, std::move(input), a);
}

// A parameter for each sample, times x.
Case expand_parameter(std::string name, Shape parameter) {
  return {std::move(name), {1, 3, 4}, [=](GraphBuilder& g, ValueId x) {
            Attributes a;
            a.shape = {0, 3, 4};
            const ValueId all = g.node(Operator::expand, "op", {g.parameter("w", parameter)}, a);
            return g.node(Operator::multiply, "product", {x, all});
          }};
}

Case with_constant(std::string name, Operator op, Shape shape) {
  return {std::move(name), {1, 2, 3, 4}, [=](GraphBuilder& g, ValueId x) {
            Attributes a;
            a.shape = shape;
            for (int64_t i = 0; i < elements(shape); ++i)
              a.values.push_back(0.5f * static_cast<float>(i % 5) - 1);
            return g.node(op, "op", {x, g.node(Operator::constant, "numbers", {}, a)});
          }};
}

Case choice(std::string name, Operator op) {
  return {std::move(name), {1, 3, 4}, [=](GraphBuilder& g, ValueId x) {
            return g.node(op, "op", {x, g.node(Operator::square, "square", {x})});
          }};
}

std::vector<Case> cases() {
  Attributes padded = window({3, 2}, {2, 1}, {1, 0, 1, 1});
  Attributes counted = padded;
  counted.count_padding = true;
  Attributes ceil = window({3, 3}, {2, 2}, {0, 1, 0, 1});
  ceil.ceil_mode = true;
  Attributes reshape;
  reshape.shape = {0, 3, -1};
  return {
      conv("3x3", {1, 3, 5, 4}, {2, 3, 3, 3}, false, convolution({3, 3}, {1, 1}, {1, 1, 1, 1}, {1, 1}, 1)),
      conv("1x1 with bias", {1, 5, 3, 2}, {4, 5, 1, 1}, true,
           convolution({1, 1}, {1, 1}, {0, 0, 0, 0}, {1, 1}, 1)),
      conv("stride, dilation, uneven pads", {1, 3, 9, 8}, {2, 3, 3, 2}, true,
           convolution({3, 2}, {2, 3}, {1, 0, 2, 1}, {2, 1}, 1)),
      conv("groups", {1, 4, 5, 5}, {6, 2, 3, 3}, true, convolution({3, 3}, {2, 2}, {1, 1, 1, 1}, {1, 1}, 2)),
      conv("depthwise", {1, 3, 5, 5}, {3, 1, 3, 3}, false,
           convolution({3, 3}, {2, 2}, {1, 1, 1, 1}, {1, 1}, 3)),
      depthwise("depthwise in binary32", {1, 3, 5, 5}, {3, 3}, true,
                convolution({3, 3}, {2, 2}, {1, 1, 1, 1}, {1, 1}, 1)),
      depthwise("depthwise, dilation, uneven pads", {1, 4, 9, 8}, {3, 2}, false,
                convolution({3, 2}, {2, 3}, {1, 0, 2, 1}, {2, 1}, 1)),
      function("sigmoid", Operator::sigmoid),
      function("tanh", Operator::tanh),
      function("erf", Operator::erf),
      function("exp", Operator::exp),
      function("log", Operator::log, 0, 0, true),
      function("sqrt", Operator::sqrt, 0, 0, true),
      function("reciprocal", Operator::reciprocal, 0, 0, true),
      function("abs", Operator::abs),
      function("neg", Operator::neg),
      function("square", Operator::square),
      function("cube", Operator::cube),
      function("clip", Operator::clip, -0.5f, 1.25f),
      function("leaky relu", Operator::leaky_relu, 0.01f),
      function("elu", Operator::selu, 1.5f, 1.0f),
      function("selu", Operator::selu, 1.6732632f, 1.0507010f),
      function("softplus", Operator::softplus),
      function("hard sigmoid", Operator::hard_sigmoid, 0.5f, 0.25f),
      function("hard swish", Operator::hard_swish),
      function("plus constant", Operator::add_constant, -2.5f),
      function("times constant", Operator::multiply_constant, -2.5f),
      concat("concat, channels", 1),
      concat("concat, last dimension", 3),
      slice("slice of channels", 1, 1, 2),
      slice("slice of the last dimension", 3, 0, 3),
      unary("pad", Operator::pad, {1, 2, 3, 4}, {.pads = {1, 0, 2, 3}}),
      transpose("transpose", {1, 3, 2, 4}, {0, 2, 3, 1}),
      transpose("transpose of features", {1, 5, 3}, {0, 2, 1}),
      rows("softmax", Operator::softmax, {1, 7}, 1),
      rows("softmax of the last dimension", Operator::softmax, {1, 2, 3, 5}, 3),
      rows("row normalization", Operator::row_normalization, {1, 4, 9}, 2),
      rows("row normalization of images", Operator::row_normalization, {1, 2, 3, 5}, 2),
      rows("row normalization of everything", Operator::row_normalization, {1, 2, 3, 5}, 1),
      batch_matmul("batch matmul", {1, 4, 6}, {0, 2, 1}),
      batch_matmul("batch matmul of heads", {1, 2, 5, 3}, {0, 1, 3, 2}),
      expand("expand", {1, 1, 4}, {0, 3, 4}),
      expand("expand of two dimensions", {1, 1, 3, 1}, {0, 2, 3, 5}),
      expand("expand of nothing", {1, 3, 4}, {0, 3, 4}),
      expand_parameter("expand of a parameter", {3, 4}),
      expand_parameter("expand of a class token", {1, 1, 4}),
      with_constant("add numbers", Operator::add, {3, 4}),
      with_constant("multiply numbers", Operator::multiply, {1, 1, 3, 4}),
      choice("largest of two", Operator::maximum),
      choice("smallest of two", Operator::minimum),
      gemm_with_bias(),
      with_parameter("gemm", Operator::gemm, {1, 20}, {6, 20}),
      gemm_of_rows(),
      with_parameter("matmul", Operator::matmul, {1, 20}, {20, 6}),
      with_parameter("matmul of rows", Operator::matmul, {1, 3, 8}, {8, 5}),
      shared_weight(),
      with_parameter("add, channel", Operator::add, {1, 3, 2, 2}, {3, 1, 1}),
      with_parameter("add, channel first", Operator::add, {1, 3, 2, 2}, {1, 3, 1, 1}, true),
      with_parameter("add, one value", Operator::add, {1, 3, 2, 2}, {1}),
      with_parameter("add, last dimension", Operator::add, {1, 3, 2, 2}, {2}),
      with_parameter("multiply, channel", Operator::multiply, {1, 3, 2, 2}, {3, 1, 1}),
      with_parameter("multiply, all but the batch", Operator::multiply, {1, 3, 2, 2}, {3, 2, 2}, true),
      with_parameter("multiply, one value", Operator::multiply, {1, 3, 2, 2}, {}),
      per_image("add, per image", Operator::add, false),
      per_image("multiply, per image", Operator::multiply, false),
      per_image("multiply, per image first", Operator::multiply, true),
      twice("x + x", Operator::add),
      twice("x * x", Operator::multiply),
      batch_normalization("batch normalization of images", {1, 4, 3, 2}),
      batch_normalization("batch normalization of features", {1, 9}),
      unary("relu", Operator::relu, {1, 3, 2, 3}),
      unary("max pool", Operator::max_pool, {1, 2, 6, 4}, padded),
      unary("max pool, ceil", Operator::max_pool, {1, 2, 6, 6}, ceil),
      unary("average pool", Operator::average_pool, {1, 2, 6, 4}, padded),
      unary("average pool, padding counted", Operator::average_pool, {1, 2, 6, 4}, counted),
      unary("average pool, ceil", Operator::average_pool, {1, 2, 6, 6}, ceil),
      unary("global average pool", Operator::global_average_pool, {1, 7, 3, 5}),
      unary("flatten", Operator::flatten, {1, 2, 3, 2}),
      unary("reshape", Operator::reshape, {1, 6, 2}, reshape),
  };
}

// input + parameter -> operator -> flatten: the parameter's gradient is that of the operator's input.
Graph graph_of(const Case& c) {
  GraphBuilder g(c.input);
  const ValueId x = g.node(Operator::add, "entry",
                           {g.input(), g.parameter("p", Shape(c.input.begin() + 1, c.input.end()))});
  const ValueId y = c.build(g, x);
  if (g.shape(y).size() != 2) g.node(Operator::flatten, "flatten", {y});
  auto graph = std::move(g).finish();
  EXPECT_TRUE(graph.ok()) << c.name << ": " << graph.error().message;
  return std::move(graph).value();
}

std::vector<float> normal_floats(size_t count, std::mt19937& random) {
  std::normal_distribution<float> distribution;
  std::vector<float> result(count);
  for (float& value : result) value = distribution(random);
  return result;
}

class OperatorTest : public ::testing::TestWithParam<Case> {};

TEST_P(OperatorTest, AgreesWithBinary64) {
  const Graph graph = graph_of(GetParam());
  ThreadPool pool(1);
  auto backend = exact::make_backend(exact::Isa::scalar, pool);
  auto network = Network::compile(graph, {.batch = kBatch, .keep_tensors = true}, *backend);
  ASSERT_TRUE(network.ok()) << network.error().message;
  for (uint32_t round = 0; round < 5; ++round) {
    std::mt19937 random(round);
    const std::vector<float> parameters = normal_floats(network->parameter_count(), random);
    const std::vector<float> input = normal_floats(network->input_count(), random);
    std::vector<int32_t> labels;
    for (int64_t i = 0; i < kBatch; ++i)
      labels.push_back(static_cast<int32_t>(random() % network->classes()));
    std::vector<float> gradient(network->parameter_count());
    auto loss = network->gradient(parameters, input, labels, {7, round, 0, 0}, gradient);
    ASSERT_TRUE(loss.ok()) << loss.error().message;

    Shadow shadow(graph, kBatch, parameters, input);
    shadow.forward();
    std::vector<Doubles> tensors;
    const auto compare = [&](const std::string& name, const Shape& shape, std::span<const float> values) {
      const Node& node = graph.nodes[tensors.size()];
      EXPECT_EQ(shape, shadow.shape(node.outputs[0]));
      EXPECT_LE(relative_error(values, shadow.output(node), 0), kTolerance) << name;
      tensors.emplace_back(values.begin(), values.end());
    };
    ASSERT_TRUE(network->visit(compare).ok());
    EXPECT_NEAR(*loss, shadow.loss(labels), kTolerance * std::max(1.0, shadow.loss(labels)));

    // The backward rule alone: from the same tensors, so that softmax does not magnify the forward error.
    shadow.forward(tensors);
    const std::vector<Doubles> expected = shadow.backward(labels);
    double all = 0;
    for (const Doubles& g : expected) all = std::hypot(all, norm(g));
    size_t index = 0;
    for (const ParameterInfo& p : network->parameters()) {
      const auto mine = std::span(gradient).subspan(p.offset, p.count);
      const Doubles& theirs = expected[index++];
      EXPECT_LE(relative_error(mine, theirs, 1e-3 * all), kTolerance) << p.name;
    }
  }
}

std::string test_name(const ::testing::TestParamInfo<Case>& test) {
  std::string name = test.param.name;
  for (char& c : name) {
    if (!std::isalnum(static_cast<unsigned char>(c))) c = c == '+' ? 'p' : c == '*' ? 't' : '_';
  }
  return name;
}

INSTANTIATE_TEST_SUITE_P(All, OperatorTest, ::testing::ValuesIn(cases()), test_name);

TEST(OperatorTable, EveryOperatorHasItsRule) {
  for (uint16_t number = 0; number < 100; ++number) {
    const OperatorRule* rule = find_rule(static_cast<Operator>(number));
    EXPECT_EQ(rule != nullptr, number >= 1 && number <= all_rules().size()) << number;
    if (rule != nullptr) {
      EXPECT_EQ(static_cast<uint16_t>(rule->op), number);
    }
  }
}

}  // namespace
}  // namespace cairn::model
