// What joins, cuts, turns and reduces values, and Squeeze and Unsqueeze of values and weights.
#include <algorithm>

#include "onnx/convert.h"

namespace cairn::onnx {
namespace {

using model::Attributes;
using model::Operator;
using model::ValueId;

constexpr size_t kMostParts = 8;  // inputs of one Concat

std::string numbered(size_t i) {
  std::string suffix = "/";
  return suffix.append(std::to_string(i));
}

Attributes with_axis(int64_t axis) {
  Attributes attributes;
  attributes.axis = axis;
  return attributes;
}

Attributes with_range(int64_t axis, int64_t start, int64_t length) {
  Attributes attributes = with_axis(axis);
  attributes.start = start;
  attributes.length = length;
  return attributes;
}

Attributes with_shape(model::Shape shape) {
  Attributes attributes;
  shape[0] = 0;
  attributes.shape = std::move(shape);
  return attributes;
}

std::vector<int64_t> range(const std::vector<int64_t>& values, int64_t first) {
  std::vector<int64_t> result(values.size());
  for (size_t i = 0; i < result.size(); ++i) result[i] = first + static_cast<int64_t>(i);
  return result;
}

// Sorted, from 0 on, each once.
Result<std::vector<int64_t>> checked_axes(std::vector<int64_t> axes, size_t rank) {
  for (int64_t& axis : axes) {
    CAIRN_TRY(axis, checked_axis(axis, rank));
  }
  std::ranges::sort(axes);
  if (std::ranges::adjacent_find(axes) != axes.end()) return Error{"names an axis twice"};
  return axes;
}

// An attribute in older opsets, an input in newer ones.
Result<std::vector<int64_t>> read_axes(NodeContext& c) {
  if (c.has_input(1)) return c.known_integers(1);
  return c.attributes.integers("axes", {});
}

Result<model::Shape> without_axes(const model::Shape& shape, std::vector<int64_t> axes) {
  for (size_t d = 0; axes.empty() && d < shape.size(); ++d) {
    if (d > 0 && shape[d] == 1) axes.push_back(static_cast<int64_t>(d));
  }
  model::Shape result;
  for (size_t d = 0; d < shape.size(); ++d) {
    if (!std::ranges::binary_search(axes, static_cast<int64_t>(d))) {
      result.push_back(shape[d]);
    } else if (shape[d] != 1) {
      return Error{"axis " + std::to_string(d) + " has the size " + std::to_string(shape[d]) +
                   "; expected 1"};
    }
  }
  return result;
}

model::Shape with_axes(const model::Shape& shape, const std::vector<int64_t>& axes) {
  model::Shape result = shape;
  for (int64_t axis : axes) result.insert(result.begin() + axis, 1);
  return result;
}

Status change_axes(NodeContext& c, bool insert) {
  CAIRN_CHECK(c.expect_inputs(1, 2));
  CAIRN_TRY(const Binding data, c.input(0));
  const Weight* weight = std::get_if<Weight>(&data);
  if (weight && weight->transposed)
    return Error{"input " + quoted(c.node.input(0)) + " is a transposed weight"};
  ValueId x = 0;
  if (!weight) {
    CAIRN_TRY(x, c.activation(0));
  }
  const model::Shape shape = weight ? c.scope.builder.weight(weight->index).dims : c.shape(x);
  CAIRN_TRY(std::vector<int64_t> axes, read_axes(c));
  const size_t rank = shape.size() + (insert ? axes.size() : 0);
  CAIRN_TRY(axes, checked_axes(std::move(axes), rank));
  model::Shape changed = with_axes(shape, axes);
  if (!insert) {
    CAIRN_TRY(changed, without_axes(shape, axes));
  }
  if (weight) {
    CAIRN_CHECK(c.scope.builder.reshape_weight(weight->index, changed));
    return c.output(*weight);
  }
  if (!axes.empty() && axes[0] == 0) return Error{"axis 0 must stay the batch"};
  return c.add_output(Operator::reshape, {x}, with_shape(changed));
}

// One range of one axis.
struct Cut {
  int64_t axis, start, length;
};

Result<std::vector<Cut>> read_cuts(NodeContext& c, const model::Shape& shape) {
  CAIRN_TRY(const std::vector<int64_t> starts, c.known_integers(1));
  CAIRN_TRY(const std::vector<int64_t> ends, c.known_integers(2));
  std::vector<int64_t> axes = range(starts, 0), steps(starts.size(), 1);
  if (c.has_input(3)) {
    CAIRN_TRY(axes, c.known_integers(3));
  }
  if (c.has_input(4)) {
    CAIRN_TRY(steps, c.known_integers(4));
  }
  if (ends.size() != starts.size() || axes.size() != starts.size() || steps.size() != starts.size()) {
    return Error{"its starts, ends, axes and steps must be as many as each other"};
  }
  std::vector<Cut> cuts;
  for (size_t i = 0; i < starts.size(); ++i) {
    CAIRN_TRY(const int64_t axis, checked_axis(axes[i], shape.size()));
    if (steps[i] != 1) return Error{"its steps must be 1"};
    const int64_t size = shape[static_cast<size_t>(axis)];
    const auto position = [&](int64_t value) {
      return std::clamp<int64_t>(value < 0 ? std::max(value, -size) + size : value, 0, size);
    };
    const int64_t start = position(starts[i]), end = position(ends[i]);
    if (axis == 0 && (starts[i] != 0 || ends[i] < INT32_MAX))
      return Error{"axis 0 must stay the whole batch"};
    if (axis == 0 || end - start == size) continue;
    if (end <= start) return Error{"leaves nothing of axis " + std::to_string(axis)};
    cuts.push_back({axis, start, end - start});
  }
  return cuts;
}

Result<std::vector<int64_t>> read_split(NodeContext& c, int64_t size) {
  std::vector<int64_t> lengths = c.attributes.integers("split", {});
  if (c.has_input(1)) {
    CAIRN_TRY(lengths, c.known_integers(1));
  }
  const auto outputs = static_cast<int64_t>(c.node.output_size());
  if (c.attributes.integer("num_outputs", outputs) != outputs)
    return Error{"num_outputs differs from its outputs"};
  if (lengths.empty()) {
    const int64_t each = (size + outputs - 1) / std::max<int64_t>(outputs, 1);
    for (int64_t i = 0; i < outputs; ++i) lengths.push_back(std::min(each, size - i * each));
  }
  int64_t total = 0;
  for (int64_t length : lengths) {
    if (length < 1 || length > size - total) return Error{"its parts do not fit the axis"};
    total += length;
  }
  if (total != size || lengths.size() != static_cast<size_t>(outputs)) {
    return Error{"its parts do not make up the axis of " + std::to_string(size)};
  }
  return lengths;
}

enum class Reduction { mean, sum, largest };

// Of [batch, kept, reduced, 1] to [batch, kept, 1, 1].
Result<ValueId> reduce_rows(NodeContext& c, ValueId x, Reduction reduction) {
  const int64_t count = c.shape(x)[2];
  if (reduction == Reduction::largest) {
    Attributes window;
    window.kernel = {count, 1};
    window.strides = {1, 1};
    window.pads = {0, 0, 0, 0};
    return c.add(Operator::max_pool, {x}, std::move(window), "/largest");
  }
  CAIRN_TRY(const ValueId mean, c.add(Operator::global_average_pool, {x}, {}, "/mean"));
  if (reduction == Reduction::mean) return mean;
  Attributes factor;
  factor.alpha = static_cast<float>(count);
  return c.add(Operator::multiply_constant, {mean}, factor, "/sum");
}

// Brings the axes to the end and reduces rows of what lies in them.
Status convert_reduction(NodeContext& c, Reduction reduction) {
  CAIRN_CHECK(c.expect_inputs(1, 2));
  CAIRN_TRY(const ValueId x, c.activation(0));
  const model::Shape shape = c.shape(x);
  CAIRN_TRY(std::vector<int64_t> axes, read_axes(c));
  CAIRN_TRY(axes, checked_axes(std::move(axes), shape.size()));
  c.attributes.ignore("noop_with_empty_axes");
  const bool keep = c.attributes.integer("keepdims", 1) != 0;
  if (axes.empty() || axes[0] == 0) return Error{"must leave axis 0, the batch"};
  Attributes order;
  model::Shape result;
  int64_t kept = 1, reduced = 1;
  for (size_t d = 0; d < shape.size(); ++d) {
    const bool gone = std::ranges::binary_search(axes, static_cast<int64_t>(d));
    (gone ? reduced : kept) *= shape[d];
    if (!gone) order.permutation.push_back(static_cast<int64_t>(d));
    if (!gone || keep) result.push_back(gone ? 1 : shape[d]);
  }
  order.permutation.insert(order.permutation.end(), axes.begin(), axes.end());
  ValueId rows = x;
  if (!std::ranges::is_sorted(order.permutation)) {
    CAIRN_TRY(rows, c.add(Operator::transpose, {rows}, order, "/order"));
  }
  CAIRN_TRY(rows, c.add(Operator::reshape, {rows}, with_shape({0, kept, reduced, 1}), "/rows"));
  CAIRN_TRY(rows, reduce_rows(c, rows, reduction));
  return c.add_output(Operator::reshape, {rows}, with_shape(result));
}

}  // namespace

Result<int64_t> checked_axis(int64_t axis, size_t rank) {
  const auto dimensions = static_cast<int64_t>(rank);
  if (axis >= -dimensions && axis < dimensions) return axis < 0 ? axis + dimensions : axis;
  return Error{"axis " + std::to_string(axis) + " is out of range for " + std::to_string(rank) +
               " dimensions"};
}

Status concat_activations(NodeContext& c) {
  std::vector<ValueId> parts;
  for (int i = 0; i < c.node.input_size(); ++i) {
    CAIRN_TRY(const ValueId part, c.activation(i));
    parts.push_back(part);
  }
  CAIRN_TRY(const int64_t axis, checked_axis(c.attributes.integer("axis", 0), c.shape(parts[0]).size()));
  if (axis == 0) return Error{"axis 0 must stay the batch"};
  while (parts.size() > kMostParts) {
    std::vector<ValueId> first(parts.begin(), parts.begin() + kMostParts);
    CAIRN_TRY(parts[kMostParts - 1], c.add(Operator::concat, std::move(first), with_axis(axis), "/part"));
    parts.erase(parts.begin(), parts.begin() + kMostParts - 1);
  }
  return c.add_output(Operator::concat, std::move(parts), with_axis(axis));
}

Status convert_split(NodeContext& c) {
  CAIRN_CHECK(c.expect_inputs(1, 2));
  CAIRN_TRY(const ValueId x, c.activation(0));
  const model::Shape shape = c.shape(x);
  CAIRN_TRY(const int64_t axis, checked_axis(c.attributes.integer("axis", 0), shape.size()));
  if (axis == 0) return Error{"axis 0 must stay the batch"};
  CAIRN_TRY(const std::vector<int64_t> lengths, read_split(c, shape[static_cast<size_t>(axis)]));
  int64_t start = 0;
  for (size_t i = 0; i < lengths.size(); ++i) {
    CAIRN_TRY(const ValueId part,
              c.add(Operator::slice, {x}, with_range(axis, start, lengths[i]), numbered(i)));
    CAIRN_CHECK(define(c.scope, c.node.output(static_cast<int>(i)), Activation{part}));
    start += lengths[i];
  }
  return {};
}

Status slice_activation(NodeContext& c) {
  CAIRN_TRY(ValueId x, c.activation(0));
  CAIRN_TRY(const std::vector<Cut> cuts, read_cuts(c, c.shape(x)));
  for (size_t i = 0; i < cuts.size(); ++i) {
    const auto& [axis, start, length] = cuts[i];
    const std::string suffix = i + 1 == cuts.size() ? std::string() : numbered(i);
    CAIRN_TRY(x, c.add(Operator::slice, {x}, with_range(axis, start, length), suffix));
  }
  return c.output(Activation{x});
}

// One index: a slice without its axis.
Status gather_activation(NodeContext& c) {
  CAIRN_TRY(const ValueId x, c.activation(0));
  CAIRN_TRY(const Integers indices, c.integers(1));
  CAIRN_TRY(const std::vector<int64_t> known, c.known_integers(1));
  const model::Shape shape = c.shape(x);
  CAIRN_TRY(const int64_t axis, checked_axis(c.attributes.integer("axis", 0), shape.size()));
  if (axis == 0) return Error{"axis 0 must stay the batch"};
  const int64_t size = shape[static_cast<size_t>(axis)];
  if (known.size() != 1)
    return Error{"takes one index of a computed value; it has " + std::to_string(known.size())};
  if (known[0] < -size || known[0] >= size) return Error{"its index is out of range"};
  const Attributes one = with_range(axis, known[0] < 0 ? known[0] + size : known[0], 1);
  if (!indices.scalar) return c.add_output(Operator::slice, {x}, one);
  CAIRN_TRY(const ValueId slice, c.add(Operator::slice, {x}, one, "/slice"));
  CAIRN_TRY(const model::Shape result, without_axes(c.shape(slice), {axis}));
  return c.add_output(Operator::reshape, {slice}, with_shape(result));
}

Status transpose_activation(NodeContext& c) {
  CAIRN_TRY(const ValueId x, c.activation(0));
  Attributes attributes;
  attributes.permutation = c.attributes.integers("perm", {});
  if (attributes.permutation.empty()) return Error{"perm is missing: the batch must stay first"};
  return c.add_output(Operator::transpose, {x}, std::move(attributes));
}

Status squeeze_axes(NodeContext& c) {
  return change_axes(c, false);
}

Status unsqueeze_axes(NodeContext& c) {
  return change_axes(c, true);
}

Status reduce_mean_of_rows(NodeContext& c) {
  return convert_reduction(c, Reduction::mean);
}

Status convert_reduce_sum(NodeContext& c) {
  return convert_reduction(c, Reduction::sum);
}

Status convert_reduce_max(NodeContext& c) {
  return convert_reduction(c, Reduction::largest);
}

}  // namespace cairn::onnx
