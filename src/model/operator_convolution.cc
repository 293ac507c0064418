// Conv and DepthwiseConv: two spatial dimensions, with groups, strides, pads and dilations.
#include "model/lowering.h"
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

exact::Convolution convolution(const Lowering& l, const Node& node) {
  const Shape x = l.shape(node.inputs[0]);
  const Shape y = l.shape(node.outputs[0]);
  const Attributes& a = node.attributes;
  return {.batch = x[0],
          .channel_groups = node.op == Operator::depthwise_conv ? x[1] : a.groups,
          .in_channels = x[1],
          .in_height = x[2],
          .in_width = x[3],
          .out_channels = y[1],
          .out_height = y[2],
          .out_width = y[3],
          .kernel_height = a.kernel[0],
          .kernel_width = a.kernel[1],
          .stride_height = a.strides[0],
          .stride_width = a.strides[1],
          .pad_top = a.pads[0],
          .pad_left = a.pads[1],
          .dilation_height = a.dilations[0],
          .dilation_width = a.dilations[1]};
}

exact::Channels output_channels(const exact::Convolution& c) {
  return {c.batch, c.out_channels, c.out_height * c.out_width};
}

// What the sum of the weight gradient holds.
Status check_positions(const Lowering& l, const exact::Convolution& c) {
  if (c.batch * c.out_height * c.out_width <= l.max_aligned_terms()) return {};
  return Error{"more than " + std::to_string(l.max_aligned_terms()) + " output positions in a batch"};
}

// The product, from the given operands, and the bias where there is one.
Status emit_forward(Lowering& l, const Node& node, Opcode op, std::vector<BufferId> operands,
                    const exact::Convolution& c) {
  if (node.inputs.size() == 2) {
    l.emit(op, std::move(operands), {l.output(node)}, c);
    return {};
  }
  const BufferId product = l.floats(l.count(node.outputs[0]));
  l.emit(op, std::move(operands), {product}, c);
  l.emit(Opcode::add_channels, {product, l.buffer(node.inputs[2])}, {l.output(node)}, output_channels(c));
  return {};
}

// The gradients of the weight and of the bias.
void emit_weight_gradients(Lowering& l, const Node& node, const exact::Convolution& c) {
  const BufferId dy = l.quantized_output_gradient(node, output_groups(c), Product::weight_gradient);
  const BufferId dw = l.part(node.inputs[1]);
  const BufferId x = l.quantized(node.inputs[0], input_groups(c), Product::weight_gradient);
  l.emit(Opcode::convolve_weight_gradient, {dy, x}, {dw}, c);
  l.contribute(node.inputs[1], dw);
  if (node.inputs.size() == 2) return;
  const BufferId db = l.part(node.inputs[2]);
  l.emit(Opcode::sum, {l.output_gradient(node)}, {db}, output_channels(c));
  l.contribute(node.inputs[2], db);
}

Status conv_forward(Lowering& l, const Node& node) {
  const exact::Convolution c = convolution(l, node);
  CAIRN_CHECK(check_positions(l, c));
  const BufferId x = l.quantized(node.inputs[0], input_groups(c), Product::forward);
  const BufferId w = l.quantized(node.inputs[1], weight_groups_by_output(c), Product::forward);
  return emit_forward(l, node, Opcode::convolve, {x, w}, c);
}

void conv_backward(Lowering& l, const Node& node) {
  const exact::Convolution c = convolution(l, node);
  if (l.needs_gradient(node.inputs[0])) {
    const BufferId dy = l.quantized_output_gradient(node, output_groups(c), Product::input_gradient);
    const BufferId w = l.quantized(node.inputs[1], weight_groups_by_input(c), Product::input_gradient);
    const BufferId dx = l.part(node.inputs[0]);
    l.emit(Opcode::convolve_input_gradient, {dy, w}, {dx}, c);
    l.contribute(node.inputs[0], dx);
  }
  emit_weight_gradients(l, node, c);
}

Result<Shape> depthwise_shape(const Attributes& a, std::span<const Operand> inputs) {
  if (inputs[0].shape.size() != 4) return Error{"the activation must have 4 dimensions"};
  Attributes grouped = a;
  grouped.groups = inputs[0].shape[1];
  CAIRN_TRY(Shape shape, conv_shape(grouped, inputs));
  if (shape[1] != inputs[0].shape[1]) return Error{"needs as many output channels as input channels"};
  for (size_t d = 0; d < 4; ++d) {
    const int64_t reach = (a.kernel[d % 2] - 1) * a.dilations[d % 2];
    if (a.pads[d] > exact::kMaxDepthwiseReach || reach > exact::kMaxDepthwiseReach) {
      return Error{"pads and dilation * (kernel - 1) must be at most 255"};
    }
  }
  return shape;
}

// Each channel has its own kernel: sums of few terms, in binary32. Only the weight gradient is a long sum.
Status depthwise_forward(Lowering& l, const Node& node) {
  const exact::Convolution c = convolution(l, node);
  CAIRN_CHECK(check_positions(l, c));
  const std::vector<BufferId> operands = {l.buffer(node.inputs[0]), l.buffer(node.inputs[1])};
  return emit_forward(l, node, Opcode::depthwise_convolve, operands, c);
}

void depthwise_backward(Lowering& l, const Node& node) {
  const exact::Convolution c = convolution(l, node);
  if (l.needs_gradient(node.inputs[0])) {
    const BufferId dx = l.part(node.inputs[0]);
    l.emit(Opcode::depthwise_input_gradient, {l.output_gradient(node), l.buffer(node.inputs[1])}, {dx}, c);
    l.contribute(node.inputs[0], dx);
  }
  emit_weight_gradients(l, node, c);
}

}  // namespace

const OperatorRule kConv = {.op = Operator::conv,
                            .name = "Conv",
                            .min_inputs = 2,
                            .max_inputs = 3,
                            .attributes = kHasKernel | kHasStrides | kHasPads | kHasDilations | kHasGroups,
                            .shape = conv_shape,
                            .forward = conv_forward,
                            .backward = conv_backward};

const OperatorRule kDepthwiseConv = {.op = Operator::depthwise_conv,
                                     .name = "DepthwiseConv",
                                     .min_inputs = 2,
                                     .max_inputs = 3,
                                     .attributes = kHasKernel | kHasStrides | kHasPads | kHasDilations,
                                     .shape = depthwise_shape,
                                     .forward = depthwise_forward,
                                     .backward = depthwise_backward};

}  // namespace cairn::model
