// What the importer refuses, with the node's name and what was expected.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "onnx/import.h"
#include "onnx/testing.h"

namespace cairn::onnx {
namespace {

using ::testing::AllOf;
using testing::error_of;
using ::testing::HasSubstr;
using testing::ModelMaker;
using testing::set;

TEST(ImportRefuses, WhatIsNoModel) {
  EXPECT_THAT(import_onnx(as_bytes("no model"), "f").error().message, HasSubstr("f: "));
  EXPECT_THAT(import_onnx({}, "f").error().message, HasSubstr("has no graph"));
}

TEST(ImportRefuses, UnknownOperatorsAndDomains) {
  ModelMaker unknown({0, 6});
  unknown.node("Det", {"x"}, "y");
  EXPECT_THAT(error_of(unknown), AllOf(HasSubstr("m.onnx: node 'make_y' (Det): "),
                                       HasSubstr("not supported; supported are Abs, Add, ")));
  ModelMaker domain({0, 6});
  domain.node("Relu", {"x"}, "y").set_domain("com.example");
  EXPECT_THAT(error_of(domain), HasSubstr("node 'make_y' (Relu): belongs to the domain 'com.example'"));
}

TEST(ImportRefuses, OpsetsAndIrVersionsOutOfRange) {
  for (const int64_t opset : {10, 22}) {
    ModelMaker maker({0, 6}, opset);
    maker.node("Relu", {"x"}, "y");
    EXPECT_THAT(error_of(maker), HasSubstr("export with opset 11 to 21"));
  }
  ModelMaker ir({0, 6});
  ir.node("Relu", {"x"}, "y");
  EXPECT_EQ(error_of(ir), "no error");
  ir.proto().set_ir_version(99);
  EXPECT_THAT(error_of(ir), HasSubstr("IR version 99"));
}

TEST(ImportRefuses, ExternalData) {
  ModelMaker maker({0, 6});
  auto& weight = maker.weight("w", {5, 6});
  weight.set_data_location(::onnx::TensorProto::EXTERNAL);
  auto* entry = weight.add_external_data();
  entry->set_key("location");
  entry->set_value("../../etc/passwd");
  maker.node("MatMul", {"x", "w"}, "y");
  EXPECT_THAT(error_of(maker), HasSubstr("initializer 'w' keeps its data in another file"));
}

TEST(ImportRefuses, SubgraphsAndFunctions) {
  ModelMaker subgraph({0, 6});
  auto* attribute = subgraph.node("Relu", {"x"}, "y").add_attribute();
  attribute->set_name("body");
  attribute->set_type(::onnx::AttributeProto::GRAPH);
  attribute->mutable_g()->set_name("inner");
  EXPECT_THAT(error_of(subgraph), HasSubstr("attribute 'body' holds a subgraph"));
  ModelMaker function({0, 6});
  function.node("Relu", {"x"}, "y");
  function.proto().add_functions()->set_name("f");
  EXPECT_THAT(error_of(function), HasSubstr("defines functions"));
}

TEST(ImportRefuses, UseBeforeDefinitionAndCycles) {
  ModelMaker early({0, 6});
  early.node("Relu", {"h"}, "y");
  early.node("Relu", {"x"}, "h");
  EXPECT_THAT(error_of(early), HasSubstr("node 'make_y' (Relu): input 'h' is neither"));
  ModelMaker cycle({0, 6});
  cycle.node("Add", {"x", "y"}, "y");
  EXPECT_THAT(error_of(cycle), HasSubstr("input 'y' is neither"));
  ModelMaker twice({0, 6});
  twice.node("Relu", {"x"}, "y");
  twice.node("Relu", {"x"}, "y");
  EXPECT_THAT(error_of(twice), HasSubstr("two values are named 'y'"));
}

TEST(ImportRefuses, MissingAndWronglyTypedWeights) {
  ModelMaker missing({0, 6});
  missing.node("MatMul", {"x", "w"}, "y");
  EXPECT_THAT(error_of(missing), HasSubstr("input 'w' is neither"));
  ModelMaker activation({0, 6});
  activation.node("MatMul", {"x", "x"}, "y");
  EXPECT_THAT(
      error_of(activation),
      HasSubstr("(MatMul): multiplies matrices that hold the batch; expected it in a dimension before"));
  ModelMaker integers({0, 6});
  integers.integers("w", {1, 2});
  integers.node("Add", {"x", "w"}, "y");
  EXPECT_THAT(error_of(integers), HasSubstr("input 'w' is a constant of integers"));
  ModelMaker half({0, 6});
  half.weight("w", {5, 6}).set_data_type(::onnx::TensorProto::FLOAT16);
  half.node("MatMul", {"x", "w"}, "y");
  EXPECT_THAT(error_of(half), HasSubstr("32-bit floating-point weights"));
}

// A tensor with an infinity is a mask, and so no weight.
TEST(ImportRefuses, WeightsThatAreNotFinite) {
  ModelMaker nan({0, 6});
  nan.weight("w", {6, 5}, std::numeric_limits<float>::quiet_NaN());
  nan.node("MatMul", {"x", "w"}, "y");
  EXPECT_THAT(error_of(nan), HasSubstr("initializer 'w' holds a value that is no number (NaN)"));
  ModelMaker infinite({0, 1, 8, 8});
  infinite.weight("w", {2, 1, 3, 3}, std::numeric_limits<float>::infinity());
  infinite.node("Conv", {"x", "w"}, "y");
  EXPECT_THAT(error_of(infinite), HasSubstr("input 'w' is a constant that is no weight; expected a weight"));
}

TEST(ImportRefuses, DimensionsThatDoNotFit) {
  for (const auto& dims : std::vector<std::vector<int64_t>>{
           {6, -5}, {int64_t{1} << 62, 4}, {int64_t{1} << 40, 1}, {6, 6}, {1, 1, 1, 1, 1, 1, 1, 1, 30}}) {
    ModelMaker maker({0, 6});
    auto& weight = maker.weight("w", {6, 5});
    weight.clear_dims();
    for (const int64_t dim : dims) weight.add_dims(dim);
    maker.node("MatMul", {"x", "w"}, "y");
    EXPECT_THAT(error_of(maker), HasSubstr("initializer 'w' ")) << dims[0];
  }
}

TEST(ImportRefuses, IntegersThatAreNoShape) {
  ModelMaker maker({0, 6});
  maker.integers("many", std::vector<int64_t>(65, 1));
  maker.node("Reshape", {"x", "many"}, "y");
  EXPECT_THAT(error_of(maker), HasSubstr("(Reshape): input 'many' is a constant of integers"));
}

TEST(ImportRefuses, InputsOfUnknownSize) {
  ModelMaker maker({0, 0});
  maker.node("Relu", {"x"}, "y");
  EXPECT_THAT(error_of(maker), HasSubstr("input 'x': dimension 1 must have a fixed size"));
  ModelMaker huge({0, int64_t{1} << 62, 2, 2});
  huge.node("Relu", {"x"}, "y");
  EXPECT_THAT(error_of(huge), HasSubstr("input 'x' is too large"));
  ModelMaker two({0, 6});
  two.node("Relu", {"x"}, "y");
  *two.proto().mutable_graph()->add_input() = two.proto().graph().input(0);
  two.proto().mutable_graph()->mutable_input(1)->set_name("x2");
  EXPECT_THAT(error_of(two), HasSubstr("two inputs, 'x' and 'x2'"));
}

TEST(ImportRefuses, ShapesThatDoNotMatchNamingTheNodeOnce) {
  ModelMaker maker({0, 6});
  maker.weight("w", {5, 4});
  maker.node("MatMul", {"x", "w"}, "y");
  const std::string message = error_of(maker);
  EXPECT_TRUE(message.starts_with("m.onnx: node 'make_y' (MatMul): the activation has 6 columns")) << message;
}

TEST(ImportRefuses, AttributesItDoesNotKnowOrSupport) {
  ModelMaker unknown({0, 6});
  set(unknown.node("Relu", {"x"}, "y"), "slope", 0.5f);
  EXPECT_THAT(error_of(unknown), HasSubstr("attribute 'slope' is not supported"));
  ModelMaker type({0, 1, 8, 8});
  set(type.node("Flatten", {"x"}, "y"), "axis", 1.0f);
  EXPECT_THAT(error_of(type), HasSubstr("attribute 'axis' has the wrong type"));
  ModelMaker alpha({0, 6});
  alpha.weight("w", {6, 5});
  set(alpha.node("Gemm", {"x", "w"}, "y"), "alpha", 2.0f);
  EXPECT_THAT(error_of(alpha), HasSubstr("alpha and beta must be 1"));
  ModelMaker twice({0, 1, 8, 8});
  auto& node = twice.node("Flatten", {"x"}, "y");
  set(node, "axis", int64_t{1});
  set(node, "axis", int64_t{1});
  EXPECT_THAT(error_of(twice), HasSubstr("attribute 'axis' is given twice"));
}

TEST(ImportRefuses, FunctionsOfWhatIsNoActivationOrWithWrongConstants) {
  const auto of = [](const char* op, const std::vector<std::string>& inputs) {
    ModelMaker maker({0, 6});
    maker.weight("w", {6});
    maker.weight("seven", {}, 7.0f);
    set(maker.node("Constant", {}, "zero"), "value_float", 0.0f);
    maker.integers("sizes", {1, 2});
    maker.node(op, inputs, "y");
    return error_of(maker);
  };
  EXPECT_THAT(of("Sigmoid", {"w"}), HasSubstr("output 'y' is made by no node that depends on the input"));
  EXPECT_THAT(of("Sigmoid", {"x", "x"}), HasSubstr("has 2 inputs; expected 1"));
  EXPECT_THAT(of("Clip", {"x", "w"}), HasSubstr("(Clip): input 'w' must be one constant number"));
  EXPECT_THAT(of("Clip", {"x", "seven", "zero"}), HasSubstr("the lower bound is above the upper one"));
  EXPECT_THAT(of("Pow", {"x", "seven"}), HasSubstr("its exponent is 7.000000; expected 1, 2, 3"));
  EXPECT_THAT(of("Pow", {"x", "sizes"}), HasSubstr("its exponent must be one number"));
  EXPECT_THAT(of("Div", {"x", "zero"}), HasSubstr("divides by 0"));
  EXPECT_THAT(of("Max", {"zero", "zero"}),
              HasSubstr("(Max): has no input that depends on the model's input"));
  EXPECT_THAT(of("PRelu", {"x", "x"}), HasSubstr("expected a weight"));
  EXPECT_THAT(of("Add", {"x", "sizes"}), HasSubstr("input 'sizes' is a constant of integers"));
  EXPECT_THAT(of("Div", {"sizes", "x"}), HasSubstr("input 'sizes' is a constant of integers"));
  EXPECT_THAT(of("Greater", {"x", "zero"}),
              HasSubstr("(Greater): compares values computed from the model's"));
  EXPECT_THAT(of("Where", {"x", "x", "x"}), HasSubstr("input 'x' must be a constant condition"));
  ModelMaker gelu({0, 6}, 20);
  set(gelu.node("Gelu", {"x"}, "y"), "approximate", std::string("fast"));
  EXPECT_THAT(error_of(gelu), HasSubstr("approximate must be 'none' or 'tanh'"));
  ModelMaker alpha({0, 6});
  set(alpha.node("LeakyRelu", {"x"}, "y"), "alpha", std::numeric_limits<float>::infinity());
  EXPECT_THAT(error_of(alpha), HasSubstr("(LeakyRelu): alpha and beta: must be finite"));
}

TEST(ImportRefuses, LayoutsThatTouchTheBatchOrDoNotFit) {
  const auto of = [](const char* op, const std::vector<std::string>& inputs, const char* name = "axis",
                     const std::vector<int64_t>& values = {1}) {
    ModelMaker maker({0, 4, 6}, 12);
    maker.integers("0", {0});
    maker.integers("1", {1});
    maker.integers("9", {9});
    maker.weight("w", {4});
    auto& node = maker.node(op, inputs, "y");
    if (std::string(name) == "axis")
      set(node, name, values[0]);
    else
      set(node, name, values);
    return error_of(maker);
  };
  EXPECT_THAT(of("Concat", {"x", "x"}, "axis", {0}), HasSubstr("(Concat): axis 0 must stay the batch"));
  EXPECT_THAT(of("Concat", {"x", "x"}, "axis", {3}), HasSubstr("axis 3 is out of range for 3 dimensions"));
  EXPECT_THAT(of("Concat", {"x", "w"}), HasSubstr("the inputs must have the same shape but for the axis"));
  EXPECT_THAT(of("Split", {"x"}, "axis", {0}), HasSubstr("axis 0 must stay the batch"));
  EXPECT_THAT(of("Split", {"x"}, "split", {4}), HasSubstr("axis 0 must stay the batch"));
  EXPECT_THAT(of("Gather", {"x", "9"}), HasSubstr("its index is out of range"));
  EXPECT_THAT(of("Gather", {"x", "1"}, "axis", {0}), HasSubstr("axis 0 must stay the batch"));
  EXPECT_THAT(of("Transpose", {"x"}, "perm", {1, 0}), HasSubstr("perm must name each of 3 dimensions once"));
  EXPECT_THAT(of("Transpose", {"x"}, "perm", {1, 0, 1}), HasSubstr("perm must name each of 3 dimensions"));
  EXPECT_THAT(of("Squeeze", {"x"}, "axes", {1}), HasSubstr("axis 1 has the size 4; expected 1"));
  EXPECT_THAT(of("Squeeze", {"x"}, "axes", {0}), HasSubstr("axis 0 must stay the batch"));
  EXPECT_THAT(of("Unsqueeze", {"x"}, "axes", {1, 1}), HasSubstr("names an axis twice"));
  EXPECT_THAT(of("ReduceMean", {"x"}, "axes", {0, 1}), HasSubstr("axis 0 must stay the batch"));
  EXPECT_THAT(of("ReduceMean", {"x"}, "axes", {}), HasSubstr("reduces all axes; it must leave the batch"));
  EXPECT_THAT(of("ReduceMax", {"x"}, "axes", {5}), HasSubstr("axis 5 is out of range"));
  EXPECT_THAT(of("Softmax", {"x"}, "axis", {1}),
              HasSubstr("must run over the last dimension before opset 13"));
  EXPECT_THAT(of("LayerNormalization", {"x", "w"}), HasSubstr("input 'w' must hold 24 values"));
  EXPECT_THAT(of("LayerNormalization", {"x", "w"}, "axis", {0}), HasSubstr("axis 0 must stay the batch"));
  ModelMaker slice({0, 4, 6});
  slice.integers("0", {0});
  slice.integers("1", {1});
  slice.integers("2", {2});
  slice.node("Slice", {"x", "0", "1", "0"}, "y");
  EXPECT_THAT(error_of(slice), HasSubstr("axis 0 must stay the whole batch"));
  slice.proto().mutable_graph()->mutable_node(0)->set_input(3, "1");
  slice.proto().mutable_graph()->mutable_node(0)->add_input("2");
  EXPECT_EQ(error_of(slice), "no error");
  slice.proto().mutable_graph()->mutable_node(0)->set_input(4, "0");
  EXPECT_THAT(error_of(slice), HasSubstr("axis 1: its steps must be 1 or more"));
  slice.proto().mutable_graph()->mutable_node(0)->set_input(1, "2");
  slice.proto().mutable_graph()->mutable_node(0)->mutable_input()->RemoveLast();
  EXPECT_THAT(error_of(slice), HasSubstr("axis 1: leaves nothing"));
  ModelMaker shared({0, 4, 4});
  shared.weight("w", {4});
  shared.integers("1", {1});
  shared.node("Add", {"x", "w"}, "a");
  shared.node("Unsqueeze", {"w", "1"}, "u");
  shared.node("Add", {"a", "u"}, "y");
  EXPECT_THAT(error_of(shared), HasSubstr("weight 'w' is used in two shapes"));
  ModelMaker group({0, 4, 4}, 18);
  group.weight("w", {4});
  set(group.node("GroupNormalization", {"x", "w", "w"}, "y"), "num_groups", int64_t{2});
  EXPECT_THAT(error_of(group), HasSubstr("input 'w' must hold 2 values"));
}

TEST(ImportRefuses, ConstantsThatCannotBeFolded) {
  const auto of = [](const char* op, const std::vector<std::string>& inputs) {
    ModelMaker maker({0, 6});
    maker.integers("many", {64, 2});
    maker.integers("million", {1000000});
    maker.integers("billion", {1000000000});
    maker.integers("pairs", {-1, 2});
    maker.integers("odd", {-1, 3});
    set(maker.node("Constant", {}, "zero"), "value_float", 0.0f);
    set(maker.node("Constant", {}, "minus"), "value_float", -1.0f);
    set(maker.node("Constant", {}, "seven"), "value_float", 7.0f);
    maker.node("Reshape", {"many", "pairs"}, "rows");
    auto& node = maker.node(op, inputs, "y");
    if (std::string(op) == "Cast") set(node, "to", int64_t{::onnx::TensorProto::FLOAT});
    if (std::string(op) == "ConstantOfShape") {
      auto* value = node.add_attribute();
      value->set_name("value");
      value->set_type(::onnx::AttributeProto::TENSOR);
      value->mutable_t()->set_data_type(::onnx::TensorProto::INT64);
      value->mutable_t()->add_int64_data(0);
    }
    return error_of(maker);
  };
  EXPECT_THAT(of("Div", {"minus", "zero"}), HasSubstr("(Div): its result is not finite"));
  EXPECT_THAT(of("Sqrt", {"minus"}), HasSubstr("(Sqrt): its result is not finite"));
  EXPECT_THAT(of("Pow", {"minus", "seven"}), HasSubstr("(Pow): its exponent must be 1, 2, 3, 0.5"));
  EXPECT_THAT(of("ConstantOfShape", {"billion"}),
              HasSubstr("makes an empty constant or one of more than 2^22"));
  EXPECT_THAT(of("ConstantOfShape", {"odd"}), HasSubstr("makes an empty constant"));
  EXPECT_THAT(of("Range", {"zero", "many", "million"}), HasSubstr("must be constant integers"));
  EXPECT_THAT(of("Trilu", {"million"}), HasSubstr("its input must have 2 dimensions or more"));
  EXPECT_THAT(of("Reshape", {"many", "odd"}), HasSubstr("for lists of integers and their rows only"));
  EXPECT_THAT(of("Transpose", {"many"}), HasSubstr("is supported for rows of integers only"));
  EXPECT_THAT(of("Gather", {"rows", "million"}), HasSubstr("is a matrix of integers; expected a list"));
}

TEST(ImportRefuses, WindowsOutOfRange) {
  for (const auto& strides :
       std::vector<std::vector<int64_t>>{{0, 1}, {-1, 1}, {1}, {INT64_MAX, 1}, {1, 1, 1}}) {
    ModelMaker maker({0, 1, 8, 8});
    maker.weight("w", {2, 1, 3, 3});
    auto& node = maker.node("Conv", {"x", "w"}, "c");
    set(node, "auto_pad", std::string("SAME_UPPER"));
    set(node, "strides", strides);
    EXPECT_THAT(error_of(maker), HasSubstr("(Conv): strides must be two numbers"));
  }
}

TEST(ImportRefuses, DropoutOfEverythingAndLogSoftmaxInTheMiddle) {
  ModelMaker dropout({0, 6}, 11);
  set(dropout.node("Dropout", {"x"}, "d"), "ratio", 1.0f);
  dropout.node("Relu", {"d"}, "y");
  EXPECT_THAT(error_of(dropout), HasSubstr("its ratio is 1.000000; expected 0 to below 1"));
  ModelMaker softmax({0, 6});
  softmax.node("LogSoftmax", {"x"}, "s");
  softmax.node("Relu", {"s"}, "y");
  EXPECT_THAT(error_of(softmax), HasSubstr("as the last node only"));
}

TEST(ImportRefuses, TooManyNodes) {
  ModelMaker maker({0, 6});
  std::string last = "x";
  for (uint32_t i = 0; i <= model::kMaxNodes; ++i) {
    const std::string next = i == model::kMaxNodes ? "y" : std::to_string(i);
    maker.node("Relu", {last}, next);
    last = next;
  }
  EXPECT_THAT(error_of(maker), HasSubstr("has 32769 nodes; the limit is 32768"));
}

TEST(ImportRefuses, NamesWithControlCharactersNeverReachTheMessage) {
  ModelMaker maker({0, 6});
  maker.node("Relu\x1b[2J", {"x"}, "y");
  EXPECT_THAT(error_of(maker), HasSubstr("Relu?[2J"));
  ModelMaker node({0, 6});
  node.node("Relu", {"x"}, "y").set_name("\x1b[2J");
  EXPECT_EQ(error_of(node).find('\x1b'), std::string::npos);
  EXPECT_NE(error_of(node), "no error");
}

}  // namespace
}  // namespace cairn::onnx
