// From images of a data set to what a network takes.
#pragma once

#include <array>
#include <span>
#include <vector>

#include "data/dataset.h"
#include "exact/backend.h"
#include "model/network.h"
#include "work/recipe.h"

namespace cairn::work {

// The network that computes a recipe's gradients: its batch and its precision.
Result<model::Network> compile_network(const model::Graph& graph, const Recipe& recipe,
                                       exact::Backend& backend, model::NetworkOptions options = {});

// Whether recipe, network and data belong together.
Status check_network(const Recipe& recipe, const model::Network& network, const data::DataSet& data);

// Normalizes pixels through the recipe's tables. Safe for several threads. The data set outlives it.
class BatchLoader {
 public:
  BatchLoader(const Recipe& recipe, const data::DataSet& data);

  // One image after the other: image_size floats of input and one label each.
  Status load(data::Split split, std::span<const uint32_t> images, std::span<float> input,
              std::span<int32_t> labels) const;

 private:
  const data::DataSet& data_;
  std::vector<std::array<float, 256>> tables_;  // by channel
};

}  // namespace cairn::work
