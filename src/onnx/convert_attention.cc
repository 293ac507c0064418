// Softmax of any axis, normalization of rows with its scale and offset, products of activations.
#include <algorithm>

#include "onnx/convert.h"

namespace cairn::onnx {
namespace {

using model::Attributes;
using model::Operator;
using model::ValueId;

Attributes with_axis(int64_t axis) {
  Attributes attributes;
  attributes.axis = axis;
  return attributes;
}

// Exchanges two dimensions.
Attributes exchange(size_t rank, int64_t a, int64_t b) {
  Attributes attributes;
  for (size_t d = 0; d < rank; ++d) attributes.permutation.push_back(static_cast<int64_t>(d));
  std::swap(attributes.permutation[static_cast<size_t>(a)], attributes.permutation[static_cast<size_t>(b)]);
  return attributes;
}

Status softmax_of_axis(NodeContext& c, ValueId x, int64_t axis) {
  const size_t rank = c.shape(x).size();
  const auto last = static_cast<int64_t>(rank) - 1;
  if (axis == 0) return Error{"axis 0 must stay the batch"};
  if (axis == last) return c.add_output(Operator::softmax, {x}, with_axis(axis));
  if (c.scope.opset < 13) return Error{"must run over the last dimension before opset 13"};
  const Attributes order = exchange(rank, axis, last);
  CAIRN_TRY(const ValueId turned, c.add(Operator::transpose, {x}, order, "/turned"));
  CAIRN_TRY(const ValueId softmax, c.add(Operator::softmax, {turned}, with_axis(last), "/softmax"));
  return c.add_output(Operator::transpose, {softmax}, order);
}

// A scale (or offset) that is given and not the constant 1 (or 0) everywhere.
Result<bool> is_given(const NodeContext& c, int index, float neutral) {
  if (!c.has_input(index)) return false;
  CAIRN_TRY(const Binding binding, c.input(index));
  const Floats* floats = std::get_if<Floats>(&binding);
  return floats == nullptr || floats->uniform != neutral;
}

// The weight in the given shape, which has as many numbers.
Result<ValueId> shaped_parameter(NodeContext& c, int index, const model::Shape& shape) {
  CAIRN_TRY(const Weight weight, c.weight(index));
  const model::Shape dims = c.scope.builder.weight(weight.index).dims;
  if (weight.transposed || model::elements(dims) != model::elements(shape)) {
    return Error{"input " + quoted(c.node.input(index)) + " must hold " +
                 std::to_string(model::elements(shape)) + " values"};
  }
  CAIRN_CHECK(c.scope.builder.reshape_weight(weight.index, shape));
  return c.scope.builder.parameter(weight.index);
}

// Normalizes rows of x from `axis` on, in `grouped` shape where that is not empty; then scale and offset in
// their own shape.
Status normalize_rows(NodeContext& c, ValueId x, Attributes rows, const model::Shape& affine,
                      model::Shape grouped = {}) {
  const model::Shape shape = c.shape(x);
  CAIRN_TRY(const bool scaled, is_given(c, 1, 1));
  CAIRN_TRY(const bool shifted, is_given(c, 2, 0));
  rows.epsilon = c.attributes.real("epsilon", 1e-5f);
  const auto reshape = [&](ValueId value, model::Shape target, const char* suffix) {
    Attributes attributes;
    target[0] = 0;
    attributes.shape = std::move(target);
    return c.add(Operator::reshape, {value}, std::move(attributes), suffix);
  };
  if (!grouped.empty()) {
    CAIRN_TRY(x, reshape(x, grouped, "/groups"));
  }
  const bool alone = !scaled && !shifted && grouped.empty();
  CAIRN_TRY(x, c.add(Operator::row_normalization, {x}, std::move(rows), alone ? "" : "/normalized"));
  if (!grouped.empty()) {
    CAIRN_TRY(x, reshape(x, shape, "/joined"));
  }
  if (scaled) {
    CAIRN_TRY(const ValueId scale, shaped_parameter(c, 1, affine));
    CAIRN_TRY(x, c.add(Operator::multiply, {x, scale}, {}, shifted ? "/scaled" : ""));
  }
  if (shifted) {
    CAIRN_TRY(const ValueId offset, shaped_parameter(c, 2, affine));
    CAIRN_TRY(x, c.add(Operator::add, {x, offset}));
  }
  return c.output(Activation{x});
}

// [channels, 1, 1 …]: one value for each channel of an image.
model::Shape channel_shape(const model::Shape& x) {
  model::Shape shape(x.size() - 1, 1);
  shape[0] = x[1];
  return shape;
}

}  // namespace

// The loss is softmax with cross-entropy, so a softmax at the end belongs to it and the output is the logits.
// Whether it is the end shows when something else takes its output.
Status convert_softmax(NodeContext& c) {
  CAIRN_CHECK(c.expect_inputs(1, 1));
  CAIRN_TRY(const ValueId x, c.activation(0));
  const size_t rank = c.shape(x).size();
  const int64_t given = c.attributes.integer("axis", c.scope.opset < 13 ? 1 : -1);
  CAIRN_TRY(const int64_t axis, checked_axis(given, rank));
  const bool log = c.node.op_type() == "LogSoftmax";
  if (rank == 2 && axis == 1) {
    return c.output(Activation{.value = x, .softmax = log ? FinalSoftmax::log : FinalSoftmax::plain});
  }
  if (log) return Error{"must run over the classes (the second of two dimensions)"};
  return softmax_of_axis(c, x, axis);
}

Status convert_layer_normalization(NodeContext& c) {
  CAIRN_CHECK(c.expect_inputs(2, 3));
  CAIRN_TRY(const ValueId x, c.activation(0));
  const model::Shape shape = c.shape(x);
  CAIRN_TRY(const int64_t axis, checked_axis(c.attributes.integer("axis", -1), shape.size()));
  if (axis == 0) return Error{"axis 0 must stay the batch"};
  c.attributes.ignore("stash_type");
  return normalize_rows(c, x, with_axis(axis), {shape.begin() + axis, shape.end()});
}

Status convert_instance_normalization(NodeContext& c) {
  CAIRN_CHECK(c.expect_inputs(3, 3));
  CAIRN_TRY(const ValueId x, c.activation(0));
  if (c.shape(x).size() < 3) return Error{"its input must have 3 dimensions or more"};
  return normalize_rows(c, x, with_axis(2), channel_shape(c.shape(x)));
}

Status convert_group_normalization(NodeContext& c) {
  CAIRN_CHECK(c.expect_inputs(3, 3));
  CAIRN_TRY(const ValueId x, c.activation(0));
  const model::Shape shape = c.shape(x);
  const int64_t groups = c.attributes.integer("num_groups", 0);
  c.attributes.ignore("stash_type");
  if (c.scope.opset < 21) return Error{"has a scale for each group; export with opset 21, or 17 and below"};
  if (shape.size() < 2 || groups < 1 || shape[1] % groups != 0) {
    return Error{"num_groups must divide the channels"};
  }
  return normalize_rows(c, x, with_axis(2), channel_shape(shape),
                        {1, groups, model::elements(shape) / groups});
}

Status multiply_activations(NodeContext& c, ValueId first) {
  CAIRN_TRY(const ValueId second, c.activation(1));
  return c.add_output(Operator::batch_matmul, {first, second});
}

}  // namespace cairn::onnx
