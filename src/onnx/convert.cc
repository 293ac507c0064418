#include "onnx/convert.h"

#include <algorithm>
#include <cmath>
#include <iterator>

namespace cairn::onnx {
namespace {

struct NamedConverter {
  std::string_view op_type;
  Converter convert;
};

constexpr NamedConverter kConverters[] = {
    {"Abs", convert_function},
    {"Add", convert_add},
    {"And", convert_comparison},
    {"AveragePool", convert_average_pool},
    {"BatchNormalization", convert_batch_normalization},
    {"Cast", convert_cast},
    {"Clip", convert_clip},
    {"Concat", convert_concat},
    {"Constant", convert_constant},
    {"ConstantOfShape", convert_constant_of_shape},
    {"Conv", convert_conv},
    {"Div", convert_div},
    {"Dropout", convert_dropout},
    {"Elu", convert_elu},
    {"Equal", convert_comparison},
    {"Erf", convert_function},
    {"Exp", convert_function},
    {"Expand", convert_expand},
    {"Flatten", convert_flatten},
    {"Gather", convert_gather},
    {"Gelu", convert_gelu},
    {"Gemm", convert_gemm},
    {"GlobalAveragePool", convert_global_average_pool},
    {"GlobalMaxPool", convert_global_max_pool},
    {"Greater", convert_comparison},
    {"GreaterOrEqual", convert_comparison},
    {"GroupNormalization", convert_group_normalization},
    {"HardSigmoid", convert_hard_sigmoid},
    {"HardSwish", convert_function},
    {"Identity", convert_identity},
    {"InstanceNormalization", convert_instance_normalization},
    {"LayerNormalization", convert_layer_normalization},
    {"LeakyRelu", convert_leaky_relu},
    {"Less", convert_comparison},
    {"LessOrEqual", convert_comparison},
    {"Log", convert_function},
    {"LogSoftmax", convert_softmax},
    {"MatMul", convert_matmul},
    {"Max", convert_max},
    {"MaxPool", convert_max_pool},
    {"Min", convert_min},
    {"Mish", convert_mish},
    {"Mul", convert_mul},
    {"Neg", convert_function},
    {"Not", convert_constant_only},
    {"Or", convert_comparison},
    {"PRelu", convert_prelu},
    {"Pad", convert_pad},
    {"Pow", convert_pow},
    {"Range", convert_constant_only},
    {"Reciprocal", convert_function},
    {"ReduceMax", convert_reduce_max},
    {"ReduceMean", convert_reduce_mean},
    {"ReduceMin", convert_reduce_min},
    {"ReduceSum", convert_reduce_sum},
    {"Relu", convert_function},
    {"Reshape", convert_reshape},
    {"Selu", convert_selu},
    {"Shape", convert_shape},
    {"Sigmoid", convert_function},
    {"Slice", convert_slice},
    {"Softmax", convert_softmax},
    {"Softplus", convert_function},
    {"Softsign", convert_softsign},
    {"Split", convert_split},
    {"Sqrt", convert_function},
    {"Squeeze", convert_squeeze},
    {"Sub", convert_sub},
    {"Tanh", convert_function},
    {"Transpose", convert_transpose},
    {"Trilu", convert_constant_only},
    {"Unsqueeze", convert_unsqueeze},
    {"Where", convert_where},
    {"Xor", convert_comparison},
};

std::string kind_of(const Binding& binding) {
  constexpr const char* kKinds[] = {"a value computed from the model's input", "a weight",
                                    "a constant of integers", "a constant that is no weight",
                                    "a constant of integers"};
  return kKinds[binding.index()];
}

}  // namespace

Converter find_converter(const std::string& op_type) {
  const auto* found = std::ranges::lower_bound(kConverters, op_type, {}, &NamedConverter::op_type);
  return found != std::end(kConverters) && found->op_type == op_type ? found->convert : nullptr;
}

std::string supported_operators() {
  std::string result;
  for (const NamedConverter& entry : kConverters) {
    result.append(result.empty() ? "" : ", ").append(entry.op_type);
  }
  return result;
}

Status define(Scope& scope, const std::string& name, Binding binding) {
  const Integers* integers = std::get_if<Integers>(&binding);
  if (integers && integers->values.size() > kMaxIntegers) {
    return Error{quoted(name) + " holds " + std::to_string(integers->values.size()) +
                 " integers; expected a shape, at most " + std::to_string(kMaxIntegers)};
  }
  if (!scope.names.emplace(name, std::move(binding)).second) {
    return Error{"two values are named " + quoted(name)};
  }
  return {};
}

Status NodeContext::expect_inputs(int least, int most) const {
  const int count = node.input_size();
  if (count >= least && count <= most) return {};
  return Error{"has " + std::to_string(count) + " inputs; expected " + std::to_string(least) +
               (least == most ? "" : " to " + std::to_string(most))};
}

Result<Binding> NodeContext::input(int index) const {
  if (!has_input(index)) return Error{"input " + std::to_string(index) + " is missing"};
  const auto found = scope.names.find(node.input(index));
  if (found != scope.names.end()) return found->second;
  return Error{"input " + quoted(node.input(index)) +
               " is neither a stored weight nor the output of an earlier node (nodes must stand in order)"};
}

// With a softmax before it that turned out not to be the last node.
Result<Activation> NodeContext::settled(int index, const Activation& activation) const {
  if (activation.tokens) {
    return Error{"input " + quoted(node.input(index)) +
                 " holds whole numbers; expected floating-point numbers (whole numbers can choose rows of an "
                 "embedding: Gather)"};
  }
  if (activation.softmax == FinalSoftmax::log) {
    return Error{"comes after LogSoftmax, which is supported as the last node only"};
  }
  Activation result = activation;
  if (activation.softmax == FinalSoftmax::none) return result;
  result.softmax = FinalSoftmax::none;
  model::Attributes last;
  last.axis = static_cast<int64_t>(shape(activation.value).size()) - 1;
  CAIRN_TRY(result.value, add_before(model::Operator::softmax, activation.value, last, "/softmax"));
  return result;
}

Result<Activation> NodeContext::padded_activation(int index) const {
  CAIRN_TRY(const Binding binding, input(index));
  const Activation* activation = std::get_if<Activation>(&binding);
  if (!activation) {
    return Error{"input " + quoted(node.input(index)) + " is " + kind_of(binding) +
                 "; expected a value computed from the model's input"};
  }
  CAIRN_TRY(const Activation result, settled(index, *activation));
  if (result.batch == BatchPlace{}) return result;
  if (result.batch.absent)
    return Error{"input " + quoted(node.input(index)) + " does not depend on the model's input"};
  return Error{"input " + quoted(node.input(index)) + " has the batch in dimension " +
               std::to_string(result.batch.axis) + " with " +
               std::to_string(result.batch.outer * result.batch.inner) +
               " values a sample; expected the batch alone in dimension 0"};
}

Result<Activation> NodeContext::moved_activation(int index) const {
  CAIRN_TRY(const Binding binding, input(index));
  if (const Weight* weight = std::get_if<Weight>(&binding)) return expanded(*weight);
  const Floats* floats = std::get_if<Floats>(&binding);
  if (floats && floats->tensor) return expanded(*floats->tensor);
  const Activation* activation = std::get_if<Activation>(&binding);
  if (!activation) return padded_activation(index);  // which says what is wrong
  CAIRN_TRY(Activation result, settled(index, *activation));
  if (result.zeros == Pads{}) return result;
  CAIRN_TRY(result.value, this->activation(index));
  result.zeros = {};
  return result;
}

Result<model::ValueId> NodeContext::elementwise(int index) {
  CAIRN_TRY(const Activation x, moved_activation(index));
  place_ = x.batch;
  return x.value;
}

Result<Activation> NodeContext::tokens(int index) const {
  CAIRN_TRY(const Binding binding, input(index));
  const Activation* activation = std::get_if<Activation>(&binding);
  if (activation && activation->tokens) return *activation;
  return Error{"input " + quoted(node.input(index)) + " is " + kind_of(binding) +
               "; expected the model's input of whole numbers, or part of it"};
}

Result<Activation> NodeContext::moved_value(int index) const {
  auto chosen = tokens(index);
  return chosen ? std::move(chosen) : moved_activation(index);
}

// The batch's copies of a parameter.
Result<Activation> NodeContext::expanded(const Weight& weight) const {
  const model::ValueId parameter = scope.builder.parameter(weight.index);
  model::Attributes target;
  target.shape = shape(parameter);
  target.shape.insert(target.shape.begin(), 0);
  CAIRN_TRY(model::ValueId value,
            add_before(model::Operator::expand, parameter, std::move(target), "/expanded"));
  if (weight.transposed) {
    model::Attributes order;
    order.permutation = {0, 2, 1};
    CAIRN_TRY(value, add_before(model::Operator::transpose, value, std::move(order), "/transposed"));
  }
  return Activation{.value = value, .batch = {.absent = true}};
}

Result<Activation> NodeContext::expanded(const Tensor& tensor) const {
  CAIRN_TRY(const model::ValueId numbers, constant(tensor));
  model::Attributes target;
  target.shape = tensor.dims;
  target.shape.insert(target.shape.begin(), 0);
  CAIRN_TRY(const model::ValueId value,
            add_before(model::Operator::expand, numbers, std::move(target), "/expanded"));
  return Activation{.value = value, .batch = {.absent = true}};
}

Result<model::ValueId> NodeContext::constant(const Tensor& tensor) const {
  constexpr float kInfinity = 0x1p+120f;  // far beyond any sum, and its differences stay finite
  std::vector<float> values = tensor.floats;
  for (float& value : values) {
    if (std::isnan(value)) return Error{"takes a constant that is no number (NaN)"};
    if (std::isinf(value)) value = value > 0 ? kInfinity : -kInfinity;
  }
  const std::string name = tensor.name.empty() ? name_of(node) + "/constant" : tensor.name;
  return scope.builder.add_constant(name, tensor.dims, std::move(values));
}

Result<model::ValueId> NodeContext::activation(int index) const {
  CAIRN_TRY(const Activation result, padded_activation(index));
  if (result.zeros == Pads{}) return result.value;
  model::Attributes zeros;
  zeros.pads.assign(result.zeros.begin(), result.zeros.end());
  return add_before(model::Operator::pad, result.value, std::move(zeros), "/pad");
}

bool NodeContext::is_activation(int index) const {
  const auto binding = input(index);
  return binding && std::holds_alternative<Activation>(*binding);
}

bool NodeContext::is_weight(int index) const {
  const auto binding = input(index);
  return binding && std::holds_alternative<Weight>(*binding);
}

bool NodeContext::is_integers(int index) const {
  const auto binding = input(index);
  return binding && std::holds_alternative<Integers>(*binding);
}

Result<model::ValueId> NodeContext::add_before(model::Operator op, model::ValueId x,
                                               model::Attributes node_attributes, const char* suffix) const {
  return scope.builder.add_node(op, name_of(node) + suffix, {x}, std::move(node_attributes));
}

Result<Weight> NodeContext::weight(int index) const {
  CAIRN_TRY(const Binding binding, input(index));
  if (const Weight* weight = std::get_if<Weight>(&binding)) return *weight;
  return Error{"input " + quoted(node.input(index)) + " is " + kind_of(binding) +
               "; expected a weight stored in the file"};
}

Result<model::ValueId> NodeContext::parameter(int index) const {
  CAIRN_TRY(const Weight result, weight(index));
  if (result.transposed) return Error{"input " + quoted(node.input(index)) + " is a transposed weight"};
  return scope.builder.parameter(result.index);
}

Result<Integers> NodeContext::integers(int index) const {
  CAIRN_TRY(Integers found, integers_or_rows(index));
  if (found.columns == 0) return found;
  return Error{"input " + quoted(node.input(index)) + " is a matrix of integers; expected a list"};
}

Result<Integers> NodeContext::integers_or_rows(int index) const {
  CAIRN_TRY(const Binding binding, input(index));
  if (const Integers* integers = std::get_if<Integers>(&binding)) return *integers;
  return Error{"input " + quoted(node.input(index)) + " is " + kind_of(binding) +
               "; expected constant integers"};
}

Result<std::vector<int64_t>> NodeContext::known_integers(int index) const {
  CAIRN_TRY(const Integers found, integers(index));
  std::vector<int64_t> result;
  for (const Size& value : found.values) {
    if (value.batches) return Error{"input " + quoted(node.input(index)) + " depends on the batch size"};
    result.push_back(value.number);
  }
  return result;
}

Result<float> NodeContext::real(int index) const {
  CAIRN_TRY(const Binding binding, input(index));
  if (const Floats* floats = std::get_if<Floats>(&binding); floats && floats->number) return *floats->number;
  if (const Weight* weight = std::get_if<Weight>(&binding)) {
    const std::vector<float>& values = scope.builder.weight(weight->index).floats;
    if (values.size() == 1) return values.front();
  }
  return Error{"input " + quoted(node.input(index)) + " must be one constant number"};
}

Result<model::ValueId> NodeContext::add(model::Operator op, std::vector<model::ValueId> inputs,
                                        model::Attributes node_attributes, const std::string& suffix) {
  return scope.builder.add_node(op, name_of(node) + suffix, std::move(inputs), std::move(node_attributes));
}

Status NodeContext::output(Binding binding) {
  if (node.output_size() == 0 || node.output(0).empty()) return Error{"has no output"};
  Activation* activation = std::get_if<Activation>(&binding);
  if (activation && place_) activation->batch = *place_;
  return define(scope, node.output(0), std::move(binding));
}

Status NodeContext::add_output(model::Operator op, std::vector<model::ValueId> inputs,
                               model::Attributes node_attributes) {
  CAIRN_TRY(const model::ValueId value, add(op, std::move(inputs), std::move(node_attributes)));
  return output(Activation{value});
}

Status convert_constant(NodeContext& c) {
  CAIRN_CHECK(c.expect_inputs(0, 0));
  if (c.node.attribute_size() != 1) return Error{"must have one attribute, its value"};
  if (const ::onnx::TensorProto* proto = c.attributes.tensor("value")) {
    auto tensor = read_constant(*proto);
    if (!tensor) return Error{"its value " + tensor.error().message};
    tensor->name = name_of(c.node);
    return output_tensor(c, std::move(*tensor));
  }
  if (c.attributes.has("value_int")) return c.output(Integers{{c.attributes.integer("value_int", 0)}, true});
  if (c.attributes.has("value_float")) return c.output(Floats{c.attributes.real("value_float", 0)});
  if (c.attributes.has("value_ints")) {
    const std::vector<int64_t> values = c.attributes.integers("value_ints", {});
    return c.output(Integers{{values.begin(), values.end()}, false});
  }
  return c.attributes.finish();
}

Status convert_identity(NodeContext& c) {
  CAIRN_CHECK(c.expect_inputs(1, 1));
  CAIRN_TRY(Binding binding, c.input(0));
  return c.output(std::move(binding));
}

// Exported in training mode it drops values. So does one that only names its ratio, as our own exports do:
// the model is going to be trained.
Status convert_dropout(NodeContext& c) {
  CAIRN_CHECK(c.expect_inputs(1, 3));
  CAIRN_TRY(Binding data, c.input(0));
  c.attributes.ignore("seed");
  float ratio = 0.5f;
  bool training = true;
  if (c.scope.opset < 12) {
    ratio = c.attributes.real("ratio", 0.5f);
  } else {
    training = c.has_input(1);
    if (c.has_input(1)) {
      CAIRN_TRY(ratio, c.real(1));
    }
    if (c.has_input(2)) {
      CAIRN_TRY(const std::vector<int64_t> flag, c.known_integers(2));
      training = flag.empty() || flag[0] != 0;
    }
  }
  if (!training || ratio == 0) return c.output(std::move(data));
  if (!(ratio > 0 && ratio < 1))
    return Error{"its ratio is " + std::to_string(ratio) + "; expected 0 to below 1"};
  CAIRN_TRY(const model::ValueId x, c.elementwise(0));
  model::Attributes attributes;
  attributes.alpha = ratio;
  return c.add_output(model::Operator::dropout, {x}, std::move(attributes));
}

Status convert_transpose(NodeContext& c) {
  CAIRN_CHECK(c.expect_inputs(1, 1));
  if (c.is_activation(0)) return transpose_activation(c);
  if (c.is_integers(0)) return transpose_integers(c);
  CAIRN_TRY(Weight weight, c.weight(0));
  if (c.scope.builder.weight(weight.index).dims.size() != 2 ||
      c.attributes.integers("perm", {1, 0}) != std::vector<int64_t>{1, 0}) {
    return transpose_activation(c);
  }
  weight.transposed = !weight.transposed;
  return c.output(weight);
}

}  // namespace cairn::onnx
