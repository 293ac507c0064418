// From one ONNX node to the canonical graph: what names stand for, and one converter for each operator.
#pragma once

#include <array>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "onnx/attributes.h"
#include "onnx/builder.h"

namespace cairn::onnx {

using Pads = std::array<int64_t, 4>;  // top, left, bottom, right

enum class FinalSoftmax : uint8_t { none, plain, log };

// A value that depends on the model's input.
struct Activation {
  model::ValueId value;
  Pads zeros{};                               // zeros still to be laid around the image
  FinalSoftmax softmax = FinalSoftmax::none;  // that is still to be applied, if this is not the end
};
// A tensor that can become a parameter, or its transpose.
struct Weight {
  size_t index;
  bool transposed = false;
};
// Arithmetic on shapes: a scalar or vector of numbers. No value means the batch size.
struct Integers {
  std::vector<std::optional<int64_t>> values;
  bool scalar = false;
  int64_t columns = 0;  // of a matrix, row by row
};
inline constexpr size_t kMaxIntegers = 64;
// A constant of the program, not of the model: its value, if it is one number, and the value of all its
// numbers, if they are the same.
struct Floats {
  std::optional<float> number;
  std::optional<float> uniform = number;
};
using Binding = std::variant<Activation, Weight, Integers, Floats>;

// The state of one import.
struct Scope {
  GraphBuilder& builder;
  int64_t opset;
  std::optional<int64_t> fixed_batch;  // where the file fixes the batch size
  std::map<std::string, Binding> names;
};

// Refuses a name that is taken, and more integers than any shape has: nodes copy them.
Status define(Scope& scope, const std::string& name, Binding binding);

// One node being converted: typed access to its inputs, its attributes, and what it adds to the graph.
class NodeContext {
 public:
  NodeContext(Scope& the_scope, const ::onnx::NodeProto& the_node)
      : scope(the_scope), node(the_node), attributes(the_node) {}

  Scope& scope;
  const ::onnx::NodeProto& node;
  AttributeReader attributes;

  Status expect_inputs(int least, int most) const;
  bool has_input(int index) const { return index < node.input_size() && !node.input(index).empty(); }
  Result<Binding> input(int index) const;
  Result<model::ValueId> activation(int index) const;
  Result<Activation> padded_activation(int index) const;  // zeros may be laid around it later
  Result<Weight> weight(int index) const;
  Result<model::ValueId> parameter(int index) const;  // a weight as it lies in the file
  Result<model::ValueId> activation_or_parameter(int index) const;
  Result<Integers> integers(int index) const;                    // no matrix of them
  Result<Integers> integers_or_rows(int index) const;            // possibly one
  Result<std::vector<int64_t>> known_integers(int index) const;  // without the batch size
  Result<float> real(int index) const;                           // one constant

  bool is_activation(int index) const;
  bool is_integers(int index) const;
  const model::Shape& shape(model::ValueId value) const { return scope.builder.shape(value); }

  // What an input still lacks, as a node before this one.
  Result<model::ValueId> add_before(model::Operator op, model::ValueId x, model::Attributes node_attributes,
                                    const char* suffix) const;
  // Adds a node under this one's name (with a suffix, where one ONNX node becomes two).
  Result<model::ValueId> add(model::Operator op, std::vector<model::ValueId> inputs,
                             model::Attributes node_attributes = {}, const std::string& suffix = "");
  Status output(Binding binding);  // names the node's first output
  // Adds a node and names the output after it.
  Status add_output(model::Operator op, std::vector<model::ValueId> inputs,
                    model::Attributes node_attributes = {});
};

using Converter = Status (*)(NodeContext&);

// Null where the operator is not supported.
Converter find_converter(const std::string& op_type);
std::string supported_operators();  // their names, for a message

// Reads kernel, strides, pads, dilations and auto_pad of a convolution or pool over `x`; zeros that were laid
// around x beforehand are added to the pads.
Status read_window(NodeContext& context, const Activation& x, std::vector<int64_t> kernel,
                   model::Attributes& window);

// From 0 on.
Result<int64_t> checked_axis(int64_t axis, size_t rank);

// Add and Mul of activations and parameters.
Status convert_binary(NodeContext& context, model::Operator op);

// convert_activation.cc
Status convert_function(NodeContext&);
Status convert_clip(NodeContext&);
Status convert_leaky_relu(NodeContext&);
Status convert_elu(NodeContext&);
Status convert_selu(NodeContext&);
Status convert_hard_sigmoid(NodeContext&);
Status convert_prelu(NodeContext&);
Status convert_gelu(NodeContext&);
Status convert_mish(NodeContext&);
Status convert_softsign(NodeContext&);
Status convert_pow(NodeContext&);
Status convert_add(NodeContext&);
Status convert_mul(NodeContext&);
Status convert_sub(NodeContext&);
Status convert_div(NodeContext&);
Status convert_min(NodeContext&);
Status convert_max(NodeContext&);
// convert_layers.cc
Status convert_conv(NodeContext&);
Status convert_gemm(NodeContext&);
Status convert_matmul(NodeContext&);
Status convert_batch_normalization(NodeContext&);
// convert_fold.cc
Status convert_constant_of_shape(NodeContext&);
Status reshape_integers(NodeContext&);
Status transpose_integers(NodeContext&);
bool is_reversal(const NodeContext&);
Status reverse_integers(NodeContext&);
bool is_about_numbers(const NodeContext&);  // so that convert_numbers() folds it
Status convert_numbers(NodeContext&);
Status cast_to_float(NodeContext&);
// convert_layout.cc: what is computed; constants are folded in convert_shape.cc
Status concat_activations(NodeContext&);
Status slice_activation(NodeContext&);
Status gather_activation(NodeContext&);
Status transpose_activation(NodeContext&);
Status squeeze_axes(NodeContext&);
Status unsqueeze_axes(NodeContext&);
Status reduce_mean_of_rows(NodeContext&);
Status convert_split(NodeContext&);
Status convert_reduce_sum(NodeContext&);
Status convert_reduce_max(NodeContext&);
// convert_attention.cc
Status convert_softmax(NodeContext&);
Status convert_layer_normalization(NodeContext&);
Status convert_instance_normalization(NodeContext&);
Status convert_group_normalization(NodeContext&);
Status multiply_activations(NodeContext&, model::ValueId first);
// convert_pooling.cc
Status convert_max_pool(NodeContext&);
Status convert_average_pool(NodeContext&);
Status convert_global_average_pool(NodeContext&);
Status convert_global_max_pool(NodeContext&);
Status convert_reduce_mean(NodeContext&);
Status convert_pad(NodeContext&);
// convert_shape.cc
Status convert_flatten(NodeContext&);
Status convert_reshape(NodeContext&);
Status convert_shape(NodeContext&);
Status convert_gather(NodeContext&);
Status convert_slice(NodeContext&);
Status convert_concat(NodeContext&);
Status convert_unsqueeze(NodeContext&);
Status convert_squeeze(NodeContext&);
Status convert_cast(NodeContext&);
// Whether the node computes with sizes only, so that convert_sizes() folds it.
bool is_about_sizes(const NodeContext&);
Status convert_sizes(NodeContext&);  // Add, Sub, Mul, Div
// convert.cc
Status convert_constant(NodeContext&);
Status convert_identity(NodeContext&);
Status convert_dropout(NodeContext&);
Status convert_transpose(NodeContext&);

}  // namespace cairn::onnx
