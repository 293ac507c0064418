#include "model/builtin.h"

#include <array>
#include <cmath>

#include "base/philox.h"
#include "model/graph_builder.h"

namespace cairn::model {
namespace {

constexpr std::array<std::string_view, 3> kNames = {"mlp", "lenet", "resnet8"};

// A chain of layers; `current` is what the next layer reads.
class Layers {
 public:
  explicit Layers(const Shape& input) : builder_(input), current_(builder_.input()) {}

  ValueId current() const { return current_; }
  int64_t channels() const { return builder_.shape(current_)[1]; }
  void branch_from(ValueId value) { current_ = value; }

  void gemm(const std::string& name, int64_t outputs) {
    const int64_t inputs = channels();
    const ValueId w =
        builder_.parameter(name + ".weight", {outputs, inputs}, Initializer::kaiming_uniform, inputs);
    const ValueId b = builder_.parameter(name + ".bias", {outputs}, Initializer::kaiming_uniform, inputs);
    current_ = builder_.node(Operator::gemm, name, {current_, w, b});
  }

  void conv(const std::string& name, int64_t outputs, int64_t kernel, int64_t stride, int64_t pad,
            bool bias) {
    const Shape weight = {outputs, channels(), kernel, kernel};
    const int64_t fan_in = channels() * kernel * kernel;
    std::vector<ValueId> operands = {current_};
    operands.push_back(builder_.parameter(name + ".weight", weight, Initializer::kaiming_uniform, fan_in));
    if (bias)
      operands.push_back(builder_.parameter(name + ".bias", {outputs}, Initializer::kaiming_uniform, fan_in));
    current_ = builder_.node(Operator::conv, name, operands,
                             {.kernel = {kernel, kernel},
                              .strides = {stride, stride},
                              .pads = {pad, pad, pad, pad},
                              .dilations = {1, 1}});
  }

  void batch_normalization(const std::string& name) {
    const ValueId scale = builder_.parameter(name + ".weight", {channels()}, Initializer::one);
    const ValueId shift = builder_.parameter(name + ".bias", {channels()}, Initializer::zero);
    current_ = builder_.node(Operator::batch_normalization, name, {current_, scale, shift});
  }

  void max_pool(const std::string& name, int64_t size) {
    current_ = builder_.node(Operator::max_pool, name, {current_},
                             {.kernel = {size, size}, .strides = {size, size}, .pads = {0, 0, 0, 0}});
  }

  void simple(Operator op, const std::string& name) { current_ = builder_.node(op, name, {current_}); }
  void add(const std::string& name, ValueId other) {
    current_ = builder_.node(Operator::add, name, {current_, other});
  }

  Result<Graph> finish() { return std::move(builder_).finish(); }

 private:
  GraphBuilder builder_;
  ValueId current_;
};

Result<Graph> mlp(Layers layers, int64_t classes) {
  layers.simple(Operator::flatten, "flatten");
  layers.gemm("fc1", 128);
  layers.simple(Operator::relu, "relu1");
  layers.gemm("fc2", classes);
  return layers.finish();
}

// After LeCun et al., "Gradient-based learning applied to document recognition" (1998), with ReLU and
// max-pooling.
Result<Graph> lenet(Layers layers, int64_t classes) {
  layers.conv("conv1", 6, 5, 1, 2, true);
  layers.simple(Operator::relu, "relu1");
  layers.max_pool("pool1", 2);
  layers.conv("conv2", 16, 5, 1, 0, true);
  layers.simple(Operator::relu, "relu2");
  layers.max_pool("pool2", 2);
  layers.simple(Operator::flatten, "flatten");
  layers.gemm("fc1", 120);
  layers.simple(Operator::relu, "relu3");
  layers.gemm("fc2", 84);
  layers.simple(Operator::relu, "relu4");
  layers.gemm("fc3", classes);
  return layers.finish();
}

void residual_block(Layers& layers, const std::string& name, int64_t channels, int64_t stride) {
  const ValueId entry = layers.current();
  ValueId shortcut = entry;
  if (stride != 1 || layers.channels() != channels) {
    layers.conv(name + ".shortcut.conv", channels, 1, stride, 0, false);
    layers.batch_normalization(name + ".shortcut.bn");
    shortcut = layers.current();
    layers.branch_from(entry);
  }
  layers.conv(name + ".conv1", channels, 3, stride, 1, false);
  layers.batch_normalization(name + ".bn1");
  layers.simple(Operator::relu, name + ".relu1");
  layers.conv(name + ".conv2", channels, 3, 1, 1, false);
  layers.batch_normalization(name + ".bn2");
  layers.add(name + ".add", shortcut);
  layers.simple(Operator::relu, name + ".relu2");
}

// After He et al., "Deep Residual Learning for Image Recognition" (2016): one block at each of three widths.
Result<Graph> resnet8(Layers layers, int64_t classes) {
  layers.conv("conv1", 16, 3, 1, 1, false);
  layers.batch_normalization("bn1");
  layers.simple(Operator::relu, "relu1");
  residual_block(layers, "block1", 16, 1);
  residual_block(layers, "block2", 32, 2);
  residual_block(layers, "block3", 64, 2);
  layers.simple(Operator::global_average_pool, "pool");
  layers.simple(Operator::flatten, "flatten");
  layers.gemm("fc", classes);
  return layers.finish();
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
  if (name == "mlp") return mlp(Layers(input), classes);
  if (name == "lenet") return lenet(Layers(input), classes);
  if (name == "resnet8") return resnet8(Layers(input), classes);
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
