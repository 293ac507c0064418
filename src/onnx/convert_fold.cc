// Constants that exporters compute. Lists of integers: PyTorch writes the pads of F.pad as a list filled up
// with zeros, turned into pairs, reversed and transposed.
#include <algorithm>
#include <cmath>

#include "onnx/convert.h"

namespace cairn::onnx {

// What depends on the batch size is one number: what takes it spreads it.
Status convert_constant_of_shape(NodeContext& c) {
  CAIRN_CHECK(c.expect_inputs(1, 1));
  CAIRN_TRY(const Integers shape, c.integers(0));
  Tensor value{.dims = {1}, .integer = false, .floats = {0.0f}, .integers = {}};
  if (const ::onnx::TensorProto* proto = c.attributes.tensor("value")) {
    auto tensor = read_constant(*proto);
    if (!tensor) return Error{"its value " + tensor.error().message};
    value = std::move(*tensor);
  }
  if (value.floats.size() + value.integers.size() != 1) return Error{"its value must be one number"};
  const bool any = std::ranges::any_of(shape.values, [](const Size& size) { return size.batches; });
  if (any && value.integer) return c.output(Integers{{value.integers.front()}, true});
  if (any) return c.output(Floats{value.floats.front()});
  CAIRN_TRY(const std::vector<int64_t> dims, c.known_integers(0));
  if (value.integer && dims == std::vector<int64_t>{0}) return c.output(Integers{});
  const auto count = model::checked_elements(dims);
  if (!count || *count > model::kMaxConstantElements)
    return Error{"makes an empty constant or one of more than 2^22 numbers"};
  c.scope.folded_elements += *count;
  if (c.scope.folded_elements > kMaxFoldedElements || c.scope.live_elements + *count > kMaxLiveElements)
    return Error{"computes constants of too many numbers (" + std::to_string(*count) + ")"};
  Tensor result{.dims = dims, .integer = value.integer, .floats = {}, .integers = {}};
  if (value.integer) {
    result.integers.assign(static_cast<size_t>(*count), value.integers.front());
  } else {
    result.floats.assign(static_cast<size_t>(*count), value.floats.front());
  }
  return output_tensor(c, std::move(result));
}

// To a list, or to rows of so many columns.
Status reshape_integers(NodeContext& c) {
  c.attributes.ignore("allowzero");
  CAIRN_TRY(Integers data, c.integers_or_rows(0));
  CAIRN_TRY(const std::vector<int64_t> target, c.known_integers(1));
  const auto count = static_cast<int64_t>(data.values.size());
  const bool list = target.size() == 1 && (target[0] == -1 || target[0] == count);
  const bool rows = target.size() == 2 && target[1] >= 1 && count % target[1] == 0 &&
                    (target[0] == -1 || target[0] == count / target[1]);
  if (!list && !rows) return Error{"is supported for lists of integers and their rows only"};
  data.scalar = false;
  data.columns = rows ? target[1] : 0;
  return c.output(std::move(data));
}

Status transpose_integers(NodeContext& c) {
  CAIRN_TRY(const Integers data, c.integers_or_rows(0));
  if (data.columns == 0 || c.attributes.integers("perm", {1, 0}) != std::vector<int64_t>{1, 0}) {
    return Error{"is supported for rows of integers only"};
  }
  const auto columns = static_cast<size_t>(data.columns), rows = data.values.size() / columns;
  Integers result{{}, false, static_cast<int64_t>(rows)};
  for (size_t i = 0; i < data.values.size(); ++i)
    result.values.push_back(data.values[i % rows * columns + i / rows]);
  return c.output(std::move(result));
}

bool is_reversal(const NodeContext& c) {
  if (!c.has_input(4)) return false;
  const auto steps = c.known_integers(4);
  return steps && *steps == std::vector<int64_t>{-1};
}

// The whole of the first axis, from the last to the first.
Status reverse_integers(NodeContext& c) {
  CAIRN_TRY(Integers data, c.integers_or_rows(0));
  CAIRN_TRY(const std::vector<int64_t> start, c.known_integers(1));
  CAIRN_TRY(const std::vector<int64_t> end, c.known_integers(2));
  CAIRN_TRY(const std::vector<int64_t> axis, c.known_integers(3));
  const bool whole = start == std::vector<int64_t>{-1} && end.size() == 1 && end[0] < INT32_MIN;
  if (!whole || axis != std::vector<int64_t>{0}) return Error{"is supported backwards for whole lists only"};
  std::ranges::reverse(data.values);
  const auto columns = static_cast<std::ptrdiff_t>(data.columns);
  for (auto row = data.values.begin(); columns > 0 && row != data.values.end(); row += columns)
    std::reverse(row, row + columns);
  return c.output(std::move(data));
}

namespace {

// One constant number, of either kind.
std::optional<float> constant_number(const NodeContext& c, int index) {
  const auto binding = c.input(index);
  if (!binding) return std::nullopt;
  if (const Floats* floats = std::get_if<Floats>(&*binding)) return floats->number;
  const Integers* integers = std::get_if<Integers>(&*binding);
  if (!integers || integers->values.size() != 1 || integers->values[0].batches) return std::nullopt;
  return static_cast<float>(integers->values[0].number);
}

bool is_number(const NodeContext& c, int index) {
  const auto binding = c.input(index);
  return binding && std::holds_alternative<Floats>(*binding) && constant_number(c, index).has_value();
}

// With single IEEE operations, so that a file becomes the same model everywhere.
std::optional<float> fold(const std::string& op, float a, float b) {
  if (op == "Add") return a + b;
  if (op == "Sub") return a - b;
  if (op == "Mul") return a * b;
  if (op == "Div") return a / b;
  if (op == "Sqrt") return std::sqrt(a);
  if (op == "Neg") return -a;
  if (op == "Reciprocal") return 1 / a;
  if (op != "Pow") return std::nullopt;
  const float size = std::fabs(b);
  if (size != 1 && size != 2 && size != 3 && size != 0.5f) return std::nullopt;
  const float power = size == 0.5f ? std::sqrt(a) : size == 1 ? a : size == 2 ? a * a : a * a * a;
  return b < 0 ? 1 / power : power;
}

}  // namespace

bool is_about_numbers(const NodeContext& c) {
  const std::string& op = c.node.op_type();
  if (op == "Sqrt" || op == "Neg" || op == "Reciprocal") return c.node.input_size() == 1 && is_number(c, 0);
  if (op != "Add" && op != "Sub" && op != "Mul" && op != "Div" && op != "Pow") return false;
  return c.node.input_size() == 2 && (is_number(c, 0) || is_number(c, 1)) && constant_number(c, 0) &&
         constant_number(c, 1);
}

Status convert_numbers(NodeContext& c) {
  const std::string& op = c.node.op_type();
  const float a = *constant_number(c, 0);
  const std::optional<float> result = fold(op, a, c.node.input_size() == 2 ? *constant_number(c, 1) : 0);
  if (!result) return Error{"its exponent must be 1, 2, 3, 0.5 or one of their negatives"};
  if (!std::isfinite(*result)) return Error{"its result is not finite"};
  return c.output(Floats{*result});
}

// A number stays what it is; a size becomes one.
Status cast_to_float(NodeContext& c) {
  CAIRN_TRY(Binding binding, c.input(0));
  if (!std::holds_alternative<Integers>(binding)) return c.output(std::move(binding));
  const std::optional<float> number = constant_number(c, 0);
  if (!number) return fold_tensors(c);
  return c.output(Floats{*number});
}

}  // namespace cairn::onnx
