// Two operands that spread over each other: sums, differences, products, quotients, the larger, the smaller,
// the chosen one. A constant number makes a function of one variable; other constants, weights and values
// meet as ONNX's broadcasting says.
#include <algorithm>
#include <cmath>
#include <limits>

#include "model/operators.h"
#include "onnx/convert.h"

namespace cairn::onnx {
namespace {

using model::Attributes;
using model::Operator;
using model::ValueId;

Attributes constants(float alpha, float beta = 0) {
  Attributes attributes;
  attributes.alpha = alpha;
  attributes.beta = beta;
  return attributes;
}

float finite(float value) {
  return std::isinf(value) ? std::copysign(0x1p+120f, value) : value;
}

// One number that belongs to the program and not to the model, if the input is one.
Result<std::optional<float>> constant(const NodeContext& c, int index) {
  CAIRN_TRY(const Binding binding, c.input(index));
  const Floats* floats = std::get_if<Floats>(&binding);
  if (!floats || !floats->number) return std::optional<float>();
  return std::optional(finite(*floats->number));
}

// The input as combine() takes it.
Result<Binding> operand(const NodeContext& c, int index) {
  CAIRN_TRY(const Binding binding, c.input(index));
  const Floats* floats = std::get_if<Floats>(&binding);
  if (std::holds_alternative<Weight>(binding) || (floats && floats->tensor)) return binding;
  CAIRN_TRY(const Activation x, c.moved_activation(index));
  return Binding(x);
}

Status name_output(NodeContext& c, const Result<ValueId>& value) {
  if (!value) return value.error();
  return c.output(Activation{*value});
}

Status name_output(NodeContext& c, const Result<Activation>& value) {
  if (!value) return value.error();
  return c.output(*value);
}

Result<ValueId> add_constant(NodeContext& c, ValueId x, float value, const std::string& suffix) {
  if (value == 0) return x;
  return c.add(Operator::add_constant, {x}, constants(value), suffix);
}

Result<ValueId> multiply_constant(NodeContext& c, ValueId x, float value, const std::string& suffix) {
  if (value == 1) return x;
  return c.add(Operator::multiply_constant, {x}, constants(value), suffix);
}

// A function of each element, wherever the batch is.
Result<Activation> mapped(NodeContext& c, const Activation& x, Operator op, const char* suffix) {
  Activation result = x;
  CAIRN_TRY(result.value, c.add(op, {x.value}, {}, suffix));
  return result;
}

template <typename F>
Tensor mapped(const Tensor& tensor, F f) {
  Tensor result = tensor;
  std::ranges::transform(result.floats, result.floats.begin(), f);
  return result;
}

Binding binding_of(Tensor tensor) {
  return Floats{.number = std::nullopt, .tensor = std::make_shared<const Tensor>(std::move(tensor))};
}

// The dimensions of a weight or constant as they lie beside a canonical value: without the batch's.
Result<model::Shape> beside(const model::Shape& dims, const Frame& frame) {
  if (dims.size() > frame.rank) {
    return Error{"its operand without a batch has " + std::to_string(dims.size()) +
                 " dimensions, the other " + std::to_string(frame.rank)};
  }
  const size_t axis = frame.batch.axis;
  if (frame.batch == BatchPlace{} || dims.size() < frame.rank - axis) return dims;
  model::Shape result(frame.rank - dims.size(), 1);
  result.insert(result.end(), dims.begin(), dims.end());
  if (result[axis] != 1)
    return Error{"its operand without a batch has the size " + std::to_string(result[axis]) +
                 " where the other has the batch"};
  const size_t merged =
      static_cast<size_t>(frame.batch.outer > 1) + static_cast<size_t>(frame.batch.inner > 1);
  const auto place = result.begin() + static_cast<std::ptrdiff_t>(axis);
  result.insert(result.erase(place), merged, 1);
  return result;
}

// An operand as a canonical value in the frame.
Result<ValueId> placed(NodeContext& c, const Binding& binding, const Frame& frame,
                       const std::string& suffix) {
  if (const Activation* x = std::get_if<Activation>(&binding)) return aligned(c, *x, frame, suffix);
  if (const Weight* weight = std::get_if<Weight>(&binding)) {
    CAIRN_TRY(const model::Shape dims, beside(c.scope.builder.weight(weight->index).dims, frame));
    CAIRN_CHECK(c.scope.builder.reshape_weight(weight->index, dims));
    return c.scope.builder.parameter(weight->index);
  }
  Tensor tensor = *std::get<Floats>(binding).tensor;
  CAIRN_TRY(tensor.dims, beside(tensor.dims, frame));
  return c.constant(tensor);
}

// What ONNX's broadcasting gives for two canonical shapes, of which one may lack leading dimensions.
Result<model::Shape> spread(const model::Shape& a, const model::Shape& b) {
  const size_t rank = std::max(a.size(), b.size());
  model::Shape result(rank, 1);
  for (size_t back = 1; back <= rank; ++back) {
    const int64_t x = back <= a.size() ? a[a.size() - back] : 1,
                  y = back <= b.size() ? b[b.size() - back] : 1;
    if (x != y && x != 1 && y != 1)
      return Error{"its operands do not fit each other: " + std::to_string(x) + " and " + std::to_string(y)};
    result[rank - back] = std::max(x, y);
  }
  return result;
}

bool meets(const GraphBuilder& builder, ValueId a, ValueId b, const model::Shape& result) {
  const model::Operand operands[] = {builder.operand(a), builder.operand(b)};
  const auto broadcast = model::broadcast(operands);
  return broadcast && operands[broadcast->first ? 1 : 0].shape == result;
}

Result<ValueId> grown(NodeContext& c, ValueId x, const model::Shape& shape, const std::string& suffix) {
  const bool grows = c.scope.builder.operand(x).parameter || c.shape(x) != shape;
  if (!grows) return x;
  Attributes target;
  target.shape = shape;
  target.shape[0] = 0;
  return c.add(Operator::expand, {x}, std::move(target), suffix + "/expanded");
}

}  // namespace

Result<Activation> combine(NodeContext& c, Operator op, const Binding& a, const Binding& b,
                           const std::string& suffix) {
  std::array<Binding, 2> sides = {a, b};
  std::vector<Activation> values;
  for (const Binding& side : sides) {
    if (const Activation* x = std::get_if<Activation>(&side)) values.push_back(*x);
  }
  // Without a batch anywhere, or with a weight that cannot lie beside a value as it is stored.
  for (Binding& side : sides) {
    const Weight* weight = std::get_if<Weight>(&side);
    const bool alone = values.empty() || values.front().batch.absent;
    if (weight && (alone || weight->transposed)) {
      CAIRN_TRY(side, c.expanded(*weight));
      values.push_back(std::get<Activation>(side));
    }
  }
  if (values.empty()) return Error{"has no operand that depends on the model's input or a weight"};
  CAIRN_TRY(const Frame frame, common_frame(c, values));
  CAIRN_TRY(ValueId x, placed(c, sides[0], frame, suffix + "/first"));
  CAIRN_TRY(ValueId y, placed(c, sides[1], frame, suffix + "/second"));
  CAIRN_TRY(const model::Shape shape, spread(c.shape(x), c.shape(y)));
  const auto meet = [&] {
    const bool spreads = op == Operator::add || op == Operator::multiply;
    return spreads && meets(c.scope.builder, x, y, shape);
  };
  if (!meet()) {
    CAIRN_TRY(x, grown(c, x, shape, suffix + "/first"));
  }
  if (!meet()) {
    CAIRN_TRY(y, grown(c, y, shape, suffix + "/second"));
  }
  CAIRN_TRY(const ValueId result, c.add(op, {x, y}, {}, suffix));
  return Activation{.value = result, .batch = frame.batch};
}

namespace {

// An operand that is a constant of the program makes a function of one variable.
template <typename WithConstant>
Status convert_pair(NodeContext& c, Operator op, WithConstant with_constant) {
  CAIRN_CHECK(c.expect_inputs(2, 2));
  for (int i = 0; i < 2; ++i) {
    CAIRN_TRY(const std::optional<float> value, constant(c, i));
    if (!value) continue;
    CAIRN_TRY(const ValueId x, c.elementwise(1 - i));
    return name_output(c, with_constant(c, x, *value, ""));
  }
  CAIRN_TRY(const Binding a, operand(c, 0));
  CAIRN_TRY(const Binding b, operand(c, 1));
  return name_output(c, combine(c, op, a, b));
}

}  // namespace

Status convert_add(NodeContext& c) {
  return convert_pair(c, Operator::add, add_constant);
}

Status convert_mul(NodeContext& c) {
  return convert_pair(c, Operator::multiply, multiply_constant);
}

// a - b is a + (-b). Only values can be negated, so a weight b makes it -((-a) + b).
Status convert_sub(NodeContext& c) {
  CAIRN_CHECK(c.expect_inputs(2, 2));
  CAIRN_TRY(const std::optional<float> first, constant(c, 0));
  CAIRN_TRY(const std::optional<float> second, constant(c, 1));
  if (second) {
    CAIRN_TRY(const ValueId x, c.elementwise(0));
    return name_output(c, add_constant(c, x, -*second, ""));
  }
  if (first) {
    CAIRN_TRY(const ValueId b, c.elementwise(1));
    CAIRN_TRY(const ValueId negated, c.add(Operator::neg, {b}, {}, *first == 0 ? "" : "/negated"));
    return name_output(c, add_constant(c, negated, *first, ""));
  }
  CAIRN_TRY(const Binding subtrahend, operand(c, 1));
  if (const Floats* floats = std::get_if<Floats>(&subtrahend)) {
    CAIRN_TRY(const Binding a, operand(c, 0));
    return name_output(c, combine(c, Operator::add, a, binding_of(mapped(*floats->tensor, std::negate()))));
  }
  if (std::holds_alternative<Weight>(subtrahend)) {
    CAIRN_TRY(const Activation a, c.moved_activation(0));
    CAIRN_TRY(const Activation negated, mapped(c, a, Operator::neg, "/negated"));
    CAIRN_TRY(const Activation sum, combine(c, Operator::add, negated, subtrahend, "/sum"));
    return name_output(c, mapped(c, sum, Operator::neg, ""));
  }
  CAIRN_TRY(const Binding a, operand(c, 0));
  CAIRN_TRY(const Activation negated, mapped(c, std::get<Activation>(subtrahend), Operator::neg, "/negated"));
  return name_output(c, combine(c, Operator::add, a, negated));
}

// a / b is a * (1 / b).
Status convert_div(NodeContext& c) {
  CAIRN_CHECK(c.expect_inputs(2, 2));
  CAIRN_TRY(const bool normalized, normalizes_rows(c));
  if (normalized) return {};
  CAIRN_TRY(const std::optional<float> first, constant(c, 0));
  CAIRN_TRY(const std::optional<float> second, constant(c, 1));
  if (second) {
    CAIRN_TRY(const ValueId x, c.elementwise(0));
    if (!std::isfinite(1 / *second)) return Error{"divides by " + std::to_string(*second)};
    return name_output(c, multiply_constant(c, x, 1 / *second, ""));
  }
  if (first) {
    CAIRN_TRY(const ValueId b, c.elementwise(1));
    CAIRN_TRY(const ValueId inverse, c.add(Operator::reciprocal, {b}, {}, *first == 1 ? "" : "/inverse"));
    return name_output(c, multiply_constant(c, inverse, *first, ""));
  }
  CAIRN_TRY(const Binding a, operand(c, 0));
  CAIRN_TRY(const Binding divisor, operand(c, 1));
  if (const Floats* floats = std::get_if<Floats>(&divisor)) {
    return name_output(c, combine(c, Operator::multiply, a,
                                  binding_of(mapped(*floats->tensor, [](float x) { return 1 / x; }))));
  }
  CAIRN_TRY(const Activation b, c.moved_activation(1));
  CAIRN_TRY(const Activation inverse, mapped(c, b, Operator::reciprocal, "/inverse"));
  return name_output(c, combine(c, Operator::multiply, a, inverse));
}

namespace {

// The larger or smaller of all inputs: a bound where one of two is a number.
Status convert_bound(NodeContext& c, Operator op) {
  constexpr float kLowest = std::numeric_limits<float>::lowest(),
                  kLargest = std::numeric_limits<float>::max();
  CAIRN_CHECK(c.expect_inputs(1, 8));
  std::optional<Activation> result;
  for (int i = 0; i < c.node.input_size(); ++i) {
    CAIRN_TRY(const std::optional<float> bound, constant(c, i));
    if (bound) continue;
    CAIRN_TRY(const Activation x, c.moved_activation(i));
    std::string suffix;
    if (i + 1 < c.node.input_size()) suffix.append("/").append(std::to_string(i));
    if (result) {
      CAIRN_TRY(result, combine(c, op, *result, x, suffix));
    } else {
      result = x;
    }
  }
  if (!result) return Error{"has no input that depends on the model's input"};
  for (int i = 0; i < c.node.input_size(); ++i) {
    CAIRN_TRY(const std::optional<float> bound, constant(c, i));
    if (!bound) continue;
    const Attributes range =
        op == Operator::minimum ? constants(kLowest, *bound) : constants(*bound, kLargest);
    CAIRN_TRY(result->value, c.add(Operator::clip, {result->value}, range));
  }
  return c.output(*result);
}

// Ones where the condition is `wanted`, else zeros.
Tensor indicator(const Tensor& condition, bool wanted) {
  Tensor result{.dims = condition.dims, .integer = false, .floats = {}, .integers = {}};
  for (const int64_t value : condition.integers)
    result.floats.push_back((value != 0) == wanted ? 1.0f : 0.0f);
  return result;
}

// The operand where the condition is `wanted`, else 0. A number or a constant stays a constant.
Result<Binding> chosen(NodeContext& c, int index, const Tensor& condition, bool wanted) {
  const Tensor mask = indicator(condition, wanted);
  CAIRN_TRY(const std::optional<float> number, constant(c, index));
  if (number) return binding_of(mapped(mask, [&](float m) { return m == 0 ? 0 : *number; }));
  CAIRN_TRY(const Binding value, operand(c, index));
  if (const Floats* floats = std::get_if<Floats>(&value); floats && floats->tensor->dims != mask.dims)
    return Error{"chooses between constants of another shape than its condition"};
  if (const Floats* floats = std::get_if<Floats>(&value)) {
    Tensor result = mask;
    for (size_t i = 0; i < result.floats.size(); ++i)
      result.floats[i] = mask.floats[i] == 0 ? 0 : floats->tensor->floats[i];
    return binding_of(std::move(result));
  }
  CAIRN_TRY(const Activation product,
            combine(c, Operator::multiply, value, binding_of(mask), wanted ? "/kept" : "/other"));
  return Binding(product);
}

}  // namespace

Status convert_min(NodeContext& c) {
  return convert_bound(c, Operator::minimum);
}

Status convert_max(NodeContext& c) {
  return convert_bound(c, Operator::maximum);
}

// With a condition m of constants: x * m + y * (1 - m), which is exact.
Status convert_where(NodeContext& c) {
  CAIRN_CHECK(c.expect_inputs(3, 3));
  const auto condition = constant_tensor(c, 0);
  if (!condition || !condition->integer) {
    return Error{"input " + quoted(c.node.input(0)) +
                 " must be a constant condition; choosing by computed values is not supported"};
  }
  if (condition->integers.size() == 1) {
    CAIRN_TRY(const Binding only, c.input(condition->integers[0] != 0 ? 1 : 2));
    return c.output(only);
  }
  CAIRN_TRY(const Binding kept, chosen(c, 1, *condition, true));
  CAIRN_TRY(const Binding other, chosen(c, 2, *condition, false));
  return name_output(c, combine(c, Operator::add, kept, other));
}

}  // namespace cairn::onnx
