#include "project/evaluation.h"

#include <algorithm>
#include <cmath>

namespace cairn::project {
namespace {

constexpr double kLossUnits = 0x1p40;
constexpr double kMaxLoss = 0x1p23;

}  // namespace

ledger::Evaluated evaluated(trust::Round round, const work::Evaluation& found) {
  const double loss = std::clamp(static_cast<double>(found.loss), 0.0, kMaxLoss);
  return {round, found.correct, found.images, static_cast<uint64_t>(std::rint(loss * kLossUnits))};
}

double stated_loss(const trust::Evaluation& statement) {
  return static_cast<double>(statement.loss) / kLossUnits;
}

Status state_evaluation(Project& project, const SigningKey& user, trust::Round round,
                        const work::Evaluation& found) {
  const auto appended = project.commit([&]() -> Result<Project::Change> {
    return Project::Change{.statements = {project.sign(user, evaluated(round, found))}};
  });
  if (!appended) return appended.error();
  return {};
}

std::vector<StatedEvaluation> stated_evaluations(const Project& project, trust::Round round,
                                                 const work::Evaluation& found) {
  const ledger::Evaluated own = evaluated(round, found);
  const trust::Evaluation expected = {own.correct, own.images, own.loss};
  std::vector<StatedEvaluation> stated;
  for (const auto& [user, statement] : project.state().rounds()[round].evaluations) {
    stated.push_back({user, statement, statement == expected});
  }
  return stated;
}

}  // namespace cairn::project
