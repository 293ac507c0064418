#include "project/dump.h"

#include "base/file.h"
#include "base/npz.h"

namespace cairn::project {
namespace {

void add_by_name(NpzWriter& writer, const std::string& prefix,
                 const std::vector<model::ParameterInfo>& parameters, std::span<const float> values) {
  for (const model::ParameterInfo& info : parameters) {
    writer.add(prefix + info.name, info.shape, values.subspan(info.offset, info.count));
  }
}

std::vector<int64_t> input_shape(const model::Graph& graph, int64_t batch) {
  std::vector<int64_t> shape = graph.shapes[graph.input];
  shape[0] = batch;
  return shape;
}

}  // namespace

Result<work::GradientFile> dump_gradient(const Project& project, Trainer& trainer, trust::Round round,
                                         trust::UnitId unit, bool all_tensors,
                                         const std::filesystem::path& file, const Progress& progress) {
  NpzWriter writer;
  Status visited;
  const auto observe = [&](const work::BatchGradient& batch) {
    if (batch.number != 0) return;
    const auto count = static_cast<int64_t>(batch.batch.labels.size());
    const float smoothing = project.recipe().label_smoothing;
    const work::Batch& taken = batch.batch;
    writer.add("input", input_shape(project.graph(), count), std::span<const float>(taken.input));
    writer.add("labels", std::vector<int64_t>{count}, std::span<const int32_t>(taken.labels));
    writer.add("other_labels", std::vector<int64_t>{count}, std::span<const int32_t>(taken.others));
    writer.add("share", std::vector<int64_t>{1}, std::span<const float>(&taken.share, 1));
    writer.add("smoothing", std::vector<int64_t>{1}, std::span<const float>(&smoothing, 1));
    writer.add("loss", std::vector<int64_t>{1}, std::span<const float>(&batch.loss, 1));
    const auto parameters = trainer.network().parameters();
    add_by_name(writer, "parameter/", parameters, batch.parameters);
    add_by_name(writer, "gradient/", parameters, batch.gradient);
    if (!all_tensors) return;
    visited = trainer.network().visit(
        [&](const std::string& node, const model::Shape& shape, std::span<const float> values) {
          writer.add("tensor/" + node, shape, values);
        });
  };
  CAIRN_TRY(work::GradientFile gradient, trainer.gradient(round, unit, progress, observe));
  CAIRN_CHECK(visited);
  CAIRN_TRY(const Bytes bytes, writer.finish());
  CAIRN_CHECK(write_file(file, bytes));
  return gradient;
}

}  // namespace cairn::project
