#include "onnx/convert.h"

#include <algorithm>
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
    {"Erf", convert_function},
    {"Exp", convert_function},
    {"Flatten", convert_flatten},
    {"Gather", convert_gather},
    {"Gelu", convert_gelu},
    {"Gemm", convert_gemm},
    {"GlobalAveragePool", convert_global_average_pool},
    {"GlobalMaxPool", convert_global_max_pool},
    {"GroupNormalization", convert_group_normalization},
    {"HardSigmoid", convert_hard_sigmoid},
    {"HardSwish", convert_function},
    {"Identity", convert_identity},
    {"InstanceNormalization", convert_instance_normalization},
    {"LayerNormalization", convert_layer_normalization},
    {"LeakyRelu", convert_leaky_relu},
    {"Log", convert_function},
    {"LogSoftmax", convert_softmax},
    {"MatMul", convert_matmul},
    {"Max", convert_max},
    {"MaxPool", convert_max_pool},
    {"Min", convert_min},
    {"Mish", convert_mish},
    {"Mul", convert_mul},
    {"Neg", convert_function},
    {"PRelu", convert_prelu},
    {"Pad", convert_pad},
    {"Pow", convert_pow},
    {"Reciprocal", convert_function},
    {"ReduceMax", convert_reduce_max},
    {"ReduceMean", convert_reduce_mean},
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
    {"Unsqueeze", convert_unsqueeze},
};

std::string kind_of(const Binding& binding) {
  constexpr const char* kKinds[] = {"a value computed from the model's input", "a weight",
                                    "a constant of integers", "a constant that is no weight"};
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

Result<Activation> NodeContext::padded_activation(int index) const {
  CAIRN_TRY(const Binding binding, input(index));
  const Activation* activation = std::get_if<Activation>(&binding);
  if (!activation) {
    return Error{"input " + quoted(node.input(index)) + " is " + kind_of(binding) +
                 "; expected a value computed from the model's input"};
  }
  if (activation->softmax == FinalSoftmax::log) {
    return Error{"comes after LogSoftmax, which is supported as the last node only"};
  }
  if (activation->softmax == FinalSoftmax::none) return *activation;
  CAIRN_TRY(const model::ValueId softmax,
            add_before(model::Operator::softmax, activation->value, {}, "/softmax"));
  return Activation{softmax};
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

Result<model::ValueId> NodeContext::activation_or_parameter(int index) const {
  CAIRN_TRY(const Binding binding, input(index));
  return std::holds_alternative<Activation>(binding) ? activation(index) : parameter(index);
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
  for (const auto& value : found.values) {
    if (!value) return Error{"input " + quoted(node.input(index)) + " depends on the batch size"};
    result.push_back(*value);
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
    if (!tensor->integer) {
      const std::vector<float>& values = tensor->floats;
      Floats floats{values.size() == 1 ? std::optional(values.front()) : std::nullopt};
      const auto same = [&](float value) { return value == values.front(); };
      if (!values.empty() && std::ranges::all_of(values, same)) floats.uniform = values.front();
      return c.output(floats);
    }
    if (tensor->dims.size() > 1) return Error{"its integers have more than one dimension"};
    Integers integers{{}, tensor->dims.empty()};
    integers.values.assign(tensor->integers.begin(), tensor->integers.end());
    return c.output(std::move(integers));
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

// Dropout passes only where it changes nothing: out of training, or at ratio 0.
Status convert_dropout(NodeContext& c) {
  CAIRN_CHECK(c.expect_inputs(1, 3));
  CAIRN_TRY(Binding data, c.input(0));
  c.attributes.ignore("seed");
  float ratio = 0.5f;
  bool training = true;
  if (c.scope.opset < 12) {
    ratio = c.attributes.real("ratio", 0.5f);
  } else {
    training = false;
    if (c.has_input(1)) {
      CAIRN_TRY(ratio, c.real(1));
    }
    if (c.has_input(2)) {
      CAIRN_TRY(const std::vector<int64_t> flag, c.known_integers(2));
      training = flag.empty() || flag[0] != 0;
    }
  }
  if (training && ratio != 0)
    return Error{"drops values in training, which is not supported; set its ratio to 0"};
  return c.output(std::move(data));
}

Status convert_transpose(NodeContext& c) {
  CAIRN_CHECK(c.expect_inputs(1, 1));
  if (c.is_activation(0)) return transpose_activation(c);
  if (c.is_integers(0)) return transpose_integers(c);
  CAIRN_TRY(Weight weight, c.weight(0));
  if (c.scope.builder.weight(weight.index).dims.size() != 2 ||
      c.attributes.integers("perm", {1, 0}) != std::vector<int64_t>{1, 0}) {
    return Error{"only a weight of two dimensions can be transposed"};
  }
  weight.transposed = !weight.transposed;
  return c.output(weight);
}

}  // namespace cairn::onnx
