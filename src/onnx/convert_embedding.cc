// Gather of weights, by the model's input (an embedding) or by constants (places), and Expand.
#include <algorithm>

#include "onnx/convert.h"

namespace cairn::onnx {
namespace {

using model::Attributes;
using model::Operator;
using model::ValueId;

bool counts_up(const Tensor& indices, int64_t rows) {
  if (static_cast<int64_t>(indices.integers.size()) != rows) return false;
  for (int64_t i = 0; i < rows; ++i) {
    if (indices.integers[static_cast<size_t>(i)] != i) return false;
  }
  return true;
}

// The dimensions that ONNX's Expand gives; it spreads in both directions.
Result<std::vector<Size>> spread(const std::vector<Size>& from, const std::vector<Size>& to) {
  const size_t rank = std::max(from.size(), to.size());
  std::vector<Size> result(rank, 1);
  for (size_t back = 1; back <= rank; ++back) {
    const Size x = back <= from.size() ? from[from.size() - back] : 1;
    const Size y = back <= to.size() ? to[to.size() - back] : 1;
    if (x != y && x != Size(1) && y != Size(1)) return Error{"its target does not fit its input"};
    result[rank - back] = x == Size(1) ? y : x;
  }
  return result;
}

// A parameter or constant, once for each sample: the batch takes the place of a dimension of 1.
Result<Activation> spread_over_batch(NodeContext& c, const Activation& x, const std::vector<Size>& dims) {
  BatchPlace place;
  while (!dims[place.axis].batches) ++place.axis;
  if (dims[place.axis].number != 1) return Error{"its target counts the batch several times"};
  CAIRN_TRY(const ValueId value, aligned(c, x, Frame{place, dims.size()}, "/aligned"));
  return Activation{.value = value, .batch = place};
}

Result<Activation> expand(NodeContext& c, Activation x, std::vector<Size> target) {
  if (c.scope.fixed_batch && x.batch.absent && !target.empty() && target[0] == Size(*c.scope.fixed_batch) &&
      file_rank(c, x) == target.size() && file_shape(c, x)[0] == Size(1)) {
    target[0] = Size(1, true);
  }
  CAIRN_TRY(const std::vector<Size> dims, spread(file_shape(c, x), target));
  if (std::ranges::count_if(dims, [](const Size& size) { return size.batches; }) > 1)
    return Error{"its target has the batch size twice"};
  const bool gains_batch =
      x.batch.absent && std::ranges::any_of(dims, [](const Size& size) { return size.batches; });
  if (gains_batch) {
    CAIRN_TRY(x, spread_over_batch(c, x, dims));
  } else if (file_rank(c, x) != dims.size()) {
    std::vector<Size> longer(dims.size() - file_rank(c, x), 1);
    std::ranges::copy(file_shape(c, x), std::back_inserter(longer));
    CAIRN_TRY(x, regrouped(c, x, longer, "/longer"));
  }
  Attributes shape;
  shape.shape = c.shape(x.value);
  for (size_t d = 0; d < dims.size(); ++d) {
    if (is_batch_axis(x, static_cast<int64_t>(d))) continue;
    CAIRN_TRY(const size_t canonical, canonical_axis(c, x, static_cast<int64_t>(d)));
    shape.shape[canonical] = dims[d].number;
  }
  if (shape.shape == c.shape(x.value)) return x;
  shape.shape[0] = 0;
  CAIRN_TRY(x.value, c.add(Operator::expand, {x.value}, std::move(shape)));
  return x;
}

}  // namespace

Status embed_tokens(NodeContext& c) {
  if (c.attributes.integer("axis", 0) != 0) return Error{"axis must be 0: numbers choose rows"};
  CAIRN_TRY(const ValueId table, c.parameter(0));
  CAIRN_TRY(const Activation chosen, c.tokens(1));
  CAIRN_TRY(const ValueId rows, c.add(Operator::embedding, {chosen.value, table}));
  return c.output(Activation{.value = rows, .batch = chosen.batch});
}

// Rows of a weight that constants choose: all of them in order, or some.
Status gather_rows(NodeContext& c) {
  CAIRN_TRY(const Weight weight, c.weight(0));
  const model::Shape dims = c.scope.builder.weight(weight.index).dims;
  const auto indices = constant_tensor(c, 1);
  const bool rows = !weight.transposed && !dims.empty() && c.attributes.integer("axis", 0) == 0;
  if (!rows || !indices || !indices->integer || indices->dims.empty() || !counts_up(*indices, dims[0]))
    return gather_activation(c);
  model::Shape shape = indices->dims;
  shape.insert(shape.end(), dims.begin() + 1, dims.end());
  if (!c.scope.builder.reshape_weight(weight.index, shape)) return gather_activation(c);
  return c.output(weight);
}

namespace {

// A weight that lies beside the batch as it is stored: one node does it.
Result<std::optional<ValueId>> expand_weight(NodeContext& c, const Weight& weight, const Integers& target) {
  const model::Shape& dims = c.scope.builder.weight(weight.index).dims;
  CAIRN_TRY(const std::vector<Size> spread_dims, spread({dims.begin(), dims.end()}, target.values));
  const auto batches = std::ranges::count_if(spread_dims, [](const Size& size) { return size.batches; });
  if (weight.transposed || batches != 1 || spread_dims[0] != Size(1, true)) return std::optional<ValueId>();
  Attributes shape;
  for (const Size& size : spread_dims) shape.shape.push_back(size.batches ? 0 : size.number);
  CAIRN_TRY(const ValueId value,
            c.add(Operator::expand, {c.scope.builder.parameter(weight.index)}, std::move(shape)));
  return std::optional(value);
}

}  // namespace

Status convert_expand(NodeContext& c) {
  CAIRN_CHECK(c.expect_inputs(2, 2));
  CAIRN_TRY(const Binding data, c.input(0));
  CAIRN_TRY(const Integers target, c.integers(1));
  if (const Weight* weight = std::get_if<Weight>(&data)) {
    CAIRN_TRY(const std::optional<ValueId> value, expand_weight(c, *weight, target));
    if (value) return c.output(Activation{*value});
  }
  // One number is as good as many of it.
  const Floats* floats = std::get_if<Floats>(&data);
  if ((floats && floats->number) || std::holds_alternative<Integers>(data)) return c.output(data);
  CAIRN_TRY(const Activation x, c.moved_activation(0));
  CAIRN_TRY(const Activation result, expand(c, x, target.values));
  return c.output(result);
}

}  // namespace cairn::onnx
