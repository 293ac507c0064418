// Layers with weights, element-wise operators and the final softmax.
#include <algorithm>

#include "exact/backend.h"
#include "onnx/convert.h"

namespace cairn::onnx {

using model::Operator;
using model::ValueId;

namespace {

// One kernel for each channel, and not so many zeros around the image that DepthwiseConv refuses them.
bool is_depthwise(const model::Shape& x, const model::Shape& weight, const model::Attributes& a) {
  constexpr int64_t kMost = exact::kMaxDepthwiseReach;
  if (a.groups == 1 || a.groups != x[1] || a.groups != weight[0] || a.dilations.size() != 2) return false;
  return std::ranges::all_of(a.pads, [](int64_t pad) { return pad <= kMost; }) &&
         (a.kernel[0] - 1) * a.dilations[0] <= kMost && (a.kernel[1] - 1) * a.dilations[1] <= kMost;
}

}  // namespace

Status convert_conv(NodeContext& c) {
  CAIRN_CHECK(c.expect_inputs(2, 3));
  CAIRN_TRY(const Activation x, c.padded_activation(0));
  CAIRN_TRY(const ValueId weight, c.parameter(1));
  std::vector<ValueId> inputs = {x.value, weight};
  if (c.has_input(2)) {
    CAIRN_TRY(const ValueId bias, c.parameter(2));
    inputs.push_back(bias);
  }
  const model::Shape& shape = c.shape(weight);
  if (shape.size() != 4) {
    return Error{"its weight has " + std::to_string(shape.size()) +
                 " dimensions; only 2-D convolutions (4) are supported"};
  }
  const std::vector<int64_t> kernel(shape.begin() + 2, shape.end());
  if (c.attributes.integers("kernel_shape", kernel) != kernel) {
    return Error{"kernel_shape differs from the weight's shape"};
  }
  model::Attributes attributes;
  CAIRN_CHECK(read_window(c, x, kernel, attributes));
  attributes.dilations = c.attributes.integers("dilations", {1, 1});
  attributes.groups = c.attributes.integer("group", 1);
  if (!is_depthwise(c.shape(x.value), shape, attributes)) {
    return c.add_output(Operator::conv, std::move(inputs), std::move(attributes));
  }
  attributes.groups = 1;
  return c.add_output(Operator::depthwise_conv, std::move(inputs), std::move(attributes));
}

namespace {

// x times the transpose of a weight is Gemm, x times a weight is MatMul: so each weight keeps the layout that
// it has in the file.
Result<ValueId> multiply_by_weight(NodeContext& c, ValueId x, Weight weight, const std::string& suffix) {
  const ValueId parameter = c.scope.builder.parameter(weight.index);
  return c.add(weight.transposed ? Operator::gemm : Operator::matmul, {x, parameter}, {}, suffix);
}

}  // namespace

Status convert_gemm(NodeContext& c) {
  CAIRN_CHECK(c.expect_inputs(2, 3));
  CAIRN_TRY(const Activation x, c.moved_activation(0));
  CAIRN_TRY(Weight weight, c.weight(1));
  if (file_rank(c, x) != 2) {
    return Error{"its input has " + std::to_string(file_rank(c, x)) + " dimensions; expected 2"};
  }
  if (is_batch_axis(x, 1)) return Error{"multiplies rows of which each is a batch; expected the batch first"};
  if (c.attributes.real("alpha", 1) != 1 || c.attributes.real("beta", 1) != 1) {
    return Error{"alpha and beta must be 1"};
  }
  if (c.attributes.integer("transA", 0) != 0) return Error{"transA must be 0"};
  if (c.attributes.integer("transB", 0) != 0) weight.transposed = !weight.transposed;
  Activation result = x;
  if (!c.has_input(2)) {
    CAIRN_TRY(result.value, multiply_by_weight(c, x.value, weight, ""));
    return c.output(result);
  }
  CAIRN_TRY(const ValueId bias, c.parameter(2));
  if (weight.transposed && c.shape(bias).size() == 1 && c.shape(x.value).size() == 2) {
    const ValueId parameter = c.scope.builder.parameter(weight.index);
    CAIRN_TRY(result.value, c.add(Operator::gemm, {x.value, parameter, bias}));
    return c.output(result);
  }
  CAIRN_TRY(result.value, multiply_by_weight(c, x.value, weight, "/product"));
  CAIRN_TRY(result.value, c.add(Operator::add, {result.value, bias}));
  return c.output(result);
}

Status convert_matmul(NodeContext& c) {
  CAIRN_CHECK(c.expect_inputs(2, 2));
  CAIRN_TRY(const Binding second, c.input(1));
  const Weight* weight = std::get_if<Weight>(&second);
  if (!weight || c.scope.builder.weight(weight->index).dims.size() != 2 || c.is_weight(0))
    return multiply_activations(c);
  CAIRN_TRY(Activation x, c.moved_activation(0));
  if (is_batch_axis(x, static_cast<int64_t>(file_rank(c, x)) - 1))
    return Error{"sums over the batch; expected the batch in another dimension"};
  CAIRN_TRY(x.value, multiply_by_weight(c, x.value, *weight, ""));
  return c.output(x);
}

// Training form (training_mode 1) and evaluation form are the same layer here: it is going to be trained.
Status convert_batch_normalization(NodeContext& c) {
  CAIRN_CHECK(c.expect_inputs(5, 5));
  CAIRN_TRY(const ValueId x, c.activation(0));
  CAIRN_TRY(const ValueId scale, c.parameter(1));
  CAIRN_TRY(const ValueId offset, c.parameter(2));
  CAIRN_TRY(const Weight mean, c.weight(3));
  CAIRN_TRY(const Weight variance, c.weight(4));
  for (const Weight& weight : {mean, variance}) {
    if (weight.transposed || c.scope.builder.weight(weight.index).dims != c.shape(scale)) {
      return Error{"running mean, running variance and scale must have the same shape"};
    }
  }
  c.attributes.ignore("momentum");
  c.attributes.ignore("training_mode");
  model::Attributes attributes;
  attributes.epsilon = c.attributes.real("epsilon", 1e-5f);
  CAIRN_CHECK(c.add_output(Operator::batch_normalization, {x, scale, offset}, std::move(attributes)));
  c.scope.builder.add_statistics(mean.index, variance.index);
  return {};
}

}  // namespace cairn::onnx
