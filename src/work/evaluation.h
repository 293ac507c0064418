// How good a snapshot is: batch normalization's statistics from a fixed sample, then accuracy and loss.
#pragma once

#include <span>
#include <vector>

#include "base/progress.h"
#include "data/dataset.h"
#include "exact/backend.h"
#include "model/network.h"
#include "work/recipe.h"

namespace cairn::work {

// The mean of the batch statistics over the recipe's evaluation sample: `evaluation.sample` training images,
// or as many whole batches as there are, in batches of `training.batch`, added in order and divided once.
// Empty for a model without batch normalization. Exact: the same bits everywhere. `network` is
// compile_network() of the recipe; `progress` counts batches.
Result<std::vector<float>> sample_statistics(const Recipe& recipe, model::Network& network,
                                             const data::DataSet& data, std::span<const float> parameters,
                                             const Progress& progress = {});

struct Evaluation {
  uint32_t correct = 0;
  uint32_t images = 0;  // or, of a text, predicted tokens
  float loss = 0;       // mean
  bool operator==(const Evaluation&) const = default;
  double accuracy() const { return static_cast<double>(correct) / images; }
};

// Over the first `limit` samples of the split. The class is the first of the largest logits. The last batch
// is filled up with rows of zeros that count nowhere; no row's logits depend on another row. Exact too.
Result<Evaluation> evaluate(const Recipe& recipe, model::Network& network, exact::Backend& backend,
                            const data::DataSet& data, data::Split split, std::span<const float> parameters,
                            std::span<const float> statistics, uint32_t limit = UINT32_MAX,
                            const Progress& progress = {});

}  // namespace cairn::work
