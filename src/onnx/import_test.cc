#include "onnx/import.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "base/npz.h"
#include "onnx/testing.h"

namespace cairn::onnx {
namespace {

using model::Operator;
using ::testing::AllOf;
using ::testing::ElementsAre;
using testing::error_of;
using ::testing::HasSubstr;
using testing::ModelMaker;
using testing::node_named;
using testing::operators_of;
using testing::set;

// -- What PyTorch exports ---------------------------------------------------------------------------------

struct Golden {
  const char* name;
  std::vector<Operator> operators;
};

class PyTorchModel : public ::testing::TestWithParam<Golden> {};

TEST_P(PyTorchModel, ImportsWithItsOperatorsAndParameters) {
  const std::string name = GetParam().name;
  const auto imported = import_onnx(testing::read_golden(name + ".onnx"), name);
  ASSERT_TRUE(imported.ok()) << imported.error().message;
  EXPECT_EQ(operators_of(imported->graph), GetParam().operators);

  const Bytes file = testing::read_golden(name + ".npz");
  std::map<std::string, std::vector<float>> stored;
  const std::vector<NpzArray> arrays = read_npz(file).value();
  for (const NpzArray& array : arrays) {
    if (array.type == NpzType::f32) stored[array.name] = array.values<float>().value();
  }
  size_t at = 0;
  for (const auto& parameter : imported->graph.parameters) {
    const std::vector<float>& expected = stored["parameter/" + parameter.name];
    ASSERT_FALSE(expected.empty()) << parameter.name;
    ASSERT_LE(at + expected.size(), imported->parameters.size());
    EXPECT_TRUE(std::equal(expected.begin(), expected.end(), imported->parameters.begin() + at))
        << parameter.name;
    at += expected.size();
  }
  EXPECT_EQ(at, imported->parameters.size());
  EXPECT_EQ(model::parameter_count(imported->graph), imported->parameters.size());
  EXPECT_EQ(statistics_count(imported->graph), imported->statistics.size());
  const auto parameters =
      std::ranges::count_if(stored, [](const auto& entry) { return entry.first.starts_with("parameter/"); });
  EXPECT_EQ(imported->graph.parameters.size(), static_cast<size_t>(parameters));
}

using enum Operator;
INSTANTIATE_TEST_SUITE_P(
    Golden, PyTorchModel,
    ::testing::Values(
        Golden{"mlp", {flatten, gemm, relu, gemm, relu, gemm}},
        Golden{"lenet", {conv, relu, max_pool, conv, relu, max_pool, reshape, gemm, relu, gemm}},
        Golden{"resnet8",
               {conv,
                batch_normalization,
                relu,  //
                conv,
                batch_normalization,
                relu,
                conv,
                batch_normalization,
                add,
                relu,  //
                conv,
                batch_normalization,
                relu,
                conv,
                batch_normalization,
                conv,  //
                batch_normalization,
                add,
                relu,  //
                conv,
                batch_normalization,
                relu,
                conv,
                batch_normalization,
                conv,  //
                batch_normalization,
                add,
                relu,
                global_average_pool,
                flatten,
                gemm}},
        Golden{"linear", {reshape, gemm}},
        Golden{"average_pool",
               {conv, average_pool, conv, multiply, average_pool, global_average_pool, flatten, gemm}},
        Golden{"convolutions", {conv, conv, conv, depthwise_conv, conv, flatten, gemm}}),
    [](const auto& test) { return std::string(test.param.name); });

TEST(Import, KeepsPyTorchsNames) {
  const auto imported = import_onnx(testing::read_golden("resnet8.onnx"), "resnet8").value();
  EXPECT_EQ(imported.graph.parameters.front().name, "conv.weight");
  EXPECT_EQ(imported.graph.parameters.back().name, "fc.bias");
  EXPECT_EQ(imported.graph.nodes.front().name, "/conv/Conv");
  ASSERT_EQ(imported.graph.statistics.size(), 9u);
  EXPECT_EQ(imported.graph.statistics[0].mean_name, "bn.running_mean");
  EXPECT_EQ(imported.graph.statistics[0].variance_name, "bn.running_var");
  EXPECT_EQ(imported.graph.shapes[0], (model::Shape{1, 3, 12, 12}));  // The file fixes a batch of 8.
}

TEST(Import, FoldsTheShapeArithmeticOfView) {
  const auto lenet = import_onnx(testing::read_golden("lenet.onnx"), "lenet").value();
  EXPECT_THAT(node_named(lenet.graph, "/Reshape").attributes.shape, ElementsAre(0, 192));
}

TEST(Import, FoldsZeroPaddingIntoTheAveragePoolThatCountsIt) {
  const auto imported = import_onnx(testing::read_golden("average_pool.onnx"), "average_pool").value();
  const auto& padded = node_named(imported.graph, "/AveragePool").attributes;
  EXPECT_THAT(padded.pads, ElementsAre(1, 1, 1, 1));
  EXPECT_TRUE(padded.count_padding);
  EXPECT_FALSE(node_named(imported.graph, "/AveragePool_1").attributes.count_padding);
}

// -- Operators one by one ---------------------------------------------------------------------------------

TEST(Import, TransposedWeightsBecomeGemmAndOthersMatMul) {
  ModelMaker maker({0, 6});
  maker.weight("w1", {5, 6});
  maker.weight("w2", {5, 4});
  maker.weight("b2", {4});
  maker.node("Transpose", {"w1"}, "w1_transposed");
  maker.node("MatMul", {"x", "w1_transposed"}, "h");
  maker.node("Gemm", {"h", "w2", "b2"}, "y");
  const auto imported = import_onnx(maker.bytes(), "m.onnx").value();
  EXPECT_THAT(operators_of(imported.graph), ElementsAre(gemm, matmul, add));
  EXPECT_EQ(imported.graph.nodes[1].name, "make_y/product");
  EXPECT_EQ(imported.graph.shapes[imported.graph.parameters[0].value], (model::Shape{5, 6}));
  EXPECT_EQ(imported.graph.shapes[imported.graph.parameters[1].value], (model::Shape{5, 4}));
}

TEST(Import, ConvertsAutoPadding) {
  for (const auto& [mode, stride, top, bottom] : {std::tuple{"SAME_UPPER", 2, 0, 1},
                                                  {"SAME_LOWER", 2, 1, 0},
                                                  {"VALID", 2, 0, 0},
                                                  {"SAME_UPPER", 1, 1, 1}}) {
    ModelMaker maker({0, 1, 8, 8});
    maker.weight("w", {2, 1, 3, 3});
    auto& node = maker.node("Conv", {"x", "w"}, "c");
    set(node, "auto_pad", std::string(mode));
    set(node, "strides", std::vector<int64_t>{stride, stride});
    maker.node("Flatten", {"c"}, "y");
    const auto imported = import_onnx(maker.bytes(), "m.onnx");
    ASSERT_TRUE(imported.ok()) << imported.error().message;
    EXPECT_THAT(imported->graph.nodes[0].attributes.pads, ElementsAre(top, top, bottom, bottom)) << mode;
  }
}

TEST(Import, TakesTheBatchOutOfReshapes) {
  for (const auto& target : std::vector<std::vector<int64_t>>{{7, -1}, {-1, 12}, {0, -1}, {7, 12}, {0, 12}}) {
    ModelMaker maker({7, 3, 4});
    maker.integers("target", target);
    maker.node("Reshape", {"x", "target"}, "y");
    const auto imported = import_onnx(maker.bytes(), "m.onnx");
    ASSERT_TRUE(imported.ok()) << imported.error().message;
    EXPECT_THAT(imported->graph.nodes[0].attributes.shape, ElementsAre(0, 12));
  }
  for (const auto& target :
       std::vector<std::vector<int64_t>>{{6, 14}, {7, 13}, {7, 5, -1}, {-1, -1}, {7, -2}, {12, 7}}) {
    ModelMaker maker({7, 3, 4});
    maker.integers("target", target);
    maker.node("Reshape", {"x", "target"}, "y");
    EXPECT_THAT(error_of(maker),
                AllOf(HasSubstr("m.onnx: node 'make_y' (Reshape): "), HasSubstr("its target")))
        << target[0];
  }
}

TEST(Import, DropsIdentityDropoutAndDeadNodes) {
  ModelMaker maker({0, 6});
  maker.weight("w", {5, 6});
  maker.weight("unused", {3, 3});
  maker.weight("ratio", {}, 0.3f);
  maker.integers("no", {0});
  maker.node("Identity", {"w"}, "v");
  maker.node("Dropout", {"x", "ratio", "no"}, "kept");
  maker.node("Relu", {"x"}, "dead");
  set(maker.node("Gemm", {"kept", "v"}, "z"), "transB", int64_t{1});
  maker.node("LogSoftmax", {"z"}, "y");
  const auto imported = import_onnx(maker.bytes(), "m.onnx").value();
  EXPECT_THAT(operators_of(imported.graph), ElementsAre(gemm));
  ASSERT_EQ(imported.graph.parameters.size(), 1u);
  EXPECT_EQ(imported.graph.parameters[0].name, "w");
}

TEST(Import, ASharedWeightIsOneParameter) {
  ModelMaker maker({0, 6});
  maker.weight("w", {6, 6});
  maker.node("MatMul", {"x", "w"}, "h");
  maker.node("MatMul", {"h", "w"}, "y");
  const auto imported = import_onnx(maker.bytes(), "m.onnx").value();
  EXPECT_EQ(imported.graph.parameters.size(), 1u);
  EXPECT_EQ(imported.parameters.size(), 36u);
}

TEST(Import, EvaluationFormOfBatchNormalizationIsTrainedLikeTheOther) {
  ModelMaker maker({0, 3, 2, 2}, 11);
  for (const char* name : {"scale", "shift", "mean", "variance"}) maker.weight(name, {3});
  auto& node = maker.node("BatchNormalization", {"x", "scale", "shift", "mean", "variance"}, "n");
  set(node, "epsilon", 1e-3f);
  set(node, "momentum", 0.9f);
  maker.node("Flatten", {"n"}, "y");
  const auto imported = import_onnx(maker.bytes(), "m.onnx").value();
  EXPECT_EQ(imported.graph.nodes[0].attributes.epsilon, 1e-3f);
  EXPECT_EQ(imported.graph.parameters.size(), 2u);
  EXPECT_EQ(imported.graph.statistics[0].variance_name, "variance");
  EXPECT_EQ(imported.statistics.size(), 6u);
}

TEST(Import, DepthwiseConvolutionsAreAnOperatorOfTheirOwn) {
  for (const auto& [groups, outputs, pad, expected] :
       {std::tuple{4, 4, 1, depthwise_conv}, {2, 4, 1, conv}, {4, 8, 1, conv}, {4, 4, 300, conv}}) {
    ModelMaker maker({0, 4, 6, 6});
    maker.weight("w", {outputs, 4 / groups, 3, 3});
    auto& node = maker.node("Conv", {"x", "w"}, "c");
    set(node, "group", int64_t{groups});
    set(node, "pads", std::vector<int64_t>(4, pad));
    maker.node("Flatten", {"c"}, "y");
    const auto imported = import_onnx(maker.bytes(), "m.onnx");
    ASSERT_TRUE(imported.ok()) << imported.error().message;
    EXPECT_EQ(imported->graph.nodes[0].op, expected) << groups << " " << outputs << " " << pad;
  }
}

std::vector<Operator> imported_operators(const ModelMaker& maker) {
  const auto imported = import_onnx(maker.bytes(), "m.onnx");
  EXPECT_TRUE(imported.ok()) << imported.error().message;
  return imported ? operators_of(imported->graph) : std::vector<Operator>{};
}

TEST(Import, FunctionsOfOneVariable) {
  for (const auto& [name, op] : {std::pair{"Abs", Operator::abs},
                                 {"Erf", erf},
                                 {"Exp", Operator::exp},
                                 {"HardSwish", hard_swish},
                                 {"Log", Operator::log},
                                 {"Neg", neg},
                                 {"Reciprocal", reciprocal},
                                 {"Relu", relu},
                                 {"Sigmoid", sigmoid},
                                 {"Softplus", softplus},
                                 {"Sqrt", Operator::sqrt},
                                 {"Tanh", Operator::tanh},
                                 {"LeakyRelu", leaky_relu},
                                 {"Elu", selu},
                                 {"Selu", selu},
                                 {"HardSigmoid", hard_sigmoid},
                                 {"Clip", clip}}) {
    ModelMaker maker({0, 6}, 14);
    maker.node(name, {"x"}, "y");
    EXPECT_THAT(imported_operators(maker), ElementsAre(op)) << name;
  }
}

TEST(Import, TakesTheConstantsOfFunctions) {
  ModelMaker maker({0, 6});
  maker.weight("low", {}, -1.0f);
  set(maker.node("Constant", {}, "high"), "value_float", 6.0f);
  maker.node("Clip", {"x", "low", "high"}, "a");
  set(maker.node("Selu", {"a"}, "b"), "gamma", 2.0f);
  set(maker.node("HardSigmoid", {"b"}, "c"), "alpha", 0.5f);
  set(maker.node("LeakyRelu", {"c"}, "d"), "alpha", 0.25f);
  maker.node("Min", {"high", "d"}, "y");
  const auto graph = import_onnx(maker.bytes(), "m.onnx").value().graph;
  EXPECT_THAT(operators_of(graph), ElementsAre(clip, selu, hard_sigmoid, leaky_relu, clip));
  const auto constants = [&](size_t n) {
    return std::pair(graph.nodes[n].attributes.alpha, graph.nodes[n].attributes.beta);
  };
  EXPECT_EQ(constants(0), std::pair(-1.0f, 6.0f));
  EXPECT_EQ(constants(1), std::pair(1.67326319217681884765625f, 2.0f));
  EXPECT_EQ(constants(2), std::pair(0.5f, 0.5f));
  EXPECT_EQ(constants(3), std::pair(0.25f, 0.0f));
  EXPECT_EQ(constants(4), std::pair(std::numeric_limits<float>::lowest(), 6.0f));
}

TEST(Import, ArithmeticWithConstants) {
  const std::vector<std::pair<std::string, std::vector<Operator>>> expected = {
      {"Add", {add_constant, add_constant}},
      {"Mul", {multiply_constant, multiply_constant}},
      {"Sub", {add_constant, neg, add_constant}},
      {"Div", {multiply_constant, reciprocal, multiply_constant}}};
  for (const auto& [name, operators] : expected) {
    ModelMaker maker({0, 6});
    set(maker.node("Constant", {}, "c"), "value_float", 4.0f);
    maker.node(name, {"x", "c"}, "h");
    maker.node(name, {"c", "h"}, "y");
    EXPECT_EQ(imported_operators(maker), operators) << name;
  }
}

TEST(Import, DifferencesQuotientsAndPowers) {
  const auto binary = [](const char* op) {
    ModelMaker maker({0, 6});
    maker.node("Relu", {"x"}, "h");
    maker.node(op, {"x", "h"}, "y");
    return maker;
  };
  EXPECT_THAT(imported_operators(binary("Sub")), ElementsAre(relu, neg, add));
  EXPECT_THAT(imported_operators(binary("Div")), ElementsAre(relu, reciprocal, multiply));
  ModelMaker weight({0, 6});
  weight.weight("w", {6});
  weight.node("Sub", {"x", "w"}, "y");
  EXPECT_THAT(imported_operators(weight), ElementsAre(neg, add, neg));
  const std::vector<std::pair<float, std::vector<Operator>>> powers = {{2.0f, {square}},
                                                                       {3.0f, {cube}},
                                                                       {0.5f, {Operator::sqrt}},
                                                                       {-1.0f, {reciprocal}},
                                                                       {-2.0f, {square, reciprocal}},
                                                                       {-0.5f, {Operator::sqrt, reciprocal}}};
  for (const auto& [exponent, operators] : powers) {
    ModelMaker maker({0, 6});
    set(maker.node("Constant", {}, "e"), "value_float", exponent);
    maker.node("Pow", {"x", "e"}, "y");
    EXPECT_EQ(imported_operators(maker), operators) << exponent;
  }
}

TEST(Import, ComposesPReluGeluMishAndSoftsign) {
  ModelMaker prelu({0, 3, 2, 2});
  prelu.weight("slope", {3, 1, 1});
  prelu.node("PRelu", {"x", "slope"}, "p");
  prelu.node("Flatten", {"p"}, "y");
  EXPECT_THAT(imported_operators(prelu), ElementsAre(relu, neg, relu, neg, multiply, add, flatten));
  ModelMaker gelu({0, 6}, 20);
  gelu.node("Gelu", {"x"}, "h");
  set(gelu.node("Gelu", {"h"}, "y"), "approximate", std::string("tanh"));
  EXPECT_THAT(
      imported_operators(gelu),
      ElementsAre(multiply_constant, erf, add_constant, multiply, multiply_constant, cube, multiply_constant,
                  add, multiply_constant, Operator::tanh, add_constant, multiply, multiply_constant));
  ModelMaker others({0, 6}, 18);
  others.node("Mish", {"x"}, "h");
  others.node("Softsign", {"h"}, "y");
  EXPECT_THAT(imported_operators(others), ElementsAre(softplus, Operator::tanh, multiply, Operator::abs,
                                                      add_constant, reciprocal, multiply));
}

TEST(Import, FoldsArithmeticOnSizes) {
  ModelMaker maker({0, 6, 4});
  maker.node("Shape", {"x"}, "shape");
  maker.integers("one", {1});
  maker.integers("two", {2});
  maker.node("Gather", {"shape", "one"}, "channels");
  maker.node("Div", {"channels", "two"}, "half");
  maker.node("Add", {"half", "one"}, "more");    // 4
  maker.node("Sub", {"more", "two"}, "less");    // 2
  maker.node("Mul", {"less", "more"}, "eight");  // 8
  maker.integers("batch", {0});
  maker.integers("rest", {-1});
  maker.node("Concat", {"batch", "eight", "rest"}, "target");
  maker.node("Reshape", {"x", "target"}, "h");
  maker.node("Flatten", {"h"}, "y");
  const auto graph = import_onnx(maker.bytes(), "m.onnx").value().graph;
  EXPECT_THAT(graph.nodes[0].attributes.shape, ElementsAre(0, 8, 3));
}

TEST(Import, JoinsCutsAndTurns) {
  ModelMaker maker({0, 4, 6, 6});
  set(maker.node("Transpose", {"x"}, "turned"), "perm", std::vector<int64_t>{0, 2, 3, 1});
  set(maker.node("Concat", {"turned", "turned"}, "joined"), "axis", int64_t{-1});
  auto& split = maker.node("Split", {"joined"}, "first");
  split.add_output("second");
  set(split, "axis", int64_t{3});
  maker.integers("starts", {1, -3});
  maker.integers("ends", {INT64_MAX, -1});
  maker.integers("axes", {1, 2});
  maker.node("Slice", {"second", "starts", "ends", "axes"}, "cut");
  maker.integers("two", {2});
  maker.node("Gather", {"cut", "two"}, "one").add_attribute()->CopyFrom([] {
    ::onnx::NodeProto node;
    set(node, "axis", int64_t{1});
    return node.attribute(0);
  }());
  maker.node("Flatten", {"one"}, "y");
  const auto imported = import_onnx(maker.bytes(), "m.onnx");
  ASSERT_TRUE(imported.ok()) << imported.error().message;
  const auto& nodes = imported->graph.nodes;
  EXPECT_THAT(operators_of(imported->graph),
              ElementsAre(transpose, concat, slice, slice, slice, slice, flatten));
  EXPECT_EQ(nodes[2].name, "make_first/1");
  EXPECT_EQ(imported->graph.shapes[nodes[2].outputs[0]], (model::Shape{1, 6, 6, 4}));
  EXPECT_EQ(imported->graph.shapes[nodes[4].outputs[0]], (model::Shape{1, 5, 2, 4}));
  EXPECT_EQ(imported->graph.shapes[nodes[5].outputs[0]], (model::Shape{1, 1, 2, 4}));
}

TEST(Import, ConcatsOfManyBecomeSeveral) {
  ModelMaker maker({0, 3});
  set(maker.node("Concat", std::vector<std::string>(17, "x"), "y"), "axis", int64_t{1});
  const auto graph = import_onnx(maker.bytes(), "m.onnx").value().graph;
  EXPECT_THAT(operators_of(graph), ElementsAre(concat, concat, concat));
  EXPECT_EQ(graph.shapes[graph.output], (model::Shape{1, 51}));
}

TEST(Import, PadIsANodeWhereNothingTakesItIn) {
  ModelMaker maker({0, 2, 3, 3});
  maker.integers("pads", {0, 0, 1, 2, 0, 0, 3, 4});
  maker.node("Pad", {"x", "pads"}, "p");
  maker.node("Relu", {"p"}, "r");
  maker.node("Flatten", {"r"}, "y");
  const auto graph = import_onnx(maker.bytes(), "m.onnx").value().graph;
  EXPECT_THAT(operators_of(graph), ElementsAre(pad, relu, flatten));
  EXPECT_THAT(graph.nodes[0].attributes.pads, ElementsAre(1, 2, 3, 4));
}

TEST(Import, ChangesAxesOfValuesAndWeights) {
  ModelMaker maker({0, 3, 4});
  maker.weight("w", {3});
  maker.integers("last", {-1});
  maker.integers("second", {1});
  maker.node("Unsqueeze", {"w", "last"}, "column");
  maker.node("Mul", {"x", "column"}, "m");
  maker.node("Unsqueeze", {"m", "second"}, "u");
  maker.node("Squeeze", {"u", "second"}, "s");
  maker.node("Flatten", {"s"}, "y");
  const auto graph = import_onnx(maker.bytes(), "m.onnx").value().graph;
  EXPECT_THAT(operators_of(graph), ElementsAre(multiply, reshape, reshape, flatten));
  EXPECT_EQ(graph.shapes[graph.parameters[0].value], (model::Shape{3, 1}));
}

TEST(Import, ReducesAnyAxesButTheBatch) {
  const std::vector<std::tuple<const char*, std::vector<int64_t>, std::vector<Operator>>> cases = {
      {"ReduceMean", {-1}, {reshape, global_average_pool, reshape}},
      {"ReduceMean", {1}, {transpose, reshape, global_average_pool, reshape}},
      {"ReduceSum", {2, 3}, {reshape, global_average_pool, multiply_constant, reshape}},
      {"ReduceMax", {2}, {transpose, reshape, max_pool, reshape}}};
  for (const auto& [name, axes, operators] : cases) {
    ModelMaker maker({0, 3, 4, 5}, 12);
    auto& node = maker.node(name, {"x"}, "r");
    set(node, "axes", axes);
    set(node, "keepdims", int64_t{0});
    maker.node("Flatten", {"r"}, "y");
    std::vector<Operator> expected = operators;
    expected.push_back(flatten);
    EXPECT_EQ(imported_operators(maker), expected) << name << axes[0];
  }
}

TEST(Import, SoftmaxInTheMiddleIsAnOperator) {
  ModelMaker maker({0, 2, 4});
  maker.node("Softmax", {"x"}, "last");
  set(maker.node("Softmax", {"last"}, "other"), "axis", int64_t{1});
  maker.node("Flatten", {"other"}, "f");
  maker.node("Softmax", {"f"}, "classes");
  maker.node("Exp", {"classes"}, "e");
  maker.node("Softmax", {"e"}, "y");
  EXPECT_THAT(imported_operators(maker),
              ElementsAre(softmax, transpose, softmax, transpose, flatten, softmax, Operator::exp));
}

TEST(Import, NormalizesRows) {
  ModelMaker maker({0, 6, 4}, 21);
  maker.weight("scale", {4});
  maker.weight("offset", {4});
  maker.weight("s", {6});
  maker.weight("o", {6});
  maker.node("LayerNormalization", {"x", "scale", "offset"}, "l");
  maker.node("InstanceNormalization", {"l", "s", "o"}, "i");
  set(maker.node("GroupNormalization", {"i", "s", "o"}, "g"), "num_groups", int64_t{2});
  auto* ones = maker.node("Constant", {}, "ones").add_attribute();
  ones->set_name("value");
  ones->set_type(::onnx::AttributeProto::TENSOR);
  ones->mutable_t()->set_data_type(::onnx::TensorProto::FLOAT);
  ones->mutable_t()->add_dims(4);
  for (int i = 0; i < 4; ++i) ones->mutable_t()->add_float_data(1);
  maker.node("LayerNormalization", {"g", "ones"}, "n");
  maker.node("Flatten", {"n"}, "y");
  const auto graph = import_onnx(maker.bytes(), "m.onnx").value().graph;
  EXPECT_THAT(operators_of(graph),
              ElementsAre(row_normalization, multiply, add, row_normalization, multiply, add, reshape,
                          row_normalization, reshape, multiply, add, row_normalization, flatten));
  EXPECT_EQ(graph.parameters.size(), 4u);
  EXPECT_EQ(graph.nodes[3].attributes.axis, 2);
}

TEST(Import, ProductsOfActivations) {
  ModelMaker maker({0, 3, 4});
  set(maker.node("Transpose", {"x"}, "t"), "perm", std::vector<int64_t>{0, 2, 1});
  maker.node("MatMul", {"x", "t"}, "p");
  maker.node("Flatten", {"p"}, "y");
  EXPECT_THAT(imported_operators(maker), ElementsAre(transpose, batch_matmul, flatten));
}

TEST(Import, FoldsConstantNumbersAndCasts) {
  ModelMaker maker({0, 6, 16});
  maker.node("Shape", {"x"}, "shape");
  maker.integers("two", {2});
  maker.node("Gather", {"shape", "two"}, "size");
  set(maker.node("Cast", {"size"}, "real"), "to", int64_t{::onnx::TensorProto::FLOAT});
  maker.node("Sqrt", {"real"}, "root");  // 4
  set(maker.node("Constant", {}, "half"), "value_float", 0.5f);
  maker.node("Pow", {"root", "half"}, "power");      // 2
  maker.node("Div", {"power", "root"}, "quotient");  // 0.5
  maker.node("Mul", {"x", "quotient"}, "m");
  maker.node("Flatten", {"m"}, "y");
  const auto graph = import_onnx(maker.bytes(), "m.onnx").value().graph;
  EXPECT_THAT(operators_of(graph), ElementsAre(multiply_constant, flatten));
  EXPECT_EQ(graph.nodes[0].attributes.alpha, 0.5f);
}

// What PyTorch makes of F.pad(x, (1, 0, 2, 3)).
TEST(Import, FoldsTheListOfPads) {
  ModelMaker maker({0, 2, 3, 3});
  maker.integers("given", {1, 0, 2, 3});
  maker.integers("four", {4});
  auto* zero = maker.node("ConstantOfShape", {"four"}, "zeros").add_attribute();
  zero->set_name("value");
  zero->set_type(::onnx::AttributeProto::TENSOR);
  zero->mutable_t()->set_data_type(::onnx::TensorProto::INT64);
  zero->mutable_t()->add_dims(1);
  zero->mutable_t()->add_int64_data(0);
  set(maker.node("Concat", {"given", "zeros"}, "all"), "axis", int64_t{0});
  maker.integers("pairs", {-1, 2});
  maker.node("Reshape", {"all", "pairs"}, "rows");
  maker.integers("last", {-1});
  maker.integers("first", {INT64_MIN + 1});
  maker.integers("axis", {0});
  maker.node("Slice", {"rows", "last", "first", "axis", "last"}, "reversed");
  set(maker.node("Transpose", {"reversed"}, "turned"), "perm", std::vector<int64_t>{1, 0});
  maker.node("Reshape", {"turned", "last"}, "list");
  maker.node("Pad", {"x", "list"}, "p");
  maker.node("Relu", {"p"}, "r");
  maker.node("Flatten", {"r"}, "y");
  const auto imported = import_onnx(maker.bytes(), "m.onnx");
  ASSERT_TRUE(imported.ok()) << imported.error().message;
  EXPECT_THAT(imported->graph.nodes[0].attributes.pads, ElementsAre(2, 1, 3, 0));
}

// -- Refusals: each names the node and what was expected ---------------------------------------------------

}  // namespace
}  // namespace cairn::onnx
