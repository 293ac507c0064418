#include "work/batch.h"

#include <algorithm>

#include "work/augmentation.h"
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
  const InputSize size = input_size(recipe, data.manifest());
  const uint64_t numbers = uint64_t{data.manifest().channels} * size.height * size.width;
  if (network.input_count() != recipe.batch * numbers) {
    return Error{"the model takes " + std::to_string(network.input_count() / recipe.batch) +
                 " numbers for an image, but the images of the data have " + std::to_string(numbers)};
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

BatchLoader::BatchLoader(const Recipe& recipe, const data::DataSet& data)
    : recipe_(recipe),
      data_(data),
      size_(input_size(recipe, data.manifest())),
      input_size_(size_t{data.manifest().channels} * size_.height * size_.width) {
  for (uint32_t channel = 0; channel < data.manifest().channels; ++channel) {
    tables_.push_back(pixel_table(recipe, channel));
  }
}

Status BatchLoader::load(data::Split split, std::span<const uint32_t> images, Batch& batch) const {
  batch.input.assign(recipe_.batch * input_size_, 0.0f);
  batch.labels.assign(recipe_.batch, 0);
  const data::Manifest& manifest = data_.manifest();
  for (size_t i = 0; i < images.size(); ++i) {
    CAIRN_TRY(batch.labels[i], data_.label(split, images[i]));
    CAIRN_TRY(const Bytes pixels, data_.sample(split, images[i]));
    const Image image{manifest.channels, manifest.height, manifest.width, pixels};
    normalize(middle(image, size_), std::span(batch.input).subspan(i * input_size_, input_size_));
  }
  batch.others = batch.labels;
  batch.share = 1;
  return {};
}

Status BatchLoader::load_training(uint32_t unit, uint32_t number, std::span<const uint32_t> images,
                                  Batch& batch) const {
  batch.input.resize(images.size() * input_size_);
  batch.labels.resize(images.size());
  const data::Manifest& manifest = data_.manifest();
  for (size_t i = 0; i < images.size(); ++i) {
    CAIRN_TRY(batch.labels[i], data_.label(data::Split::train, images[i]));
    CAIRN_TRY(const Bytes pixels, data_.sample(data::Split::train, images[i]));
    const Image image{manifest.channels, manifest.height, manifest.width, pixels};
    const auto place = static_cast<uint32_t>(number * images.size() + i);
    normalize(augment(image, size_, recipe_.augmentation, recipe_.seed, unit, place),
              std::span(batch.input).subspan(i * input_size_, input_size_));
  }
  mix(unit, number, batch);
  return {};
}

void BatchLoader::normalize(const Bytes& pixels, std::span<float> input) const {
  const size_t plane = pixels.size() / tables_.size();
  for (size_t channel = 0; channel < tables_.size(); ++channel) {
    const std::array<float, 256>& table = tables_[channel];
    for (size_t p = channel * plane; p < (channel + 1) * plane; ++p) input[p] = table[pixels[p]];
  }
}

// Each image with the one at the other end of the batch, so that pairs are mixed both ways.
void BatchLoader::mix(uint32_t unit, uint32_t number, Batch& batch) const {
  batch.others = batch.labels;
  batch.share = 1;
  if (recipe_.mixup.empty()) return;
  std::ranges::reverse(batch.others);
  const uint32_t word = RandomSequence(recipe_.seed, RandomStream::mixup, unit).at(number)[0];
  const float share = static_cast<float>(recipe_.mixup[word % kMixupShares]) * 0x1p-16f;
  const float rest = 1.0f - share;
  batch.share = share;
  const size_t count = batch.labels.size();
  for (size_t i = 0; 2 * i < count; ++i) {
    float* front = &batch.input[i * input_size_];
    float* back = &batch.input[(count - 1 - i) * input_size_];
    for (size_t p = 0; p < input_size_; ++p) {
      const float x = front[p], y = back[p];
      front[p] = share * x + rest * y;
      back[p] = share * y + rest * x;
    }
  }
}

}  // namespace cairn::work
