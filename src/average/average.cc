#include "average/average.h"

#include <algorithm>

#include "average/weighing.h"

namespace cairn::average {

using trust::EntryId;

Result<Snapshot> average(const trust::State& state, const Snapshot& start, const GradientSource& gradients) {
  return RunningAverage(start).update(state, gradients);
}

Result<Snapshot> RunningAverage::update(const trust::State& state, const GradientSource& gradients) {
  CAIRN_TRY(const Terms wanted, wanted_terms(state, gradients));
  if (Status status = move_to(wanted, gradients); !status) {
    start_anew();
    return status.error();
  }
  CAIRN_CHECK(sum_.in_range());
  return Snapshot{sum_.values()};
}

Result<RunningAverage::Terms> RunningAverage::wanted_terms(const trust::State& state,
                                                           const GradientSource& gradients) {
  CAIRN_TRY(const auto coefficients, weigh(state, [&](EntryId id) { return norm(state, id, gradients); }));
  Terms terms;
  for (const auto& [id, coefficient] : coefficients) {
    if (coefficient.factor != 0) terms[id] = {*state.entry(id).gradient, coefficient};
  }
  return terms;
}

Status RunningAverage::move_to(const Terms& wanted, const GradientSource& gradients) {
  std::vector<EntryId> gone;
  for (const auto& [id, term] : terms_) {
    const auto found = wanted.find(id);
    if (found == wanted.end() || found->second.gradient != term.gradient) gone.push_back(id);
  }
  const auto changed = std::count_if(wanted.begin(), wanted.end(), [this](const auto& item) {
    const auto found = terms_.find(item.first);
    return found == terms_.end() || found->second != item.second;
  });
  if (gone.size() + static_cast<size_t>(changed) > wanted.size()) start_anew();
  for (EntryId id : gone) {
    if (terms_.empty()) break;
    if (!remove(id, gradients)) start_anew();  // its gradient is served no more, nor needed
  }
  for (const auto& [id, term] : wanted) CAIRN_CHECK(set(id, term, gradients));
  return {};
}

Status RunningAverage::remove(EntryId id, const GradientSource& gradients) {
  const Term& term = terms_.at(id);
  CAIRN_TRY(const work::GradientFile file, read(id, term.gradient, gradients));
  CAIRN_CHECK(sum_.replace(file, term.coefficient, {}));
  terms_.erase(id);
  return {};
}

Status RunningAverage::set(EntryId id, const Term& wanted, const GradientSource& gradients) {
  Term& present = terms_[id];
  if (present == wanted) return {};
  CAIRN_TRY(const work::GradientFile file, read(id, wanted.gradient, gradients));
  if (Status status = sum_.replace(file, present.coefficient, wanted.coefficient); !status) {
    return status.error().within("the gradient of entry " + std::to_string(id));
  }
  present = wanted;
  return {};
}

void RunningAverage::start_anew() {
  sum_ = GridSum(start_.grid);
  terms_.clear();
}

Result<work::GradientFile> RunningAverage::read(EntryId id, const Digest& digest,
                                                const GradientSource& gradients) {
  ++gradients_read_;
  Result<work::GradientFile> file = gradients.get(digest);
  if (!file) return file.error().within("the gradient of entry " + std::to_string(id));
  return file;
}

Result<Norm> RunningAverage::norm(const trust::State& state, EntryId id, const GradientSource& gradients) {
  const Digest& digest = *state.entry(id).gradient;
  if (const auto known = norms_.find(digest); known != norms_.end()) return known->second;
  CAIRN_TRY(const work::GradientFile file, read(id, digest, gradients));
  return norms_[digest] = norm_of(file);
}

}  // namespace cairn::average
