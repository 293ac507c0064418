// Flatten and Reshape, which move no data, and Softmax, which is refused except folded into the loss.
#include "model/lowering.h"
#include "model/operators.h"

namespace cairn::model {
namespace {

Result<Shape> flatten_shape(const Attributes&, std::span<const Operand> inputs) {
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

Result<Shape> softmax_shape(const Attributes&, std::span<const Operand>) {
  return Error{
      "Softmax is supported only as the model's last node, where the importer folds it into the loss"};
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

// No graph with an inner Softmax passes verify(): there is nothing to lower.
const OperatorRule kSoftmax = {.op = Operator::softmax,
                               .name = "Softmax",
                               .min_inputs = 1,
                               .max_inputs = 1,
                               .attributes = kHasAxis,
                               .shape = softmax_shape,
                               .forward = nullptr,
                               .backward = nullptr};

}  // namespace cairn::model
