#include "project/trainer.h"

namespace cairn::project {
namespace {

std::string unit_text(trust::Round round, trust::UnitId unit) {
  return "unit " + std::to_string(unit) + " of round " + std::to_string(round);
}

}  // namespace

Result<Trainer> Trainer::create(const Project& project, EngineOptions options, bool keep_tensors) {
  Trainer trainer(project, options);
  CAIRN_TRY(model::Network network,
            work::compile_network(project.graph(), project.recipe(), *trainer.backend_,
                                  {.keep_tensors = keep_tensors, .memory_limit = options.memory_limit}));
  trainer.network_ = std::make_unique<model::Network>(std::move(network));
  return trainer;
}

work::GradientTask Trainer::task(trust::Round round, trust::UnitId unit) const {
  return {project_->id(), project_->state().rounds()[round].snapshot, round, unit};
}

Result<work::GradientFile> Trainer::gradient(trust::Round round, trust::UnitId unit, const Progress& progress,
                                             const work::GradientObserver& observer,
                                             work::Resumption resumption) {
  CAIRN_TRY(const std::vector<float> parameters, project_->parameters(round));
  auto file = work::compute_gradient(task(round, unit), project_->recipe(), *network_, project_->data(),
                                     parameters, progress, observer, std::move(resumption));
  if (!file) return file.error().within(unit_text(round, unit));
  return file;
}

Result<work::StretchEnd> Trainer::stretch(trust::Round round, trust::UnitId unit, work::GradientState start,
                                          uint32_t index, const Progress& progress) {
  CAIRN_TRY(const std::vector<float> parameters, project_->parameters(round));
  auto end = work::compute_stretch(task(round, unit), project_->recipe(), *network_, project_->data(),
                                   parameters, std::move(start), index, progress);
  if (!end) return end.error().within(unit_text(round, unit));
  return end;
}

Result<std::optional<work::FalseStretch>> Trainer::false_stretch(trust::Round round, trust::UnitId unit,
                                                                 const work::GradientHead& file,
                                                                 const Digest& digest,
                                                                 const Progress& progress) {
  CAIRN_TRY(const std::vector<float> parameters, project_->parameters(round));
  auto found = work::find_false_stretch(task(round, unit), project_->recipe(), *network_, project_->data(),
                                        parameters, file, digest, progress);
  if (!found) return found.error().within(unit_text(round, unit));
  return found;
}

Result<std::vector<float>> Trainer::statistics(trust::Round round, const Progress& progress) {
  CAIRN_TRY(const std::vector<float> parameters, project_->parameters(round));
  return work::sample_statistics(project_->recipe(), *network_, project_->data(), parameters, progress);
}

Result<work::Evaluation> Trainer::evaluate(trust::Round round, const Progress& progress) {
  if (project_->data().count(data::Split::test) == 0)
    return Error{"the data has no test images to evaluate on"};
  CAIRN_TRY(const std::vector<float> parameters, project_->parameters(round));
  CAIRN_TRY(const std::vector<float> sample,
            work::sample_statistics(project_->recipe(), *network_, project_->data(), parameters, progress));
  const uint32_t images = project_->recipe().evaluation_images;
  return work::evaluate(project_->recipe(), *network_, *backend_, project_->data(), data::Split::test,
                        parameters, sample, images == 0 ? UINT32_MAX : images, progress);
}

}  // namespace cairn::project
