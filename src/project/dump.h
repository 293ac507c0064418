// A gradient with everything that went into it, in NumPy's format, to be compared with another framework.
#pragma once

#include <filesystem>

#include "project/trainer.h"

namespace cairn::project {

// Computes a unit and writes its first batch:
//   input [batch, ...] float32, labels [batch] int32, loss [1] float32,
//   parameter/NAME and gradient/NAME float32 in the model's shapes,
//   with `all_tensors` also tensor/NODE float32 [batch, ...] for the output of every node.
// The trainer keeps tensors if `all_tensors`. Nothing is written unless all of it is.
Result<work::GradientFile> dump_gradient(const Project& project, Trainer& trainer, trust::Round round,
                                         trust::UnitId unit, bool all_tensors,
                                         const std::filesystem::path& file, const Progress& progress);

}  // namespace cairn::project
