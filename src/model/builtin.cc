#include "model/builtin.h"

#include <array>
#include <cmath>

#include "base/philox.h"
#include "model/operators.h"

namespace cairn::model {
namespace {

constexpr std::array<std::string_view, 3> kNames = {"mlp", "lenet", "resnet8"};

// Appends nodes to a graph; `current` is the value that the next layer reads. The first failure sticks.
class GraphBuilder {
 public:
  explicit GraphBuilder(const Shape& input) { graph_.shapes.push_back(input); }

  ValueId current() const { return current_; }
  int64_t channels() const { return graph_.shapes[current_][1]; }
  void branch_from(ValueId value) { current_ = value; }

  void gemm(const std::string& name, int64_t outputs) {
    const int64_t inputs = channels();
    const ValueId w = parameter(name + ".weight", {outputs, inputs}, Initializer::kaiming_uniform, inputs);
    const ValueId b = parameter(name + ".bias", {outputs}, Initializer::kaiming_uniform, inputs);
    node(Operator::gemm, name, {current_, w, b}, {});
  }

  void conv(const std::string& name, int64_t outputs, int64_t kernel, int64_t stride, int64_t pad,
            bool bias) {
    const int64_t inputs = channels();
    const int64_t fan_in = inputs * kernel * kernel;
    std::vector<ValueId> operands = {current_};
    operands.push_back(
        parameter(name + ".weight", {outputs, inputs, kernel, kernel}, Initializer::kaiming_uniform, fan_in));
    if (bias) operands.push_back(parameter(name + ".bias", {outputs}, Initializer::kaiming_uniform, fan_in));
    node(Operator::conv, name, operands,
         {.kernel = {kernel, kernel},
          .strides = {stride, stride},
          .pads = {pad, pad, pad, pad},
          .dilations = {1, 1}});
  }

  void batch_normalization(const std::string& name) {
    const ValueId scale = parameter(name + ".weight", {channels()}, Initializer::one, 1);
    const ValueId shift = parameter(name + ".bias", {channels()}, Initializer::zero, 1);
    graph_.statistics.push_back(
        {static_cast<uint32_t>(graph_.nodes.size()), name + ".running_mean", name + ".running_var"});
    node(Operator::batch_normalization, name, {current_, scale, shift}, {});
  }

  void max_pool(const std::string& name, int64_t size) {
    node(Operator::max_pool, name, {current_},
         {.kernel = {size, size}, .strides = {size, size}, .pads = {0, 0, 0, 0}});
  }

  void simple(Operator op, const std::string& name) { node(op, name, {current_}, {}); }
  void add(const std::string& name, ValueId other) { node(Operator::add, name, {current_, other}, {}); }

  Result<Graph> finish() {
    if (!error_.empty()) return Error{error_};
    graph_.output = current_;
    CAIRN_CHECK(verify(graph_));
    return std::move(graph_);
  }

 private:
  ValueId parameter(const std::string& name, Shape shape, Initializer initializer, int64_t fan_in) {
    const auto value = static_cast<ValueId>(graph_.shapes.size());
    graph_.shapes.push_back(std::move(shape));
    graph_.parameters.push_back({name, value, initializer, fan_in});
    is_parameter_.resize(graph_.shapes.size());
    is_parameter_[value] = true;
    return value;
  }

  void node(Operator op, const std::string& name, std::vector<ValueId> inputs, Attributes attributes) {
    if (!error_.empty()) return;
    is_parameter_.resize(graph_.shapes.size());
    Node node{op, name, std::move(inputs), {}, std::move(attributes)};
    std::vector<Operand> operands;
    for (ValueId input : node.inputs) operands.push_back({graph_.shapes[input], is_parameter_[input]});
    auto shape = infer_shape(node, operands);
    if (!shape) {
      error_ = shape.error().message;
      return;
    }
    current_ = static_cast<ValueId>(graph_.shapes.size());
    node.outputs = {current_};
    graph_.shapes.push_back(std::move(shape).value());
    graph_.nodes.push_back(std::move(node));
  }

  Graph graph_;
  ValueId current_ = 0;
  std::vector<bool> is_parameter_;
  std::string error_;
};

Result<Graph> mlp(GraphBuilder builder, int64_t classes) {
  builder.simple(Operator::flatten, "flatten");
  builder.gemm("fc1", 128);
  builder.simple(Operator::relu, "relu1");
  builder.gemm("fc2", classes);
  return builder.finish();
}

// After LeCun et al., "Gradient-based learning applied to document recognition" (1998), with ReLU and
// max-pooling.
Result<Graph> lenet(GraphBuilder builder, int64_t classes) {
  builder.conv("conv1", 6, 5, 1, 2, true);
  builder.simple(Operator::relu, "relu1");
  builder.max_pool("pool1", 2);
  builder.conv("conv2", 16, 5, 1, 0, true);
  builder.simple(Operator::relu, "relu2");
  builder.max_pool("pool2", 2);
  builder.simple(Operator::flatten, "flatten");
  builder.gemm("fc1", 120);
  builder.simple(Operator::relu, "relu3");
  builder.gemm("fc2", 84);
  builder.simple(Operator::relu, "relu4");
  builder.gemm("fc3", classes);
  return builder.finish();
}

void residual_block(GraphBuilder& builder, const std::string& name, int64_t channels, int64_t stride) {
  const ValueId entry = builder.current();
  ValueId shortcut = entry;
  if (stride != 1 || builder.channels() != channels) {
    builder.conv(name + ".shortcut.conv", channels, 1, stride, 0, false);
    builder.batch_normalization(name + ".shortcut.bn");
    shortcut = builder.current();
    builder.branch_from(entry);
  }
  builder.conv(name + ".conv1", channels, 3, stride, 1, false);
  builder.batch_normalization(name + ".bn1");
  builder.simple(Operator::relu, name + ".relu1");
  builder.conv(name + ".conv2", channels, 3, 1, 1, false);
  builder.batch_normalization(name + ".bn2");
  builder.add(name + ".add", shortcut);
  builder.simple(Operator::relu, name + ".relu2");
}

// After He et al., "Deep Residual Learning for Image Recognition" (2016): one block at each of three widths.
Result<Graph> resnet8(GraphBuilder builder, int64_t classes) {
  builder.conv("conv1", 16, 3, 1, 1, false);
  builder.batch_normalization("bn1");
  builder.simple(Operator::relu, "relu1");
  residual_block(builder, "block1", 16, 1);
  residual_block(builder, "block2", 32, 2);
  residual_block(builder, "block3", 64, 2);
  builder.simple(Operator::global_average_pool, "pool");
  builder.simple(Operator::flatten, "flatten");
  builder.gemm("fc", classes);
  return builder.finish();
}

// Uniform in (-bound, bound): an odd integer of 25 bits with its sign, scaled; one rounding, in the last
// product.
float uniform(uint32_t word, float bound) {
  const int32_t odd = 2 * static_cast<int32_t>(word >> 8) + 1 - (1 << 24);
  return static_cast<float>(odd) * 0x1p-24f * bound;
}

}  // namespace

std::span<const std::string_view> builtin_names() {
  return kNames;
}

Result<Graph> builtin_model(std::string_view name, const Shape& input, int64_t classes) {
  if (input.size() != 4 || !checked_elements(input)) {
    return Error{"the input of a built-in model must be [1, channels, height, width]"};
  }
  if (classes < 2 || classes > 1 << 20) return Error{"classes: must be 2 to 1048576"};
  if (name == "mlp") return mlp(GraphBuilder(input), classes);
  if (name == "lenet") return lenet(GraphBuilder(input), classes);
  if (name == "resnet8") return resnet8(GraphBuilder(input), classes);
  return Error{"no built-in model is called '" + std::string(name) + "'; there are mlp, lenet and resnet8"};
}

std::vector<float> initial_parameters(const Graph& graph, uint64_t seed) {
  std::vector<float> result;
  for (size_t p = 0; p < graph.parameters.size(); ++p) {
    const Parameter& parameter = graph.parameters[p];
    const auto count = static_cast<size_t>(elements(graph.shapes[parameter.value]));
    const size_t begin = result.size();
    result.resize(begin + count, parameter.initializer == Initializer::one ? 1.0f : 0.0f);
    if (parameter.initializer != Initializer::kaiming_uniform) continue;
    const RandomSequence sequence(seed, RandomStream::initial_parameters, static_cast<uint32_t>(p));
    const float bound = 1.0f / std::sqrt(static_cast<float>(parameter.fan_in));
    for (size_t i = 0; i < count; ++i) {
      result[begin + i] = uniform(sequence.at(static_cast<uint32_t>(i / 4))[i % 4], bound);
    }
  }
  return result;
}

}  // namespace cairn::model
