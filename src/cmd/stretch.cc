#include "cmd/stretch.h"

#include "work/trace.h"

namespace cairn::cmd {

void add_stretch(Json& json, const work::Recipe& recipe, const std::optional<ledger::Stretch>& stretch) {
  if (!stretch || stretch->index >= work::stretch_count(recipe)) return;
  const work::Steps steps = work::stretch_steps(recipe, stretch->index);
  json["stretch"] = stretch->index;
  json["steps"] = std::vector{steps.first, steps.last};
}

std::string in_steps(const work::Recipe& recipe, const std::optional<ledger::Stretch>& stretch) {
  return stretch ? " in " + project::steps_text(recipe, stretch) : "";
}

std::string recomputing(const work::Recipe& recipe, const std::optional<ledger::Stretch>& stretch) {
  return stretch ? "recomputing " + project::steps_text(recipe, stretch) : "recomputing";
}

}  // namespace cairn::cmd
