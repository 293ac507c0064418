// A trained model as PyTorch's state_dict has it: every tensor under the name and in the layout that it had
// when the model was imported. An ONNX file that PyTorch wrote keeps the module's own names, and a weight
// that it transposes or unsqueezes on the way lies here as the file stores it or, where a node uses it
// reshaped, with sizes of 1 more or less.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "model/graph.h"

namespace cairn::weights {

enum class Element : uint8_t { f32, i64 };

// A view of somebody's numbers: row-major, little-endian.
struct Tensor {
  std::string name;
  Element element = Element::f32;
  model::Shape shape;  // of no dimension: a single number
  BytesView bytes;
};

// All parameters in the order of the graph, then the running statistics of each batch normalization; behind
// those called X.running_mean and X.running_var also X.num_batches_tracked, which PyTorch counts when it
// trains (0: Cairn keeps no such count). Parameters and statistics lie as in onnx::ImportedModel and outlive
// the result. Refused: a graph that does not verify, counts that do not fit it, values that are not finite,
// two tensors of one name.
Result<std::vector<Tensor>> state_dict(const model::Graph& graph, std::span<const float> parameters,
                                       std::span<const float> statistics);

// Names that an exporter made up ("onnx::MatMul_12", "123") since it had folded or renamed the weight:
// PyTorch does not know them.
std::vector<std::string> made_up_names(const std::vector<Tensor>& tensors);

// The bytes of one element.
size_t element_size(Element element);

}  // namespace cairn::weights
