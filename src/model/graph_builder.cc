#include "model/graph_builder.h"

namespace cairn::model {

GraphBuilder::GraphBuilder(const Shape& input) : is_parameter_{false}, is_constant_{false} {
  graph_.shapes.push_back(input);
}

ValueId GraphBuilder::parameter(std::string name, Shape shape, Initializer initializer, int64_t fan_in) {
  const auto value = static_cast<ValueId>(graph_.shapes.size());
  graph_.shapes.push_back(std::move(shape));
  is_parameter_.push_back(true);
  is_constant_.push_back(false);
  graph_.parameters.push_back({std::move(name), value, initializer, fan_in});
  return value;
}

ValueId GraphBuilder::node(Operator op, std::string name, std::vector<ValueId> inputs,
                           Attributes attributes) {
  if (error_) return graph_.input;
  Node node{op, std::move(name), std::move(inputs), {}, std::move(attributes)};
  std::vector<Operand> operands;
  for (ValueId value : node.inputs) {
    operands.push_back(
        {graph_.shapes[value], is_parameter_[value] || is_constant_[value], is_constant_[value]});
  }
  auto shape = infer_shape(node, operands);
  if (!shape) {
    error_ = shape.error();
    return graph_.input;
  }
  if (op == Operator::batch_normalization) {
    const auto number = static_cast<uint32_t>(graph_.nodes.size());
    graph_.statistics.push_back({number, node.name + ".running_mean", node.name + ".running_var"});
  }
  const auto output = static_cast<ValueId>(graph_.shapes.size());
  graph_.shapes.push_back(std::move(shape).value());
  is_parameter_.push_back(false);
  is_constant_.push_back(op == Operator::constant);
  node.outputs = {output};
  graph_.nodes.push_back(std::move(node));
  graph_.output = output;
  return output;
}

Result<Graph> GraphBuilder::finish() && {
  if (error_) return *error_;
  CAIRN_CHECK(verify(graph_));
  return std::move(graph_);
}

}  // namespace cairn::model
