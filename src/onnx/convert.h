// From one ONNX node to the canonical graph: what names stand for, and one converter for each operator.
#pragma once

#include <array>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "onnx/attributes.h"
#include "onnx/builder.h"

namespace cairn::onnx {

using Pads = std::array<int64_t, 4>;  // top, left, bottom, right

enum class FinalSoftmax : uint8_t { none, plain, log };

// Where the file has the batch. In the canonical model it always comes first, the other dimensions following
// in the file's order; the file may have it elsewhere, and may have merged its neighbours into its dimension:
// heads times samples, or samples times positions.
struct BatchPlace {
  size_t axis = 0;
  int64_t outer = 1;    // what comes before the batch in its dimension
  int64_t inner = 1;    // and after it
  bool absent = false;  // the file has no batch here: a parameter or a constant that was made a value

  bool operator==(const BatchPlace&) const = default;
};

// A value that depends on the model's input, or was made to look like one.
struct Activation {
  model::ValueId value;
  Pads zeros{};                               // zeros still to be laid around the image
  FinalSoftmax softmax = FinalSoftmax::none;  // that is still to be applied, if this is not the end
  BatchPlace batch{};
  bool tokens = false;  // whole numbers that choose rows of an embedding
};
// A tensor that can become a parameter, or its transpose.
struct Weight {
  size_t index;
  bool transposed = false;
};
// A number of the arithmetic on shapes, or so many times the batch size.
struct Size {
  int64_t number = 0;
  bool batches = false;

  Size() = default;
  Size(int64_t n, bool of_batches = false)
      : number(n), batches(of_batches) {}  // NOLINT: a plain number is one
  bool operator==(const Size&) const = default;
};
// Arithmetic on shapes: a scalar or vector of numbers.
struct Integers {
  std::vector<Size> values;
  bool scalar = false;
  int64_t columns = 0;  // of a matrix, row by row
};
inline constexpr size_t kMaxIntegers = 64;
// A constant of the program, not of the model: its value, if it is one number, and the value of all its
// numbers, if they are the same. Infinities may be among them.
struct Floats {
  std::optional<float> number;
  std::optional<float> uniform = number;
  std::shared_ptr<const Tensor> tensor = nullptr;  // of several numbers
};
// Constant integers or truth values that are no shape.
struct Array {
  std::shared_ptr<const Tensor> tensor;
};
using Binding = std::variant<Activation, Weight, Integers, Floats, Array>;

// What constants may take while they are computed: elements at one time, and elements in all.
inline constexpr int64_t kMaxLiveElements = int64_t{3} << 22;
inline constexpr int64_t kMaxFoldedElements = int64_t{1} << 26;

// The state of one import.
struct Scope {
  GraphBuilder& builder;
  int64_t opset;
  std::optional<int64_t> fixed_batch;  // where the file fixes the batch size
  std::map<std::string, Binding> names;
  std::string output_name;  // of the graph
  int64_t live_elements = 0, folded_elements = 0;
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
  // A value with the batch first, as in the canonical model.
  Result<model::ValueId> activation(int index) const;
  Result<Activation> padded_activation(int index) const;  // zeros may be laid around it later
  // A value with the batch anywhere. A weight or a constant becomes one that has no batch.
  Result<Activation> moved_activation(int index) const;
  // The same for a function of each element: this node's outputs have the batch where the input has it.
  Result<model::ValueId> elementwise(int index);
  Result<Activation> tokens(int index) const;       // numbers that choose rows
  Result<Activation> moved_value(int index) const;  // either: both can be cut, turned and reshaped
  Result<Weight> weight(int index) const;
  Result<model::ValueId> parameter(int index) const;  // a weight as it lies in the file
  Result<model::ValueId> activation_or_parameter(int index) const;
  Result<Integers> integers(int index) const;                    // no matrix of them
  Result<Integers> integers_or_rows(int index) const;            // possibly one
  Result<std::vector<int64_t>> known_integers(int index) const;  // without the batch size
  Result<float> real(int index) const;                           // one constant

  bool is_activation(int index) const;
  bool is_weight(int index) const;
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
  // A weight, and a constant tensor, as a value of the canonical model.
  Result<Activation> expanded(const Weight& weight) const;
  Result<Activation> expanded(const Tensor& tensor) const;
  Result<model::ValueId> constant(const Tensor& tensor) const;  // ±infinity as ±2^120

 private:
  Result<Activation> settled(int index, const Activation& activation) const;
  std::optional<BatchPlace> place_;  // of outputs, set by elementwise()
};

using Converter = Status (*)(NodeContext&);

// Null where the operator is not supported.
Converter find_converter(const std::string& op_type);
std::string supported_operators();  // their names, for a message

// convert_place.cc: the file's view of values whose batch is elsewhere.
std::vector<Size> file_shape(const NodeContext&, const Activation&);
size_t file_rank(const NodeContext&, const Activation&);
// The canonical dimension of one of the file's, which is not the batch's. Refuses the batch's.
Result<size_t> canonical_axis(const NodeContext&, const Activation&, int64_t file_axis);
bool is_batch_axis(const Activation&, int64_t file_axis);
// The same elements in other dimensions, each of them known or a multiple of the batch size.
Result<Activation> regrouped(NodeContext&, const Activation&, const std::vector<Size>& dims,
                             const std::string& suffix = "");
// The place that several values share, and each of them brought to it, with as many dimensions.
struct Frame {
  BatchPlace batch;
  size_t rank = 0;  // of the file's shapes
};
Result<Frame> common_frame(const NodeContext&, const std::vector<Activation>&);
Result<model::ValueId> aligned(NodeContext&, const Activation&, const Frame&, const std::string& suffix);

// convert_tensor.cc: constants of any shape.
// Null where the input is no constant whose numbers are known.
std::shared_ptr<const Tensor> constant_tensor(const NodeContext&, int index);
Status output_tensor(NodeContext&, Tensor tensor);
// Whether the input is a stored tensor of zeros and ones: no weight, but a mask for others.
bool is_mask(const NodeContext&, int index);
bool can_fold(
    const NodeContext&);  // by fold_tensors(): all inputs are constants, and some are no plain numbers
Status fold_tensors(NodeContext&);
Status convert_comparison(NodeContext&);
Status convert_constant_only(NodeContext&);  // operators of constants alone
// Forgets constants that no later node reads.
void forget(Scope& scope, const std::string& name);

// Reads kernel, strides, pads, dilations and auto_pad of a convolution or pool over `x`; zeros that were laid
// around x beforehand are added to the pads.
Status read_window(NodeContext& context, const Activation& x, std::vector<int64_t> kernel,
                   model::Attributes& window);

// From 0 on.
Result<int64_t> checked_axis(int64_t axis, size_t rank);

// Two operands that spread over each other as ONNX says: activations, weights, constants.
Result<Activation> combine(NodeContext& context, model::Operator op, const Binding& a, const Binding& b,
                           const std::string& suffix = "");

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
// convert_pair.cc
Status convert_add(NodeContext&);
Status convert_mul(NodeContext&);
Status convert_sub(NodeContext&);
Status convert_div(NodeContext&);
Status convert_min(NodeContext&);
Status convert_max(NodeContext&);
Status convert_where(NodeContext&);
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
Status slice_weight(NodeContext&);
Status gather_activation(NodeContext&);
Status transpose_activation(NodeContext&);
Status squeeze_axes(NodeContext&);
Status unsqueeze_axes(NodeContext&);
Status convert_split(NodeContext&);
// convert_reduce.cc
Status reduce_mean_of_rows(NodeContext&);
Status convert_reduce_sum(NodeContext&);
Status convert_reduce_max(NodeContext&);
Status convert_reduce_min(NodeContext&);
// convert_attention.cc
Status convert_softmax(NodeContext&);
Status convert_layer_normalization(NodeContext&);
Status convert_instance_normalization(NodeContext&);
Status convert_group_normalization(NodeContext&);
Status multiply_activations(NodeContext&);
// Whether the quotient is a decomposed layer normalization, which it then becomes.
Result<bool> normalizes_rows(NodeContext&);
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
Status convert_sizes(NodeContext&);  // Add, Sub, Mul, Div, Equal, Where
// convert_embedding.cc
Status embed_tokens(NodeContext&);
Status gather_rows(NodeContext&);
Status convert_expand(NodeContext&);
// convert.cc
Status convert_constant(NodeContext&);
Status convert_identity(NodeContext&);
Status convert_dropout(NodeContext&);
Status convert_transpose(NodeContext&);

}  // namespace cairn::onnx
