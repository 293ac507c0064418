// Add, Mul (with broadcast of one operand) and Relu.
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
                           .shape = broadcast_shape};

const OperatorRule kMultiply = {.op = Operator::multiply,
                                .name = "Mul",
                                .min_inputs = 2,
                                .max_inputs = 2,
                                .attributes = 0,
                                .shape = broadcast_shape};

const OperatorRule kRelu = {.op = Operator::relu,
                            .name = "Relu",
                            .min_inputs = 1,
                            .max_inputs = 1,
                            .attributes = 0,
                            .shape = relu_shape};

}  // namespace cairn::model
