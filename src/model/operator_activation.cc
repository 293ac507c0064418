// Functions of one variable, each of them one exact::Activation.
#include <array>

#include "model/lowering.h"
#include "model/operators.h"

namespace cairn::model {
namespace {

using exact::Activation;

struct Function {
  Activation activation;
  std::string_view name;
  uint32_t attributes = 0;
};

// By number, from Operator::sigmoid on.
constexpr std::array<Function, exact::kActivations> kFunctions = {{
    {Activation::sigmoid, "Sigmoid"},
    {Activation::hyperbolic_tangent, "Tanh"},
    {Activation::error_function, "Erf"},
    {Activation::exponential, "Exp"},
    {Activation::logarithm, "Log"},
    {Activation::square_root, "Sqrt"},
    {Activation::reciprocal, "Reciprocal"},
    {Activation::absolute, "Abs"},
    {Activation::negate, "Neg"},
    {Activation::square, "Square"},
    {Activation::cube, "Cube"},
    {Activation::clip, "Clip", kHasAlpha | kHasBeta},
    {Activation::leaky_relu, "LeakyRelu", kHasAlpha},
    {Activation::elu, "Selu", kHasAlpha | kHasBeta},
    {Activation::softplus, "Softplus"},
    {Activation::hard_sigmoid, "HardSigmoid", kHasAlpha | kHasBeta},
    {Activation::hard_swish, "HardSwish"},
    {Activation::add_constant, "AddConstant", kHasAlpha},
    {Activation::multiply_constant, "MultiplyConstant", kHasAlpha},
}};

Operator operator_at(size_t index) {
  return static_cast<Operator>(static_cast<size_t>(Operator::sigmoid) + index);
}

Result<Shape> same_shape(const Attributes&, std::span<const Operand> inputs) {
  return inputs[0].shape;
}

Result<Shape> clip_shape(const Attributes& a, std::span<const Operand> inputs) {
  if (a.alpha > a.beta) return Error{"alpha: the lower bound is above the upper one"};
  return inputs[0].shape;
}

Mapping mapping(const Lowering& l, const Node& node) {
  const size_t index = static_cast<size_t>(node.op) - static_cast<size_t>(Operator::sigmoid);
  return {kFunctions[index].activation, node.attributes.alpha, node.attributes.beta, l.count(node.inputs[0])};
}

Status activation_forward(Lowering& l, const Node& node) {
  l.emit(Opcode::activate, {l.buffer(node.inputs[0])}, {l.output(node)}, mapping(l, node));
  return {};
}

void activation_backward(Lowering& l, const Node& node) {
  const BufferId dx = l.part(node.inputs[0]);
  l.emit(Opcode::activation_gradient, {l.buffer(node.inputs[0]), l.output_gradient(node)}, {dx},
         mapping(l, node));
  l.contribute(node.inputs[0], dx);
}

std::array<OperatorRule, exact::kActivations> make_activation_rules() {
  std::array<OperatorRule, exact::kActivations> rules;
  for (size_t i = 0; i < rules.size(); ++i) {
    rules[i] = {.op = operator_at(i),
                .name = kFunctions[i].name,
                .min_inputs = 1,
                .max_inputs = 1,
                .attributes = kFunctions[i].attributes,
                .shape = kFunctions[i].activation == Activation::clip ? clip_shape : same_shape,
                .forward = activation_forward,
                .backward = activation_backward};
  }
  return rules;
}

}  // namespace

std::span<const OperatorRule> activation_rules() {
  static const std::array<OperatorRule, exact::kActivations> rules = make_activation_rules();
  return rules;
}

}  // namespace cairn::model
