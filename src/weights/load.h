// Starting from given weights: the parameters of a model from a file that holds tensors by name.
#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "model/graph.h"

namespace cairn::weights {

enum class Fit : uint8_t {
  whole,    // every parameter of the model is in the file in its shape, and nothing else
  partial,  // what is missing or of another shape (the last layer of another task) stays as it was
};

struct LoadedWeights {
  std::vector<float> parameters;     // in the order of the graph's
  std::vector<std::string> kept;     // parameters that stayed as they were
  std::vector<std::string> surplus;  // tensors of the file that the model does not have
};

// The weights in a safetensors file, or in an ONNX file that Cairn can import, by the names of the graph's
// parameters. A shape fits if it is the same but for sizes of 1. `start` holds the parameters as they are
// without the file. Running statistics and counters of batches are no weights: Cairn computes them anew, and
// they are passed over. An error names the tensors that are missing, surplus or of another shape; `partial`
// still refuses a file of which nothing fits. A file is judged by its first bytes, not by its name.
Result<LoadedWeights> load_weights(const model::Graph& graph, std::span<const float> start,
                                   const std::filesystem::path& file, Fit fit);

}  // namespace cairn::weights
