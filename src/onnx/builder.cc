#include "onnx/builder.h"

#include <bit>

#include "model/operators.h"

namespace cairn::onnx {

using model::ValueId;

GraphBuilder::GraphBuilder(model::Shape input_shape) {
  values_.push_back({.shape = std::move(input_shape), .weight = std::nullopt, .maker = std::nullopt});
}

size_t GraphBuilder::add_weight(std::string name, Tensor tensor) {
  weights_.push_back({std::move(name), std::move(tensor), std::nullopt});
  return weights_.size() - 1;
}

ValueId GraphBuilder::parameter(size_t index) {
  Weight& weight = weights_[index];
  if (!weight.value) {
    weight.value = static_cast<ValueId>(values_.size());
    values_.push_back({.shape = weight.tensor.dims, .weight = index, .maker = std::nullopt});
  }
  return *weight.value;
}

Status GraphBuilder::reshape_weight(size_t index, const model::Shape& shape) {
  Weight& weight = weights_[index];
  if (weight.tensor.dims == shape) return {};
  if (weight.value) return Error{"weight " + quoted(weight.name) + " is used in two shapes"};
  weight.tensor.dims = shape;
  return {};
}

std::string GraphBuilder::unique_name(const std::string& base) {
  std::string name = base;
  while (!names_.insert(name).second) name = base + "_" + std::to_string(++next_suffix_[base]);
  return name;
}

model::Operand GraphBuilder::operand(ValueId value) const {
  const Value& v = values_[value];
  return {v.shape, v.weight.has_value() || v.constant, v.constant};
}

const model::Node* GraphBuilder::maker(ValueId value) const {
  return values_[value].maker ? &nodes_[*values_[value].maker] : nullptr;
}

Result<ValueId> GraphBuilder::add_constant(const std::string& name, const model::Shape& shape,
                                           std::vector<float> values) {
  constexpr size_t kMaxElements = size_t{3} << 22;  // of all constants: a model file holds 64 MiB
  std::vector<uint32_t> bits;
  for (const float value : values) bits.push_back(std::bit_cast<uint32_t>(value));
  const auto [found, is_new] = constants_.try_emplace({shape, std::move(bits)});
  if (!is_new) return found->second;
  constant_elements_ += values.size();
  if (values.size() > model::kMaxConstantElements || constant_elements_ > kMaxElements)
    return Error{"needs more constant numbers than a model file holds"};
  model::Attributes attributes;
  attributes.shape = shape;
  attributes.values = std::move(values);
  CAIRN_TRY(found->second, add_node(model::Operator::constant, name, {}, std::move(attributes)));
  return found->second;
}

Result<ValueId> GraphBuilder::add_node(model::Operator op, const std::string& name,
                                       std::vector<ValueId> inputs, model::Attributes attributes) {
  if (nodes_.size() >= model::kMaxNodes || values_.size() >= model::kMaxValues) {
    return Error{"the model has more nodes than the limit of " + std::to_string(model::kMaxNodes)};
  }
  std::vector<model::Operand> operands;
  for (const ValueId input : inputs) operands.push_back(operand(input));
  const auto output = static_cast<ValueId>(values_.size());
  model::Node node{op, unique_name(name), std::move(inputs), {output}, std::move(attributes)};
  CAIRN_TRY(model::Shape shape, model::infer_shape(node, operands));
  values_.push_back({std::move(shape), std::nullopt, nodes_.size(), op == model::Operator::constant});
  nodes_.push_back(std::move(node));
  return output;
}

void GraphBuilder::add_statistics(size_t mean_weight, size_t variance_weight) {
  statistics_[nodes_.size() - 1] = {mean_weight, variance_weight};
}

std::vector<bool> GraphBuilder::needed_nodes(ValueId output) const {
  std::vector<bool> needed(nodes_.size(), false);
  if (values_[output].maker) needed[*values_[output].maker] = true;
  for (size_t i = nodes_.size(); i-- > 0;) {
    if (!needed[i]) continue;
    for (const ValueId input : nodes_[i].inputs) {
      if (values_[input].maker) needed[*values_[input].maker] = true;
    }
  }
  return needed;
}

// Copies a node to the model under its final numbers, and with it the parameters that it is the first to use.
void GraphBuilder::append_node(size_t index, std::vector<std::optional<ValueId>>& numbers,
                               ImportedModel& result) {
  model::Graph& graph = result.graph;
  const auto number = [&](ValueId old) {
    if (!numbers[old]) {
      numbers[old] = static_cast<ValueId>(graph.shapes.size());
      graph.shapes.push_back(values_[old].shape);
    }
    return *numbers[old];
  };

  model::Node node = nodes_[index];
  for (ValueId& input : node.inputs) {
    const bool first_use = !numbers[input];
    const std::optional<size_t> weight = values_[input].weight;
    input = number(input);
    if (weight && first_use) {
      const Weight& w = weights_[*weight];
      graph.parameters.push_back({.name = w.name, .value = input});
      result.parameters.insert(result.parameters.end(), w.tensor.floats.begin(), w.tensor.floats.end());
    }
  }
  node.outputs[0] = number(node.outputs[0]);
  if (const auto found = statistics_.find(index); found != statistics_.end()) {
    const Weight& mean = weights_[found->second.mean];
    const Weight& variance = weights_[found->second.variance];
    graph.statistics.push_back({static_cast<uint32_t>(graph.nodes.size()), mean.name, variance.name});
    for (const Weight* w : {&mean, &variance}) {
      result.statistics.insert(result.statistics.end(), w->tensor.floats.begin(), w->tensor.floats.end());
    }
  }
  graph.nodes.push_back(std::move(node));
}

Result<ImportedModel> GraphBuilder::finish(ValueId output) {
  ImportedModel result;
  std::vector<std::optional<ValueId>> numbers(values_.size());
  numbers[0] = 0;
  result.graph.shapes.push_back(values_[0].shape);
  const std::vector<bool> needed = needed_nodes(output);
  for (size_t i = 0; i < nodes_.size(); ++i) {
    if (needed[i]) append_node(i, numbers, result);
  }
  if (!numbers[output]) return Error{"the output does not depend on the input"};
  result.graph.output = *numbers[output];
  CAIRN_CHECK(model::verify(result.graph));
  return result;
}

}  // namespace cairn::onnx
