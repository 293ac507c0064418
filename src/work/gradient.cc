#include "work/gradient.h"

#include <cmath>

#include "base/float_environment.h"
#include "work/batch.h"
#include "work/block_encoding.h"
#include "work/optimizer.h"
#include "work/unit.h"

namespace cairn::work {
namespace {

// Goes through the batches of a unit in order.
class UnitRun {
 public:
  UnitRun(const GradientTask& task, const Recipe& recipe, model::Network& network, const data::DataSet& data,
          const Progress& progress, const GradientObserver& observer)
      : task_(task),
        recipe_(recipe),
        network_(network),
        progress_(progress),
        observer_(observer),
        loader_(recipe, data),
        images_(unit_images(recipe, data.count(data::Split::train), task.unit)),
        input_(network.input_count()),
        labels_(recipe.batch),
        batch_gradient_(network.parameter_count()) {}

  // The mean gradient of the next `accumulation` batches: added in order, then divided once.
  Status next_step(std::span<const float> parameters, std::span<float> mean) {
    for (uint32_t i = 0; i < recipe_.accumulation; ++i) {
      CAIRN_CHECK(next_batch(parameters));
      for (size_t p = 0; p < mean.size(); ++p) {
        mean[p] = i == 0 ? batch_gradient_[p] : mean[p] + batch_gradient_[p];
      }
    }
    const auto count = static_cast<float>(recipe_.accumulation);
    for (float& value : mean) value = value / count;
    return {};
  }

  float mean_loss() const { return loss_sum_ / static_cast<float>(batches()); }
  uint32_t samples() const { return static_cast<uint32_t>(images_.size()); }

 private:
  uint32_t batches() const { return samples() / recipe_.batch; }

  Status next_batch(std::span<const float> parameters) {
    const auto images = std::span(images_).subspan(size_t{number_} * recipe_.batch, recipe_.batch);
    CAIRN_CHECK(loader_.load(data::Split::train, images, input_, labels_));
    const model::DitherKey key{recipe_.seed, task_.round, task_.unit, number_};
    CAIRN_TRY(const float loss, network_.gradient(parameters, input_, labels_, key, batch_gradient_));
    loss_sum_ = loss_sum_ + loss;
    if (observer_) {
      observer_({number_, batches(), images, input_, labels_, parameters, batch_gradient_, loss});
    }
    ++number_;
    if (!report(progress_, size_t{number_} * recipe_.batch, images_.size())) return Error{"stopped"};
    return {};
  }

  const GradientTask& task_;
  const Recipe& recipe_;
  model::Network& network_;
  const Progress& progress_;
  const GradientObserver& observer_;
  BatchLoader loader_;
  std::vector<uint32_t> images_;
  std::vector<float> input_;
  std::vector<int32_t> labels_;
  std::vector<float> batch_gradient_;
  uint32_t number_ = 0;  // of the next batch
  float loss_sum_ = 0;
};

// Parameters before minus parameters after `local_steps` steps.
Status local_training(const Recipe& recipe, uint32_t round, UnitRun& run, std::span<const float> start,
                      std::span<float> difference) {
  std::vector<float> parameters(start.begin(), start.end());
  std::vector<float> gradient(start.size());
  InnerOptimizer optimizer(recipe, start.size());
  for (uint32_t step = 0; step < recipe.local_steps; ++step) {
    CAIRN_CHECK(run.next_step(parameters, gradient));
    optimizer.step(inner_rate(recipe, round, step), gradient, parameters);
  }
  for (size_t i = 0; i < start.size(); ++i) difference[i] = start[i] - parameters[i];
  return {};
}

}  // namespace

Result<GradientFile> compute_gradient(const GradientTask& task, const Recipe& recipe, model::Network& network,
                                      const data::DataSet& data, std::span<const float> parameters,
                                      const Progress& progress, const GradientObserver& observer) {
  CAIRN_CHECK(check_network(recipe, network, data));
  set_float_environment();
  UnitRun run(task, recipe, network, data, progress, observer);
  std::vector<float> result(network.parameter_count());
  const Status computed = recipe.local_steps == 0
                              ? run.next_step(parameters, result)
                              : local_training(recipe, task.round, run, parameters, result);
  CAIRN_CHECK(computed);
  const RandomSequence rounding(recipe.seed, RandomStream::gradient_rounding, task.round, task.unit);
  CAIRN_TRY(EncodedBlocks blocks, encode_blocks(result, recipe.bits, recipe.block_size, rounding));
  GradientFile file;
  file.project = task.project;
  file.snapshot = task.snapshot;
  file.round = task.round;
  file.unit = task.unit;
  file.samples = run.samples();
  file.loss = run.mean_loss();
  if (!std::isfinite(file.loss)) return Error{"diverged: the training loss is no finite number"};
  file.bits = recipe.bits;
  file.block_size = recipe.block_size;
  file.exponents = std::move(blocks.exponents);
  file.values = std::move(blocks.values);
  return file;
}

}  // namespace cairn::work
