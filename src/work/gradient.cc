#include "work/gradient.h"

#include <cmath>

#include "base/float_environment.h"
#include "work/batch.h"
#include "work/block_encoding.h"
#include "work/optimizer.h"
#include "work/trace.h"
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

  Status run(uint32_t until, const Progress& progress, const GradientObserver& observer,
             const std::function<void(const GradientState&)>& on_state) {
    while (state_.batches < until) {
      CAIRN_CHECK(add_batch(observer));
      if (state_.batches % recipe_.accumulation == 0) CAIRN_CHECK(finish_step());
      if (on_state) on_state(state_);
      if (!report(progress, size_t{state_.batches} * recipe_.batch, images_.size())) return Error{"stopped"};
    }
    return {};
  }

  // Of a unit that is computed to its end. An error says that it diverged. Ends the run.
  Result<GradientFile> file() {
    GradientFile file;
    file.project = task_.project;
    file.snapshot = task_.snapshot;
    file.round = task_.round;
    file.unit = task_.unit;
    file.samples = static_cast<uint32_t>(images_.size());
    file.loss = state_.loss_sum / static_cast<float>(batches());
    if (!std::isfinite(file.loss)) return Error{"diverged: the training loss is no finite number"};
    file.bits = recipe_.bits;
    file.block_size = recipe_.block_size;
    file.trace = std::move(state_.trace);
    const RandomSequence rounding(recipe_.seed, RandomStream::gradient_rounding, task_.round, task_.unit);
    CAIRN_CHECK(encode_values(result(), kept_count(start_.size(), recipe_.keep), rounding, file));
    return file;
  }

  uint32_t batches() const { return static_cast<uint32_t>(images_.size()) / recipe_.batch; }
  bool diverged() const { return diverged_; }
  GradientState take_state() { return std::move(state_); }

 private:
  // The mean gradient, or parameters before minus parameters after the local steps.
  std::vector<float> result() {
    if (recipe_.local_steps == 0) return std::move(state_.sum);
    std::vector<float> difference(start_.size());
    for (size_t i = 0; i < start_.size(); ++i) difference[i] = start_[i] - state_.parameters[i];
    return difference;
  }
  std::span<const float> parameters() const {
    return recipe_.local_steps == 0 ? start_ : std::span<const float>(state_.parameters);
  }

  Status add_batch(const GradientObserver& observer) {
    const uint32_t number = state_.batches;
    const auto images = std::span(images_).subspan(size_t{number} * recipe_.batch, recipe_.batch);
    CAIRN_CHECK(loader_.load_training(task_.unit, number, images, batch_));
    const model::DitherKey key{recipe_.seed, task_.round, task_.unit, number};
    const model::BatchTargets targets{batch_.labels, batch_.others, batch_.share, recipe_.label_smoothing};
    const auto loss = network_.gradient(parameters(), batch_.input, targets, key, batch_gradient_);
    diverged_ = !loss.ok();
    if (diverged_) return loss.error();
    state_.loss_sum = state_.loss_sum + *loss;
    if (observer) observer({number, batches(), images, batch_, parameters(), batch_gradient_, *loss});
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
  Status finish_step() {
    const auto count = static_cast<float>(recipe_.accumulation);
    for (float& value : state_.sum) value = value / count;
    if (recipe_.local_steps == 0) return {};
    if (recipe_.clip > 0) clip_norm(recipe_.clip, state_.sum);
    const uint32_t step = state_.batches / recipe_.accumulation - 1;
    InnerOptimizer(recipe_, state_.optimizer)
        .step(inner_rate(recipe_, task_.round, step), state_.sum, state_.parameters);
    state_.sum.clear();
    return trace_state();
  }

  Status trace_state() {
    if (state_.trace.size() == trace_length(recipe_, state_.batches)) return {};
    diverged_ = holds_nan(state_);
    if (diverged_) return Error{"diverged: the local steps lead to a NaN"};
    state_.trace.push_back(training_state_digest(state_, recipe_));
    return {};
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
  bool diverged_ = false;
};

// Whether they belong together.
Status check_start(const GradientState& start, const Recipe& recipe, const model::Network& network,
                   const data::DataSet& data) {
  CAIRN_CHECK(check_network(recipe, network, data));
  return check_state(start, recipe, network.parameter_count());
}

}  // namespace

uint64_t gradient_size(const Recipe& recipe, uint64_t parameters) {
  const uint64_t trace = uint64_t{stretch_count(recipe) - 1} * sizeof(Digest);
  return trace +
         gradient_file_size(recipe.bits, recipe.block_size, parameters, kept_count(parameters, recipe.keep));
}

Result<GradientFile> compute_gradient(const GradientTask& task, const Recipe& recipe, model::Network& network,
                                      const data::DataSet& data, std::span<const float> parameters,
                                      const Progress& progress, const GradientObserver& observer,
                                      Resumption resumption) {
  CAIRN_CHECK(check_start(resumption.start, recipe, network, data));
  set_float_environment();
  UnitRun run(task, recipe, network, data, parameters, std::move(resumption.start));
  CAIRN_CHECK(run.run(run.batches(), progress, observer, resumption.on_state));
  return run.file();
}

Result<StretchEnd> compute_stretch(const GradientTask& task, const Recipe& recipe, model::Network& network,
                                   const data::DataSet& data, std::span<const float> parameters,
                                   GradientState start, uint32_t index, const Progress& progress) {
  const Steps steps = stretch_steps(recipe, index);
  const uint32_t first = steps.first * recipe.accumulation, last = steps.last * recipe.accumulation;
  CAIRN_CHECK(check_start(start, recipe, network, data));
  if (start.batches != first) return Error{"the training state is not the one that the stretch begins with"};
  set_float_environment();
  UnitRun run(task, recipe, network, data, parameters, std::move(start));
  const auto of_stretch = [&](uint64_t done, uint64_t) {
    return report(progress, done - uint64_t{first} * recipe.batch, uint64_t{last - first} * recipe.batch);
  };
  const Status computed = run.run(last, of_stretch, {}, {});
  if (run.diverged()) return StretchEnd{diverged_digest(), {}};
  CAIRN_CHECK(computed);
  if (last < run.batches()) {
    GradientState state = run.take_state();
    return StretchEnd{state.trace.back(), std::move(state)};
  }
  const auto file = run.file();
  return StretchEnd{file ? sha256(encode(*file)) : diverged_digest(), {}};
}

}  // namespace cairn::work
