#include "work/evaluation.h"

#include <algorithm>
#include <numeric>

#include "base/float_environment.h"
#include "work/batch.h"
#include "work/epoch.h"

namespace cairn::work {
namespace {

constexpr uint64_t kMaxPredictions = uint64_t{1} << 28;

uint32_t count_correct(std::span<const float> logits, std::span<const int32_t> labels, size_t classes) {
  uint32_t correct = 0;
  for (size_t row = 0; row < labels.size(); ++row) {
    const auto scores = logits.subspan(row * classes, classes);
    const auto best = std::ranges::max_element(scores) - scores.begin();
    if (best == labels[row]) ++correct;
  }
  return correct;
}

}  // namespace

Result<std::vector<float>> sample_statistics(const Recipe& recipe, model::Network& network,
                                             const data::DataSet& data, std::span<const float> parameters,
                                             const Progress& progress) {
  CAIRN_CHECK(check_network(recipe, network, data));
  set_float_environment();
  std::vector<float> mean(network.statistics_count());
  if (mean.empty()) return mean;
  const BatchLoader loader(recipe, data);
  const uint32_t count = data.count(data::Split::train);
  const Epoch order(recipe.seed, RandomStream::evaluation_sample, 0, data.groups(data::Split::train));
  Batch loaded;
  const uint32_t batches = std::min(recipe.evaluation_sample, count) / recipe.batch;
  for (uint32_t batch = 0; batch < batches; ++batch) {
    const std::vector<uint32_t> images = order.images(batch * recipe.batch, recipe.batch);
    CAIRN_CHECK(loader.load(data::Split::train, images, loaded));
    CAIRN_TRY(const std::vector<float> one, network.batch_statistics(parameters, loaded.input));
    for (size_t i = 0; i < mean.size(); ++i) mean[i] = batch == 0 ? one[i] : mean[i] + one[i];
    if (!report(progress, batch + 1, batches)) return Error{"stopped"};
  }
  for (float& value : mean) value = value / static_cast<float>(batches);
  return mean;
}

Result<Evaluation> evaluate(const Recipe& recipe, model::Network& network, exact::Backend& backend,
                            const data::DataSet& data, data::Split split, std::span<const float> parameters,
                            std::span<const float> statistics, uint32_t limit, const Progress& progress) {
  CAIRN_CHECK(check_network(recipe, network, data));
  set_float_environment();
  Evaluation result;
  const uint32_t samples = std::min(limit, data.count(split));
  if (samples == 0) return Error{"the data set has no test samples to evaluate on"};
  const uint64_t labels = network.label_count() / recipe.batch;  // of a sample
  if (samples * labels > kMaxPredictions)
    return Error{"evaluation.images: too many tokens; take fewer pieces of text"};
  result.images = static_cast<uint32_t>(samples * labels);
  const BatchLoader loader(recipe, data);
  const auto classes = static_cast<size_t>(network.classes());
  std::vector<uint32_t> numbers(recipe.batch);
  Batch batch;
  std::vector<float> losses(result.images);
  for (uint32_t first = 0; first < samples; first += recipe.batch) {
    const uint32_t count = std::min(recipe.batch, samples - first);
    const size_t rows = count * labels;
    std::iota(numbers.begin(), numbers.end(), first);
    CAIRN_CHECK(loader.load(split, std::span(numbers).first(count), batch));
    CAIRN_TRY(const std::vector<float> logits, network.logits(parameters, statistics, batch.input));
    result.correct += count_correct(logits, std::span(batch.labels).first(rows), classes);
    if (!backend.softmax_cross_entropy(logits.data(), {batch.labels.data(), batch.labels.data()},
                                       static_cast<int64_t>(rows), network.classes(),
                                       losses.data() + first * labels, nullptr)) {
      return Error{"diverged: the logits are no finite numbers"};
    }
    if (!report(progress, first + count, samples)) return Error{"stopped"};
  }
  float sum = 0;
  if (!backend.sum(losses.data(), {1, 1, result.images}, &sum))
    return Error{"diverged: the loss is too large"};
  result.loss = sum / static_cast<float>(result.images);
  return result;
}

}  // namespace cairn::work
