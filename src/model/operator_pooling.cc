// MaxPool, AveragePool and GlobalAveragePool.
#include "model/operators.h"

namespace cairn::model {
namespace {

// The number of windows along one side. Every window meets the image: pads are smaller than the kernel, and
// in ceil mode a window that would start in the bottom or right padding is dropped.
Result<int64_t> output_size(int64_t in, int64_t kernel, int64_t stride, int64_t before, int64_t after,
                            bool ceil) {
  if (before >= kernel || after >= kernel) return Error{"pads: must be smaller than the kernel"};
  const int64_t span = in + before + after - kernel;
  if (span < 0) return Error{"the kernel is larger than the padded image"};
  int64_t out = (span + (ceil ? stride - 1 : 0)) / stride + 1;
  if (ceil && (out - 1) * stride >= in + before) --out;
  return out;
}

Result<Shape> pool_shape(const Attributes& a, std::span<const Operand> inputs) {
  const Shape& x = inputs[0].shape;
  if (x.size() != 4) return Error{"the activation must have 4 dimensions"};
  if (a.ceil_mode && a.count_padding) return Error{"ceil_mode: is not supported together with count_padding"};
  CAIRN_TRY(const int64_t height,
            output_size(x[2], a.kernel[0], a.strides[0], a.pads[0], a.pads[2], a.ceil_mode));
  CAIRN_TRY(const int64_t width,
            output_size(x[3], a.kernel[1], a.strides[1], a.pads[1], a.pads[3], a.ceil_mode));
  return Shape{1, x[1], height, width};
}

Result<Shape> global_average_pool_shape(const Attributes&, std::span<const Operand> inputs) {
  const Shape& x = inputs[0].shape;
  if (x.size() != 4) return Error{"the activation must have 4 dimensions"};
  return Shape{1, x[1], 1, 1};
}

constexpr uint32_t kPoolAttributes = kHasKernel | kHasStrides | kHasPads | kHasCeilMode;

}  // namespace

const OperatorRule kMaxPool = {.op = Operator::max_pool,
                               .name = "MaxPool",
                               .min_inputs = 1,
                               .max_inputs = 1,
                               .attributes = kPoolAttributes,
                               .shape = pool_shape};

const OperatorRule kAveragePool = {.op = Operator::average_pool,
                                   .name = "AveragePool",
                                   .min_inputs = 1,
                                   .max_inputs = 1,
                                   .attributes = kPoolAttributes | kHasCountPadding,
                                   .shape = pool_shape};

const OperatorRule kGlobalAveragePool = {.op = Operator::global_average_pool,
                                         .name = "GlobalAveragePool",
                                         .min_inputs = 1,
                                         .max_inputs = 1,
                                         .attributes = 0,
                                         .shape = global_average_pool_shape};

}  // namespace cairn::model
