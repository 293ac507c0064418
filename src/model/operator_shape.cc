// Flatten and Reshape, which move no data.
#include "model/lowering.h"
#include "model/operators.h"

namespace cairn::model {
namespace {

Result<Shape> flatten_shape(const Attributes& a, std::span<const Operand> inputs) {
  if (a.axis != 1) return Error{"axis: must be 1 (the first dimension is the batch)"};
  return Shape{1, elements(inputs[0].shape)};
}

Result<Shape> reshape_shape(const Attributes& a, std::span<const Operand> inputs) {
  const Shape& x = inputs[0].shape;
  Shape shape = a.shape;
  size_t inferred = shape.size();
  int64_t known = 1;
  for (size_t d = 0; d < shape.size(); ++d) {
    if (shape[d] == 0 && d < x.size()) shape[d] = x[d];
    if (shape[d] == -1 && inferred == shape.size()) {
      inferred = d;
      continue;
    }
    if (shape[d] < 1 || shape[d] > kMaxElements / known) return Error{"shape: not a valid target"};
    known *= shape[d];
  }
  if (inferred < shape.size()) shape[inferred] = elements(x) / known;
  if (checked_elements(shape) != elements(x))
    return Error{"shape: the target has another number of elements"};
  if (shape.empty() || shape[0] != 1) return Error{"shape: the first dimension must stay the batch"};
  return shape;
}

Status view_forward(Lowering& l, const Node& node) {
  l.share(node.outputs[0], node.inputs[0]);
  return {};
}

void view_backward(Lowering& l, const Node& node) {
  l.contribute(node.inputs[0], l.output_gradient(node));
}

}  // namespace

const OperatorRule kFlatten = {.op = Operator::flatten,
                               .name = "Flatten",
                               .min_inputs = 1,
                               .max_inputs = 1,
                               .attributes = kHasAxis,
                               .shape = flatten_shape,
                               .forward = view_forward,
                               .backward = view_backward};

const OperatorRule kReshape = {.op = Operator::reshape,
                               .name = "Reshape",
                               .min_inputs = 1,
                               .max_inputs = 1,
                               .attributes = kHasShape,
                               .shape = reshape_shape,
                               .forward = view_forward,
                               .backward = view_backward};

}  // namespace cairn::model
