// Reshaping, and the arithmetic on shapes that leads to it: x.view(x.size(0), -1) reaches ONNX as Shape,
// Gather, Unsqueeze, Concat, Reshape. All of it is known at import but for the batch size, which stays a
// symbol.
#include <algorithm>

#include "onnx/convert.h"

namespace cairn::onnx {
namespace {

using model::Operator;
using model::ValueId;

// The canonical target: 0 (the batch) and known sizes.
Result<model::Shape> resolve_target(const NodeContext& c, const model::Shape& x, const Integers& wanted) {
  const size_t rank = wanted.values.size();
  if (wanted.scalar || rank == 0 || rank > model::kMaxRank)
    return Error{"its target must have 1 to 8 dimensions"};
  const auto& batch = wanted.values[0];
  const bool keeps_batch = !batch || *batch == 0 || (c.scope.fixed_batch && *batch == *c.scope.fixed_batch);
  if (!keeps_batch && *batch != -1) return Error{"the first dimension of its target must stay the batch"};

  model::Shape target = {0};
  int64_t known = 1;
  size_t inferred = 0;
  for (size_t d = 1; d < rank; ++d) {
    if (!wanted.values[d]) return Error{"the batch size may only be the first dimension of its target"};
    int64_t size = *wanted.values[d];
    if (size == 0 && d < x.size()) size = x[d];
    target.push_back(size);
    if (size == -1 && inferred == 0 && keeps_batch) {
      inferred = d;
    } else if (size < 1 || __builtin_mul_overflow(known, size, &known)) {
      return Error{"its target has a size that is not allowed: " + std::to_string(size)};
    }
  }
  const int64_t total = model::elements(x);
  if (inferred > 0) target[inferred] = total / known;
  if (total % known != 0 || (inferred == 0 && total != known)) {
    return Error{"its target does not hold the " + std::to_string(total) + " values of a sample"};
  }
  return target;
}

Result<int64_t> single(NodeContext& c, int index) {
  CAIRN_TRY(const std::vector<int64_t> values, c.known_integers(index));
  if (values.size() != 1) return Error{"input " + quoted(c.node.input(index)) + " must be one number"};
  return values[0];
}

// The axes of Squeeze and Unsqueeze: an attribute before opset 13, an input since.
Result<std::vector<int64_t>> read_axes(NodeContext& c) {
  if (c.has_input(1)) return c.known_integers(1);
  return c.attributes.integers("axes", {});
}

}  // namespace

Status convert_flatten(NodeContext& c) {
  CAIRN_CHECK(c.expect_inputs(1, 1));
  CAIRN_TRY(const ValueId x, c.activation(0));
  int64_t axis = c.attributes.integer("axis", 1);
  const auto rank = static_cast<int64_t>(c.shape(x).size());
  if (axis != 1 && axis != 1 - rank) return Error{"axis must be 1: the batch stays apart"};
  return c.add_output(Operator::flatten, {x});
}

Status convert_reshape(NodeContext& c) {
  CAIRN_CHECK(c.expect_inputs(2, 2));
  if (c.is_integers(0)) return reshape_integers(c);
  CAIRN_TRY(const ValueId x, c.activation(0));
  CAIRN_TRY(const Integers wanted, c.integers(1));
  const bool has_zero = std::ranges::any_of(wanted.values, [](const auto& value) { return value == 0; });
  if (c.attributes.integer("allowzero", 0) != 0 && has_zero) return Error{"its target has a size of 0"};
  model::Attributes attributes;
  CAIRN_TRY(attributes.shape, resolve_target(c, c.shape(x), wanted));
  return c.add_output(Operator::reshape, {x}, std::move(attributes));
}

Status convert_shape(NodeContext& c) {
  CAIRN_CHECK(c.expect_inputs(1, 1));
  if (c.is_integers(0)) {
    CAIRN_TRY(const Integers list, c.integers(0));
    return c.output(Integers{{static_cast<int64_t>(list.values.size())}, false});
  }
  CAIRN_TRY(const ValueId x, c.activation(0));
  const model::Shape& shape = c.shape(x);
  const auto rank = static_cast<int64_t>(shape.size());
  const auto position = [&](int64_t value) {
    return std::clamp<int64_t>(value < 0 ? value + rank : value, 0, rank);
  };
  const int64_t start = position(c.attributes.integer("start", 0));
  const int64_t end = position(c.attributes.integer("end", rank));
  Integers result;
  for (int64_t d = start; d < end; ++d) {
    result.values.push_back(d == 0 ? std::nullopt : std::optional<int64_t>(shape[static_cast<size_t>(d)]));
  }
  return c.output(std::move(result));
}

Status convert_gather(NodeContext& c) {
  CAIRN_CHECK(c.expect_inputs(2, 2));
  if (c.is_activation(0)) return gather_activation(c);
  CAIRN_TRY(const Integers data, c.integers(0));
  CAIRN_TRY(const Integers indices, c.integers(1));
  if (data.scalar || c.attributes.integer("axis", 0) != 0) return Error{"is supported on shapes only"};
  Integers result{{}, indices.scalar};
  const auto size = static_cast<int64_t>(data.values.size());
  for (const auto& index : indices.values) {
    if (!index || *index < -size || *index >= size) return Error{"its index is out of range"};
    result.values.push_back(data.values[static_cast<size_t>(*index < 0 ? *index + size : *index)]);
  }
  return c.output(std::move(result));
}

Status convert_slice(NodeContext& c) {
  CAIRN_CHECK(c.expect_inputs(3, 5));
  if (c.is_activation(0)) return slice_activation(c);
  if (is_reversal(c)) return reverse_integers(c);
  CAIRN_TRY(const Integers data, c.integers(0));
  CAIRN_TRY(int64_t start, single(c, 1));
  CAIRN_TRY(int64_t end, single(c, 2));
  for (int i = 3; i < c.node.input_size(); ++i) {
    CAIRN_TRY(const int64_t value, single(c, i));
    if (value != (i == 3 ? 0 : 1)) return Error{"is supported on shapes only, with step 1"};
  }
  const auto size = static_cast<int64_t>(data.values.size());
  start = std::clamp<int64_t>(start < 0 ? start + size : start, 0, size);
  end = std::clamp<int64_t>(end < 0 ? end + size : end, start, size);
  return c.output(Integers{{data.values.begin() + start, data.values.begin() + end}, false});
}

Status convert_concat(NodeContext& c) {
  if (c.node.input_size() == 0) return Error{"has no inputs"};
  if (c.is_activation(0)) return concat_activations(c);
  Integers result;
  for (int i = 0; i < c.node.input_size(); ++i) {
    CAIRN_TRY(const Integers part, c.integers(i));
    result.values.insert(result.values.end(), part.values.begin(), part.values.end());
    if (part.scalar || result.values.size() > model::kMaxRank) return Error{"is supported on shapes only"};
  }
  if (c.attributes.integer("axis", 0) != 0) return Error{"is supported on shapes only"};
  return c.output(std::move(result));
}

Status convert_unsqueeze(NodeContext& c) {
  CAIRN_CHECK(c.expect_inputs(1, 2));
  CAIRN_TRY(const Binding binding, c.input(0));
  if (!std::holds_alternative<Integers>(binding)) return unsqueeze_axes(c);
  CAIRN_TRY(Integers data, c.integers(0));
  CAIRN_TRY(const std::vector<int64_t> axes, read_axes(c));
  if (!data.scalar || (axes != std::vector<int64_t>{0} && axes != std::vector<int64_t>{-1})) {
    return Error{"is supported on shapes only"};
  }
  data.scalar = false;
  return c.output(std::move(data));
}

Status convert_squeeze(NodeContext& c) {
  CAIRN_CHECK(c.expect_inputs(1, 2));
  CAIRN_TRY(const Binding binding, c.input(0));
  if (!std::holds_alternative<Integers>(binding)) return squeeze_axes(c);
  CAIRN_TRY(Integers data, c.integers(0));
  CAIRN_TRY(const std::vector<int64_t> axes, read_axes(c));
  if (data.values.size() != 1 || data.scalar || (!axes.empty() && axes != std::vector<int64_t>{0})) {
    return Error{"is supported on shapes only"};
  }
  data.scalar = true;
  return c.output(std::move(data));
}

Status convert_cast(NodeContext& c) {
  CAIRN_CHECK(c.expect_inputs(1, 1));
  const int64_t to = c.attributes.integer("to", 0);
  if (to == ::onnx::TensorProto::FLOAT || to == ::onnx::TensorProto::DOUBLE) return cast_to_float(c);
  CAIRN_TRY(Integers data, c.integers(0));
  if (to != ::onnx::TensorProto::INT64) return Error{"is supported on shapes only"};
  return c.output(std::move(data));
}

namespace {

Result<int64_t> compute(const std::string& op, int64_t a, int64_t b) {
  int64_t result = 0;
  if (op == "Div" && (b < 1 || a < 0)) return Error{"divides sizes that are not positive"};
  const bool overflows = op == "Add"   ? __builtin_add_overflow(a, b, &result)
                         : op == "Sub" ? __builtin_sub_overflow(a, b, &result)
                         : op == "Mul" ? __builtin_mul_overflow(a, b, &result)
                                       : __builtin_sub_overflow(a / b, 0, &result);
  if (overflows) return Error{"its result overflows"};
  return result;
}

}  // namespace

bool is_about_sizes(const NodeContext& c) {
  const std::string& op = c.node.op_type();
  if (op != "Add" && op != "Sub" && op != "Mul" && op != "Div") return false;
  return c.is_integers(0) && !is_about_numbers(c);
}

Status convert_sizes(NodeContext& c) {
  CAIRN_CHECK(c.expect_inputs(2, 2));
  CAIRN_TRY(const Integers first, c.integers(0));
  CAIRN_TRY(const Integers second, c.integers(1));
  CAIRN_TRY(const std::vector<int64_t> a, c.known_integers(0));
  CAIRN_TRY(const std::vector<int64_t> b, c.known_integers(1));
  if (a.empty() || b.empty() || (a.size() != b.size() && a.size() != 1 && b.size() != 1)) {
    return Error{"its operands have " + std::to_string(a.size()) + " and " + std::to_string(b.size()) +
                 " numbers; expected as many, or one"};
  }
  Integers result{{}, first.scalar && second.scalar};
  for (size_t i = 0; i < std::max(a.size(), b.size()); ++i) {
    CAIRN_TRY(const int64_t value,
              compute(c.node.op_type(), a[std::min(i, a.size() - 1)], b[std::min(i, b.size() - 1)]));
    result.values.emplace_back(value);
  }
  return c.output(std::move(result));
}

}  // namespace cairn::onnx
