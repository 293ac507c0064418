// Where somebody's gradient file is false: the first stretch whose steps do not lead where the file says.
#pragma once

#include <optional>

#include "work/gradient.h"
#include "work/trace.h"

namespace cairn::work {

struct FalseStretch {
  uint32_t index = 0;
  StretchEnds stated;    // by the file
  Digest got;            // after it
  GradientState before;  // that it begins with, which the file states too; empty for the first
};

// Recomputes the unit up to there: nothing of it is false where the file is the true one, and only then.
// Takes what compute_gradient() takes; `digest` is the file's. Precondition: the file is of that task, and
// its trace as long as the recipe wants it.
Result<std::optional<FalseStretch>> find_false_stretch(const GradientTask& task, const Recipe& recipe,
                                                       model::Network& network, const data::DataSet& data,
                                                       std::span<const float> parameters,
                                                       const GradientHead& file, const Digest& digest,
                                                       const Progress& progress = {});

}  // namespace cairn::work
