// Reads ONNX models (https://onnx.ai/onnx/repo-docs/IR.html, opsets 11 to 21) into canonical graphs.
//
// The operators are those of model/graph.h, and what is made of them: functions of one variable,
// normalizations whole or in parts, reductions, products of activations. Besides, what exporters wrap around
// them is understood: Identity, constants of any shape and what is computed of them, arithmetic on shapes,
// zero padding, transposed weights, and a Softmax or LogSoftmax as the last node, which is left to the loss.
// The first dimension of the input is the batch, whether the file fixes it or not; nodes may move it
// elsewhere and merge it with other dimensions as long as it can be told apart (convert_place.cc). An input
// of integers chooses rows of embeddings. Of several outputs the first counts. A stored floating-point tensor
// is a parameter, unless it holds an infinity or is a mask: compared, or of zeros and ones and computed with
// constants alone. All else is refused with the node's name and what was expected, and counts of nodes and
// tensors before the file is unpacked.
#pragma once

#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "model/graph.h"

namespace cairn::onnx {

struct ImportedModel {
  model::Graph graph;             // verified
  std::vector<float> parameters;  // graph.parameters one after the other, row-major, all finite
  std::vector<float> statistics;  // for each of graph.statistics: its running means, then its variances
};

// A protobuf message holds at most 2 GiB.
inline constexpr uint64_t kMaxOnnxFileSize = (uint64_t{1} << 31) - 1;
inline constexpr int64_t kMinOpset = 11;
inline constexpr int64_t kMaxOpset = 21;

// Pure and safe for several threads. It parses hostile input in this very process: programs call
// import_onnx_file() (onnx/sandbox.h) instead. `file_name` is for messages.
Result<ImportedModel> import_onnx(BytesView bytes, std::string_view file_name);

// The number of floats that ImportedModel::statistics holds for a verified graph.
size_t statistics_count(const model::Graph& graph);

}  // namespace cairn::onnx
