// The models that come with Cairn, for projects that bring none, and how parameters are drawn.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "model/graph.h"

namespace cairn::model {

std::span<const std::string_view> builtin_names();

// `input` is [1, channels, height, width]. "mlp" takes any size, "lenet" 16x16 or more, "resnet8" 4x4 or
// more.
Result<Graph> builtin_model(std::string_view name, const Shape& input, int64_t classes);

// All parameters in the order of Graph::parameters, drawn from the stream initial_parameters: exact and the
// same everywhere. kaiming_uniform is uniform in (-b, b) with b = 1 / sqrt(fan_in), as PyTorch draws weights
// and biases of its linear and convolution layers. `given` parameters stay zero: their values lie beside the
// graph.
std::vector<float> initial_parameters(const Graph& graph, uint64_t seed);

}  // namespace cairn::model
