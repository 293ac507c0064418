#include "work/batch.h"

#include <algorithm>

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
  const SampleForm form = sample_form(recipe, data.manifest());
  const std::string what = data.manifest().kind == data::Kind::images ? "image" : "piece of text";
  const auto differs = [&](const char* of_model, uint64_t has, uint64_t wanted) {
    return Error{std::string("the model ") + of_model + " " + std::to_string(has) + " for each " + what +
                 " of the data, where " + std::to_string(wanted) + " are needed"};
  };
  if (network.label_count() != recipe.batch * form.labels)
    return differs("makes this many predictions:", network.label_count() / recipe.batch, form.labels);
  if (network.input_count() != recipe.batch * form.inputs)
    return differs("takes this many numbers:", network.input_count() / recipe.batch, form.inputs);
  if (static_cast<uint64_t>(network.classes()) < form.classes) {
    return Error{"the model has " + std::to_string(network.classes()) + " classes, but the data has " +
                 std::to_string(form.classes)};
  }
  if (network.parameter_count() == 0 || network.parameter_count() > kMaxParameters) {
    return Error{"the model has " + std::to_string(network.parameter_count()) +
                 " parameters, where a gradient file carries 1 to " + std::to_string(kMaxParameters)};
  }
  return {};
}

SampleForm sample_form(const Recipe& recipe, const data::Manifest& manifest) {
  if (manifest.kind == data::Kind::text) return {manifest.context, manifest.context, manifest.vocabulary};
  const InputSize size = input_size(recipe, manifest);
  return {uint64_t{manifest.channels} * size.height * size.width, 1, manifest.classes.size()};
}

BatchLoader::BatchLoader(const Recipe& recipe, const data::DataSet& data)
    : recipe_(recipe),
      data_(data),
      size_(input_size(recipe, data.manifest())),
      form_(sample_form(recipe, data.manifest())) {
  for (uint32_t channel = 0; channel < data.manifest().channels; ++channel) {
    tables_.push_back(pixel_table(recipe, channel));
  }
}

Status BatchLoader::load(data::Split split, std::span<const uint32_t> samples, Batch& batch) const {
  return load(
      split, samples, [this](const Image& image, size_t) { return middle(image, size_); }, batch);
}

Status BatchLoader::load_training(uint32_t unit, uint32_t number, std::span<const uint32_t> samples,
                                  Batch& batch) const {
  const auto prepare = [&](const Image& image, size_t i) {
    const auto place = static_cast<uint32_t>(number * samples.size() + i);
    return augment(image, size_, recipe_.augmentation, recipe_.seed, unit, place);
  };
  CAIRN_CHECK(load(data::Split::train, samples, prepare, batch));
  mix(unit, number, batch);
  return {};
}

Status BatchLoader::load(data::Split split, std::span<const uint32_t> samples, const Prepare& prepare,
                         Batch& batch) const {
  const data::Manifest& manifest = data_.manifest();
  batch.input.assign(recipe_.batch * form_.inputs, 0.0f);
  batch.labels.assign(recipe_.batch * form_.labels, 0);
  for (size_t i = 0; i < samples.size(); ++i) {
    CAIRN_TRY(const Bytes sample, data_.sample(split, samples[i]));
    if (manifest.kind == data::Kind::text) {
      take_text(sample, i, batch);
    } else {
      take_image(prepare({manifest.channels, manifest.height, manifest.width, sample}, i), i, batch);
      CAIRN_TRY(batch.labels[i], data_.label(split, samples[i]));
    }
  }
  batch.others = batch.labels;
  batch.share = 1;
  return {};
}

void BatchLoader::take_image(const Bytes& pixels, size_t place, Batch& batch) const {
  float* input = &batch.input[place * form_.inputs];
  const size_t plane = pixels.size() / tables_.size();
  for (size_t channel = 0; channel < tables_.size(); ++channel) {
    const std::array<float, 256>& table = tables_[channel];
    for (size_t p = channel * plane; p < (channel + 1) * plane; ++p) input[p] = table[pixels[p]];
  }
}

void BatchLoader::take_text(const Bytes& tokens, size_t place, Batch& batch) const {
  const auto token = [&](size_t i) { return tokens[2 * i] | tokens[2 * i + 1] << 8; };
  for (size_t i = 0; i < form_.inputs; ++i) {
    batch.input[place * form_.inputs + i] = static_cast<float>(token(i));
    batch.labels[place * form_.labels + i] = token(i + 1);
  }
}

// Each image with the one at the other end of the batch, so that pairs are mixed both ways.
void BatchLoader::mix(uint32_t unit, uint32_t number, Batch& batch) const {
  if (recipe_.mixup.empty()) return;
  std::ranges::reverse(batch.others);
  const uint32_t word = RandomSequence(recipe_.seed, RandomStream::mixup, unit).at(number)[0];
  const float share = static_cast<float>(recipe_.mixup[word % kMixupShares]) * 0x1p-16f;
  const float rest = 1.0f - share;
  batch.share = share;
  const size_t count = batch.labels.size();
  for (size_t i = 0; 2 * i < count; ++i) {
    float* front = &batch.input[i * form_.inputs];
    float* back = &batch.input[(count - 1 - i) * form_.inputs];
    for (size_t p = 0; p < form_.inputs; ++p) {
      const float x = front[p], y = back[p];
      front[p] = share * x + rest * y;
      back[p] = share * y + rest * x;
    }
  }
}

}  // namespace cairn::work
