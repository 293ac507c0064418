// Concat, Slice, Pad and Transpose: values go elsewhere and keep their bits.
#include <algorithm>

#include "model/lowering.h"
#include "model/operators.h"

namespace cairn::model {
namespace {

int64_t product(const Shape& shape, size_t begin, size_t end) {
  int64_t result = 1;
  for (size_t d = begin; d < end; ++d) result *= shape[d];
  return result;
}

Result<size_t> checked_axis(const Attributes& a, const Shape& shape) {
  if (static_cast<size_t>(a.axis) < shape.size()) return static_cast<size_t>(a.axis);
  return Error{"axis: must be below " + std::to_string(shape.size()) + ", the number of dimensions"};
}

Result<Shape> concat_shape(const Attributes& a, std::span<const Operand> inputs) {
  Shape result = inputs[0].shape;
  CAIRN_TRY(const size_t axis, checked_axis(a, result));
  result[axis] = 0;
  for (const Operand& input : inputs) {
    if (input.parameter) return Error{"only activations can be joined"};
    Shape rest = input.shape;
    if (rest.size() != result.size()) return Error{"the inputs must have as many dimensions as each other"};
    const int64_t length = rest[axis];
    rest[axis] = result[axis];
    if (rest != result) return Error{"the inputs must have the same shape but for the axis"};
    result[axis] += length;
  }
  return result;
}

Blocks concat_blocks(const Lowering& l, const Node& node) {
  const auto axis = static_cast<size_t>(node.attributes.axis);
  Blocks blocks{product(l.shape(node.outputs[0]), 0, axis), {}};
  for (ValueId input : node.inputs) blocks.inner.push_back(l.count(input) / blocks.outer);
  return blocks;
}

Status concat_forward(Lowering& l, const Node& node) {
  std::vector<BufferId> parts;
  for (ValueId input : node.inputs) parts.push_back(l.buffer(input));
  l.emit(Opcode::concatenate, std::move(parts), {l.output(node)}, concat_blocks(l, node));
  return {};
}

void concat_backward(Lowering& l, const Node& node) {
  const Blocks blocks = concat_blocks(l, node);
  const int64_t whole = l.count(node.outputs[0]) / blocks.outer;
  int64_t start = 0;
  for (size_t i = 0; i < node.inputs.size(); ++i) {
    const Range range{blocks.outer, whole, 1, start, blocks.inner[i]};
    start += blocks.inner[i];
    if (!l.needs_gradient(node.inputs[i])) continue;
    const BufferId dx = l.part(node.inputs[i]);
    l.emit(Opcode::cut, {l.output_gradient(node)}, {dx}, range);
    l.contribute(node.inputs[i], dx);
  }
}

Result<Shape> slice_shape(const Attributes& a, std::span<const Operand> inputs) {
  Shape shape = inputs[0].shape;
  CAIRN_TRY(const size_t axis, checked_axis(a, shape));
  if (a.start >= shape[axis] || a.length > shape[axis] - a.start) {
    return Error{"start and length: reach beyond the " + std::to_string(shape[axis]) + " of the axis"};
  }
  shape[axis] = a.length;
  return shape;
}

Range slice_range(const Lowering& l, const Node& node) {
  const Shape x = l.shape(node.inputs[0]);
  const auto axis = static_cast<size_t>(node.attributes.axis);
  return {product(x, 0, axis), x[axis], product(x, axis + 1, x.size()), node.attributes.start,
          node.attributes.length};
}

Status slice_forward(Lowering& l, const Node& node) {
  l.emit(Opcode::cut, {l.buffer(node.inputs[0])}, {l.output(node)}, slice_range(l, node));
  return {};
}

void slice_backward(Lowering& l, const Node& node) {
  const BufferId dx = l.part(node.inputs[0]);
  l.emit(Opcode::surround, {l.output_gradient(node)}, {dx}, slice_range(l, node));
  l.contribute(node.inputs[0], dx);
}

Result<Shape> pad_shape(const Attributes& a, std::span<const Operand> inputs) {
  Shape shape = inputs[0].shape;
  if (shape.size() != 4) return Error{"the activation must have 4 dimensions"};
  shape[2] += a.pads[0] + a.pads[2];
  shape[3] += a.pads[1] + a.pads[3];
  return shape;
}

// First the rows of zeros above and below, then the columns.
std::array<Range, 2> pad_ranges(const Lowering& l, const Node& node) {
  const Shape x = l.shape(node.inputs[0]);
  const Shape y = l.shape(node.outputs[0]);
  return {Range{x[0] * x[1], y[2], x[3], node.attributes.pads[0], x[2]},
          Range{x[0] * x[1] * y[2], y[3], 1, node.attributes.pads[1], x[3]}};
}

Status pad_forward(Lowering& l, const Node& node) {
  const auto [rows, columns] = pad_ranges(l, node);
  const BufferId taller = l.floats(rows.outer * rows.whole * rows.inner);
  l.emit(Opcode::surround, {l.buffer(node.inputs[0])}, {taller}, rows);
  l.emit(Opcode::surround, {taller}, {l.output(node)}, columns);
  return {};
}

void pad_backward(Lowering& l, const Node& node) {
  const auto [rows, columns] = pad_ranges(l, node);
  const BufferId narrower = l.floats(columns.outer * columns.length);
  const BufferId dx = l.part(node.inputs[0]);
  l.emit(Opcode::cut, {l.output_gradient(node)}, {narrower}, columns);
  l.emit(Opcode::cut, {narrower}, {dx}, rows);
  l.contribute(node.inputs[0], dx);
}

Result<Shape> transpose_shape(const Attributes& a, std::span<const Operand> inputs) {
  const Shape& x = inputs[0].shape;
  std::vector<int64_t> sorted = a.permutation;
  std::ranges::sort(sorted);
  for (size_t d = 0; d < sorted.size(); ++d) {
    if (sorted[d] != static_cast<int64_t>(d)) return Error{"permutation: must name each dimension once"};
  }
  if (sorted.size() != x.size() || a.permutation[0] != 0) {
    return Error{"permutation: must have " + std::to_string(x.size()) + " entries and leave the batch first"};
  }
  Shape shape;
  for (int64_t d : a.permutation) shape.push_back(x[static_cast<size_t>(d)]);
  return shape;
}

Status transpose_forward(Lowering& l, const Node& node) {
  l.emit(Opcode::permute, {l.buffer(node.inputs[0])}, {l.output(node)},
         Permutation{l.shape(node.inputs[0]), node.attributes.permutation});
  return {};
}

void transpose_backward(Lowering& l, const Node& node) {
  const std::vector<int64_t>& order = node.attributes.permutation;
  Permutation inverse{l.shape(node.outputs[0]), std::vector<int64_t>(order.size())};
  for (size_t d = 0; d < order.size(); ++d)
    inverse.order[static_cast<size_t>(order[d])] = static_cast<int64_t>(d);
  const BufferId dx = l.part(node.inputs[0]);
  l.emit(Opcode::permute, {l.output_gradient(node)}, {dx}, std::move(inverse));
  l.contribute(node.inputs[0], dx);
}

}  // namespace

const OperatorRule kConcat = {.op = Operator::concat,
                              .name = "Concat",
                              .min_inputs = 1,
                              .max_inputs = 8,
                              .attributes = kHasAxis,
                              .shape = concat_shape,
                              .forward = concat_forward,
                              .backward = concat_backward};

const OperatorRule kSlice = {.op = Operator::slice,
                             .name = "Slice",
                             .min_inputs = 1,
                             .max_inputs = 1,
                             .attributes = kHasAxis | kHasRange,
                             .shape = slice_shape,
                             .forward = slice_forward,
                             .backward = slice_backward};

const OperatorRule kPad = {.op = Operator::pad,
                           .name = "Pad",
                           .min_inputs = 1,
                           .max_inputs = 1,
                           .attributes = kHasPads,
                           .shape = pad_shape,
                           .forward = pad_forward,
                           .backward = pad_backward};

const OperatorRule kTranspose = {.op = Operator::transpose,
                                 .name = "Transpose",
                                 .min_inputs = 1,
                                 .max_inputs = 1,
                                 .attributes = kHasPermutation,
                                 .shape = transpose_shape,
                                 .forward = transpose_forward,
                                 .backward = transpose_backward};

}  // namespace cairn::model
