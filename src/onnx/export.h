// Writes a trained model as ONNX (IR version 8, opset 17) for inference.
//
// Parameters and running statistics carry the names and layouts that they had when the model was imported, so
// that a PyTorch state_dict finds them; batch normalization is in evaluation form; the batch size is open;
// the input is named "input", the output, the logits, "logits". The same arguments give the same bytes, and
// import_onnx() of the result gives the same graph (but for how a built-in model draws its parameters).
#pragma once

#include <span>

#include "base/bytes.h"
#include "model/graph.h"

namespace cairn::onnx {

// Parameters and statistics lie as in ImportedModel and model::Network. Refused: a graph that does not
// verify, counts that do not fit it, values that are not finite.
Result<Bytes> export_onnx(const model::Graph& graph, std::span<const float> parameters,
                          std::span<const float> statistics);

}  // namespace cairn::onnx
