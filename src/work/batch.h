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

// A batch as the network takes it.
struct Batch {
  std::vector<float> input;     // one image after the other
  std::vector<int32_t> labels;  // one for each row of logits
  std::vector<int32_t> others;  // labels of what is mixed in; where nothing is, the same
  float share = 1;              // of the labels before the others
};

// Cuts, augments and normalizes images as the recipe says: docs/formats/recipe.md. Safe for several threads.
// Recipe and data outlive it.
class BatchLoader {
 public:
  BatchLoader(const Recipe& recipe, const data::DataSet& data);

  // Batch number `number` of a unit, with all that is done to training images by chance.
  Status load_training(uint32_t unit, uint32_t number, std::span<const uint32_t> images, Batch& batch) const;
  // As a model is tested: the middle of each image. Rows beyond the images become zeros.
  Status load(data::Split split, std::span<const uint32_t> images, Batch& batch) const;

 private:
  void normalize(const Bytes& pixels, std::span<float> input) const;
  void mix(uint32_t unit, uint32_t number, Batch& batch) const;

  const Recipe& recipe_;
  const data::DataSet& data_;
  InputSize size_;
  size_t input_size_;                           // floats of one image
  std::vector<std::array<float, 256>> tables_;  // by channel
};

}  // namespace cairn::work
