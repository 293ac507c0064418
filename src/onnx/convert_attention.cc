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

Result<ValueId> softmax_of_axis(NodeContext& c, ValueId x, int64_t axis) {
  const size_t rank = c.shape(x).size();
  const auto last = static_cast<int64_t>(rank) - 1;
  if (axis == last) return c.add(Operator::softmax, {x}, with_axis(axis));
  if (c.scope.opset < 13) return Error{"must run over the last dimension before opset 13"};
  const Attributes order = exchange(rank, axis, last);
  CAIRN_TRY(const ValueId turned, c.add(Operator::transpose, {x}, order, "/turned"));
  CAIRN_TRY(const ValueId softmax, c.add(Operator::softmax, {turned}, with_axis(last), "/softmax"));
  return c.add(Operator::transpose, {softmax}, order);
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
                      model::Shape grouped = {}, const BatchPlace& place = {}) {
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
  return c.output(Activation{.value = x, .batch = place});
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
  CAIRN_TRY(Activation x, c.moved_activation(0));
  const int64_t given = c.attributes.integer("axis", c.scope.opset < 13 ? 1 : -1);
  CAIRN_TRY(const size_t axis, canonical_axis(c, x, given));
  const size_t rank = c.shape(x.value).size();
  const bool log = c.node.op_type() == "LogSoftmax";
  const bool plain_logits = rank == 2 && x.batch == BatchPlace{};
  const bool last = axis + 1 == rank && !x.batch.absent;
  if (last && (plain_logits || (c.node.output_size() > 0 && c.node.output(0) == c.scope.output_name))) {
    x.softmax = log ? FinalSoftmax::log : FinalSoftmax::plain;
    return c.output(x);
  }
  if (log) return Error{"must be the last node, over the classes (the last dimension)"};
  CAIRN_TRY(x.value, softmax_of_axis(c, x.value, static_cast<int64_t>(axis)));
  return c.output(x);
}

// Whether the dimensions from a canonical one on are the file's last ones.
bool are_last(const NodeContext& c, const Activation& x, size_t axis) {
  return x.batch.absent || c.shape(x.value).size() - axis <= file_rank(c, x) - 1 - x.batch.axis;
}

Status convert_layer_normalization(NodeContext& c) {
  CAIRN_CHECK(c.expect_inputs(2, 3));
  CAIRN_TRY(const Activation x, c.moved_activation(0));
  const model::Shape shape = c.shape(x.value);
  CAIRN_TRY(const size_t axis, canonical_axis(c, x, c.attributes.integer("axis", -1)));
  if (!are_last(c, x, axis)) return Error{"its rows hold the batch"};
  c.attributes.ignore("stash_type");
  const auto first = static_cast<int64_t>(axis);
  return normalize_rows(c, x.value, with_axis(first), {shape.begin() + first, shape.end()}, {}, x.batch);
}

Status convert_instance_normalization(NodeContext& c) {
  CAIRN_CHECK(c.expect_inputs(3, 3));
  CAIRN_TRY(const ValueId x, c.activation(0));
  if (c.shape(x).size() < 3) return Error{"its input must have 3 dimensions or more"};
  return normalize_rows(c, x, with_axis(2), channel_shape(c.shape(x)));
}

// Until opset 20 scale and offset belong to the groups.
Status normalize_groups(NodeContext& c, ValueId x, const model::Shape& grouped) {
  Attributes target;
  target.shape = grouped;
  target.shape[0] = 0;
  const model::Shape shape = c.shape(x);
  CAIRN_TRY(x, c.add(Operator::reshape, {x}, target, "/groups"));
  Attributes rows = with_axis(2);
  rows.epsilon = c.attributes.real("epsilon", 1e-5f);
  CAIRN_TRY(x, c.add(Operator::row_normalization, {x}, rows, "/normalized"));
  CAIRN_TRY(const ValueId scale, shaped_parameter(c, 1, {grouped[1], 1}));
  CAIRN_TRY(x, c.add(Operator::multiply, {x, scale}, {}, "/scaled"));
  CAIRN_TRY(const ValueId offset, shaped_parameter(c, 2, {grouped[1], 1}));
  CAIRN_TRY(x, c.add(Operator::add, {x, offset}, {}, "/shifted"));
  target.shape = shape;
  target.shape[0] = 0;
  return c.add_output(Operator::reshape, {x}, std::move(target));
}

Status convert_group_normalization(NodeContext& c) {
  CAIRN_CHECK(c.expect_inputs(3, 3));
  CAIRN_TRY(const ValueId x, c.activation(0));
  const model::Shape shape = c.shape(x);
  const int64_t groups = c.attributes.integer("num_groups", 0);
  c.attributes.ignore("stash_type");
  if (shape.size() < 2 || groups < 1 || shape[1] % groups != 0) {
    return Error{"num_groups must divide the channels"};
  }
  const model::Shape grouped = {1, groups, model::elements(shape) / groups};
  if (c.scope.opset < 21) return normalize_groups(c, x, grouped);
  return normalize_rows(c, x, with_axis(2), channel_shape(shape), grouped);
}

namespace {

// A value of a product, with as many dimensions as the product has.
Result<ValueId> factor(NodeContext& c, const Activation& x, const Frame& frame, const std::string& suffix) {
  const auto rank = static_cast<int64_t>(frame.rank);
  if (is_batch_axis(x, rank - 1) || is_batch_axis(x, rank - 2))
    return Error{"multiplies matrices that hold the batch; expected it in a dimension before them"};
  return aligned(c, x, frame, suffix);
}

// All but the last two dimensions spread over each other.
Result<ValueId> with_batch_of(NodeContext& c, ValueId x, const model::Shape& other,
                              const std::string& suffix) {
  model::Shape shape = c.shape(x);
  for (size_t d = 1; d + 2 < shape.size(); ++d) {
    if (shape[d] != other[d] && shape[d] != 1 && other[d] != 1)
      return Error{"its matrices do not fit each other: " + std::to_string(shape[d]) + " and " +
                   std::to_string(other[d]) + " of them"};
    shape[d] = std::max(shape[d], other[d]);
  }
  if (shape == c.shape(x)) return x;
  Attributes target;
  target.shape = std::move(shape);
  target.shape[0] = 0;
  return c.add(Operator::expand, {x}, std::move(target), suffix);
}

Result<ValueId> reshaped(NodeContext& c, ValueId x, model::Shape shape, const std::string& suffix) {
  Attributes target;
  shape[0] = 0;
  target.shape = std::move(shape);
  return c.add(Operator::reshape, {x}, std::move(target), suffix);
}

// Rows of a value, wherever its batch is, times a matrix that was computed of a weight.
Status multiply_by_matrix(NodeContext& c, Activation x, ValueId matrix) {
  model::Shape shape = c.shape(x.value);
  const model::Shape rows = {0, model::elements(shape) / shape.back(), shape.back()};
  CAIRN_TRY(ValueId y, reshaped(c, x.value, rows, "/rows"));
  CAIRN_TRY(y, c.add(Operator::batch_matmul, {y, matrix}, {}, "/product"));
  shape.back() = c.shape(matrix).back();
  CAIRN_TRY(x.value, reshaped(c, y, std::move(shape), ""));
  return c.output(x);
}

}  // namespace

Status multiply_activations(NodeContext& c) {
  CAIRN_TRY(const Activation a, c.moved_activation(0));
  CAIRN_TRY(const Activation b, c.moved_activation(1));
  const bool has_rows = file_rank(c, a) > 1 && !is_batch_axis(a, static_cast<int64_t>(file_rank(c, a)) - 1);
  if (!a.batch.absent && b.batch.absent && file_rank(c, b) == 2 && has_rows)
    return multiply_by_matrix(c, a, b.value);
  CAIRN_TRY(const Frame frame, common_frame(c, {a, b}));
  if (frame.rank < 2 || file_rank(c, a) < 2 || file_rank(c, b) < 2)
    return Error{"multiplies vectors; expected matrices"};
  CAIRN_TRY(ValueId first, factor(c, a, frame, "/first"));
  CAIRN_TRY(ValueId second, factor(c, b, frame, "/second"));
  CAIRN_TRY(first, with_batch_of(c, first, c.shape(second), "/first_expanded"));
  CAIRN_TRY(second, with_batch_of(c, second, c.shape(first), "/second_expanded"));
  CAIRN_TRY(const ValueId product, c.add(Operator::batch_matmul, {first, second}));
  return c.output(Activation{.value = product, .batch = frame.batch});
}

namespace {

// Walks from a value to what it was made of.
class Trail {
 public:
  Trail(const GraphBuilder& builder, ValueId value) : builder_(builder), value_(value) {}

  // Steps to the first input of the node that makes the value, if it is `op`.
  const model::Node* step(Operator op) {
    const model::Node* node = builder_.maker(value_);
    if (!node || node->op != op) return nullptr;
    value_ = node->inputs[0];
    return node;
  }
  ValueId value() const { return value_; }

  // Steps through the mean over the last dimension, as convert_reduction() writes it.
  bool mean_of_last() {
    if (!step(Operator::reshape) || !step(Operator::global_average_pool)) return false;
    const model::Node* rows = builder_.maker(value_);
    if (!rows || rows->op != Operator::reshape) return false;
    const model::Shape& shape = builder_.shape(rows->inputs[0]);
    if (builder_.shape(value_)[2] != shape.back()) return false;
    return step(Operator::reshape) != nullptr;
  }

 private:
  const GraphBuilder& builder_;
  ValueId value_;
};

}  // namespace

// (x - mean(x)) / sqrt(mean((x - mean(x))^2) + epsilon), over the last dimension.
Result<bool> normalizes_rows(NodeContext& c) {
  if (!c.is_activation(0) || !c.is_activation(1)) return false;
  CAIRN_TRY(const Binding dividend, c.input(0));
  CAIRN_TRY(const Binding divisor, c.input(1));
  const auto& centered = std::get<Activation>(dividend);
  const GraphBuilder& builder = c.scope.builder;
  Trail deviation(builder, std::get<Activation>(divisor).value);
  if (!deviation.step(Operator::sqrt)) return false;
  const model::Node* raised = deviation.step(Operator::add_constant);
  if (!raised || !deviation.mean_of_last() || !deviation.step(Operator::square)) return false;
  if (deviation.value() != centered.value) return false;
  const model::Node* difference = builder.maker(centered.value);
  if (!difference || difference->op != Operator::add) return false;
  Trail mean(builder, difference->inputs[1]);
  if (!mean.step(Operator::neg) || !mean.mean_of_last() || mean.value() != difference->inputs[0])
    return false;
  const float epsilon = raised->attributes.alpha;
  const model::Shape& shape = c.shape(mean.value());
  if (!(epsilon > 0 && epsilon <= 1) || shape.size() < 2 || shape.back() < 2) return false;
  Attributes rows = with_axis(static_cast<int64_t>(shape.size()) - 1);
  rows.epsilon = epsilon;
  Activation result = centered;
  CAIRN_TRY(result.value, c.add(Operator::row_normalization, {mean.value()}, rows));
  CAIRN_CHECK(c.output(result));
  return true;
}

}  // namespace cairn::onnx
