#include "work/gradient.h"

#include <cmath>

#include "base/float_environment.h"
#include "work/batch.h"
#include "work/block_encoding.h"
#include "work/optimizer.h"
#include "work/unit.h"

namespace cairn::work {
namespace {

// Goes through the batches of a unit in order. All that changes from batch to batch is in its state.
class UnitRun {
 public:
  UnitRun(const GradientTask& task, const Recipe& recipe, model::Network& network, const data::DataSet& data,
          std::span<const float> start, GradientState state)
      : task_(task),
        recipe_(recipe),
        network_(network),
        start_(start),
        loader_(recipe, data),
        images_(unit_images(recipe, data.groups(data::Split::train), task.unit)),
        batch_gradient_(network.parameter_count()),
        state_(std::move(state)) {
    if (state_.batches > 0 || recipe.local_steps == 0) return;
    state_.parameters.assign(start.begin(), start.end());
    state_.optimizer = OptimizerState(recipe, start.size());
  }

  Status run(const Progress& progress, const GradientObserver& observer, const Resumption& resumption) {
    while (state_.batches < batches()) {
      CAIRN_CHECK(add_batch(observer));
      if (state_.batches % recipe_.accumulation == 0) finish_step();
      if (resumption.on_state) resumption.on_state(state_);
      if (!report(progress, size_t{state_.batches} * recipe_.batch, images_.size())) return Error{"stopped"};
    }
    return {};
  }

  // The mean gradient, or parameters before minus parameters after the local steps. Ends the run.
  std::vector<float> result() {
    if (recipe_.local_steps == 0) return std::move(state_.sum);
    std::vector<float> difference(start_.size());
    for (size_t i = 0; i < start_.size(); ++i) difference[i] = start_[i] - state_.parameters[i];
    return difference;
  }
  float mean_loss() const { return state_.loss_sum / static_cast<float>(batches()); }
  uint32_t samples() const { return static_cast<uint32_t>(images_.size()); }

 private:
  uint32_t batches() const { return samples() / recipe_.batch; }
  std::span<const float> parameters() const {
    return recipe_.local_steps == 0 ? start_ : std::span<const float>(state_.parameters);
  }

  Status add_batch(const GradientObserver& observer) {
    const uint32_t number = state_.batches;
    const auto images = std::span(images_).subspan(size_t{number} * recipe_.batch, recipe_.batch);
    CAIRN_CHECK(loader_.load_training(task_.unit, number, images, batch_));
    const model::DitherKey key{recipe_.seed, task_.round, task_.unit, number};
    const model::BatchTargets targets{batch_.labels, batch_.others, batch_.share, recipe_.label_smoothing};
    CAIRN_TRY(const float loss, network_.gradient(parameters(), batch_.input, targets, key, batch_gradient_));
    state_.loss_sum = state_.loss_sum + loss;
    if (observer) observer({number, batches(), images, batch_, parameters(), batch_gradient_, loss});
    add_to_sum();
    ++state_.batches;
    return {};
  }

  void add_to_sum() {
    std::vector<float>& sum = state_.sum;
    if (sum.empty()) {
      sum.assign(batch_gradient_.begin(), batch_gradient_.end());
    } else {
      for (size_t p = 0; p < sum.size(); ++p) sum[p] = sum[p] + batch_gradient_[p];
    }
  }

  // Added in order, divided once; with local steps that is what the optimizer takes.
  void finish_step() {
    const auto count = static_cast<float>(recipe_.accumulation);
    for (float& value : state_.sum) value = value / count;
    if (recipe_.local_steps == 0) return;
    if (recipe_.clip > 0) clip_norm(recipe_.clip, state_.sum);
    const uint32_t step = state_.batches / recipe_.accumulation - 1;
    InnerOptimizer(recipe_, state_.optimizer)
        .step(inner_rate(recipe_, task_.round, step), state_.sum, state_.parameters);
    state_.sum.clear();
  }

  const GradientTask& task_;
  const Recipe& recipe_;
  model::Network& network_;
  std::span<const float> start_;  // the snapshot's parameters
  BatchLoader loader_;
  std::vector<uint32_t> images_;
  Batch batch_;
  std::vector<float> batch_gradient_;
  GradientState state_;
};

}  // namespace

uint64_t gradient_size(const Recipe& recipe, uint64_t parameters) {
  return gradient_file_size(recipe.bits, recipe.block_size, parameters, kept_count(parameters, recipe.keep));
}

Result<GradientFile> compute_gradient(const GradientTask& task, const Recipe& recipe, model::Network& network,
                                      const data::DataSet& data, std::span<const float> parameters,
                                      const Progress& progress, const GradientObserver& observer,
                                      Resumption resumption) {
  CAIRN_CHECK(check_network(recipe, network, data));
  CAIRN_CHECK(check_state(resumption.start, recipe, network.parameter_count()));
  set_float_environment();
  UnitRun run(task, recipe, network, data, parameters, std::move(resumption.start));
  CAIRN_CHECK(run.run(progress, observer, resumption));
  const RandomSequence rounding(recipe.seed, RandomStream::gradient_rounding, task.round, task.unit);
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
  CAIRN_CHECK(encode_values(run.result(), kept_count(parameters.size(), recipe.keep), rounding, file));
  return file;
}

}  // namespace cairn::work
