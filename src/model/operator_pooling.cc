// MaxPool, AveragePool and GlobalAveragePool.
#include "model/lowering.h"
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

exact::Pooling pooling(const Lowering& l, const Node& node) {
  const Shape x = l.shape(node.inputs[0]);
  const Shape y = l.shape(node.outputs[0]);
  const Attributes& a = node.attributes;
  exact::Pooling p{.planes = x[0] * x[1],
                   .in_height = x[2],
                   .in_width = x[3],
                   .out_height = y[2],
                   .out_width = y[3],
                   .kernel_height = x[2],
                   .kernel_width = x[3]};
  if (node.op == Operator::global_average_pool) return p;
  p.kernel_height = a.kernel[0];
  p.kernel_width = a.kernel[1];
  p.stride_height = a.strides[0];
  p.stride_width = a.strides[1];
  p.pad_top = a.pads[0];
  p.pad_left = a.pads[1];
  p.count_padding = a.count_padding;
  return p;
}

Status max_pool_forward(Lowering& l, const Node& node) {
  const BufferId chosen = l.integers(l.count(node.outputs[0]));
  l.emit(Opcode::max_pool, {l.buffer(node.inputs[0])}, {l.output(node), chosen}, pooling(l, node));
  l.save(node, {chosen, chosen});
  return {};
}

void max_pool_backward(Lowering& l, const Node& node) {
  const BufferId dx = l.part(node.inputs[0]);
  l.emit(Opcode::max_pool_gradient, {l.output_gradient(node), l.saved(node)[0]}, {dx}, pooling(l, node));
  l.contribute(node.inputs[0], dx);
}

Status average_pool_forward(Lowering& l, const Node& node) {
  l.emit(Opcode::average_pool, {l.buffer(node.inputs[0])}, {l.output(node)}, pooling(l, node));
  return {};
}

void average_pool_backward(Lowering& l, const Node& node) {
  const BufferId dx = l.part(node.inputs[0]);
  l.emit(Opcode::average_pool_gradient, {l.output_gradient(node)}, {dx}, pooling(l, node));
  l.contribute(node.inputs[0], dx);
}

}  // namespace

const OperatorRule kMaxPool = {.op = Operator::max_pool,
                               .name = "MaxPool",
                               .min_inputs = 1,
                               .max_inputs = 1,
                               .attributes = kPoolAttributes,
                               .shape = pool_shape,
                               .forward = max_pool_forward,
                               .backward = max_pool_backward};

const OperatorRule kAveragePool = {.op = Operator::average_pool,
                                   .name = "AveragePool",
                                   .min_inputs = 1,
                                   .max_inputs = 1,
                                   .attributes = kPoolAttributes | kHasCountPadding,
                                   .shape = pool_shape,
                                   .forward = average_pool_forward,
                                   .backward = average_pool_backward};

const OperatorRule kGlobalAveragePool = {.op = Operator::global_average_pool,
                                         .name = "GlobalAveragePool",
                                         .min_inputs = 1,
                                         .max_inputs = 1,
                                         .attributes = 0,
                                         .shape = global_average_pool_shape,
                                         .forward = average_pool_forward,
                                         .backward = average_pool_backward};

}  // namespace cairn::model
