// BatchNormalization in training mode: statistics of the batch, over everything but the channel.
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

}  // namespace

const OperatorRule kBatchNormalization = {.op = Operator::batch_normalization,
                                          .name = "BatchNormalization",
                                          .min_inputs = 3,
                                          .max_inputs = 3,
                                          .attributes = kHasEpsilon,
                                          .shape = batch_normalization_shape};

}  // namespace cairn::model
