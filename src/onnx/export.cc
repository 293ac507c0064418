#include "onnx/export.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <set>

#include "model/operators.h"
#include "onnx/import.h"
#include "onnx/proto.h"

namespace cairn::onnx {
namespace {

using model::Operator;
using model::ValueId;
using ::onnx::AttributeProto;
using ::onnx::NodeProto;
using ::onnx::TensorProto;

constexpr int64_t kIrVersion = 8;
constexpr int64_t kOpset = 17;

void set(NodeProto& node, const char* name, int64_t value) {
  AttributeProto& attribute = *node.add_attribute();
  attribute.set_name(name);
  attribute.set_type(AttributeProto::INT);
  attribute.set_i(value);
}

void set(NodeProto& node, const char* name, float value) {
  AttributeProto& attribute = *node.add_attribute();
  attribute.set_name(name);
  attribute.set_type(AttributeProto::FLOAT);
  attribute.set_f(value);
}

void set(NodeProto& node, const char* name, const std::vector<int64_t>& values) {
  AttributeProto& attribute = *node.add_attribute();
  attribute.set_name(name);
  attribute.set_type(AttributeProto::INTS);
  attribute.mutable_ints()->Add(values.begin(), values.end());
}

void declare(::onnx::ValueInfoProto& info, const std::string& name, const model::Shape& shape,
             TensorProto::DataType element = TensorProto::FLOAT) {
  info.set_name(name);
  auto& type = *info.mutable_type()->mutable_tensor_type();
  type.set_elem_type(element);
  type.mutable_shape()->add_dim()->set_dim_param("batch");
  for (size_t d = 1; d < shape.size(); ++d) type.mutable_shape()->add_dim()->set_dim_value(shape[d]);
}

std::string onnx_name(Operator op) {
  switch (op) {
    case Operator::depthwise_conv:
      return "Conv";
    case Operator::row_normalization:
      return "LayerNormalization";
    case Operator::batch_matmul:
      return "MatMul";
    case Operator::embedding:
      return "Gather";
    case Operator::square:
    case Operator::cube:
      return "Pow";
    case Operator::add_constant:
      return "Add";
    case Operator::multiply_constant:
      return "Mul";
    default:
      return std::string(model::find_rule(op)->name);
  }
}

// Writes one graph: parameters and statistics first, then the nodes in order.
class Exporter {
 public:
  Exporter(const model::Graph& graph, ::onnx::GraphProto& out)
      : graph_(graph), out_(out), names_(graph.shapes.size()) {}

  void run(std::span<const float> parameters, std::span<const float> statistics) {
    for (const model::Parameter& parameter : graph_.parameters) {
      names_[parameter.value] = free_name(parameter.name);
      write_floats(names_[parameter.value], graph_.shapes[parameter.value], parameters);
    }
    for (const model::Statistics& entry : graph_.statistics) {
      const model::Shape& shape = graph_.shapes[graph_.nodes[entry.node].inputs[1]];
      for (const std::string& wanted : {entry.mean_name, entry.variance_name}) {
        statistics_names_.push_back(free_name(wanted));
        write_floats(statistics_names_.back(), shape, statistics);
      }
    }
    names_[graph_.input] = free_name("input");
    names_[graph_.output] = free_name("logits");
    out_.set_name("cairn");
    const bool tokens = model::token_limit(graph_) > 0;
    declare(*out_.add_input(), names_[graph_.input], graph_.shapes[graph_.input],
            tokens ? TensorProto::INT64 : TensorProto::FLOAT);
    declare(*out_.add_output(), names_[graph_.output], graph_.shapes[graph_.output]);
    for (const model::Node& node : graph_.nodes) write_node(node);
  }

 private:
  // ONNX has one name space for weights and values; ours has several.
  std::string free_name(std::string name) {
    while (!taken_.insert(name).second) name += "_";
    return name;
  }

  // Takes the tensor's values from the front of `values`.
  void write_floats(const std::string& name, const model::Shape& shape, std::span<const float>& values) {
    static_assert(std::endian::native == std::endian::little, "raw_data is little-endian");
    TensorProto& tensor = *out_.add_initializer();
    tensor.set_name(name);
    tensor.set_data_type(TensorProto::FLOAT);
    tensor.mutable_dims()->Add(shape.begin(), shape.end());
    const auto count = static_cast<size_t>(model::elements(shape));
    tensor.set_raw_data(values.data(), count * sizeof(float));
    values = values.subspan(count);
  }

  // ONNX's Gemm takes matrices only, so rows of more dimensions are multiplied by the transposed weight.
  void write_rows(const model::Node& node) {
    NodeProto& turn = *out_.add_node();
    turn.set_name(node.name + "_transposed");
    turn.set_op_type("Transpose");
    turn.add_input(names_[node.inputs[1]]);
    turn.add_output(free_name(turn.name()));
    set(turn, "perm", std::vector<int64_t>{1, 0});
    const bool biased = node.inputs.size() == 3;
    std::string& output = names_[node.outputs[0]];
    if (output.empty()) output = free_name(node.name + "_output");
    const std::string product = biased ? free_name(node.name + "_product") : output;
    write_pair("MatMul", node.name, names_[node.inputs[0]], turn.output(0), product);
    if (biased) write_pair("Add", node.name + "_biased", product, names_[node.inputs[2]], output);
  }

  void write_pair(const char* op, const std::string& name, const std::string& a, const std::string& b,
                  const std::string& output) {
    NodeProto& out = *out_.add_node();
    out.set_name(name);
    out.set_op_type(op);
    out.add_input(a);
    out.add_input(b);
    out.add_output(output);
  }

  // A parameter for each sample: the batch size is that of the input.
  void write_expanded_parameter(const model::Node& node) {
    NodeProto& size = *out_.add_node();
    size.set_name(node.name + "_batch");
    size.set_op_type("Shape");
    size.add_input(names_[graph_.input]);
    size.add_output(free_name(size.name()));
    set(size, "end", int64_t{1});
    const model::Shape& shape = node.attributes.shape;
    NodeProto& target = *out_.add_node();
    target.set_name(node.name + "_shape");
    target.set_op_type("Concat");
    target.add_input(size.output(0));
    target.add_input(write_integers(node, "sizes", {shape.begin() + 1, shape.end()}));
    target.add_output(free_name(target.name()));
    set(target, "axis", int64_t{0});
    std::string& output = names_[node.outputs[0]];
    if (output.empty()) output = free_name(node.name + "_output");
    write_pair("Expand", node.name, names_[node.inputs[0]], target.output(0), output);
  }

  void write_tensor(const model::Node& node) {
    std::string& output = names_[node.outputs[0]];
    if (output.empty()) output = free_name(node.name + "_output");
    NodeProto& out = *out_.add_node();
    out.set_name(node.name);
    out.set_op_type("Constant");
    out.add_output(output);
    AttributeProto& attribute = *out.add_attribute();
    attribute.set_name("value");
    attribute.set_type(AttributeProto::TENSOR);
    TensorProto& tensor = *attribute.mutable_t();
    tensor.set_data_type(TensorProto::FLOAT);
    const model::Attributes& a = node.attributes;
    tensor.mutable_dims()->Add(a.shape.begin(), a.shape.end());
    tensor.set_raw_data(a.values.data(), a.values.size() * sizeof(float));
  }

  bool is_parameter(ValueId value) const {
    return std::ranges::any_of(graph_.parameters, [&](const auto& p) { return p.value == value; });
  }

  void write_node(const model::Node& node) {
    if (node.op == Operator::constant) return write_tensor(node);
    if (node.op == Operator::expand && is_parameter(node.inputs[0])) return write_expanded_parameter(node);
    if (node.op == Operator::gemm && graph_.shapes[node.inputs[0]].size() != 2) return write_rows(node);
    const std::vector<std::string> constants = write_constants(node);  // which stand before the node
    NodeProto& out = *out_.add_node();
    out.set_name(node.name);
    out.set_op_type(onnx_name(node.op));
    for (const ValueId input : node.inputs) out.add_input(names_[input]);
    if (node.op == Operator::embedding) out.mutable_input()->SwapElements(0, 1);  // the table comes first
    for (const std::string& constant : constants) out.add_input(constant);
    std::string& output = names_[node.outputs[0]];
    if (output.empty()) output = free_name(node.name + "_output");
    out.add_output(output);
    write_attributes(node, out);
  }

  void write_attributes(const model::Node& node, NodeProto& out) {
    const model::Attributes& a = node.attributes;
    const uint32_t has = model::find_rule(node.op)->attributes;
    if (has & model::kHasKernel) set(out, "kernel_shape", a.kernel);
    if (has & model::kHasStrides) set(out, "strides", a.strides);
    if (has & model::kHasPads && node.op != Operator::pad) set(out, "pads", a.pads);
    if (has & model::kHasDilations) set(out, "dilations", a.dilations);
    if (has & model::kHasGroups) set(out, "group", a.groups);
    if (has & model::kHasAxis && node.op != Operator::slice) set(out, "axis", a.axis);
    if (has & model::kHasPermutation) set(out, "perm", a.permutation);
    if (has & model::kHasCountPadding) set(out, "count_include_pad", int64_t{a.count_padding});
    if (has & model::kHasCeilMode) set(out, "ceil_mode", int64_t{a.ceil_mode});
    if (has & model::kHasEpsilon) set(out, "epsilon", a.epsilon);
    if (node.op == Operator::depthwise_conv) set(out, "group", graph_.shapes[node.inputs[0]][1]);
    if (node.op == Operator::leaky_relu || node.op == Operator::selu || node.op == Operator::hard_sigmoid) {
      set(out, "alpha", a.alpha);
    }
    if (node.op == Operator::selu) set(out, "gamma", a.beta);
    if (node.op == Operator::hard_sigmoid) set(out, "beta", a.beta);
    if (node.op == Operator::gemm) set(out, "transB", int64_t{1});
    if (node.op == Operator::batch_normalization) {
      for (int i = 0; i < 2; ++i) out.add_input(statistics_names_[next_statistics_++]);
    }
  }

  // What ONNX takes as inputs and a canonical node has as attributes.
  std::vector<std::string> write_constants(const model::Node& node) {
    const model::Attributes& a = node.attributes;
    switch (node.op) {
      case Operator::slice:
        return {write_integers(node, "starts", {a.start}), write_integers(node, "ends", {a.start + a.length}),
                write_integers(node, "axes", {a.axis})};
      case Operator::pad:
        return {write_integers(node, "pads", {0, 0, a.pads[0], a.pads[1], 0, 0, a.pads[2], a.pads[3]})};
      case Operator::reshape:
        return {write_integers(node, "shape", a.shape)};
      case Operator::expand: {
        model::Shape shape = a.shape;
        shape[0] = 1;  // which keeps the batch
        return {write_integers(node, "shape", shape)};
      }
      case Operator::dropout:
        return {write_constant(node, "ratio", a.alpha)};
      case Operator::row_normalization: {
        const model::Shape& x = graph_.shapes[node.inputs[0]];
        return {write_constant(node, "scale", 1, {x.begin() + a.axis, x.end()})};
      }
      case Operator::square:
        return {write_constant(node, "exponent", 2)};
      case Operator::cube:
        return {write_constant(node, "exponent", 3)};
      case Operator::clip:
        return {write_constant(node, "min", a.alpha), write_constant(node, "max", a.beta)};
      case Operator::add_constant:
      case Operator::multiply_constant:
        return {write_constant(node, "constant", a.alpha)};
      default:
        return {};
    }
  }

  // A node, since an initializer would be a weight.
  std::string write_constant(const model::Node& node, const char* what, float value,
                             const model::Shape& shape = {}) {
    NodeProto& out = *out_.add_node();
    out.set_name(node.name + "_" + what);
    out.set_op_type("Constant");
    out.add_output(free_name(node.name + "_" + what));
    AttributeProto& attribute = *out.add_attribute();
    attribute.set_name("value");
    attribute.set_type(AttributeProto::TENSOR);
    attribute.mutable_t()->set_data_type(TensorProto::FLOAT);
    attribute.mutable_t()->mutable_dims()->Add(shape.begin(), shape.end());
    attribute.mutable_t()->mutable_float_data()->Resize(static_cast<int>(model::elements(shape)), value);
    return out.output(0);
  }

  std::string write_integers(const model::Node& node, const char* what, const std::vector<int64_t>& values) {
    TensorProto& tensor = *out_.add_initializer();
    tensor.set_name(free_name(node.name + "_" + what));
    tensor.set_data_type(TensorProto::INT64);
    tensor.add_dims(static_cast<int64_t>(values.size()));
    for (const int64_t value : values) tensor.add_int64_data(value);
    return tensor.name();
  }

  const model::Graph& graph_;
  ::onnx::GraphProto& out_;
  std::vector<std::string> names_;             // of values
  std::vector<std::string> statistics_names_;  // means and variances in turn
  size_t next_statistics_ = 0;
  std::set<std::string> taken_;
};

// Whole numbers that choose rows become ONNX's integers, with which nothing else can be computed.
Status check_tokens(const model::Graph& graph) {
  if (model::token_limit(graph) == 0) return {};
  std::set<ValueId> tokens = {graph.input};
  for (const model::Node& node : graph.nodes) {
    const bool takes = std::ranges::any_of(node.inputs, [&](ValueId v) { return tokens.contains(v); });
    const bool moves = node.op == Operator::reshape || node.op == Operator::flatten ||
                       node.op == Operator::slice || node.op == Operator::transpose;
    if (takes && moves) tokens.insert(node.outputs[0]);
    const bool embeds = node.op == Operator::embedding;
    if ((takes && !moves && !embeds) || (embeds && !tokens.contains(node.inputs[0]))) {
      return Error{"node '" + node.name +
                   "': the input both chooses rows and is computed with; ONNX has no such input"};
    }
  }
  return {};
}

Status check_values(const char* what, std::span<const float> values, size_t expected) {
  if (values.size() != expected) {
    return Error{std::string(what) + ": " + std::to_string(values.size()) + " numbers where the model has " +
                 std::to_string(expected)};
  }
  for (size_t i = 0; i < values.size(); ++i) {
    if (!std::isfinite(values[i]))
      return Error{std::string(what) + ": number " + std::to_string(i) + " is not finite"};
  }
  return {};
}

}  // namespace

Result<Bytes> export_onnx(const model::Graph& graph, std::span<const float> parameters,
                          std::span<const float> statistics) {
  CAIRN_CHECK(model::verify(graph));
  CAIRN_CHECK(check_tokens(graph));
  CAIRN_CHECK(check_values("parameters", parameters, model::parameter_count(graph)));
  CAIRN_CHECK(check_values("statistics", statistics, statistics_count(graph)));
  ::onnx::ModelProto model;
  model.set_ir_version(kIrVersion);
  model.set_producer_name("cairn");
  model.add_opset_import()->set_version(kOpset);
  Exporter(graph, *model.mutable_graph()).run(parameters, statistics);
  if (model.ByteSizeLong() > kMaxOnnxFileSize)
    return Error{"the model is larger than 2 GiB, ONNX's limit for one file"};
  Bytes bytes(model.ByteSizeLong());
  model.SerializeToArray(bytes.data(), static_cast<int>(bytes.size()));
  return bytes;
}

}  // namespace cairn::onnx
