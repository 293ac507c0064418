// Max, Min and Dropout: a value passes or it does not.
#include "model/lowering.h"
#include "model/operators.h"

namespace cairn::model {
namespace {

Result<Shape> pair_shape(const Attributes&, std::span<const Operand> inputs) {
  if (inputs[0].parameter || inputs[1].parameter || inputs[0].shape != inputs[1].shape)
    return Error{"needs two activations of the same shape"};
  return inputs[0].shape;
}

BufferId negated(Lowering& l, BufferId x, int64_t count) {
  const BufferId y = l.floats(count);
  l.emit(Opcode::activate, {x}, {y}, Mapping{exact::Activation::negate, 0, 0, count});
  return y;
}

// What of x passes: where the difference is above 0, or everywhere else.
BufferId passing(Lowering& l, BufferId difference, BufferId x, int64_t count) {
  const BufferId y = l.floats(count);
  l.emit(Opcode::relu_gradient, {difference, x}, {y}, Elements{count});
  return y;
}

void emit_rest(Lowering& l, BufferId x, BufferId passed, BufferId rest, int64_t count) {
  l.emit(Opcode::add, {x, negated(l, passed, count)}, {rest}, Elements{count});
}

// The first operand where the difference is above 0, else the second; both sums are exact.
Status choice_forward(Lowering& l, const Node& node) {
  const int64_t count = l.count(node.inputs[0]);
  const BufferId a = l.buffer(node.inputs[0]), b = l.buffer(node.inputs[1]);
  const bool largest = node.op == Operator::maximum;
  const BufferId difference = l.floats(count), rest = l.floats(count);
  l.emit(Opcode::add, {largest ? a : b, negated(l, largest ? b : a, count)}, {difference}, Elements{count});
  const BufferId first = passing(l, difference, a, count);
  emit_rest(l, b, passing(l, difference, b, count), rest, count);
  l.emit(Opcode::add, {first, rest}, {l.output(node)}, Elements{count});
  l.save(node, {difference, difference});
  return {};
}

void choice_backward(Lowering& l, const Node& node) {
  const int64_t count = l.count(node.inputs[0]);
  const BufferId dy = l.output_gradient(node), da = passing(l, l.saved(node)[0], dy, count);
  if (l.needs_gradient(node.inputs[0])) l.contribute(node.inputs[0], da);
  if (!l.needs_gradient(node.inputs[1])) return;
  const BufferId db = l.part(node.inputs[1]);
  emit_rest(l, dy, da, db, count);
  l.contribute(node.inputs[1], db);
}

Result<Shape> dropout_shape(const Attributes& a, std::span<const Operand> inputs) {
  if (inputs[0].parameter) return Error{"needs an activation"};
  if (!(a.alpha >= 0 && a.alpha < 1))
    return Error{"alpha: must be from 0 to below 1, the share that is dropped"};
  return inputs[0].shape;
}

Status dropout_forward(Lowering& l, const Node& node) {
  if (l.mode() == Mode::evaluation) {
    l.share(node.outputs[0], node.inputs[0]);
  } else {
    l.emit_dropout(l.buffer(node.inputs[0]), l.output(node),
                   {node.attributes.alpha, l.count(node.inputs[0])});
  }
  return {};
}

void dropout_backward(Lowering& l, const Node& node) {
  const BufferId dx = l.part(node.inputs[0]);
  l.emit_dropout(l.output_gradient(node), dx, {node.attributes.alpha, l.count(node.inputs[0])});
  l.contribute(node.inputs[0], dx);
}

constexpr OperatorRule choice(Operator op, std::string_view name) {
  return {.op = op,
          .name = name,
          .min_inputs = 2,
          .max_inputs = 2,
          .attributes = 0,
          .shape = pair_shape,
          .forward = choice_forward,
          .backward = choice_backward};
}

}  // namespace

constinit const OperatorRule kMaximum = choice(Operator::maximum, "Max");
constinit const OperatorRule kMinimum = choice(Operator::minimum, "Min");

const OperatorRule kDropout = {.op = Operator::dropout,
                               .name = "Dropout",
                               .min_inputs = 1,
                               .max_inputs = 1,
                               .attributes = kHasAlpha,
                               .shape = dropout_shape,
                               .forward = dropout_forward,
                               .backward = dropout_backward};

}  // namespace cairn::model
