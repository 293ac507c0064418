// Expand and Constant: values that are there for every sample, or again and again.
#include <algorithm>
#include <cmath>

#include "model/lowering.h"
#include "model/operators.h"

namespace cairn::model {
namespace {

// The input's dimensions, aligned at the right with those of the result.
Shape aligned(const Shape& x, size_t rank) {
  Shape result(rank - x.size(), 1);
  result.insert(result.end(), x.begin(), x.end());
  return result;
}

Result<Shape> expand_shape(const Attributes& a, std::span<const Operand> inputs) {
  const Operand& x = inputs[0];
  if (a.shape.empty() || a.shape[0] != 0) return Error{"shape: must begin with 0, the batch"};
  if (x.shape.size() > a.shape.size() || (!x.parameter && x.shape.size() != a.shape.size()))
    return Error{"shape: has another number of dimensions than the input"};
  const Shape from = aligned(x.shape, a.shape.size());
  Shape shape = a.shape;
  shape[0] = 1;
  if (from[0] != 1) return Error{"shape: the parameter's first dimension must be 1, in place of the batch"};
  for (size_t d = 1; d < shape.size(); ++d) {
    if (shape[d] < 1 || (from[d] != 1 && from[d] != shape[d])) {
      return Error{"shape: dimension " + std::to_string(d) + " of " + std::to_string(from[d]) +
                   " cannot become " + std::to_string(shape[d])};
    }
  }
  return shape;
}

// One repetition for each dimension that grows, the last one first; a plain copy where none does.
std::vector<Repetition> repetitions(const Lowering& l, const Node& node) {
  const Shape to = l.shape(node.outputs[0]);
  const Shape from = aligned(l.shape(node.inputs[0]), to.size());
  std::vector<Repetition> result;
  int64_t inner = 1;
  for (size_t d = to.size(); d-- > 0; inner *= to[d]) {
    if (from[d] == to[d]) continue;
    const Shape before(from.begin(), from.begin() + static_cast<std::ptrdiff_t>(d));
    result.push_back({elements(before), to[d], inner});
  }
  if (result.empty()) result.push_back({1, 1, inner});
  return result;
}

Status expand_forward(Lowering& l, const Node& node) {
  const std::vector<Repetition> steps = repetitions(l, node);
  BufferId x = l.buffer(node.inputs[0]);
  for (size_t i = 0; i < steps.size(); ++i) {
    const auto& [outer, count, inner] = steps[i];
    const BufferId y = i + 1 == steps.size() ? l.output(node) : l.floats(outer * count * inner);
    l.emit(Opcode::repeat, {x}, {y}, steps[i]);
    x = y;
  }
  return {};
}

// Sums over what was repeated.
void emit_sum(Lowering& l, BufferId dy, BufferId dx, const Repetition& step) {
  const auto& [outer, count, inner] = step;
  if (count == 1) return l.emit(Opcode::repeat, {dy}, {dx}, step);
  if (outer == 1) return l.emit(Opcode::sum, {dy}, {dx}, exact::Channels{count, inner, 1});
  const BufferId turned = l.floats(outer * count * inner);
  l.emit(Opcode::permute, {dy}, {turned}, Permutation{{outer, count, inner}, {0, 2, 1}});
  l.emit(Opcode::sum, {turned}, {dx}, exact::Channels{1, outer * inner, count});
}

void expand_backward(Lowering& l, const Node& node) {
  const std::vector<Repetition> steps = repetitions(l, node);
  BufferId dy = l.output_gradient(node);
  for (size_t i = steps.size(); i-- > 0;) {
    const BufferId dx = i == 0 ? l.part(node.inputs[0]) : l.floats(steps[i].outer * steps[i].inner);
    emit_sum(l, dy, dx, steps[i]);
    dy = dx;
  }
  l.contribute(node.inputs[0], dy);
}

Result<Shape> constant_shape(const Attributes& a, std::span<const Operand>) {
  if (checked_elements(a.shape) != static_cast<int64_t>(a.values.size()))
    return Error{"values: must be as many as the shape holds"};
  if (!std::ranges::all_of(a.values, [](float value) { return std::isfinite(value); }))
    return Error{"values: must be finite"};
  return a.shape;
}

Status constant_forward(Lowering& l, const Node& node) {
  l.emit(Opcode::constant, {}, {l.output(node)},
         Numbers{std::make_shared<const std::vector<float>>(node.attributes.values)});
  return {};
}

// Nothing that a Constant depends on has a gradient.
void constant_backward(Lowering&, const Node&) {}

}  // namespace

const OperatorRule kExpand = {.op = Operator::expand,
                              .name = "Expand",
                              .min_inputs = 1,
                              .max_inputs = 1,
                              .attributes = kHasShape,
                              .shape = expand_shape,
                              .forward = expand_forward,
                              .backward = expand_backward};

const OperatorRule kConstant = {.op = Operator::constant,
                                .name = "Constant",
                                .min_inputs = 0,
                                .max_inputs = 0,
                                .attributes = kHasShape | kHasValues,
                                .shape = constant_shape,
                                .forward = constant_forward,
                                .backward = constant_backward};

}  // namespace cairn::model
