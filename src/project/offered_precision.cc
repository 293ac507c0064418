#include "project/offered_precision.h"

#include <algorithm>

namespace cairn::project {

Status check_offered(const model::Graph& graph, model::Precision precision) {
  if (precision != model::Precision::fast) return {};
  const bool depthwise = std::ranges::any_of(
      graph.nodes, [](const model::Node& node) { return node.op == model::Operator::depthwise_conv; });
  if (!depthwise) return {};
  return Error{
      "training.precision: \"fast\" is not offered for models with depthwise convolutions, of which none was "
      "shown to "
      "learn with it as well as without; choose \"standard\""};
}

}  // namespace cairn::project
