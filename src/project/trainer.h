// The model of a project, compiled for this processor: computes gradients and evaluates snapshots.
#pragma once

#include <memory>

#include "exact/backend.h"
#include "model/network.h"
#include "project/project.h"
#include "work/batch.h"
#include "work/evaluation.h"
#include "work/false_stretch.h"
#include "work/gradient.h"

namespace cairn::project {

struct EngineOptions {
  exact::Isa isa = exact::Isa::scalar;
  int threads = 1;
  uint64_t memory_limit = uint64_t{8} << 30;  // bytes; a model that needs more is refused before it gets any
};

// One thread uses a Trainer at a time; it spreads the work itself. The project outlives it.
class Trainer {
 public:
  // `keep_tensors` costs memory and lets network().visit() show every forward tensor.
  static Result<Trainer> create(const Project& project, EngineOptions options, bool keep_tensors = false);

  // The gradient of a unit at the snapshot of a round.
  work::GradientTask task(trust::Round round, trust::UnitId unit) const;
  Result<work::GradientFile> gradient(trust::Round round, trust::UnitId unit, const Progress& progress,
                                      const work::GradientObserver& observer = {},
                                      work::Resumption resumption = {});

  // The same of one stretch, and of all until one is false (work/false_stretch.h).
  Result<work::StretchEnd> stretch(trust::Round round, trust::UnitId unit, work::GradientState start,
                                   uint32_t index, const Progress& progress);
  Result<std::optional<work::FalseStretch>> false_stretch(trust::Round round, trust::UnitId unit,
                                                          const work::GradientHead& file,
                                                          const Digest& digest, const Progress& progress);

  // Of the model that a round opened with.
  Result<std::vector<float>> statistics(trust::Round round, const Progress& progress);
  Result<work::Evaluation> evaluate(trust::Round round, const Progress& progress);  // as the recipe says

  const model::Network& network() const { return *network_; }

 private:
  Trainer(const Project& project, EngineOptions options)
      : project_(&project),
        pool_(std::make_unique<ThreadPool>(options.threads)),
        backend_(exact::make_backend(options.isa, *pool_)) {}

  const Project* project_;
  std::unique_ptr<ThreadPool> pool_;
  std::unique_ptr<exact::Backend> backend_;
  std::unique_ptr<model::Network> network_;
};

}  // namespace cairn::project
