#include "work/false_stretch.h"

namespace cairn::work {

Result<std::optional<FalseStretch>> find_false_stretch(const GradientTask& task, const Recipe& recipe,
                                                       model::Network& network, const data::DataSet& data,
                                                       std::span<const float> parameters,
                                                       const GradientHead& file, const Digest& digest,
                                                       const Progress& progress) {
  CAIRN_ASSERT(file.snapshot == task.snapshot && file.trace.size() + 1 == stretch_count(recipe));
  FalseStretch stretch;
  for (uint64_t done = 0; stretch.index <= file.trace.size(); ++stretch.index) {
    const Steps steps = stretch_steps(recipe, stretch.index);
    const auto of_unit = [&](uint64_t images, uint64_t) {
      return report(progress, done + images, recipe.unit_images());
    };
    stretch.stated = stretch_ends(file, digest, stretch.index);
    CAIRN_TRY(StretchEnd end, compute_stretch(task, recipe, network, data, parameters, stretch.before,
                                              stretch.index, of_unit));
    stretch.got = end.digest;
    if (stretch.got != stretch.stated.after) return std::optional(std::move(stretch));
    stretch.before = std::move(end.state);
    done += uint64_t{steps.last - steps.first} * recipe.accumulation * recipe.batch;
  }
  return std::optional<FalseStretch>();
}

}  // namespace cairn::work
