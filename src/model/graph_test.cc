#include "model/graph.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <random>

#include "model/builtin.h"
#include "model/operators.h"

namespace cairn::model {
namespace {

using ::testing::HasSubstr;

const Shape kFashion = {1, 1, 28, 28};

Graph model(std::string_view name) {
  auto graph = builtin_model(name, kFashion, 10);
  EXPECT_TRUE(graph.ok()) << graph.error().message;
  return std::move(graph).value();
}

TEST(Builtin, HaveTheSizesThatTheyAreKnownFor) {
  EXPECT_EQ(parameter_count(model("mlp")), 784u * 128 + 128 + 128 * 10 + 10);
  EXPECT_EQ(parameter_count(model("lenet")), 61706u);
  const uint64_t resnet = parameter_count(model("resnet8"));
  EXPECT_GT(resnet, 70000u);
  EXPECT_LT(resnet, 80000u);
}

TEST(Builtin, RefusesUnknownNamesAndImpossibleSizes) {
  EXPECT_THAT(builtin_model("vgg", kFashion, 10).error().message, HasSubstr("vgg"));
  EXPECT_THAT(builtin_model("lenet", {1, 1, 4, 4}, 10).error().message, HasSubstr("conv2"));
  EXPECT_FALSE(builtin_model("mlp", {1, 28, 28}, 10).ok());
  EXPECT_FALSE(builtin_model("mlp", {1, 1 << 20, 1 << 20, 1 << 20}, 10).ok());
  EXPECT_FALSE(builtin_model("mlp", kFashion, 1).ok());
}

TEST(InitialParameters, AreDeterministicBoundedAndSpread) {
  const Graph graph = model("mlp");
  const std::vector<float> a = initial_parameters(graph, 7);
  EXPECT_EQ(a, initial_parameters(graph, 7));
  EXPECT_NE(a, initial_parameters(graph, 8));
  const float bound = 1.0f / 28.0f;
  double sum = 0;
  double squares = 0;
  for (size_t i = 0; i < 784 * 128; ++i) {
    ASSERT_LT(std::abs(a[i]), bound);
    sum += a[i];
    squares += double{a[i]} * a[i];
  }
  EXPECT_NEAR(sum / (784 * 128), 0, 1e-3 * bound * 10);
  EXPECT_NEAR(squares / (784 * 128), bound * bound / 3, bound * bound * 0.01);
}

// Computed from the definition in docs/formats/model-file.md by a separate program.
TEST(InitialParameters, HaveTheDefinedBits) {
  const std::vector<float> values = initial_parameters(model("mlp"), 0x123456789abcdef0);
  EXPECT_EQ(values[0], -0x1.1fe94cp-6f);
  EXPECT_EQ(values[5], -0x1.bb463ap-6f);
  EXPECT_EQ(values[784 * 128 + 2], 0x1.451f34p-7f);
}

TEST(InitialParameters, BatchNormalizationStartsAsTheIdentity) {
  const Graph graph = model("resnet8");
  const std::vector<float> values = initial_parameters(graph, 1);
  size_t offset = 0;
  for (const Parameter& parameter : graph.parameters) {
    const bool one = parameter.initializer == Initializer::one;
    if (one || parameter.initializer == Initializer::zero) {
      EXPECT_EQ(values[offset], one ? 1.0f : 0.0f);
    }
    offset += static_cast<size_t>(elements(graph.shapes[parameter.value]));
  }
  EXPECT_EQ(offset, values.size());
}

TEST(ModelFile, RoundTrips) {
  for (std::string_view name : builtin_names()) {
    const Graph graph = model(name);
    const Bytes bytes = encode(graph);
    auto again = decode_graph(bytes);
    ASSERT_TRUE(again.ok()) << again.error().message;
    EXPECT_EQ(*again, graph);
    EXPECT_EQ(encode(*again), bytes);
  }
}

TEST(ModelFile, RefusesEveryTruncation) {
  const Bytes bytes = encode(model("resnet8"));
  for (size_t size = 0; size < bytes.size(); ++size) {
    ASSERT_FALSE(decode_graph(BytesView(bytes).first(size)).ok()) << size;
  }
  Bytes longer = bytes;
  longer.push_back(0);
  EXPECT_THAT(decode_graph(longer).error().message, HasSubstr("too many"));
}

// Whatever decodes must be a verified graph with one byte form; nothing may crash or hang.
void expect_harmless(const Bytes& bytes) {
  auto graph = decode_graph(bytes);
  if (graph.ok()) {
    ASSERT_TRUE(verify(*graph).ok());
    ASSERT_EQ(encode(*graph), bytes);
  } else {
    ASSERT_FALSE(graph.error().message.empty());
  }
}

TEST(ModelFile, SurvivesMutations) {
  std::mt19937 random(1);
  for (std::string_view name : builtin_names()) {
    const Bytes bytes = encode(model(name));
    for (int round = 0; round < 5000; ++round) {
      Bytes mutated = bytes;
      const int flips = 1 + static_cast<int>(random() % 3);
      for (int i = 0; i < flips; ++i) {
        const size_t at = random() % mutated.size();
        mutated[at] = random() % 2 ? static_cast<uint8_t>(mutated[at] ^ (1u << (random() % 8)))
                                   : static_cast<uint8_t>(random());
      }
      expect_harmless(mutated);
    }
  }
}

TEST(ModelFile, SurvivesRandomBytesBehindAValidStart) {
  std::mt19937 random(2);
  const Bytes bytes = encode(model("mlp"));
  for (int round = 0; round < 3000; ++round) {
    Bytes mutated(bytes.begin(), bytes.begin() + static_cast<int64_t>(random() % 40));
    const size_t tail = random() % 400;
    for (size_t i = 0; i < tail; ++i) mutated.push_back(static_cast<uint8_t>(random() % 4 ? 0 : random()));
    expect_harmless(mutated);
  }
}

TEST(ModelFile, NamesTheFieldThatIsWrong) {
  EXPECT_THAT(decode_graph(as_bytes("PNG")).error().message, HasSubstr("not a Cairn model"));
  Bytes bytes = encode(model("mlp"));
  bytes[15] = 9;
  EXPECT_THAT(decode_graph(bytes).error().message, HasSubstr("version 9"));
}

struct Defect {
  const char* what;
  void (*apply)(Graph&);
  const char* message;
};

TEST(Verify, RefusesEachDefectAndSaysWhere) {
  const Defect defects[] = {
      {"cycle", [](Graph& g) { g.nodes[0].inputs[0] = g.nodes[3].outputs[0]; }, "node 'flatten'"},
      {"missing value", [](Graph& g) { g.nodes[1].inputs[0] = 999; }, "node 'fc1'"},
      {"two sources", [](Graph& g) { g.nodes[1].outputs[0] = g.input; }, "two sources"},
      {"wrong shape", [](Graph& g) { g.shapes[g.nodes[1].outputs[0]][1]++; }, "node 'fc1'"},
      {"huge",
       [](Graph& g) {
         g.shapes[0] = {1, 1 << 30, 1 << 30};
       },
       "value 0"},
      {"empty dimension", [](Graph& g) { g.shapes[0][2] = 0; }, "value 0"},
      {"deep rank", [](Graph& g) { g.shapes[0].assign(9, 1); }, "value 0"},
      {"batch of two", [](Graph& g) { g.shapes[0][0] = 2; }, "input"},
      {"no node", [](Graph& g) { g.nodes.clear(); }, "nodes"},
      {"same names", [](Graph& g) { g.nodes[1].name = "fc2"; }, "node 'fc2'"},
      {"same parameter names", [](Graph& g) { g.parameters[1].name = g.parameters[0].name; }, "'fc1.weight'"},
      {"not UTF-8", [](Graph& g) { g.nodes[1].name = "\xc0\xaf"; }, "UTF-8"},
      {"surrogate", [](Graph& g) { g.nodes[1].name = "\xed\xa0\x80"; }, "UTF-8"},
      {"cut UTF-8", [](Graph& g) { g.nodes[1].name = "a\xe2\x82"; }, "UTF-8"},
      {"escape", [](Graph& g) { g.nodes[1].name = "\x1b[2J"; }, "control"},
      {"long name", [](Graph& g) { g.parameters[0].name.assign(1001, 'a'); }, "1000 bytes"},
      {"unknown operator", [](Graph& g) { g.nodes[2].op = static_cast<Operator>(77); }, "node 'relu1'"},
      {"softmax along no last dimension",
       [](Graph& g) {
         g.nodes[2].op = Operator::softmax;
         g.nodes[2].attributes.axis = 2;
       },
       "axis: must be the last"},
      {"empty slice", [](Graph& g) { g.nodes[2].op = Operator::slice; }, "start and length: out of range"},
      {"no permutation", [](Graph& g) { g.nodes[2].op = Operator::transpose; }, "permutation"},
      {"infinite constant",
       [](Graph& g) {
         g.nodes[2].op = Operator::add_constant;
         g.nodes[2].attributes.alpha = std::numeric_limits<float>::infinity();
       },
       "must be finite"},
      {"constant of no use", [](Graph& g) { g.nodes[2].attributes.beta = 1; }, "beta: this operator has no"},
      {"foreign attribute",
       [](Graph& g) {
         g.nodes[2].attributes.kernel = {3, 3};
       },
       "kernel"},
      {"axis", [](Graph& g) { g.nodes[0].attributes.axis = 2; }, "axis"},
      {"early output", [](Graph& g) { g.output = g.nodes[1].outputs[0]; }, "output"},
      {"statistics of nothing",
       [](Graph& g) {
         g.statistics.push_back({0, "m", "v"});
       },
       "statistics"},
      {"fan-in", [](Graph& g) { g.parameters[0].fan_in = 0; }, "fan_in"},
      {"unused parameter", [](Graph& g) { g.nodes[1].inputs.pop_back(); }, "nothing uses it"},
      {"arity", [](Graph& g) { g.nodes[2].inputs.clear(); }, "node 'relu1'"},
  };
  for (const Defect& defect : defects) {
    Graph graph = model("mlp");
    ASSERT_TRUE(verify(graph).ok());
    defect.apply(graph);
    auto status = verify(graph);
    ASSERT_FALSE(status.ok()) << defect.what;
    EXPECT_THAT(status.error().message, HasSubstr(defect.message)) << defect.what;
  }
}

TEST(InferShape, ConvolutionFollowsStridePadAndDilation) {
  Node node{Operator::conv, "c", {}, {}, {}};
  node.attributes = {
      .kernel = {3, 5}, .strides = {2, 1}, .pads = {1, 2, 0, 2}, .dilations = {2, 1}, .groups = 2};
  const Operand operands[] = {{{1, 4, 11, 9}, false}, {{6, 2, 3, 5}, true}};
  auto shape = infer_shape(node, operands);
  ASSERT_TRUE(shape.ok()) << shape.error().message;
  EXPECT_EQ(*shape, (Shape{1, 6, 4, 9}));
  node.attributes.groups = 4;
  EXPECT_THAT(infer_shape(node, operands).error().message, HasSubstr("groups"));
}

TEST(InferShape, PoolingDropsAWindowThatWouldStartInThePadding) {
  Node node{Operator::max_pool, "p", {}, {}, {}};
  node.attributes = {.kernel = {2, 2}, .strides = {2, 2}, .pads = {0, 1, 0, 1}, .ceil_mode = true};
  const Operand operands[] = {{{1, 3, 5, 5}, false}};
  EXPECT_EQ(*infer_shape(node, operands), (Shape{1, 3, 3, 3}));
  node.attributes.kernel = {1, 1};
  EXPECT_THAT(infer_shape(node, operands).error().message, HasSubstr("pads"));
}

TEST(InferShape, ReshapeCopiesAndInfers) {
  Node node{Operator::reshape, "r", {}, {}, {}};
  const Operand operands[] = {{{1, 3, 4, 5}, false}};
  node.attributes.shape = {0, -1};
  EXPECT_EQ(*infer_shape(node, operands), (Shape{1, 60}));
  node.attributes.shape = {1, 0, -1, 2};
  EXPECT_EQ(*infer_shape(node, operands), (Shape{1, 3, 10, 2}));
  for (const Shape& bad : {Shape{-1, -1}, {0, 7}, {3, 20}, {}, {0, -2}, {0, -1, 7}}) {
    node.attributes.shape = bad;
    EXPECT_FALSE(infer_shape(node, operands).ok());
  }
}

std::string shape_error(Operator op, Attributes attributes, std::vector<Operand> operands) {
  const Node node{op, "n", {}, {}, std::move(attributes)};
  auto shape = infer_shape(node, operands);
  return shape ? "no error" : shape.error().message;
}

TEST(InferShape, RefusesWhatDoesNotFitALayout) {
  const Operand image{{1, 3, 4, 5}, false}, weight{{1, 3, 4, 5}, true};
  const auto axis = [](int64_t value, int64_t start = 0, int64_t length = 0) {
    Attributes a;
    a.axis = value;
    a.start = start;
    a.length = length;
    return a;
  };
  const auto order = [](std::vector<int64_t> permutation) {
    Attributes a;
    a.permutation = std::move(permutation);
    return a;
  };
  using enum Operator;
  EXPECT_THAT(shape_error(concat, axis(4), {image, image}), HasSubstr("axis: must be below 4"));
  EXPECT_THAT(shape_error(concat, axis(1), {image, {{1, 3, 4, 6}, false}}), HasSubstr("the same shape but"));
  EXPECT_THAT(shape_error(concat, axis(1), {image, {{1, 3}, false}}), HasSubstr("as many dimensions"));
  EXPECT_THAT(shape_error(concat, axis(1), {image, weight}), HasSubstr("only activations"));
  EXPECT_THAT(shape_error(concat, axis(0), {image, image}), HasSubstr("axis: must be at least 1"));
  EXPECT_THAT(shape_error(slice, axis(1, 3, 1), {image}), HasSubstr("reach beyond the 3 of the axis"));
  EXPECT_THAT(shape_error(slice, axis(1, 1, INT64_MAX), {image}), HasSubstr("reach beyond"));
  EXPECT_THAT(shape_error(slice, axis(7, 0, 1), {image}), HasSubstr("axis: must be below 4"));
  EXPECT_THAT(shape_error(transpose, order({0, 1, 2}), {image}), HasSubstr("must have 4 entries"));
  EXPECT_THAT(shape_error(transpose, order({0, 1, 1, 3}), {image}), HasSubstr("each dimension once"));
  EXPECT_THAT(shape_error(transpose, order({1, 0, 2, 3}), {image}), HasSubstr("leave the batch first"));
  EXPECT_THAT(shape_error(pad, {.pads = {1, 1, 1, 1}}, {{{1, 5}, false}}), HasSubstr("4 dimensions"));
  EXPECT_THAT(shape_error(pad, {.pads = {1, 1, 1}}, {image}), HasSubstr("pads: 3 numbers where 4"));
  EXPECT_THAT(shape_error(row_normalization, axis(4), {image}), HasSubstr("axis: must be below 4"));
  EXPECT_THAT(shape_error(row_normalization, axis(1), {{{1, 1}, false}}), HasSubstr("two values or more"));
  EXPECT_THAT(shape_error(batch_matmul, {}, {image, image}), HasSubstr("has 5 columns, the second 4 rows"));
  EXPECT_THAT(shape_error(batch_matmul, {}, {image, weight}), HasSubstr("needs two activations"));
  EXPECT_THAT(shape_error(batch_matmul, {}, {image, {{1, 2, 5, 4}, false}}), HasSubstr("must be equal"));
  EXPECT_THAT(shape_error(batch_matmul, {}, {{{1, 3}, false}, {{1, 3}, false}}), HasSubstr("3 or more"));
}

TEST(InferShape, BroadcastsOneRunOfDimensions) {
  const Operand image{{1, 3, 4, 5}, false};
  const auto fits = [&](Shape shape, bool parameter) {
    const Operand operands[] = {image, {std::move(shape), parameter}};
    return broadcast(operands);
  };
  EXPECT_TRUE(fits({1, 3, 4, 5}, false)->same);
  const struct {
    Shape shape;
    bool parameter;
    size_t begin, end;
  } cases[] = {{{3, 1, 1}, true, 1, 2}, {{1, 3, 1, 1}, true, 1, 2}, {{1, 3, 1, 1}, false, 0, 2},
               {{5}, true, 3, 4},       {{3, 4, 5}, true, 1, 4},    {{}, true, 1, 1},
               {{1}, true, 1, 1},       {{1, 1, 1, 1}, false, 0, 1}};
  for (const auto& c : cases) {
    auto b = fits(c.shape, c.parameter);
    ASSERT_TRUE(b.ok());
    EXPECT_EQ(b->begin, c.begin);
    EXPECT_EQ(b->end, c.end);
  }
  EXPECT_FALSE(fits({3, 1, 5}, true).ok());
  EXPECT_FALSE(fits({1, 1, 4, 5}, false).ok());
  EXPECT_FALSE(fits({4, 1, 1}, true).ok());
}

}  // namespace
}  // namespace cairn::model
