// Batches that are elsewhere than first, embeddings, masks and other constants, broadcasting, active dropout.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "onnx/export.h"
#include "onnx/import.h"
#include "onnx/testing.h"

namespace cairn::onnx {
namespace {

using enum model::Operator;
using ::testing::Each;
using ::testing::ElementsAre;
using testing::error_of;
using ::testing::HasSubstr;
using testing::ModelMaker;
using testing::node_named;
using testing::operators_of;
using testing::set;

constexpr float kInfinity = std::numeric_limits<float>::infinity();

model::Graph imported(const ModelMaker& maker) {
  const auto result = import_onnx(maker.bytes(), "m.onnx");
  EXPECT_TRUE(result.ok()) << result.error().message;
  if (!result) return {};
  // What comes out again is the same model.
  const auto exported = export_onnx(result->graph, result->parameters, result->statistics);
  EXPECT_TRUE(exported.ok()) << exported.error().message;
  if (!exported) return result->graph;
  const auto again = import_onnx(*exported, "again");
  EXPECT_TRUE(again.ok()) << again.error().message;
  if (again) {
    EXPECT_EQ(operators_of(again->graph), operators_of(result->graph));
  }
  return result->graph;
}

void set_tokens(ModelMaker& maker) {
  auto* type = maker.proto().mutable_graph()->mutable_input(0)->mutable_type()->mutable_tensor_type();
  type->set_elem_type(::onnx::TensorProto::INT64);
}

void numbers(ModelMaker& maker, const std::string& name, const std::vector<int64_t>& dims,
             const std::vector<float>& values) {
  auto* attribute = maker.node("Constant", {}, name).add_attribute();
  attribute->set_name("value");
  attribute->set_type(::onnx::AttributeProto::TENSOR);
  attribute->mutable_t()->set_data_type(::onnx::TensorProto::FLOAT);
  for (const int64_t dim : dims) attribute->mutable_t()->add_dims(dim);
  for (const float value : values) attribute->mutable_t()->add_float_data(value);
}

// -- Where the batch is --

// As torch.nn.MultiheadAttention does: positions, then samples with heads, then features.
TEST(ImportPlace, HeadsMergedWithTheBatchSecond) {
  ModelMaker maker({0, 5, 12});
  maker.weight("w", {12, 12});
  maker.weight("b", {12});
  set(maker.node("Transpose", {"x"}, "first"), "perm", std::vector<int64_t>{1, 0, 2});
  maker.node("MatMul", {"first", "w"}, "product");
  maker.node("Add", {"b", "product"}, "biased");
  maker.node("Shape", {"biased"}, "shape");
  maker.integers("0", {0});
  maker.integers("1", {1});
  maker.integers("3", {3});
  maker.integers("4", {4});
  maker.node("Gather", {"shape", "0"}, "positions");
  maker.node("Gather", {"shape", "1"}, "samples");
  maker.node("Mul", {"samples", "3"}, "heads");
  set(maker.node("Concat", {"positions", "heads", "4"}, "target"), "axis", int64_t{0});
  maker.node("Reshape", {"biased", "target"}, "split");
  set(maker.node("Transpose", {"split"}, "rows"), "perm", std::vector<int64_t>{1, 0, 2});
  set(maker.node("Transpose", {"split"}, "columns"), "perm", std::vector<int64_t>{1, 2, 0});
  maker.node("MatMul", {"rows", "columns"}, "scores");
  set(maker.node("Softmax", {"scores"}, "weights"), "axis", int64_t{-1});
  maker.node("MatMul", {"weights", "rows"}, "mixed");
  set(maker.node("Transpose", {"mixed"}, "back"), "perm", std::vector<int64_t>{1, 0, 2});
  maker.integers("rows_target", {-1, 12});
  maker.node("Reshape", {"back", "rows_target"}, "flat");
  set(maker.node("Gemm", {"flat", "w", "b"}, "out"), "transB", int64_t{0});
  maker.node("Reshape", {"out", "shape"}, "again");
  set(maker.node("Transpose", {"again"}, "y"), "perm", std::vector<int64_t>{1, 0, 2});
  const model::Graph graph = imported(maker);
  EXPECT_THAT(operators_of(graph), ElementsAre(matmul, add, reshape, transpose, transpose, batch_matmul,
                                               softmax, batch_matmul, transpose, reshape, matmul, add));
  EXPECT_EQ(graph.shapes[node_named(graph, "make_scores").outputs[0]], (model::Shape{1, 3, 5, 5}));
  EXPECT_EQ(graph.shapes[graph.output], (model::Shape{1, 5, 12}));
}

// qkv.reshape(b, t, 3, h, d).permute(2, 0, 3, 1, 4), then one of the three.
TEST(ImportPlace, TheBatchSecondBehindQueriesKeysAndValues) {
  ModelMaker maker({0, 5, 12});
  maker.integers("target", {-1, 5, 3, 2, 2});
  maker.integers("1", {1}).clear_dims();
  maker.node("Reshape", {"x", "target"}, "split");
  set(maker.node("Transpose", {"split"}, "turned"), "perm", std::vector<int64_t>{2, 0, 3, 1, 4});
  set(maker.node("Gather", {"turned", "1"}, "keys"), "axis", int64_t{0});
  maker.integers("back", {-1, 10, 2});
  maker.node("Reshape", {"keys", "back"}, "y");
  const model::Graph graph = imported(maker);
  EXPECT_THAT(operators_of(graph), ElementsAre(reshape, transpose, slice, reshape, reshape));
  EXPECT_THAT(graph.nodes[1].attributes.permutation, ElementsAre(0, 2, 3, 1, 4));
  EXPECT_EQ(graph.nodes[2].attributes.start, 1);
}

TEST(ImportPlace, AFixedBatchIsFoundAmongNumbers) {
  ModelMaker maker({2, 5, 12});
  maker.integers("merged", {5, 8, 3});
  set(maker.node("Transpose", {"x"}, "turned"), "perm", std::vector<int64_t>{1, 0, 2});
  maker.node("Reshape", {"turned", "merged"}, "heads");
  set(maker.node("Transpose", {"heads"}, "rows"), "perm", std::vector<int64_t>{1, 0, 2});
  maker.integers("back", {2, 4, 15});
  maker.node("Reshape", {"rows", "back"}, "y");
  const model::Graph graph = imported(maker);
  EXPECT_EQ(graph.shapes[graph.output], (model::Shape{1, 4, 15}));
  EXPECT_THAT(graph.nodes[0].attributes.shape, ElementsAre(0, 5, 4, 3));
}

TEST(ImportPlace, RefusesWhatMixesOrNeedsTheBatchFirst) {
  const auto of = [](const std::vector<int64_t>& target, const char* op,
                     const std::vector<std::string>& inputs) {
    ModelMaker maker({0, 4, 6, 6});
    maker.weight("w", {4, 4, 3, 3});
    maker.integers("target", target);
    set(maker.node("Transpose", {"x"}, "t"), "perm", std::vector<int64_t>{1, 0, 2, 3});
    maker.node("Reshape", {"t", "target"}, "r");
    maker.node(op, inputs, "y");
    return error_of(maker);
  };
  EXPECT_THAT(of({-1, 24}, "Relu", {"r"}),
              HasSubstr("(Reshape): its target [6*batch, 24] does not keep the batch"));
  EXPECT_THAT(
      of({-1, 6}, "Conv", {"t", "w"}),
      HasSubstr("input 't' has the batch in dimension 1 with 1 values a sample; expected the batch alone"));
  EXPECT_THAT(of({-1, 6}, "Add", {"x", "t"}),
              HasSubstr("its operands have their batches at different places"));
  EXPECT_THAT(of({-1, 6}, "MatMul", {"r", "r"}), HasSubstr("multiplies matrices that hold the batch"));
}

// -- Embeddings --

ModelMaker language_model() {
  ModelMaker maker({0, 3});
  set_tokens(maker);
  maker.weight("table", {7, 4});
  maker.weight("places", {3, 4});
  return maker;
}

TEST(ImportEmbedding, RowsForTokensAndATiedHead) {
  ModelMaker maker = language_model();
  maker.integers("0", {0}).clear_dims();
  maker.integers("1", {1}).clear_dims();
  maker.node("Shape", {"x"}, "shape");
  maker.node("Gather", {"shape", "1"}, "length");
  maker.node("Range", {"0", "length", "1"}, "range");
  maker.node("Gather", {"table", "x"}, "rows");
  maker.node("Gather", {"places", "range"}, "where");
  maker.node("Add", {"rows", "where"}, "sum");
  set(maker.node("Transpose", {"table"}, "turned"), "perm", std::vector<int64_t>{1, 0});
  maker.node("MatMul", {"sum", "turned"}, "y");
  const model::Graph graph = imported(maker);
  EXPECT_THAT(operators_of(graph), ElementsAre(embedding, add, gemm));
  EXPECT_EQ(graph.parameters.size(), 2u);
  EXPECT_EQ(graph.shapes[graph.output], (model::Shape{1, 3, 7}));
  EXPECT_EQ(model::token_limit(graph), 7);
}

TEST(ImportEmbedding, SomeRowsOfPlacesAndPartOfTheTokens) {
  ModelMaker maker = language_model();
  maker.weight("more", {5, 4});
  maker.integers("from", {1});
  maker.integers("to", {3});
  maker.integers("rows", {2, 3});
  maker.node("Slice", {"x", "from", "to", "from"}, "part");
  maker.node("Gather", {"table", "part"}, "chosen");
  maker.node("Gather", {"more", "rows"}, "where");
  maker.node("Add", {"chosen", "where"}, "y");
  EXPECT_THAT(operators_of(imported(maker)), ElementsAre(slice, embedding, expand, slice, add));
}

// torch.arange(t).unsqueeze(0), with fewer positions than the table has.
TEST(ImportEmbedding, PlacesInAMatrixOfIndices) {
  ModelMaker maker = language_model();
  maker.weight("more", {5, 4});
  for (const int64_t number : {0, 1, 3}) maker.integers(std::to_string(number), {number}).clear_dims();
  maker.integers("axis", {0});
  maker.node("Range", {"0", "3", "1"}, "range");
  maker.node("Unsqueeze", {"range", "axis"}, "indices");
  maker.node("Gather", {"more", "indices"}, "where");
  maker.node("Gather", {"table", "x"}, "rows");
  maker.node("Add", {"rows", "where"}, "y");
  const model::Graph graph = imported(maker);
  EXPECT_THAT(operators_of(graph), ElementsAre(expand, slice, reshape, embedding, reshape, add));
}

TEST(ImportEmbedding, RefusesTokensAsNumbersAndNumbersAsTokens) {
  ModelMaker sum = language_model();
  sum.node("Add", {"x", "x"}, "y");
  EXPECT_THAT(error_of(sum),
              HasSubstr("(Add): input 'x' holds whole numbers; expected floating-point numbers"));
  ModelMaker floats({0, 3});
  floats.weight("table", {7, 4});
  floats.node("Gather", {"table", "x"}, "y");
  EXPECT_THAT(error_of(floats), HasSubstr("input 'x' must be a constant index or several of them"));
  ModelMaker cube = language_model();
  cube.weight("cube", {7, 4, 2});
  cube.node("Gather", {"cube", "x"}, "y");
  EXPECT_THAT(error_of(cube), HasSubstr("(Embedding): the table must have 2 dimensions"));
}

// -- Masks --

TEST(ImportMask, MaskedFillWithInfinityIsAProductAndASum) {
  ModelMaker maker({0, 2, 2});
  maker.weight("tril", {1, 2, 2}).set_float_data(1, 0.0f);
  for (int i : {0, 2, 3}) maker.proto().mutable_graph()->mutable_initializer(0)->set_float_data(i, 1.0f);
  numbers(maker, "zero", {}, {0.0f});
  numbers(maker, "low", {}, {-kInfinity});
  maker.node("Equal", {"tril", "zero"}, "hidden");
  maker.node("Where", {"hidden", "low", "x"}, "y");
  const model::Graph graph = imported(maker);
  EXPECT_THAT(operators_of(graph), ElementsAre(constant, multiply, constant, add));
  EXPECT_THAT(graph.nodes[0].attributes.values, ElementsAre(1, 0, 1, 1));
  EXPECT_THAT(graph.nodes[2].attributes.values, ElementsAre(0, -0x1p+120f, 0, 0));
  EXPECT_TRUE(graph.parameters.empty());
}

TEST(ImportMask, TrianglesAndBuffersWithInfinitiesAreAdded) {
  for (const bool stored : {false, true}) {
    ModelMaker maker({0, 2, 2});
    if (stored) {
      maker.weight("mask", {2, 2}, 0.0f).set_float_data(1, -kInfinity);
    } else {
      numbers(maker, "full", {2, 2}, std::vector<float>(4, -kInfinity));
      maker.integers("1", {1}).clear_dims();
      set(maker.node("Trilu", {"full", "1"}, "mask"), "upper", int64_t{1});
    }
    maker.node("Add", {"x", "mask"}, "y");
    const model::Graph graph = imported(maker);
    ASSERT_THAT(operators_of(graph), ElementsAre(constant, add)) << stored;
    EXPECT_THAT(graph.nodes[0].attributes.values, ElementsAre(0, -0x1p+120f, 0, 0));
  }
}

TEST(ImportMask, TheSameNumbersAreOneConstant) {
  ModelMaker maker({0, 2, 2});
  numbers(maker, "a", {2, 2}, {0, 1, 0, 0});
  numbers(maker, "b", {2, 2}, {0, 1, 0, 0});
  maker.node("Add", {"x", "a"}, "sum");
  maker.node("Mul", {"sum", "b"}, "y");
  EXPECT_THAT(operators_of(imported(maker)), ElementsAre(constant, add, multiply));
}

TEST(ImportMask, ChoosesBetweenComputedValues) {
  ModelMaker maker({0, 2, 2});
  numbers(maker, "zero", {}, {0.0f});
  numbers(maker, "kind", {2}, {1.0f, -1.0f});
  maker.node("Greater", {"kind", "zero"}, "positive");
  maker.node("Neg", {"x"}, "negative");
  maker.node("Where", {"positive", "x", "negative"}, "y");
  const model::Graph graph = imported(maker);
  EXPECT_THAT(operators_of(graph), ElementsAre(neg, constant, multiply, constant, multiply, add));
  EXPECT_THAT(graph.nodes[1].attributes.values, ElementsAre(1, 0));
  EXPECT_THAT(graph.nodes[3].attributes.values, ElementsAre(0, 1));
}

TEST(ImportMask, ArithmeticOfConstants) {
  ModelMaker maker({0, 2, 3});
  numbers(maker, "a", {2, 1}, {1.0f, 2.0f});
  numbers(maker, "b", {3}, {10.0f, 20.0f, 30.0f});
  maker.node("Mul", {"a", "b"}, "table");
  maker.node("Transpose", {"table"}, "turned");
  maker.integers("row", {1}).clear_dims();
  set(maker.node("Gather", {"turned", "row"}, "column"), "axis", int64_t{0});
  maker.integers("last", {1});
  maker.node("Unsqueeze", {"column", "last"}, "tall");
  maker.node("Sub", {"x", "tall"}, "y");
  const model::Graph graph = imported(maker);
  EXPECT_THAT(graph.nodes[0].attributes.values, ElementsAre(-20, -40));
  EXPECT_THAT(graph.nodes[0].attributes.shape, ElementsAre(2, 1));
}

TEST(ImportMask, RefusesConstantsThatGrowWithoutEnd) {
  ModelMaker maker({0, 2});
  maker.integers("size", {2048, 2048});
  for (int i = 0; i < 40; ++i) {
    const std::string name = "c" + std::to_string(i);
    maker.node("ConstantOfShape", {"size"}, name);
  }
  maker.node("Relu", {"x"}, "y");
  for (int i = 0; i < 40; ++i) maker.node("Add", {"y", "c" + std::to_string(i)}, "z" + std::to_string(i));
  EXPECT_THAT(error_of(maker),
              HasSubstr("(ConstantOfShape): computes constants of too many numbers (4194304)"));
}

// -- Broadcasting, and what else was a gap --

TEST(ImportSpread, OperandsThatOneRunCannotJoinAreExpanded) {
  ModelMaker maker({0, 3, 4});
  maker.integers("1", {1});
  set(maker.node("ReduceMean", {"x"}, "a"), "axes", std::vector<int64_t>{1});
  set(maker.node("ReduceMean", {"x"}, "b"), "axes", std::vector<int64_t>{2});
  maker.node("Mul", {"a", "b"}, "c");
  maker.node("Add", {"x", "a"}, "d");
  maker.node("Add", {"c", "d"}, "y");
  const model::Graph graph = imported(maker);
  EXPECT_EQ(std::ranges::count(operators_of(graph), expand), 2);
  EXPECT_EQ(graph.shapes[graph.output], (model::Shape{1, 3, 4}));
}

TEST(ImportSpread, MatricesSpreadOverHeads) {
  ModelMaker maker({0, 2, 3, 3});
  maker.integers("1", {1});
  set(maker.node("ReduceMean", {"x"}, "one"), "axes", std::vector<int64_t>{1});
  maker.weight("w", {2, 3, 5});
  maker.node("MatMul", {"x", "one"}, "a");
  maker.node("MatMul", {"a", "w"}, "b");
  maker.integers("rows", {0, -1, 5});
  maker.node("Reshape", {"b", "rows"}, "y");
  const model::Graph graph = imported(maker);
  EXPECT_EQ(std::ranges::count(operators_of(graph), batch_matmul), 2);
  EXPECT_EQ(std::ranges::count(operators_of(graph), expand), 2);
}

// The projections of an attention whose queries and keys differ: slices of one weight.
TEST(ImportSpread, RowsTimesAPartOfAWeight) {
  ModelMaker maker({0, 3, 4});
  maker.weight("w", {8, 4});
  maker.integers("0", {0});
  maker.integers("4", {4});
  maker.node("Slice", {"w", "0", "4", "0"}, "part");
  set(maker.node("Transpose", {"part"}, "turned"), "perm", std::vector<int64_t>{1, 0});
  set(maker.node("Transpose", {"x"}, "first"), "perm", std::vector<int64_t>{1, 0, 2});
  maker.node("MatMul", {"first", "turned"}, "product");
  set(maker.node("Transpose", {"product"}, "y"), "perm", std::vector<int64_t>{1, 0, 2});
  const model::Graph graph = imported(maker);
  EXPECT_THAT(operators_of(graph), ElementsAre(expand, slice, transpose, reshape, batch_matmul, reshape));
  EXPECT_EQ(graph.shapes[graph.output], (model::Shape{1, 3, 4}));
}

TEST(ImportSpread, AClassTokenIsExpandedOverTheBatch) {
  for (const int64_t batch : {int64_t{0}, int64_t{2}}) {
    ModelMaker maker({batch, 3, 4});
    maker.weight("token", {1, 1, 4});
    maker.integers("target", {batch == 0 ? 1 : 2, 1, 4});
    maker.integers("0", {0});
    maker.integers("1", {1});
    std::string target = "target";
    if (batch == 0) {
      maker.integers("rest", {1, 4});
      maker.node("Shape", {"x"}, "shape");
      maker.node("Gather", {"shape", "0"}, "size");
      set(maker.node("Concat", {"size", "rest"}, "sizes"), "axis", int64_t{0});
      target = "sizes";
    }
    maker.node("Expand", {"token", target}, "tokens");
    set(maker.node("Concat", {"tokens", "x"}, "y"), "axis", int64_t{1});
    EXPECT_THAT(operators_of(imported(maker)).back(), concat) << batch;
  }
}

TEST(ImportSpread, LargerAndSmallerOfValuesAndNumbers) {
  ModelMaker maker({0, 6});
  numbers(maker, "low", {}, {-1.0f});
  maker.node("Neg", {"x"}, "n");
  maker.node("Max", {"x", "n", "low"}, "a");
  maker.node("Min", {"a", "x"}, "y");
  EXPECT_THAT(operators_of(imported(maker)), ElementsAre(neg, maximum, clip, minimum));
}

TEST(ImportSpread, DecomposedLayerNormalizationIsOneOperator) {
  ModelMaker maker({0, 3, 6});
  numbers(maker, "two", {}, {2.0f});
  numbers(maker, "epsilon", {}, {1e-6f});
  maker.weight("scale", {6});
  set(maker.node("ReduceMean", {"x"}, "mean"), "axes", std::vector<int64_t>{-1});
  maker.node("Sub", {"x", "mean"}, "centered");
  maker.node("Pow", {"centered", "two"}, "squares");
  set(maker.node("ReduceMean", {"squares"}, "variance"), "axes", std::vector<int64_t>{-1});
  maker.node("Add", {"variance", "epsilon"}, "raised");
  maker.node("Sqrt", {"raised"}, "deviation");
  maker.node("Div", {"centered", "deviation"}, "normal");
  maker.node("Mul", {"normal", "scale"}, "y");
  const model::Graph graph = imported(maker);
  EXPECT_THAT(operators_of(graph), ElementsAre(row_normalization, multiply));
  EXPECT_EQ(graph.nodes[0].attributes.epsilon, 1e-6f);
  EXPECT_EQ(graph.nodes[0].attributes.axis, 2);
}

TEST(ImportSpread, EveryOtherElement) {
  ModelMaker maker({0, 5, 6});
  maker.integers("0", {0, 1});
  maker.integers("end", {INT32_MAX, INT32_MAX});
  maker.integers("axes", {1, 2});
  maker.integers("steps", {2, 3});
  maker.node("Slice", {"x", "0", "end", "axes", "steps"}, "y");
  const model::Graph graph = imported(maker);
  EXPECT_EQ(graph.shapes[graph.output], (model::Shape{1, 3, 2}));
}

TEST(ImportSpread, ActiveDropoutIsAnOperator) {
  for (const int64_t opset : {11, 13}) {
    ModelMaker maker({0, 6}, opset);
    numbers(maker, "ratio", {}, {0.25f});
    maker.integers("yes", {1});
    auto& node = maker.node(
        "Dropout",
        opset == 11 ? std::vector<std::string>{"x"} : std::vector<std::string>{"x", "ratio", "yes"}, "y");
    if (opset == 11) set(node, "ratio", 0.25f);
    const model::Graph graph = imported(maker);
    ASSERT_THAT(operators_of(graph), ElementsAre(dropout)) << opset;
    EXPECT_EQ(graph.nodes[0].attributes.alpha, 0.25f);
  }
}

TEST(ImportSpread, GroupNormalizationBeforeOpset21ScalesGroups) {
  ModelMaker maker({0, 4, 4}, 18);
  maker.weight("w", {2});
  set(maker.node("GroupNormalization", {"x", "w", "w"}, "y"), "num_groups", int64_t{2});
  EXPECT_THAT(operators_of(imported(maker)), ElementsAre(reshape, row_normalization, multiply, add, reshape));
}

TEST(ImportSpread, TheSmallestIsTheNegativeOfTheLargestNegative) {
  ModelMaker maker({0, 3, 4});
  auto& node = maker.node("ReduceMin", {"x"}, "y");
  set(node, "axes", std::vector<int64_t>{1});
  set(node, "keepdims", int64_t{0});
  EXPECT_THAT(operators_of(imported(maker)), ElementsAre(neg, transpose, reshape, max_pool, reshape, neg));
}

TEST(ImportSpread, CeilModeCountsPaddingButNothingBeyond) {
  ModelMaker maker({0, 1, 4, 3});
  auto& node = maker.node("AveragePool", {"x"}, "pool");
  set(node, "kernel_shape", std::vector<int64_t>{3, 2});
  set(node, "strides", std::vector<int64_t>{2, 2});
  set(node, "pads", std::vector<int64_t>{1, 1, 1, 1});
  set(node, "ceil_mode", int64_t{1});
  set(node, "count_include_pad", int64_t{1});
  maker.node("Flatten", {"pool"}, "y");
  const model::Graph graph = imported(maker);
  EXPECT_THAT(operators_of(graph), ElementsAre(pad, average_pool, slice, flatten));
  // Along the width the third window would begin in the padding.
  EXPECT_EQ(graph.shapes[graph.nodes[2].outputs[0]], (model::Shape{1, 1, 3, 2}));
}

TEST(ImportSpread, OfSeveralOutputsTheFirstCounts) {
  ModelMaker maker({0, 6});
  maker.weight("w", {6, 4});
  maker.weight("auxiliary", {6, 4});
  maker.node("MatMul", {"x", "auxiliary"}, "second");
  maker.node("MatMul", {"x", "w"}, "y");
  maker.proto().mutable_graph()->add_output()->set_name("second");
  const model::Graph graph = imported(maker);
  EXPECT_THAT(operators_of(graph), ElementsAre(matmul));
  EXPECT_EQ(graph.parameters.size(), 1u);
}

}  // namespace
}  // namespace cairn::onnx
