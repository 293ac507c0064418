// Add, Mul (with broadcast of one operand) and Relu.
#include "model/lowering.h"
#include "model/operators.h"

namespace cairn::model {
namespace {

Result<Shape> broadcast_shape(const Attributes&, std::span<const Operand> inputs) {
  CAIRN_TRY(const Broadcast b, broadcast(inputs));
  return inputs[b.first ? 1 : 0].shape;
}

Result<Shape> relu_shape(const Attributes&, std::span<const Operand> inputs) {
  return inputs[0].shape;
}

// The smaller operand's dimensions, aligned at the right, must be 1 outside of one run of dimensions in which
// they equal the larger one's. The batch belongs to the run of an activation and never to a parameter's.
std::optional<Broadcast> fit(const Operand& small, const Operand& large) {
  if (large.parameter || small.shape.size() > large.shape.size()) return std::nullopt;
  const size_t offset = large.shape.size() - small.shape.size();
  if (!small.parameter && offset != 0) return std::nullopt;
  const auto in_run = [&](size_t d) {
    if (d == 0) return !small.parameter;
    return d >= offset && small.shape[d - offset] != 1;
  };
  if (small.parameter && offset == 0 && small.shape[0] != 1) return std::nullopt;
  Broadcast b;
  while (b.begin < large.shape.size() && !in_run(b.begin)) ++b.begin;
  b.end = b.begin;
  while (b.end < large.shape.size() && in_run(b.end)) {
    if (b.end >= offset && small.shape[b.end - offset] != large.shape[b.end]) return std::nullopt;
    ++b.end;
  }
  for (size_t d = b.end; d < large.shape.size(); ++d) {
    if (in_run(d)) return std::nullopt;
  }
  if (b.begin == b.end) b.begin = b.end = 1;  // one value for everything
  return b;
}

// How a node's operands meet: the larger one is seen as `channels`, whose middle dimension is the smaller
// one.
struct Meeting {
  ValueId large, small;
  bool same;
  exact::Channels channels;
};

Meeting meet(const Lowering& l, const Node& node) {
  const Operand operands[] = {l.operand(node.inputs[0]), l.operand(node.inputs[1])};
  const Broadcast b = *broadcast(operands);
  const Shape shape = l.shape(node.outputs[0]);
  exact::Channels channels{1, 1, 1};
  for (size_t d = 0; d < shape.size(); ++d) {
    (d < b.begin ? channels.samples : d < b.end ? channels.channels : channels.inner) *= shape[d];
  }
  return {node.inputs[b.first ? 1 : 0], node.inputs[b.first ? 0 : 1], b.same, channels};
}

Status emit_pair(Lowering& l, const Node& node, Opcode pairwise, Opcode channelwise) {
  const Meeting m = meet(l, node);
  if (m.same) {
    l.emit(pairwise, {l.buffer(m.large), l.buffer(m.small)}, {l.output(node)}, Elements{l.count(m.large)});
  } else {
    l.emit(channelwise, {l.buffer(m.large), l.buffer(m.small)}, {l.output(node)}, m.channels);
  }
  return {};
}

Status add_forward(Lowering& l, const Node& node) {
  return emit_pair(l, node, Opcode::add, Opcode::add_channels);
}

void add_backward(Lowering& l, const Node& node) {
  const Meeting m = meet(l, node);
  const BufferId dy = l.output_gradient(node);
  for (ValueId input : node.inputs) {
    if (!l.needs_gradient(input)) continue;
    if (m.same || input == m.large) {
      l.contribute(input, dy);
    } else {
      const BufferId part = l.part(input);
      l.emit(Opcode::sum, {dy}, {part}, m.channels);
      l.contribute(input, part);
    }
  }
}

Status multiply_forward(Lowering& l, const Node& node) {
  return emit_pair(l, node, Opcode::multiply, Opcode::multiply_channels);
}

// The gradient of each operand is dy times the other one.
void multiply_backward(Lowering& l, const Node& node) {
  const Meeting m = meet(l, node);
  const BufferId dy = l.output_gradient(node);
  for (size_t i = 0; i < 2; ++i) {
    const ValueId input = node.inputs[i];
    if (!l.needs_gradient(input)) continue;
    const BufferId other = l.buffer(node.inputs[1 - i]);
    const BufferId part = l.part(input);
    if (m.same) {
      l.emit(Opcode::multiply, {dy, other}, {part}, Elements{l.count(input)});
    } else if (input == m.large) {
      l.emit(Opcode::multiply_channels, {dy, other}, {part}, m.channels);
    } else {
      l.emit(Opcode::sum_products, {dy, other}, {part}, m.channels);
    }
    l.contribute(input, part);
  }
}

Status relu_forward(Lowering& l, const Node& node) {
  l.emit(Opcode::relu, {l.buffer(node.inputs[0])}, {l.output(node)}, Elements{l.count(node.inputs[0])});
  return {};
}

void relu_backward(Lowering& l, const Node& node) {
  const BufferId dx = l.part(node.inputs[0]);
  const Elements all{l.count(node.inputs[0])};
  l.emit(Opcode::relu_gradient, {l.buffer(node.outputs[0]), l.output_gradient(node)}, {dx}, all);
  l.contribute(node.inputs[0], dx);
}

}  // namespace

Result<Broadcast> broadcast(std::span<const Operand> inputs) {
  const Operand& a = inputs[0];
  const Operand& b = inputs[1];
  if (!a.parameter && !b.parameter && a.shape == b.shape) return Broadcast{.same = true};
  if (auto result = fit(b, a)) return *result;
  if (auto result = fit(a, b)) {
    result->first = true;
    return *result;
  }
  return Error{
      "shapes do not match: one operand must have the result's shape, the other must equal it in one run of "
      "dimensions and be 1 elsewhere"};
}

const OperatorRule kAdd = {.op = Operator::add,
                           .name = "Add",
                           .min_inputs = 2,
                           .max_inputs = 2,
                           .attributes = 0,
                           .shape = broadcast_shape,
                           .forward = add_forward,
                           .backward = add_backward};

const OperatorRule kMultiply = {.op = Operator::multiply,
                                .name = "Mul",
                                .min_inputs = 2,
                                .max_inputs = 2,
                                .attributes = 0,
                                .shape = broadcast_shape,
                                .forward = multiply_forward,
                                .backward = multiply_backward};

const OperatorRule kRelu = {.op = Operator::relu,
                            .name = "Relu",
                            .min_inputs = 1,
                            .max_inputs = 1,
                            .attributes = 0,
                            .shape = relu_shape,
                            .forward = relu_forward,
                            .backward = relu_backward};

}  // namespace cairn::model
