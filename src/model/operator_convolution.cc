// Conv: two spatial dimensions, with groups, strides, pads and dilations.
#include "model/operators.h"

namespace cairn::model {
namespace {

Result<int64_t> output_size(int64_t in, int64_t kernel, int64_t stride, int64_t pad, int64_t dilation) {
  const int64_t span = in + pad - (dilation * (kernel - 1) + 1);
  if (span < 0) return Error{"the kernel is larger than the padded image"};
  return span / stride + 1;
}

Status check_operands(const Attributes& a, std::span<const Operand> inputs) {
  const Shape& x = inputs[0].shape;
  const Shape& w = inputs[1].shape;
  if (inputs[0].parameter || !inputs[1].parameter) return Error{"needs an activation and a weight parameter"};
  if (x.size() != 4 || w.size() != 4) return Error{"activation and weight must have 4 dimensions"};
  if (w[2] != a.kernel[0] || w[3] != a.kernel[1]) return Error{"kernel: differs from the weight's shape"};
  if (x[1] % a.groups != 0 || w[0] % a.groups != 0 || w[1] != x[1] / a.groups) {
    return Error{"groups: the channels of activation and weight do not match"};
  }
  if (inputs.size() == 3 && (!inputs[2].parameter || inputs[2].shape != Shape{w[0]})) {
    return Error{"the bias must be a parameter with one value for each output channel"};
  }
  return {};
}

Result<Shape> conv_shape(const Attributes& a, std::span<const Operand> inputs) {
  CAIRN_CHECK(check_operands(a, inputs));
  const Shape& x = inputs[0].shape;
  CAIRN_TRY(const int64_t height,
            output_size(x[2], a.kernel[0], a.strides[0], a.pads[0] + a.pads[2], a.dilations[0]));
  CAIRN_TRY(const int64_t width,
            output_size(x[3], a.kernel[1], a.strides[1], a.pads[1] + a.pads[3], a.dilations[1]));
  return Shape{1, inputs[1].shape[0], height, width};
}

}  // namespace

const OperatorRule kConv = {.op = Operator::conv,
                            .name = "Conv",
                            .min_inputs = 2,
                            .max_inputs = 3,
                            .attributes = kHasKernel | kHasStrides | kHasPads | kHasDilations | kHasGroups,
                            .shape = conv_shape};

}  // namespace cairn::model
