// For tests: a graph computed in binary64, forward and backward, the plain way.
#pragma once

#include <span>
#include <vector>

#include "model/graph.h"

namespace cairn::model {

using Doubles = std::vector<double>;

struct Shadow {
  Shadow(const Graph& graph, int64_t batch, std::span<const float> parameters, std::span<const float> input);

  // Fills `values`. Outputs named in `given` (by node, empty: none) are taken over instead of computed.
  void forward(const std::vector<Doubles>& given = {});
  double loss(std::span<const int32_t> labels) const;  // mean softmax cross-entropy of the output
  // Fills `gradients` from `values`; returns those of the parameters, by parameter.
  std::vector<Doubles> backward(std::span<const int32_t> labels);

  Shape shape(ValueId value) const;  // with the real batch
  Doubles& output(const Node& node) { return values[node.outputs[0]]; }

  const Graph& graph;
  int64_t batch;
  std::vector<Doubles> values;     // by value
  std::vector<Doubles> gradients;  // by value

 private:
  void forward_node(const Node& node);
  void backward_node(const Node& node);
};

// ||a - b|| / max(||b||, floor); the Euclidean norm.
double relative_error(std::span<const float> a, const Doubles& b, double floor);
double norm(const Doubles& x);

}  // namespace cairn::model
