// Computing a unit: a pure function of snapshot, unit and recipe. What it gives is defined to the last bit in
// docs/formats/gradient-file.md.
#pragma once

#include <functional>
#include <span>

#include "base/progress.h"
#include "data/dataset.h"
#include "model/network.h"
#include "work/batch.h"
#include "work/gradient_file.h"
#include "work/gradient_state.h"
#include "work/recipe.h"

namespace cairn::work {

// One batch, just computed. The spans live during the call only.
struct BatchGradient {
  uint32_t number;   // of the batch in its unit, from 0
  uint32_t batches;  // of the unit
  std::span<const uint32_t> images;
  const Batch& batch;                 // as the network took it
  std::span<const float> parameters;  // that the gradient was computed at
  std::span<const float> gradient;    // of this batch
  float loss;
};
using GradientObserver = std::function<void(const BatchGradient&)>;

// Going on where a computation stopped, and letting it be done.
struct Resumption {
  GradientState start = {};  // of the same task; none: from the beginning
  std::function<void(const GradientState&)> on_state =
      {};  // after every batch; it lives during the call only
};

// Bytes of every gradient file of that recipe.
uint64_t gradient_size(const Recipe& recipe, uint64_t parameters);

// `network` is compile_network() of the recipe; `parameters` are the snapshot's. Local steps make the file
// carry parameters before minus parameters after, so that it is subtracted like a gradient. Where it starts
// makes no difference to the file. Fails where the arguments do not belong together, data cannot be read,
// values diverge, or `progress` (in images) says stop.
Result<GradientFile> compute_gradient(const GradientTask& task, const Recipe& recipe, model::Network& network,
                                      const data::DataSet& data, std::span<const float> parameters,
                                      const Progress& progress = {}, const GradientObserver& observer = {},
                                      Resumption resumption = {});

// What a stretch of a unit leads to.
struct StretchEnd {
  Digest digest;  // of the training state, after the last stretch of the gradient file; or diverged_digest()
  GradientState state;  // between two stretches; else unspecified
};

// The same for one stretch alone, from the state before it. What the trace of `start` says of the stretches
// before is taken for true; it goes into the file. Progress is of this stretch, in images. Precondition:
// index < stretch_count(recipe).
Result<StretchEnd> compute_stretch(const GradientTask& task, const Recipe& recipe, model::Network& network,
                                   const data::DataSet& data, std::span<const float> parameters,
                                   GradientState start, uint32_t index, const Progress& progress = {});

}  // namespace cairn::work
