// Means, sums and extremes over any axes but the batch.
#include <algorithm>

#include "onnx/convert.h"

namespace cairn::onnx {
namespace {

using model::Attributes;
using model::Operator;
using model::ValueId;

enum class Reduction { mean, sum, largest };

Attributes with_shape(model::Shape shape) {
  Attributes attributes;
  shape[0] = 0;
  attributes.shape = std::move(shape);
  return attributes;
}

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

// Which canonical dimensions go, and what the file has left.
struct Reduced {
  std::vector<size_t> axes;
  BatchPlace batch;
};

Result<Reduced> read_reduced(NodeContext& c, const Activation& x, bool keep) {
  std::vector<int64_t> given = c.attributes.integers("axes", {});
  if (c.has_input(1)) {
    CAIRN_TRY(given, c.known_integers(1));
  }
  c.attributes.ignore("noop_with_empty_axes");
  if (given.empty()) return Error{"reduces all axes; it must leave the batch"};
  Reduced result{{}, x.batch};
  for (const int64_t axis : given) {
    CAIRN_TRY(const int64_t file_axis, checked_axis(axis, file_rank(c, x)));
    CAIRN_TRY(const size_t canonical, canonical_axis(c, x, file_axis));
    result.axes.push_back(canonical);
    const bool moves = !keep && !x.batch.absent && static_cast<size_t>(file_axis) < x.batch.axis;
    result.batch.axis -= moves ? 1 : 0;
  }
  std::ranges::sort(result.axes);
  if (std::ranges::adjacent_find(result.axes) != result.axes.end()) return Error{"names an axis twice"};
  return result;
}

// Brings the axes to the end and reduces rows of what lies in them.
Status convert_reduction(NodeContext& c, Reduction reduction, bool negated = false) {
  CAIRN_CHECK(c.expect_inputs(1, 2));
  CAIRN_TRY(const Activation x, c.moved_activation(0));
  const model::Shape shape = c.shape(x.value);
  const bool keep = c.attributes.integer("keepdims", 1) != 0;
  CAIRN_TRY(const Reduced reduced, read_reduced(c, x, keep));
  Attributes order;
  model::Shape result;
  int64_t kept = 1, gone = 1;
  for (size_t d = 0; d < shape.size(); ++d) {
    const bool goes = std::ranges::binary_search(reduced.axes, d);
    (goes ? gone : kept) *= shape[d];
    if (!goes) order.permutation.push_back(static_cast<int64_t>(d));
    if (!goes || keep) result.push_back(goes ? 1 : shape[d]);
  }
  order.permutation.insert(order.permutation.end(), reduced.axes.begin(), reduced.axes.end());
  ValueId rows = x.value;
  if (negated) {
    CAIRN_TRY(rows, c.add(Operator::neg, {rows}, {}, "/negated"));
  }
  if (!std::ranges::is_sorted(order.permutation)) {
    CAIRN_TRY(rows, c.add(Operator::transpose, {rows}, order, "/order"));
  }
  CAIRN_TRY(rows, c.add(Operator::reshape, {rows}, with_shape({0, kept, gone, 1}), "/rows"));
  CAIRN_TRY(rows, reduce_rows(c, rows, reduction));
  CAIRN_TRY(rows, c.add(Operator::reshape, {rows}, with_shape(result), negated ? "/negative" : ""));
  if (negated) {
    CAIRN_TRY(rows, c.add(Operator::neg, {rows}));
  }
  return c.output(Activation{.value = rows, .batch = reduced.batch});
}

}  // namespace

Status reduce_mean_of_rows(NodeContext& c) {
  return convert_reduction(c, Reduction::mean);
}

Status convert_reduce_sum(NodeContext& c) {
  return convert_reduction(c, Reduction::sum);
}

Status convert_reduce_max(NodeContext& c) {
  return convert_reduction(c, Reduction::largest);
}

// The smallest is the largest of the negatives, negated.
Status convert_reduce_min(NodeContext& c) {
  return convert_reduction(c, Reduction::largest, true);
}

}  // namespace cairn::onnx
