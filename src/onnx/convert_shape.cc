// Reshaping, and the arithmetic on shapes that leads to it: x.view(x.size(0), -1) reaches ONNX as Shape,
// Gather, Unsqueeze, Concat, Reshape. All of it is known at import but for the batch size, which stays a
// symbol.
#include <algorithm>

#include "onnx/convert.h"

namespace cairn::onnx {
namespace {

using model::Operator;
using model::ValueId;

int64_t behind(const std::vector<Size>& dims, size_t d) {
  int64_t product = 1;
  for (size_t i = d + 1; i < dims.size(); ++i) product *= dims[i].number;
  return product;
}

Error bad_size(int64_t size) {
  return Error{"its target has a size that is not allowed: " + std::to_string(size)};
}

// A file of a fixed batch size may name it as a number. The batch is in the dimension whose elements reach
// from those behind the batch to those of all samples.
Result<size_t> find_fixed_batch(const NodeContext& c, const Activation& x, const std::vector<Size>& dims) {
  const int64_t batch = *c.scope.fixed_batch;
  const int64_t inner = x.batch.inner * behind(file_shape(c, x), x.batch.axis);
  std::optional<size_t> found;
  for (size_t d = dims.size(); d-- > 0;) {
    const int64_t stride = behind(dims, d);
    if (stride == inner && dims[d] == Size(batch)) return d;
    if (stride <= inner && inner * batch <= stride * dims[d].number && dims[d].number % batch == 0) found = d;
  }
  if (!found) return Error{"the batch must stay apart in its target"};
  return *found;
}

// Fills in the sizes that the file leaves open: 0 copies one, -1 is what is left, and the batch's may be a
// number.
Result<std::vector<Size>> resolve_target(const NodeContext& c, const Activation& x, const Integers& wanted) {
  constexpr int64_t kMost = model::kMaxElements;
  const std::vector<Size> from = file_shape(c, x);
  std::vector<Size> dims = wanted.values;
  if (wanted.scalar || dims.empty() || dims.size() > model::kMaxRank)
    return Error{"its target must have 1 to 8 dimensions"};
  std::optional<size_t> open, batch;
  int64_t known = 1;
  for (size_t d = 0; d < dims.size(); ++d) {
    if (dims[d] == Size(0) && d < from.size()) dims[d] = from[d];
    if (dims[d] == Size(-1) && !open) {
      open = d;
      continue;
    }
    if (dims[d].number < 1 || __builtin_mul_overflow(known, dims[d].number, &known) || known > kMost)
      return bad_size(dims[d].number);
    if (dims[d].batches && batch) return Error{"the batch size may only be one dimension of its target"};
    if (dims[d].batches) batch = d;
  }
  const int64_t total = model::elements(c.shape(x.value));
  const bool fixed = !batch && c.scope.fixed_batch && !x.batch.absent;
  const int64_t whole = fixed ? total * *c.scope.fixed_batch : total;
  const bool divides = whole % known == 0 && (open || whole == known);
  if (divides && open) dims[*open] = Size(whole / known);
  if (divides && fixed) {
    CAIRN_TRY(batch, find_fixed_batch(c, x, dims));
    dims[*batch] = Size(dims[*batch].number / *c.scope.fixed_batch, true);
    return dims;
  }
  // Without the batch size anywhere, what is left is the batch's.
  if (!batch && open && !x.batch.absent && total % known == 0) {
    dims[*open] = Size(total / known, true);
    return dims;
  }
  if (!batch && !open && !x.batch.absent) return Error{"the batch must stay apart in its target"};
  if (!divides) return Error{"its target does not hold the " + std::to_string(total) + " values of a sample"};
  return dims;
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

// A weight keeps its numbers.
Status reshape_weight(NodeContext& c, const Integers& wanted) {
  CAIRN_TRY(const Weight weight, c.weight(0));
  CAIRN_TRY(const Activation x, weight.transposed ? c.moved_activation(0) : Result<Activation>(Activation{}));
  if (weight.transposed) {
    CAIRN_TRY(const std::vector<Size> dims, resolve_target(c, x, wanted));
    CAIRN_TRY(const Activation result, regrouped(c, x, dims));
    return c.output(result);
  }
  const model::Shape shape = c.scope.builder.weight(weight.index).dims;
  const int64_t total = model::elements(shape);
  model::Shape target;
  int64_t known = 1;
  std::optional<size_t> open;
  for (const Size& size : wanted.values) {
    int64_t number = size.number == 0 && target.size() < shape.size() ? shape[target.size()] : size.number;
    if (number == -1 && !open) {
      open = target.size();
      number = 1;
    }
    if (size.batches || number < 1 || __builtin_mul_overflow(known, number, &known)) return bad_size(number);
    target.push_back(number);
  }
  if (open) target[*open] = total / known;
  c.attributes.ignore("allowzero");
  if (model::checked_elements(target) != total)
    return Error{"its target does not hold the " + std::to_string(total) + " values of its input"};
  CAIRN_CHECK(c.scope.builder.reshape_weight(weight.index, target));
  return c.output(weight);
}

}  // namespace

Status convert_flatten(NodeContext& c) {
  CAIRN_CHECK(c.expect_inputs(1, 1));
  CAIRN_TRY(const Activation x, c.moved_value(0));
  const auto rank = static_cast<int64_t>(file_rank(c, x));
  int64_t axis = c.attributes.integer("axis", 1);
  axis += axis < 0 ? rank : 0;
  if (axis == 1 && x.batch == BatchPlace{}) {
    Activation result = x;
    CAIRN_TRY(result.value, c.add(Operator::flatten, {x.value}));
    return c.output(result);
  }
  if (axis < 0 || axis > rank) return Error{"axis " + std::to_string(axis) + " is out of range"};
  const std::vector<Size> from = file_shape(c, x);
  std::vector<Size> dims(2, 1);
  for (size_t d = 0; d < from.size(); ++d) {
    Size& side = dims[static_cast<int64_t>(d) < axis ? 0 : 1];
    side = Size(side.number * from[d].number, side.batches || from[d].batches);
  }
  CAIRN_TRY(const Activation result, regrouped(c, x, dims));
  return c.output(result);
}

Status convert_reshape(NodeContext& c) {
  CAIRN_CHECK(c.expect_inputs(2, 2));
  if (c.is_integers(0)) return reshape_integers(c);
  CAIRN_TRY(const Integers wanted, c.integers(1));
  if (c.is_weight(0)) return reshape_weight(c, wanted);
  CAIRN_TRY(const Activation x, c.moved_value(0));
  const bool has_zero = std::ranges::any_of(wanted.values, [](const Size& size) { return size == Size(0); });
  if (c.attributes.integer("allowzero", 0) != 0 && has_zero) return Error{"its target has a size of 0"};
  CAIRN_TRY(const std::vector<Size> dims, resolve_target(c, x, wanted));
  CAIRN_TRY(const Activation result, regrouped(c, x, dims));
  return c.output(result);
}

Status convert_shape(NodeContext& c) {
  CAIRN_CHECK(c.expect_inputs(1, 1));
  std::vector<Size> shape;
  CAIRN_TRY(const Binding binding, c.input(0));
  if (std::holds_alternative<Activation>(binding)) {
    CAIRN_TRY(const Activation x, c.moved_value(0));
    shape = file_shape(c, x);
  } else if (const Integers* list = std::get_if<Integers>(&binding); list && list->columns == 0) {
    if (!list->scalar) shape = {static_cast<int64_t>(list->values.size())};
  } else if (const auto tensor = constant_tensor(c, 0)) {
    shape.assign(tensor->dims.begin(), tensor->dims.end());
  } else {
    CAIRN_TRY(const ValueId x, c.activation(0));  // which says what is wrong
    shape.assign(c.shape(x).begin(), c.shape(x).end());
  }
  const auto rank = static_cast<int64_t>(shape.size());
  const auto position = [&](int64_t value) {
    return std::clamp<int64_t>(value < 0 ? value + rank : value, 0, rank);
  };
  const int64_t start = position(c.attributes.integer("start", 0));
  const int64_t end = std::max(start, position(c.attributes.integer("end", rank)));
  return c.output(Integers{{shape.begin() + start, shape.begin() + end}, false});
}

Status convert_gather(NodeContext& c) {
  CAIRN_CHECK(c.expect_inputs(2, 2));
  if (c.tokens(1)) return embed_tokens(c);
  if (c.is_weight(0)) return gather_rows(c);
  if (!c.is_integers(0)) return gather_activation(c);
  CAIRN_TRY(const Integers data, c.integers(0));
  CAIRN_TRY(const Integers indices, c.integers(1));
  if (data.scalar || c.attributes.integer("axis", 0) != 0) return Error{"is supported on shapes only"};
  Integers result{{}, indices.scalar};
  const auto size = static_cast<int64_t>(data.values.size());
  for (const Size& index : indices.values) {
    if (index.batches || index.number < -size || index.number >= size)
      return Error{"its index is out of range"};
    result.values.push_back(
        data.values[static_cast<size_t>(index.number < 0 ? index.number + size : index.number)]);
  }
  return c.output(std::move(result));
}

Status convert_slice(NodeContext& c) {
  CAIRN_CHECK(c.expect_inputs(3, 5));
  if (c.is_activation(0)) return slice_activation(c);
  if (c.is_weight(0)) return slice_weight(c);
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

namespace {

bool has_values(const NodeContext& c) {
  for (int i = 0; i < c.node.input_size(); ++i) {
    if (!c.is_integers(i)) return true;
  }
  return false;
}

}  // namespace

Status convert_concat(NodeContext& c) {
  if (c.node.input_size() == 0) return Error{"has no inputs"};
  if (has_values(c)) return concat_activations(c);
  Integers result;
  for (int i = 0; i < c.node.input_size(); ++i) {
    CAIRN_TRY(const Integers part, c.integers(i));
    result.values.insert(result.values.end(), part.values.begin(), part.values.end());
    if (part.scalar || result.values.size() > model::kMaxRank) return Error{"is supported on shapes only"};
  }
  if (c.attributes.integer("axis", 0) != 0) return Error{"is supported on shapes only"};
  return c.output(std::move(result));
}

// A size becomes a list of one and comes back; other constants change their dimensions.
Status convert_unsqueeze(NodeContext& c) {
  CAIRN_CHECK(c.expect_inputs(1, 2));
  CAIRN_TRY(const Binding binding, c.input(0));
  if (!std::holds_alternative<Integers>(binding)) return unsqueeze_axes(c);
  CAIRN_TRY(Integers data, c.integers(0));
  CAIRN_TRY(const std::vector<int64_t> axes, read_axes(c));
  if (!data.scalar || (axes != std::vector<int64_t>{0} && axes != std::vector<int64_t>{-1}))
    return fold_tensors(c);
  data.scalar = false;
  return c.output(std::move(data));
}

Status convert_squeeze(NodeContext& c) {
  CAIRN_CHECK(c.expect_inputs(1, 2));
  CAIRN_TRY(const Binding binding, c.input(0));
  if (!std::holds_alternative<Integers>(binding)) return squeeze_axes(c);
  CAIRN_TRY(Integers data, c.integers(0));
  CAIRN_TRY(const std::vector<int64_t> axes, read_axes(c));
  if (data.values.size() != 1 || data.scalar || (!axes.empty() && axes != std::vector<int64_t>{0}))
    return fold_tensors(c);
  data.scalar = true;
  return c.output(std::move(data));
}

Status convert_cast(NodeContext& c) {
  CAIRN_CHECK(c.expect_inputs(1, 1));
  const int64_t to = c.attributes.integer("to", 0);
  if (to == ::onnx::TensorProto::FLOAT || to == ::onnx::TensorProto::DOUBLE) return cast_to_float(c);
  const bool to_integer = to == ::onnx::TensorProto::INT64 || to == ::onnx::TensorProto::INT32;
  if (auto tokens = c.tokens(0); tokens && to_integer) return c.output(*tokens);
  if (c.is_activation(0))
    return Error{"casts computed values to element type " + std::to_string(to) + "; expected a float"};
  if (!to_integer || !c.is_integers(0)) return fold_tensors(c);
  CAIRN_TRY(Integers data, c.integers(0));
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
  if (op == "Where") return c.is_integers(0) && c.is_integers(1) && c.is_integers(2);
  if (op != "Add" && op != "Sub" && op != "Mul" && op != "Div" && op != "Equal") return false;
  return c.is_integers(0) && c.is_integers(1) && !is_about_numbers(c);
}

namespace {

// A multiple of the batch size can be multiplied, divided where that leaves nothing, and compared.
Result<Size> compute(const std::string& op, const Size& a, const Size& b) {
  if (op == "Equal") return Size(a == b ? 1 : 0);
  if (op != "Mul" && op != "Div" && (a.batches || b.batches))
    return Error{"adds to the batch size, which is not known"};
  if (op == "Div" && a.batches && b == a) return Size(1);
  if ((a.batches && b.batches) || (op == "Div" && b.batches) ||
      (op == "Div" && a.batches && b.number > 0 && a.number % b.number != 0)) {
    return Error{"its result depends on the batch size, which is not known"};
  }
  CAIRN_TRY(const int64_t number, compute(op, a.number, b.number));
  return Size(number, a.batches || b.batches);
}

// As many numbers as the longest list has; a single one is repeated.
Result<size_t> common_length(std::initializer_list<size_t> lengths) {
  const size_t longest = std::max(lengths);
  for (const size_t length : lengths) {
    if (length != longest && length != 1)
      return Error{"its operands have " + std::to_string(length) + " and " + std::to_string(longest) +
                   " numbers; expected as many, or one"};
  }
  if (longest == 0) return Error{"its operands have no numbers"};
  return longest;
}

Status choose_sizes(NodeContext& c) {
  CAIRN_CHECK(c.expect_inputs(3, 3));
  CAIRN_TRY(const Integers condition, c.integers(0));
  CAIRN_TRY(const Integers x, c.integers(1));
  CAIRN_TRY(const Integers y, c.integers(2));
  CAIRN_TRY(const size_t length, common_length({condition.values.size(), x.values.size(), y.values.size()}));
  Integers result{{}, condition.scalar && x.scalar && y.scalar};
  const auto at = [&](const Integers& list, size_t i) {
    return list.values[std::min(i, list.values.size() - 1)];
  };
  for (size_t i = 0; i < length; ++i)
    result.values.push_back(at(condition, i) != Size(0) ? at(x, i) : at(y, i));
  return c.output(std::move(result));
}

}  // namespace

Status convert_sizes(NodeContext& c) {
  if (c.node.op_type() == "Where") return choose_sizes(c);
  CAIRN_CHECK(c.expect_inputs(2, 2));
  CAIRN_TRY(const Integers a, c.integers(0));
  CAIRN_TRY(const Integers b, c.integers(1));
  CAIRN_TRY(const size_t length, common_length({a.values.size(), b.values.size()}));
  Integers result{{}, a.scalar && b.scalar};
  for (size_t i = 0; i < length; ++i) {
    CAIRN_TRY(const Size value, compute(c.node.op_type(), a.values[std::min(i, a.values.size() - 1)],
                                        b.values[std::min(i, b.values.size() - 1)]));
    result.values.push_back(value);
  }
  return c.output(std::move(result));
}

}  // namespace cairn::onnx
