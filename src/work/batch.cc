#include "work/batch.h"

#include "work/gradient_file.h"

namespace cairn::work {

Result<model::Network> compile_network(const model::Graph& graph, const Recipe& recipe,
                                       exact::Backend& backend, model::NetworkOptions options) {
  options.batch = recipe.batch;
  options.bits = model::product_bits(recipe.precision);
  return model::Network::compile(graph, options, backend);
}

Status check_network(const Recipe& recipe, const model::Network& network, const data::DataSet& data) {
  if (const Status suits = check_recipe(recipe, data.manifest()); !suits)
    return suits.error().within("recipe");
  if (network.batch() != recipe.batch) {
    return Error{"the model was compiled for a batch of " + std::to_string(network.batch()) +
                 ", but the recipe's is " + std::to_string(recipe.batch)};
  }
  if (network.label_count() != recipe.batch) {
    return Error{
        "the model gives " + std::to_string(network.label_count() / recipe.batch) +
        " predictions for each sample (one for each position), but the data has one label for each sample"};
  }
  if (network.input_count() != recipe.batch * data.manifest().image_size()) {
    return Error{"the model takes " + std::to_string(network.input_count() / recipe.batch) +
                 " numbers for an image, but the images of the data have " +
                 std::to_string(data.manifest().image_size())};
  }
  if (static_cast<uint64_t>(network.classes()) < data.manifest().classes.size()) {
    return Error{"the model has " + std::to_string(network.classes()) + " classes, but the data has " +
                 std::to_string(data.manifest().classes.size())};
  }
  if (network.parameter_count() == 0 || network.parameter_count() > kMaxParameters) {
    return Error{"the model has " + std::to_string(network.parameter_count()) +
                 " parameters, where a gradient file carries 1 to " + std::to_string(kMaxParameters)};
  }
  return {};
}

BatchLoader::BatchLoader(const Recipe& recipe, const data::DataSet& data) : data_(data) {
  for (uint32_t channel = 0; channel < data.manifest().channels; ++channel) {
    tables_.push_back(pixel_table(recipe, channel));
  }
}

Status BatchLoader::load(data::Split split, std::span<const uint32_t> images, std::span<float> input,
                         std::span<int32_t> labels) const {
  const size_t size = data_.manifest().image_size();
  const size_t plane = size / tables_.size();
  CAIRN_ASSERT(input.size() >= images.size() * size && labels.size() >= images.size());
  for (size_t i = 0; i < images.size(); ++i) {
    CAIRN_TRY(labels[i], data_.label(split, images[i]));
    CAIRN_TRY(const Bytes pixels, data_.pixels(split, images[i]));
    for (size_t p = 0; p < size; ++p) input[i * size + p] = tables_[p / plane][pixels[p]];
  }
  return {};
}

}  // namespace cairn::work
