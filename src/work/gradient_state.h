// What the computation of a unit has reached after some of its batches: enough to go on from there later, on
// any machine, to the same bytes.
#pragma once

#include <vector>

#include "base/digest.h"
#include "work/optimizer.h"
#include "work/recipe.h"

namespace cairn::work {

struct GradientTask {
  Digest project;
  Digest snapshot;  // of the parameters, as the gradient file names it
  uint32_t round = 0;
  uint32_t unit = 0;
};

struct GradientState {
  uint32_t batches = 0;           // done; 0: nothing is, and the rest is empty
  float loss_sum = 0;             // of these
  std::vector<float> sum;         // of the batch gradients of the step under way; empty between two steps
  std::vector<float> parameters;  // as the local steps have made them; empty without local steps
  OptimizerState optimizer;       // of the local steps
  std::vector<Digest> trace;      // of the states that the recipe wants on the way (work/trace.h)
  bool operator==(const GradientState&) const = default;
};

// Whether a unit of that recipe can be in this state, as far as sizes tell.
Status check_state(const GradientState& state, const Recipe& recipe, size_t parameter_count);

// For a file of this program on this computer, not for others: the bytes carry their own digest, the task,
// the recipe and the version of the arithmetic, and decoding refuses those of anything else.
Bytes encode_state(const GradientState& state, const GradientTask& task, const Recipe& recipe);
Result<GradientState> decode_state(BytesView bytes, const GradientTask& task, const Recipe& recipe,
                                   size_t parameter_count);
uint64_t max_state_size(size_t parameter_count);

}  // namespace cairn::work
