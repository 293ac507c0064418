#include "model/operators.h"

#include <algorithm>
#include <cmath>

namespace cairn::model {
namespace {

std::vector<const OperatorRule*> make_rules() {
  std::vector<const OperatorRule*> rules = {&kConv,        &kGemm,
                                            &kMatMul,      &kAdd,
                                            &kMultiply,    &kBatchNormalization,
                                            &kRelu,        &kMaxPool,
                                            &kAveragePool, &kGlobalAveragePool,
                                            &kFlatten,     &kReshape,
                                            &kSoftmax,     &kDepthwiseConv};
  for (const OperatorRule& rule : activation_rules()) rules.push_back(&rule);
  rules.insert(rules.end(), {&kConcat, &kSlice, &kPad, &kTranspose, &kRowNormalization, &kBatchMatMul,
                             &kExpand, &kEmbedding, &kMaximum, &kMinimum, &kConstant, &kDropout});
  return rules;
}

const std::vector<const OperatorRule*>& rules() {
  static const std::vector<const OperatorRule*> made = make_rules();
  return made;
}

constexpr int64_t kMaxWindow = 1 << 16;  // a stride, a dilation, a kernel side, a pad

Status check_list(const std::vector<int64_t>& values, bool present, size_t length, int64_t minimum,
                  const char* field) {
  if (!present) {
    if (values.empty()) return {};
    return Error{std::string(field) + ": this operator has no such attribute"};
  }
  if (values.size() != length) {
    return Error{std::string(field) + ": " + std::to_string(values.size()) + " numbers where " +
                 std::to_string(length) + " are needed (two spatial dimensions)"};
  }
  for (int64_t value : values) {
    if (value < minimum || value > kMaxWindow) {
      return Error{std::string(field) + ": " + std::to_string(value) + " is out of range"};
    }
  }
  return {};
}

// The bits decide: -0 is not the default.
bool is_zero(float x) {
  return x == 0 && !std::signbit(x);
}

Status check_constants(const Attributes& a, uint32_t has) {
  if (!(has & kHasAlpha) && !is_zero(a.alpha)) return Error{"alpha: this operator has no such attribute"};
  if (!(has & kHasBeta) && !is_zero(a.beta)) return Error{"beta: this operator has no such attribute"};
  if (!std::isfinite(a.alpha) || !std::isfinite(a.beta)) return Error{"alpha and beta: must be finite"};
  return {};
}

Status check_layout(const Attributes& a, uint32_t has) {
  const bool range = has & kHasRange;
  if (!range && (a.start != 0 || a.length != 0)) return Error{"start: this operator has no such attribute"};
  if (range && (a.start < 0 || a.length < 1)) return Error{"start and length: out of range"};
  if (!(has & kHasPermutation) && !a.permutation.empty()) {
    return Error{"permutation: this operator has no such attribute"};
  }
  if (!(has & kHasValues) && !a.values.empty()) return Error{"values: this operator has no such attribute"};
  return {};
}

Status check_scalars(const Attributes& a, uint32_t has) {
  const Attributes defaults;
  if (!(has & kHasShape) && !a.shape.empty()) return Error{"shape: this operator has no such attribute"};
  if (a.shape.size() > kMaxRank) return Error{"shape: more than 8 dimensions"};
  if (!(has & kHasGroups) && a.groups != defaults.groups)
    return Error{"groups: this operator has no such attribute"};
  if (a.groups < 1) return Error{"groups: must be at least 1"};
  if (!(has & kHasAxis) && a.axis != defaults.axis) return Error{"axis: this operator has no such attribute"};
  if (a.axis < 1) return Error{"axis: must be at least 1 (the first dimension is the batch)"};
  if (!(has & kHasCountPadding) && a.count_padding)
    return Error{"count_padding: this operator has no such attribute"};
  if (!(has & kHasCeilMode) && a.ceil_mode) return Error{"ceil_mode: this operator has no such attribute"};
  if (!(has & kHasEpsilon) && a.epsilon != defaults.epsilon) {
    return Error{"epsilon: this operator has no such attribute"};
  }
  if (!(a.epsilon > 0 && a.epsilon <= 1)) return Error{"epsilon: must be above 0 and at most 1"};
  return check_constants(a, has);
}

Status check_attributes(const Attributes& a, uint32_t has) {
  CAIRN_CHECK(check_list(a.kernel, has & kHasKernel, 2, 1, "kernel"));
  CAIRN_CHECK(check_list(a.strides, has & kHasStrides, 2, 1, "strides"));
  CAIRN_CHECK(check_list(a.pads, has & kHasPads, 4, 0, "pads"));
  CAIRN_CHECK(check_list(a.dilations, has & kHasDilations, 2, 1, "dilations"));
  CAIRN_CHECK(check_layout(a, has));
  return check_scalars(a, has);
}

bool takes_constants(Operator op) {
  return op == Operator::add || op == Operator::multiply;
}

// What may stand before anything that depends on the model's input.
bool starts_from_nothing(Operator op) {
  return op == Operator::constant || op == Operator::expand;
}

Result<Shape> checked_shape(const OperatorRule& rule, const Node& node, std::span<const Operand> inputs) {
  if (inputs.size() < rule.min_inputs || inputs.size() > rule.max_inputs) {
    return Error{std::to_string(inputs.size()) + " inputs where " + std::string(rule.name) + " takes " +
                 std::to_string(rule.min_inputs) + " to " + std::to_string(rule.max_inputs)};
  }
  bool has_activation = false;
  for (const Operand& input : inputs) {
    if (!checked_elements(input.shape)) return Error{"an input's shape is beyond the limits"};
    if (!input.parameter && (input.shape.empty() || input.shape[0] != 1))
      return Error{"an input's first dimension is not the batch"};
    if (input.constant && !takes_constants(rule.op))
      return Error{"a Constant can only be added or multiplied"};
    has_activation |= !input.parameter;
  }
  if (!has_activation && !starts_from_nothing(rule.op)) return Error{"no input depends on the model's input"};
  CAIRN_CHECK(check_attributes(node.attributes, rule.attributes));
  CAIRN_TRY(Shape shape, rule.shape(node.attributes, inputs));
  if (!checked_elements(shape)) return Error{"the output's shape is beyond the limits"};
  return shape;
}

}  // namespace

const OperatorRule* find_rule(Operator op) {
  const auto found = std::ranges::find(rules(), op, &OperatorRule::op);
  return found == rules().end() ? nullptr : *found;
}

std::span<const OperatorRule* const> all_rules() {
  return rules();
}

Result<Shape> infer_shape(const Node& node, std::span<const Operand> inputs) {
  const OperatorRule* rule = find_rule(node.op);
  const std::string place = "node '" + node.name + "'";
  if (rule == nullptr) {
    return Error{place + ": unknown operator " + std::to_string(static_cast<int>(node.op))};
  }
  auto shape = checked_shape(*rule, node, inputs);
  if (!shape) return shape.error().within(place + " (" + std::string(rule->name) + ")");
  return shape;
}

}  // namespace cairn::model
