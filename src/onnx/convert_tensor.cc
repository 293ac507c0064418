// Constants of any shape, computed at import: masks, positions, what exporters emit around them. Everything
// is single IEEE operations or integers, so that a file becomes the same model everywhere.
#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

#include "onnx/convert.h"

namespace cairn::onnx {
namespace {

using TensorPointer = std::shared_ptr<const Tensor>;

Tensor make(model::Shape dims, bool integer) {
  Tensor result{.dims = std::move(dims), .integer = integer, .floats = {}, .integers = {}};
  const auto count = static_cast<size_t>(model::elements(result.dims));
  if (integer) {
    result.integers.resize(count);
  } else {
    result.floats.resize(count);
  }
  return result;
}

size_t count_of(const Tensor& tensor) {
  return tensor.integer ? tensor.integers.size() : tensor.floats.size();
}

TensorPointer scalar_tensor(float value) {
  Tensor result = make({}, false);
  result.floats[0] = value;
  return std::make_shared<const Tensor>(std::move(result));
}

TensorPointer tensor_of(const Integers& integers) {
  const auto count = static_cast<int64_t>(integers.values.size());
  model::Shape dims = {count};
  if (integers.scalar) dims = {};
  if (integers.columns > 0) dims = {count / integers.columns, integers.columns};
  Tensor result = make(std::move(dims), true);
  for (size_t i = 0; i < integers.values.size(); ++i) {
    if (integers.values[i].batches) return nullptr;
    result.integers[i] = integers.values[i].number;
  }
  return std::make_shared<const Tensor>(std::move(result));
}

// Counts what a node makes before it is made.
Status reserve(Scope& scope, int64_t elements) {
  scope.folded_elements += elements;
  if (elements > model::kMaxConstantElements || scope.folded_elements > kMaxFoldedElements ||
      scope.live_elements + elements > kMaxLiveElements) {
    return Error{"computes constants of too many numbers (" + std::to_string(elements) + ")"};
  }
  return {};
}

// -- Element by element --

Result<model::Shape> spread(const model::Shape& a, const model::Shape& b) {
  model::Shape result(std::max(a.size(), b.size()), 1);
  for (size_t back = 1; back <= result.size(); ++back) {
    const int64_t x = back <= a.size() ? a[a.size() - back] : 1,
                  y = back <= b.size() ? b[b.size() - back] : 1;
    if (x != y && x != 1 && y != 1) return Error{"its operands do not fit each other"};
    result[result.size() - back] = x == 1 ? y : x;
  }
  if (!model::checked_elements(result)) return Error{"its result is empty or too large"};
  return result;
}

// For each element of `shape`, which element of `from` it meets.
class Walk {
 public:
  Walk(const model::Shape& shape, const model::Shape& from) : shape_(shape), index_(shape.size(), 0) {
    steps_.assign(shape.size(), 0);
    int64_t stride = 1;
    for (size_t back = 1; back <= from.size(); ++back) {
      const int64_t size = from[from.size() - back];
      if (size != 1) steps_[shape.size() - back] = stride;
      stride *= size;
    }
  }
  // A walk with steps of its own: a transposition, a slice.
  Walk(const model::Shape& shape, std::vector<int64_t> steps, int64_t start)
      : shape_(shape), steps_(std::move(steps)), index_(shape.size(), 0), at_(start) {}

  size_t next() {
    const auto result = static_cast<size_t>(at_);
    for (size_t d = shape_.size(); d-- > 0;) {
      at_ += steps_[d];
      if (++index_[d] < shape_[d]) break;
      at_ -= steps_[d] * shape_[d];
      index_[d] = 0;
    }
    return result;
  }

 private:
  const model::Shape& shape_;
  std::vector<int64_t> steps_;
  std::vector<int64_t> index_;
  int64_t at_ = 0;
};

Tensor gathered(const Tensor& from, model::Shape dims, Walk walk) {
  Tensor result = make(std::move(dims), from.integer);
  for (float& value : result.floats) value = from.floats[walk.next()];
  for (int64_t& value : result.integers) value = from.integers[walk.next()];
  return result;
}

template <typename T>
bool compare(const std::string& op, T a, T b) {
  if (op == "Equal") return a == b;
  if (op == "Greater") return a > b;
  if (op == "GreaterOrEqual") return a >= b;
  if (op == "Less") return a < b;
  if (op == "LessOrEqual") return a <= b;
  if (op == "And") return a != 0 && b != 0;
  if (op == "Or") return a != 0 || b != 0;
  return (a != 0) != (b != 0);
}

bool is_comparison(const std::string& op) {
  return op == "Equal" || op.starts_with("Greater") || op.starts_with("Less") || op == "And" || op == "Or" ||
         op == "Xor";
}

std::optional<float> compute(const std::string& op, float a, float b) {
  if (op == "Add") return a + b;
  if (op == "Sub") return a - b;
  if (op == "Mul") return a * b;
  if (op == "Div") return a / b;
  if (op == "Min") return b < a ? b : a;
  if (op == "Max") return b > a ? b : a;
  if (op != "Pow") return std::nullopt;
  const float size = std::fabs(b);
  if (size != 1 && size != 2 && size != 3 && size != 0.5f) return std::nullopt;
  const float power = size == 0.5f ? std::sqrt(a) : size == 1 ? a : size == 2 ? a * a : a * a * a;
  return b < 0 ? 1 / power : power;
}

std::optional<int64_t> compute(const std::string& op, int64_t a, int64_t b) {
  int64_t result = 0;
  if (op == "Add" && !__builtin_add_overflow(a, b, &result)) return result;
  if (op == "Sub" && !__builtin_sub_overflow(a, b, &result)) return result;
  if (op == "Mul" && !__builtin_mul_overflow(a, b, &result)) return result;
  if (op == "Div" && b > 0) return a / b;
  if (op == "Min") return std::min(a, b);
  if (op == "Max") return std::max(a, b);
  return std::nullopt;
}

Result<Tensor> binary(Scope& scope, const std::string& op, const Tensor& a, const Tensor& b) {
  if (a.integer != b.integer) return Error{"its operands have different types"};
  CAIRN_TRY(model::Shape shape, spread(a.dims, b.dims));
  CAIRN_CHECK(reserve(scope, model::elements(shape)));
  Walk at_a(shape, a.dims), at_b(shape, b.dims);
  const bool compares = is_comparison(op);
  Tensor result = make(shape, compares || a.integer);
  for (size_t i = 0; i < count_of(result); ++i) {
    const size_t x = at_a.next(), y = at_b.next();
    if (compares) {
      result.integers[i] =
          a.integer ? compare(op, a.integers[x], b.integers[y]) : compare(op, a.floats[x], b.floats[y]);
    } else if (a.integer) {
      const auto value = compute(op, a.integers[x], b.integers[y]);
      if (!value) return Error{"its integers cannot be computed"};
      result.integers[i] = *value;
    } else {
      const auto value = compute(op, a.floats[x], b.floats[y]);
      if (!value) return Error{"its exponent must be 1, 2, 3, 0.5 or one of their negatives"};
      result.floats[i] = *value;
    }
  }
  return result;
}

Result<Tensor> unary(Scope& scope, const std::string& op, const Tensor& x) {
  CAIRN_CHECK(reserve(scope, static_cast<int64_t>(count_of(x))));
  Tensor result = x;
  for (float& value : result.floats) {
    value = op == "Neg"    ? -value
            : op == "Abs"  ? std::fabs(value)
            : op == "Sqrt" ? std::sqrt(value)
                           : 1 / value;
  }
  for (int64_t& value : result.integers) {
    if (op == "Not") {
      value = value == 0;
    } else if (op == "Neg" && value != INT64_MIN) {
      value = -value;
    } else {
      return Error{"is not supported for constant integers"};
    }
  }
  return result;
}

Result<Tensor> cast(NodeContext& c, const Tensor& x) {
  using Type = ::onnx::TensorProto;
  const int64_t to = c.attributes.integer("to", 0);
  const bool to_float = to == Type::FLOAT || to == Type::DOUBLE, to_bool = to == Type::BOOL;
  if (!to_float && !to_bool && to != Type::INT64 && to != Type::INT32)
    return Error{"casts to element type " + std::to_string(to) +
                 "; expected a float, an integer or a truth value"};
  CAIRN_CHECK(reserve(c.scope, static_cast<int64_t>(count_of(x))));
  Tensor result = make(x.dims, !to_float);
  for (size_t i = 0; i < count_of(x); ++i) {
    if (to_float) {
      result.floats[i] = x.integer ? static_cast<float>(x.integers[i]) : x.floats[i];
    } else if (to_bool) {
      result.integers[i] = x.integer ? x.integers[i] != 0 : x.floats[i] != 0;
    } else if (x.integer) {
      result.integers[i] = x.integers[i];
    } else if (std::fabs(x.floats[i]) < 0x1p+62f) {
      result.integers[i] = static_cast<int64_t>(x.floats[i]);
    } else {
      return Error{"casts a number that no integer holds"};
    }
  }
  return result;
}

Result<Tensor> where(Scope& scope, const Tensor& condition, const Tensor& x, const Tensor& y) {
  if (x.integer != y.integer || !condition.integer) return Error{"its operands have different types"};
  CAIRN_TRY(model::Shape shape, spread(condition.dims, x.dims));
  CAIRN_TRY(shape, spread(shape, y.dims));
  CAIRN_CHECK(reserve(scope, model::elements(shape)));
  Walk at(shape, condition.dims), at_x(shape, x.dims), at_y(shape, y.dims);
  Tensor result = make(shape, x.integer);
  for (size_t i = 0; i < count_of(result); ++i) {
    const bool first = condition.integers[at.next()] != 0;
    const size_t from_x = at_x.next(), from_y = at_y.next();
    if (x.integer) {
      result.integers[i] = first ? x.integers[from_x] : y.integers[from_y];
    } else {
      result.floats[i] = first ? x.floats[from_x] : y.floats[from_y];
    }
  }
  return result;
}

// -- Layout --

// The numbers of an input that is a list.
Result<std::vector<int64_t>> list(const NodeContext& c, int index) {
  const TensorPointer tensor = constant_tensor(c, index);
  if (!tensor || !tensor->integer || tensor->dims.size() > 1)
    return Error{"input " + std::to_string(index) + " must be a list of constant integers"};
  return tensor->integers;
}

std::vector<int64_t> strides_of(const model::Shape& dims) {
  std::vector<int64_t> strides(dims.size(), 1);
  for (size_t d = dims.size(); d-- > 1;) strides[d - 1] = strides[d] * dims[d];
  return strides;
}

Result<Tensor> reshape(NodeContext& c, const Tensor& x) {
  CAIRN_TRY(model::Shape target, list(c, 1));
  c.attributes.ignore("allowzero");
  const auto total = static_cast<int64_t>(count_of(x));
  int64_t known = 1;
  size_t inferred = target.size();
  for (size_t d = 0; d < target.size(); ++d) {
    if (target[d] == 0 && d < x.dims.size()) target[d] = x.dims[d];
    if (target[d] == -1 && inferred == target.size()) {
      inferred = d;
    } else if (target[d] < 1 || __builtin_mul_overflow(known, target[d], &known)) {
      return Error{"its target has a size that is not allowed: " + std::to_string(target[d])};
    }
  }
  if (inferred < target.size()) target[inferred] = total / known;
  if (target.size() > model::kMaxRank || model::checked_elements(target) != total)
    return Error{"its target does not hold the " + std::to_string(total) + " values of its input"};
  Tensor result = x;
  result.dims = std::move(target);
  return result;
}

Result<Tensor> change_axes(NodeContext& c, const Tensor& x, bool insert) {
  std::vector<int64_t> axes = c.attributes.integers("axes", {});
  if (c.has_input(1)) {
    CAIRN_TRY(axes, list(c, 1));
  }
  const size_t rank = x.dims.size() + (insert ? axes.size() : 0);
  for (int64_t& axis : axes) {
    CAIRN_TRY(axis, checked_axis(axis, rank));
  }
  std::ranges::sort(axes);
  Tensor result = x;
  if (insert) {
    for (int64_t axis : axes) {
      if (axis > static_cast<int64_t>(result.dims.size())) return Error{"names an axis twice"};
      result.dims.insert(result.dims.begin() + axis, 1);
    }
    return result;
  }
  result.dims.clear();
  for (size_t d = 0; d < x.dims.size(); ++d) {
    const bool named = std::ranges::binary_search(axes, static_cast<int64_t>(d));
    if (named && x.dims[d] != 1) return Error{"axis " + std::to_string(d) + " is not 1"};
    if (!named && !(axes.empty() && x.dims[d] == 1)) result.dims.push_back(x.dims[d]);
  }
  return result;
}

Result<Tensor> transpose(NodeContext& c, const Tensor& x) {
  std::vector<int64_t> order(x.dims.size());
  std::iota(order.rbegin(), order.rend(), 0);
  const std::vector<int64_t> perm = c.attributes.integers("perm", order);
  std::ranges::reverse(order);
  if (!std::ranges::is_permutation(perm, order)) return Error{"perm must name each dimension once"};
  CAIRN_CHECK(reserve(c.scope, static_cast<int64_t>(count_of(x))));
  const std::vector<int64_t> strides = strides_of(x.dims);
  model::Shape dims;
  std::vector<int64_t> steps;
  for (const int64_t from : perm) {
    dims.push_back(x.dims[static_cast<size_t>(from)]);
    steps.push_back(strides[static_cast<size_t>(from)]);
  }
  const model::Shape shape = dims;
  return gathered(x, std::move(dims), Walk(shape, std::move(steps), 0));
}

Result<Tensor> slice(NodeContext& c, const Tensor& x) {
  CAIRN_TRY(const std::vector<int64_t> starts, list(c, 1));
  CAIRN_TRY(const std::vector<int64_t> ends, list(c, 2));
  std::vector<int64_t> axes(starts.size()), each(starts.size(), 1);
  std::iota(axes.begin(), axes.end(), 0);
  if (c.has_input(3)) {
    CAIRN_TRY(axes, list(c, 3));
  }
  if (c.has_input(4)) {
    CAIRN_TRY(each, list(c, 4));
  }
  if (ends.size() != starts.size() || axes.size() != starts.size() || each.size() != starts.size())
    return Error{"its starts, ends, axes and steps must be as many as each other"};
  model::Shape dims = x.dims;
  std::vector<int64_t> steps = strides_of(x.dims);
  int64_t begin = 0;
  for (size_t i = 0; i < starts.size(); ++i) {
    CAIRN_TRY(const int64_t axis, checked_axis(axes[i], x.dims.size()));
    const int64_t size = dims[static_cast<size_t>(axis)], step = each[i];
    if (step == 0 || std::abs(step) > size || size != x.dims[static_cast<size_t>(axis)])
      return Error{"its steps are out of range"};
    const auto position = [&](int64_t value, int64_t least, int64_t most) {
      return std::clamp(value < 0 ? std::max(value, -size - 1) + size : value, least, most);
    };
    const int64_t from = step > 0 ? position(starts[i], 0, size) : position(starts[i], 0, size - 1);
    const int64_t to = step > 0          ? position(ends[i], 0, size)
                       : ends[i] < -size ? -1
                                         : position(ends[i], -1, size - 1);
    const int64_t length = step > 0 ? (to - from + step - 1) / step : (from - to - step - 1) / -step;
    if (length < 1) return Error{"leaves nothing of axis " + std::to_string(axis)};
    begin += from * steps[static_cast<size_t>(axis)];
    steps[static_cast<size_t>(axis)] *= step;
    dims[static_cast<size_t>(axis)] = length;
  }
  if (dims == x.dims && std::ranges::all_of(each, [](int64_t step) { return step == 1; })) return x;
  CAIRN_CHECK(reserve(c.scope, model::elements(dims)));
  const model::Shape shape = dims;
  return gathered(x, std::move(dims), Walk(shape, std::move(steps), begin));
}

Result<Tensor> gather(NodeContext& c, const Tensor& x) {
  const TensorPointer indices = constant_tensor(c, 1);
  if (!indices || !indices->integer) return Error{"its indices must be constant integers"};
  CAIRN_TRY(const int64_t axis, checked_axis(c.attributes.integer("axis", 0), x.dims.size()));
  const auto at = x.dims.begin() + axis;
  const int64_t outer = model::elements({x.dims.begin(), at}),
                inner = model::elements({at + 1, x.dims.end()});
  model::Shape dims(x.dims.begin(), at);
  dims.insert(dims.end(), indices->dims.begin(), indices->dims.end());
  dims.insert(dims.end(), at + 1, x.dims.end());
  if (!model::checked_elements(dims)) return Error{"its result is empty or too large"};
  CAIRN_CHECK(reserve(c.scope, model::elements(dims)));
  Tensor result = make(std::move(dims), x.integer);
  size_t next = 0;
  for (int64_t o = 0; o < outer; ++o) {
    for (const int64_t index : indices->integers) {
      if (index < -*at || index >= *at) return Error{"its index is out of range"};
      const int64_t row = (o * *at + (index < 0 ? index + *at : index)) * inner;
      for (int64_t i = 0; i < inner; ++i, ++next) {
        const auto from = static_cast<size_t>(row + i);
        if (x.integer) {
          result.integers[next] = x.integers[from];
        } else {
          result.floats[next] = x.floats[from];
        }
      }
    }
  }
  return result;
}

Result<Tensor> expand(NodeContext& c, const Tensor& x) {
  CAIRN_TRY(const model::Shape target, list(c, 1));
  CAIRN_TRY(const model::Shape shape, spread(x.dims, target));
  CAIRN_CHECK(reserve(c.scope, model::elements(shape)));
  return gathered(x, shape, Walk(shape, x.dims));
}

Result<Tensor> concat(NodeContext& c, const std::vector<TensorPointer>& parts) {
  CAIRN_TRY(const int64_t axis, checked_axis(c.attributes.integer("axis", 0), parts[0]->dims.size()));
  const auto at = static_cast<size_t>(axis);
  model::Shape dims = parts[0]->dims;
  dims[at] = 0;
  for (const TensorPointer& part : parts) {
    model::Shape rest = part->dims;
    if (rest.size() != dims.size() || part->integer != parts[0]->integer)
      return Error{"joins constants that do not fit each other"};
    const int64_t length = std::exchange(rest[at], dims[at]);
    if (rest != dims) return Error{"joins constants that do not fit each other"};
    dims[at] += length;
  }
  if (!model::checked_elements(dims)) return Error{"its result is empty or too large"};
  CAIRN_CHECK(reserve(c.scope, model::elements(dims)));
  Tensor result{.dims = dims, .integer = parts[0]->integer, .floats = {}, .integers = {}};
  const int64_t outer = model::elements({dims.begin(), dims.begin() + axis});
  for (int64_t o = 0; o < outer; ++o) {
    for (const TensorPointer& part : parts) {
      const auto size = static_cast<int64_t>(count_of(*part)) / outer;
      const auto take = [&](const auto& from, auto& to) {
        to.insert(to.end(), from.begin() + o * size, from.begin() + (o + 1) * size);
      };
      if (result.integer) {
        take(part->integers, result.integers);
      } else {
        take(part->floats, result.floats);
      }
    }
  }
  return result;
}

// -- Made from little --

Result<Tensor> range(NodeContext& c) {
  std::array<int64_t, 3> number{};
  for (int i = 0; i < 3; ++i) {
    const TensorPointer tensor = constant_tensor(c, i);
    if (!tensor || !tensor->integer || count_of(*tensor) != 1)
      return Error{"its start, limit and step must be constant integers, without the batch size"};
    number[static_cast<size_t>(i)] = tensor->integers[0];
  }
  const auto [start, limit, step] = number;
  constexpr int64_t kFar = int64_t{1} << 40;
  if (step == 0 || std::max({std::abs(start / 2), std::abs(limit / 2), std::abs(step / 2)}) > kFar)
    return Error{"its start, limit or step is out of range"};
  const int64_t distance = step > 0 ? limit - start : start - limit, size = std::abs(step);
  const int64_t count = distance <= 0 ? 0 : (distance + size - 1) / size;
  if (count < 1) return Error{"counts nothing"};
  CAIRN_CHECK(reserve(c.scope, count));
  Tensor result = make({count}, true);
  for (int64_t i = 0; i < count; ++i) result.integers[static_cast<size_t>(i)] = start + i * step;
  return result;
}

Result<Tensor> triangle(NodeContext& c, const Tensor& x) {
  int64_t diagonal = 0;
  if (c.has_input(1)) {
    CAIRN_TRY(const std::vector<int64_t> values, list(c, 1));
    if (values.size() != 1) return Error{"its diagonal must be one number"};
    diagonal = values[0];
  }
  if (x.dims.size() < 2) return Error{"its input must have 2 dimensions or more"};
  if (std::abs(diagonal / 2) > model::kMaxElements) return Error{"its diagonal is out of range"};
  CAIRN_CHECK(reserve(c.scope, static_cast<int64_t>(count_of(x))));
  const bool upper = c.attributes.integer("upper", 1) != 0;
  const auto rows = x.dims[x.dims.size() - 2], columns = x.dims.back();
  Tensor result = x;
  for (size_t i = 0; i < count_of(x); ++i) {
    const auto column = static_cast<int64_t>(i) % columns, row = static_cast<int64_t>(i) / columns % rows;
    const int64_t right = column - row - diagonal;
    if (upper ? right >= 0 : right <= 0) continue;
    if (x.integer) {
      result.integers[i] = 0;
    } else {
      result.floats[i] = 0;
    }
  }
  return result;
}

constexpr std::string_view kBinary[] = {"Add", "Sub", "Mul", "Div", "Pow", "Min", "Max"};
constexpr std::string_view kUnary[] = {"Neg", "Abs", "Sqrt", "Reciprocal", "Not"};
constexpr std::string_view kLayout[] = {"Cast",   "Reshape", "Transpose", "Slice",    "Gather",
                                        "Expand", "Concat",  "Squeeze",   "Unsqueeze"};

bool is_one_of(std::span<const std::string_view> names, const std::string& op) {
  return std::ranges::find(names, op) != names.end();
}

Result<Tensor> fold(NodeContext& c) {
  const std::string& op = c.node.op_type();
  std::vector<TensorPointer> inputs;
  for (int i = 0; i < c.node.input_size(); ++i) {
    if (c.node.input(i).empty()) continue;
    inputs.push_back(constant_tensor(c, i));
    if (!inputs.back()) return Error{"input " + quoted(c.node.input(i)) + " must be constant"};
  }
  if (op == "Range") return range(c);
  if (inputs.empty()) return Error{"has no inputs"};
  if (op == "Where") return where(c.scope, *inputs[0], *inputs[1], *inputs[2]);
  if (op == "Concat") return concat(c, inputs);
  if (is_comparison(op) || is_one_of(kBinary, op)) return binary(c.scope, op, *inputs[0], *inputs[1]);
  if (is_one_of(kUnary, op)) return unary(c.scope, op, *inputs[0]);
  const Tensor& x = *inputs[0];
  if (op == "Cast") return cast(c, x);
  if (op == "Reshape") return reshape(c, x);
  if (op == "Transpose") return transpose(c, x);
  if (op == "Slice") return slice(c, x);
  if (op == "Gather") return gather(c, x);
  if (op == "Expand") return expand(c, x);
  if (op == "Trilu") return triangle(c, x);
  return change_axes(c, x, op == "Unsqueeze");
}

}  // namespace

TensorPointer constant_tensor(const NodeContext& c, int index) {
  const auto binding = c.input(index);
  if (!binding) return nullptr;
  if (const Array* array = std::get_if<Array>(&*binding)) return array->tensor;
  if (const Integers* integers = std::get_if<Integers>(&*binding)) return tensor_of(*integers);
  if (const Floats* floats = std::get_if<Floats>(&*binding)) {
    return floats->tensor ? floats->tensor : floats->number ? scalar_tensor(*floats->number) : nullptr;
  }
  const Weight* weight = std::get_if<Weight>(&*binding);
  if (!weight || weight->transposed) return nullptr;
  return std::make_shared<const Tensor>(c.scope.builder.weight(weight->index));
}

bool is_mask(const NodeContext& c, int index) {
  const auto binding = c.input(index);
  const Weight* weight = binding ? std::get_if<Weight>(&*binding) : nullptr;
  if (!weight || weight->transposed) return false;
  const Tensor& tensor = c.scope.builder.weight(weight->index);
  const auto is_bit = [](float value) { return value == 0 || value == 1; };
  return tensor.dims.size() >= 2 && std::ranges::all_of(tensor.floats, is_bit) &&
         std::ranges::count(tensor.floats, 0.0f) > 0 && std::ranges::count(tensor.floats, 1.0f) > 0;
}

Status output_tensor(NodeContext& c, Tensor tensor) {
  if (tensor.integer && tensor.dims.size() <= 1 && tensor.integers.size() <= kMaxIntegers) {
    return c.output(Integers{{tensor.integers.begin(), tensor.integers.end()}, tensor.dims.empty()});
  }
  if (!model::checked_elements(tensor.dims)) return Error{"has an empty constant"};
  if (!tensor.integer && tensor.floats.size() == 1) return c.output(Floats{tensor.floats.front()});
  c.scope.live_elements += static_cast<int64_t>(count_of(tensor));
  if (c.scope.live_elements > kMaxLiveElements) return Error{"has constants of too many numbers"};
  if (tensor.integer) return c.output(Array{std::make_shared<const Tensor>(std::move(tensor))});
  Floats floats;
  const float first = tensor.floats.front();
  if (std::ranges::all_of(tensor.floats, [&](float value) { return value == first; })) floats.uniform = first;
  floats.tensor = std::make_shared<const Tensor>(std::move(tensor));
  return c.output(std::move(floats));
}

void forget(Scope& scope, const std::string& name) {
  const auto found = scope.names.find(name);
  if (found == scope.names.end()) return;
  const Array* array = std::get_if<Array>(&found->second);
  const Floats* floats = std::get_if<Floats>(&found->second);
  const TensorPointer tensor = array ? array->tensor : floats ? floats->tensor : nullptr;
  if (!tensor) return;
  // This pointer and the binding's: nobody else has it.
  if (tensor.use_count() == 2) scope.live_elements -= static_cast<int64_t>(count_of(*tensor));
  found->second = Floats{};
}

bool can_fold(const NodeContext& c) {
  const std::string& op = c.node.op_type();
  const bool arithmetic = is_one_of(kBinary, op) || is_one_of(kUnary, op);
  if (!arithmetic && !is_one_of(kLayout, op) && op != "Where") return false;
  bool has_tensor = false;
  for (int i = 0; i < c.node.input_size(); ++i) {
    if (c.node.input(i).empty()) continue;
    const auto binding = c.input(i);
    if (!binding || std::holds_alternative<Activation>(*binding)) return false;
    if (std::holds_alternative<Weight>(*binding) && !(arithmetic && is_mask(c, i))) return false;
    const Floats* floats = std::get_if<Floats>(&*binding);
    has_tensor |= std::holds_alternative<Array>(*binding) || std::holds_alternative<Weight>(*binding) ||
                  (floats && floats->tensor);
    if (!constant_tensor(c, i)) return false;
  }
  return has_tensor;
}

Status fold_tensors(NodeContext& c) {
  const std::string& op = c.node.op_type();
  const bool two =
      is_comparison(op) || is_one_of(kBinary, op) || op == "Reshape" || op == "Expand" || op == "Gather";
  const int least = op == "Where" || op == "Slice" || op == "Range" ? 3 : two ? 2 : 1;
  CAIRN_CHECK(c.expect_inputs(least, op == "Concat" ? INT32_MAX : 5));
  CAIRN_TRY(Tensor result, fold(c));
  return output_tensor(c, std::move(result));
}

Status convert_comparison(NodeContext& c) {
  CAIRN_CHECK(c.expect_inputs(2, 2));
  for (int i = 0; i < 2; ++i) {
    if (c.is_activation(i))
      return Error{"compares values computed from the model's input, which is not supported"};
  }
  return fold_tensors(c);
}

Status convert_constant_only(NodeContext& c) {
  return fold_tensors(c);
}

}  // namespace cairn::onnx
