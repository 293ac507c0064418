// From images of a data set to what a network takes.
#pragma once

#include <array>
#include <functional>
#include <span>
#include <vector>

#include "data/dataset.h"
#include "exact/backend.h"
#include "model/network.h"
#include "work/augmentation.h"
#include "work/recipe.h"

namespace cairn::work {

// The network that computes a recipe's gradients: its batch and its precision.
Result<model::Network> compile_network(const model::Graph& graph, const Recipe& recipe,
                                       exact::Backend& backend, model::NetworkOptions options = {});

// Whether recipe, network and data belong together.
Status check_network(const Recipe& recipe, const model::Network& network, const data::DataSet& data);

// What a model has to do with one sample of the data.
struct SampleForm {
  uint64_t inputs = 0;   // numbers that it takes: of an image its pixels, of a text its context
  uint64_t labels = 0;   // rows of logits: of an image one, of a text one for each token
  uint64_t classes = 0;  // that it tells apart
};
SampleForm sample_form(const Recipe& recipe, const data::Manifest& manifest);

// A batch as the network takes it.
struct Batch {
  std::vector<float> input;     // one sample after the other
  std::vector<int32_t> labels;  // one for each row of logits
  std::vector<int32_t> others;  // labels of what is mixed in; where nothing is, the same
  float share = 1;              // of the labels before the others
};

// Cuts, augments and normalizes images; makes each token of a text the label of those before it. All of it is
// defined in docs/formats/recipe.md. Safe for several threads. Recipe and data outlive it.
class BatchLoader {
 public:
  BatchLoader(const Recipe& recipe, const data::DataSet& data);

  // Batch number `number` of a unit, with all that is done to training images by chance.
  Status load_training(uint32_t unit, uint32_t number, std::span<const uint32_t> samples, Batch& batch) const;
  // As a model is tested: the middle of each image. Rows beyond the samples become zeros.
  Status load(data::Split split, std::span<const uint32_t> samples, Batch& batch) const;

 private:
  // Makes the stored pixels of the image at a place of the batch those that the model sees.
  using Prepare = std::function<Bytes(const Image& image, size_t place)>;
  Status load(data::Split split, std::span<const uint32_t> samples, const Prepare& prepare,
              Batch& batch) const;
  void take_image(const Bytes& pixels, size_t place, Batch& batch) const;
  void take_text(const Bytes& tokens, size_t place, Batch& batch) const;
  void mix(uint32_t unit, uint32_t number, Batch& batch) const;

  const Recipe& recipe_;
  const data::DataSet& data_;
  InputSize size_;
  SampleForm form_;
  std::vector<std::array<float, 256>> tables_;  // by channel
};

}  // namespace cairn::work
