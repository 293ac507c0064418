// BatchNormalization in training mode: statistics of the batch, over everything but the channel.
#include "model/lowering.h"
#include "model/operators.h"

namespace cairn::model {
namespace {

Result<Shape> batch_normalization_shape(const Attributes&, std::span<const Operand> inputs) {
  const Shape& x = inputs[0].shape;
  if (inputs[0].parameter || !inputs[1].parameter || !inputs[2].parameter) {
    return Error{"needs an activation and the parameters scale and bias"};
  }
  if (x.size() < 2) return Error{"the activation must have 2 dimensions or more"};
  if (inputs[1].shape != Shape{x[1]} || inputs[2].shape != Shape{x[1]}) {
    return Error{"scale and bias must have one value for each channel"};
  }
  return x;
}

exact::Channels normalized_channels(const Lowering& l, const Node& node) {
  const Shape x = l.shape(node.inputs[0]);
  return {x[0], x[1], elements(x) / (x[0] * x[1])};
}

Status batch_normalization_forward(Lowering& l, const Node& node) {
  const exact::Channels c = normalized_channels(l, node);
  const BufferId x = l.buffer(node.inputs[0]);
  const auto [mean, variance] = l.statistics(node);
  if (l.mode() == Mode::training) {
    if (c.samples * c.inner < 2)
      return Error{"batch normalization needs two values or more for each channel"};
    l.emit(Opcode::moments, {x}, {mean, variance}, c);
  }
  const BufferId inverse = l.inverse_deviation(variance, node.attributes.epsilon);
  l.emit(Opcode::normalize, {x, mean, inverse, l.buffer(node.inputs[1]), l.buffer(node.inputs[2])},
         {l.output(node)}, c);
  l.save(node, {mean, inverse});
  return {};
}

void batch_normalization_backward(Lowering& l, const Node& node) {
  const exact::Channels c = normalized_channels(l, node);
  const auto [mean, inverse] = l.saved(node);
  const BufferId dgamma = l.part(node.inputs[1]);
  const BufferId dbeta = l.part(node.inputs[2]);
  const BufferId dx = l.part(node.inputs[0]);
  l.emit(Opcode::normalize_gradient,
         {l.buffer(node.inputs[0]), l.output_gradient(node), mean, inverse, l.buffer(node.inputs[1])},
         {dgamma, dbeta, dx}, c);
  if (l.needs_gradient(node.inputs[0])) l.contribute(node.inputs[0], dx);
  l.contribute(node.inputs[1], dgamma);
  l.contribute(node.inputs[2], dbeta);
}

}  // namespace

const OperatorRule kBatchNormalization = {.op = Operator::batch_normalization,
                                          .name = "BatchNormalization",
                                          .min_inputs = 3,
                                          .max_inputs = 3,
                                          .attributes = kHasEpsilon,
                                          .shape = batch_normalization_shape,
                                          .forward = batch_normalization_forward,
                                          .backward = batch_normalization_backward};

}  // namespace cairn::model
