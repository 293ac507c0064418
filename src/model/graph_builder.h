// Appends parameters and nodes to a graph, each with the shape that follows.
#pragma once

#include "model/graph.h"
#include "model/operators.h"

namespace cairn::model {

// The first failure sticks: later calls do nothing, and finish() reports it. Parameters may be added at any
// time.
class GraphBuilder {
 public:
  explicit GraphBuilder(const Shape& input);

  ValueId input() const { return graph_.input; }
  const Shape& shape(ValueId value) const { return graph_.shapes[value]; }

  ValueId parameter(std::string name, Shape shape, Initializer initializer = Initializer::given,
                    int64_t fan_in = 1);
  // Returns the output. A batch normalization's statistics are called NAME.running_mean and NAME.running_var.
  ValueId node(Operator op, std::string name, std::vector<ValueId> inputs, Attributes attributes = {});

  // The verified graph, whose output is what the last node made.
  Result<Graph> finish() &&;

 private:
  Graph graph_;
  std::vector<bool> is_parameter_;  // by value
  std::vector<bool> is_constant_;   // by value
  std::optional<Error> error_;
};

}  // namespace cairn::model
