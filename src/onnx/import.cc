#include "onnx/import.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/wire_format_lite.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "onnx/convert.h"

namespace cairn::onnx {
namespace {

using ::onnx::GraphProto;
using ::onnx::ModelProto;
using ::onnx::NodeProto;
using ::onnx::ValueInfoProto;

constexpr int64_t kMaxBatch = 1 << 20;  // as a network has it
constexpr int64_t kMinIrVersion = 3;
constexpr int64_t kMaxIrVersion = 10;
constexpr size_t kMaxMessage = 2000;

// Counts what a file holds many of before it is unpacked, which takes a hundred times the memory of an empty
// node. A file that this cannot read is left to the parser, which says so.
Status check_counts(BytesView bytes) {
  using google::protobuf::internal::WireFormatLite;
  constexpr int kGraph = ModelProto::kGraphFieldNumber;
  struct Limit {
    int field;
    const char* name;
    int64_t most, count = 0;
  };
  std::array<Limit, 3> limits = {{{GraphProto::kNodeFieldNumber, "nodes", model::kMaxNodes},
                                  {GraphProto::kInitializerFieldNumber, "initializers", model::kMaxValues},
                                  {GraphProto::kValueInfoFieldNumber, "descriptions of values", 1 << 18}}};
  google::protobuf::io::CodedInputStream in(bytes.data(), static_cast<int>(bytes.size()));
  while (const uint32_t tag = in.ReadTag()) {
    int size = 0;
    if (WireFormatLite::GetTagFieldNumber(tag) != kGraph ||
        WireFormatLite::GetTagWireType(tag) != WireFormatLite::WIRETYPE_LENGTH_DELIMITED) {
      if (!WireFormatLite::SkipField(&in, tag)) return {};
      continue;
    }
    if (!in.ReadVarintSizeAsInt(&size)) return {};
    const auto end = in.PushLimit(size);
    while (const uint32_t part = in.ReadTag()) {
      for (Limit& limit : limits) limit.count += WireFormatLite::GetTagFieldNumber(part) == limit.field;
      if (!WireFormatLite::SkipField(&in, part)) return {};
    }
    in.PopLimit(end);
  }
  for (const Limit& limit : limits) {
    if (limit.count > limit.most) {
      return Error{"has " + std::to_string(limit.count) + " " + limit.name + "; the limit is " +
                   std::to_string(limit.most)};
    }
  }
  return {};
}

bool is_default_domain(const std::string& domain) {
  return domain.empty() || domain == "ai.onnx";
}

Result<int64_t> find_opset(const ModelProto& model) {
  for (const auto& opset : model.opset_import()) {
    if (!is_default_domain(opset.domain())) continue;
    if (opset.version() >= kMinOpset && opset.version() <= kMaxOpset) return opset.version();
    return Error{"opset " + std::to_string(opset.version()) + " is not supported; export with opset " +
                 std::to_string(kMinOpset) + " to " + std::to_string(kMaxOpset)};
  }
  return Error{"names no opset of ONNX's own operators"};
}

Status check_model(const ModelProto& model) {
  if (!model.has_graph()) return Error{"is no ONNX model: it has no graph"};
  if (model.ir_version() < kMinIrVersion || model.ir_version() > kMaxIrVersion) {
    return Error{"has IR version " + std::to_string(model.ir_version()) + "; supported are " +
                 std::to_string(kMinIrVersion) + " to " + std::to_string(kMaxIrVersion)};
  }
  if (model.functions_size() > 0) return Error{"defines functions, which are not supported"};
  if (model.training_info_size() > 0) return Error{"carries training graphs, which are not supported"};
  if (model.graph().sparse_initializer_size() > 0)
    return Error{"has sparse weights, which are not supported"};
  return {};
}

// The one input that is no initializer (files before IR version 4 list those among the inputs).
Result<const ValueInfoProto*> find_input(const GraphProto& graph) {
  std::set<std::string> stored;
  for (const auto& tensor : graph.initializer()) stored.insert(tensor.name());
  const ValueInfoProto* found = nullptr;
  for (const ValueInfoProto& input : graph.input()) {
    if (stored.contains(input.name())) continue;
    if (found) {
      return Error{"has two inputs, " + quoted(found->name()) + " and " + quoted(input.name()) +
                   "; expected one, the images"};
    }
    found = &input;
  }
  if (!found) return Error{"has no input"};
  return found;
}

struct InputShape {
  model::Shape shape;  // for a batch of one
  std::optional<int64_t> fixed_batch;
  bool tokens = false;
};

Result<InputShape> read_input(const ValueInfoProto& input) {
  const std::string place = "input " + quoted(input.name());
  const auto& type = input.type().tensor_type();
  const bool tokens =
      type.elem_type() == ::onnx::TensorProto::INT64 || type.elem_type() == ::onnx::TensorProto::INT32;
  if (!input.type().has_tensor_type() || (!tokens && type.elem_type() != ::onnx::TensorProto::FLOAT)) {
    return Error{place +
                 " must be a tensor of 32-bit floating-point numbers, or of integers that choose rows of an "
                 "embedding"};
  }
  const int rank = type.shape().dim_size();
  if (rank < 2 || rank > 4) {
    return Error{place + " has " + std::to_string(rank) +
                 " dimensions; expected batch and features, or batch, channels, height and width"};
  }
  InputShape result{{1}, std::nullopt, tokens};
  const auto& batch = type.shape().dim(0);
  if (batch.has_dim_value() && batch.dim_value() > kMaxBatch) {
    return Error{place + " fixes a batch of " + std::to_string(batch.dim_value()) + "; the limit is " +
                 std::to_string(kMaxBatch)};
  }
  if (batch.has_dim_value() && batch.dim_value() > 0) result.fixed_batch = batch.dim_value();
  for (int d = 1; d < rank; ++d) {
    const int64_t size = type.shape().dim(d).dim_value();
    if (size < 1)
      return Error{place + ": dimension " + std::to_string(d) +
                   " must have a fixed size; only the batch may vary"};
    result.shape.push_back(size);
  }
  if (!model::checked_elements(result.shape)) return Error{place + " is too large"};
  return result;
}

// What a stored tensor is: integers are constants, and so is what holds an infinity, as masks do; other
// floating-point numbers are a weight.
Binding bind_tensor(Scope& scope, const std::string& name, Tensor tensor) {
  if (tensor.integer && tensor.dims.size() <= 1 && tensor.integers.size() <= kMaxIntegers)
    return Integers{{tensor.integers.begin(), tensor.integers.end()}, tensor.dims.empty()};
  if (tensor.integer) return Array{std::make_shared<const Tensor>(std::move(tensor))};
  const bool infinite = std::ranges::any_of(tensor.floats, [](float value) { return std::isinf(value); });
  if (!infinite) return Weight{scope.builder.add_weight(name, std::move(tensor))};
  if (tensor.floats.size() == 1) return Floats{tensor.floats.front()};
  return Floats{.number = std::nullopt, .tensor = std::make_shared<const Tensor>(std::move(tensor))};
}

Status bind_initializers(Scope& scope, const GraphProto& graph) {
  for (const auto& proto : graph.initializer()) {
    const std::string place = "initializer " + quoted(proto.name());
    auto tensor = read_tensor(proto);
    if (!tensor) return Error{place + " " + tensor.error().message};
    CAIRN_CHECK(define(scope, proto.name(), bind_tensor(scope, proto.name(), std::move(*tensor))));
  }
  return {};
}

Status convert_node(Scope& scope, const NodeProto& node) {
  if (!is_default_domain(node.domain())) {
    return Error{"belongs to the domain " + quoted(node.domain()) +
                 "; only ONNX's own operators are supported"};
  }
  const Converter convert = find_converter(node.op_type());
  if (!convert) {
    return Error{"the operator is not supported; supported are " + supported_operators()};
  }
  NodeContext context(scope, node);
  CAIRN_CHECK(is_about_sizes(context)     ? convert_sizes(context)
              : is_about_numbers(context) ? convert_numbers(context)
              : can_fold(context)         ? fold_tensors(context)
                                          : convert(context));
  return context.attributes.finish();
}

// The first output: what an auxiliary classifier adds in training is left out.
Result<model::ValueId> find_output(const Scope& scope, const GraphProto& graph) {
  const std::string& name = graph.output(0).name();
  const auto found = scope.names.find(name);
  const Activation* activation =
      found == scope.names.end() ? nullptr : std::get_if<Activation>(&found->second);
  if (!activation || activation->zeros != Pads{} || activation->batch.absent || activation->tokens)
    return Error{"output " + quoted(name) + " is made by no node that depends on the input"};
  const model::Shape& shape = scope.builder.shape(activation->value);
  if (shape.size() < 2 || shape.size() > 3 || shape.back() < 2) {
    std::string text;
    for (size_t d = 1; d < shape.size(); ++d) text.append(", ").append(std::to_string(shape[d]));
    return Error{"output " + quoted(name) + " has the shape [batch" + text +
                 "]; expected [batch, classes] or [batch, positions, classes] with two classes or more"};
  }
  return activation->value;
}

// For each node the constants that no later node reads, so that they need not be kept.
std::vector<std::vector<std::string>> last_reads(const GraphProto& graph) {
  std::map<std::string, int> last;
  for (int i = 0; i < graph.node_size(); ++i) {
    for (const std::string& name : graph.node(i).input()) last[name] = i;
    for (const std::string& name : graph.node(i).output()) last.try_emplace(name, i);
  }
  std::vector<std::vector<std::string>> result(static_cast<size_t>(graph.node_size()));
  for (const auto& [name, node] : last) result[static_cast<size_t>(node)].push_back(name);
  return result;
}

Result<ImportedModel> import_model(const ModelProto& model) {
  CAIRN_CHECK(check_model(model));
  const GraphProto& graph = model.graph();
  CAIRN_TRY(const int64_t opset, find_opset(model));
  CAIRN_TRY(const ValueInfoProto* input, find_input(graph));
  CAIRN_TRY(const InputShape input_shape, read_input(*input));
  GraphBuilder builder(input_shape.shape);
  if (graph.output_size() == 0) return Error{"has no output"};
  Scope scope{builder, opset, input_shape.fixed_batch, {}, graph.output(0).name()};
  CAIRN_CHECK(
      define(scope, input->name(), Activation{.value = builder.input(), .tokens = input_shape.tokens}));
  CAIRN_CHECK(bind_initializers(scope, graph));
  const auto done_after = last_reads(graph);
  for (int i = 0; i < graph.node_size(); ++i) {
    const NodeProto& node = graph.node(i);
    Status status = convert_node(scope, node);
    if (status) {
      for (const std::string& name : done_after[static_cast<size_t>(i)]) forget(scope, name);
      continue;
    }
    // Errors of the operator table's shape rules name the node already.
    const bool placed = status.error().message.starts_with("node '");
    return placed ? status.error() : status.error().within(place_of(node));
  }
  CAIRN_TRY(const model::ValueId output, find_output(scope, graph));
  return builder.finish(output);
}

}  // namespace

Result<ImportedModel> import_onnx(BytesView bytes, std::string_view file_name) {
  const std::string place(file_name);
  if (bytes.size() > kMaxOnnxFileSize)
    return Error{place + ": is larger than 2 GiB, ONNX's limit for one file"};
  if (const Status counted = check_counts(bytes); !counted) return counted.error().within(place);
  ModelProto model;
  if (!model.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return Error{place + ": is no ONNX file, or a damaged one"};
  }
  auto result = import_model(model);
  if (!result) return Error{printable(result.error().message, kMaxMessage)}.within(place);
  return result;
}

size_t statistics_count(const model::Graph& graph) {
  size_t count = 0;
  for (const auto& statistics : graph.statistics) {
    const model::ValueId scale = graph.nodes[statistics.node].inputs[1];
    count += 2 * static_cast<size_t>(model::elements(graph.shapes[scale]));
  }
  return count;
}

}  // namespace cairn::onnx
