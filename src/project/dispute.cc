#include "project/dispute.h"

#include <algorithm>
#include <fstream>

#include "work/false_stretch.h"

namespace cairn::project {
namespace {

using trust::Claim;

std::string stretch_text(trust::EntryId entry, const ledger::Stretch& stretch) {
  return "entry " + std::to_string(entry) + ": stretch " + std::to_string(stretch.index);
}

Result<work::GradientState> decode(const Project& project, BytesView bytes) {
  return work::decode_training_state(bytes, project.recipe(), model::parameter_count(project.graph()));
}

// From the snapshot on, for want of the state that the claimant handed in.
Result<work::GradientState> reach_state(const Project& project, Trainer& trainer, trust::EntryId id,
                                        const ledger::Stretch& stretch, const Progress& progress) {
  const trust::Entry& entry = project.state().entry(id);
  work::GradientState state;
  Digest reached;
  for (uint32_t i = 0; i < stretch.index; ++i) {
    CAIRN_TRY(work::StretchEnd end, trainer.stretch(entry.round, entry.unit, std::move(state), i, progress));
    reached = end.digest;
    state = std::move(end.state);
    if (reached == work::diverged_digest()) break;
  }
  if (reached == stretch.before) return state;
  return Error{
      stretch_text(id, stretch) +
      ": the training state that it begins with is not here, and computing from the round's snapshot "
      "leads to another one: an earlier stretch is false"};
}

Result<work::GradientState> state_before(const Project& project, Trainer& trainer, trust::EntryId entry,
                                         const ledger::Stretch& stretch, const Progress& progress) {
  if (stretch.index == 0) return work::GradientState{};
  if (const auto bytes = project.blobs().get(stretch.before, state_size(project))) {
    if (auto state = decode(project, *bytes)) return *std::move(state);
  }
  return reach_state(project, trainer, entry, stretch, progress);
}

// Its file goes into the last stretch with the trace that it has.
Result<Digest> lead_on(const Project& project, Trainer& trainer, trust::EntryId id,
                       const work::GradientHead& file, uint32_t index, work::GradientState start,
                       const Progress& progress) {
  const trust::Entry& entry = project.state().entry(id);
  start.trace.assign(file.trace.begin(), file.trace.begin() + index);
  CAIRN_TRY(const work::StretchEnd end,
            trainer.stretch(entry.round, entry.unit, std::move(start), index, progress));
  return end.digest;
}

bool needs_state(const Claim& claim) {
  return claim.stretch && claim.stretch->index > 0;
}

}  // namespace

Result<work::GradientHead> stated_head(const Project& project, trust::EntryId entry) {
  CAIRN_TRY(const Bytes bytes,
            project.gradients().get(*project.state().entry(entry).gradient, project.gradients().size()));
  return work::read_gradient_head(bytes);
}

bool has_stretches(const work::Recipe& recipe, const work::GradientHead& file) {
  const uint32_t count = work::stretch_count(recipe);
  return count > 1 && file.trace.size() + 1 == count;
}

ledger::Stretch stretch_of(const work::GradientHead& file, const Digest& digest, uint32_t index) {
  const work::StretchEnds ends = work::stretch_ends(file, digest, index);
  return {index, ends.before, ends.after};
}

Status check_quote(const work::Recipe& recipe, const work::GradientHead& file, const Digest& digest,
                   const ledger::Stretch& quoted) {
  if (!has_stretches(recipe, file)) return Error{"stretch: the gradient file has no trace by the recipe"};
  if (quoted.index > file.trace.size()) {
    return Error{"stretch: index: is " + std::to_string(quoted.index) + ", but the gradient file has " +
                 std::to_string(file.trace.size() + 1) + " stretches"};
  }
  if (quoted != stretch_of(file, digest, quoted.index))
    return Error{"stretch: the gradient file states other digests before and after it"};
  return {};
}

std::string steps_text(const work::Recipe& recipe, const std::optional<ledger::Stretch>& stretch) {
  const std::string all = std::to_string(recipe.local_steps);
  if (recipe.local_steps == 0) return "the unit";
  if (!stretch || stretch->index >= work::stretch_count(recipe)) return "all " + all + " steps";
  const work::Steps steps = work::stretch_steps(recipe, stretch->index);
  return "steps " + std::to_string(steps.first) + " to " + std::to_string(steps.last) + " of " + all;
}

Result<Digest> recompute_stretch(const Project& project, Trainer& trainer, trust::EntryId entry,
                                 const ledger::Stretch& stretch, BytesView before, const Progress& progress) {
  CAIRN_TRY(const work::GradientHead file, stated_head(project, entry));
  work::GradientState start;
  if (stretch.index > 0) {
    CAIRN_TRY(start, decode(project, before));
  }
  return lead_on(project, trainer, entry, file, stretch.index, std::move(start), progress);
}

Result<Digest> recompute_claim(const Project& project, Trainer& trainer, trust::ClaimId id,
                               const Progress& progress) {
  const Claim& claim = project.state().claim(id);
  const trust::Entry& entry = project.state().entry(claim.entry);
  if (!claim.stretch) {
    CAIRN_TRY(const work::GradientFile file, trainer.gradient(entry.round, entry.unit, progress));
    return sha256(work::encode(file));
  }
  const ledger::Stretch& stretch = *claim.stretch;
  CAIRN_TRY(const work::GradientHead file, stated_head(project, claim.entry));
  if (!check_quote(project.recipe(), file, *entry.gradient, stretch)) return stretch.after;
  CAIRN_TRY(work::GradientState start, state_before(project, trainer, claim.entry, stretch, progress));
  return lead_on(project, trainer, claim.entry, file, stretch.index, std::move(start), progress);
}

uint64_t state_size(const Project& project) {
  return work::training_state_size(project.recipe(), model::parameter_count(project.graph()));
}

bool holds_state(const std::filesystem::path& file, uint64_t size) {
  std::error_code error;
  if (std::filesystem::file_size(file, error) != size || error) return false;
  std::array<uint8_t, 64> beginning{};
  std::ifstream stream(file, std::ios::binary);
  stream.read(reinterpret_cast<char*>(beginning.data()), beginning.size());
  return work::looks_like_training_state(
      BytesView(beginning).first(static_cast<size_t>(std::max<std::streamsize>(stream.gcount(), 0))));
}

// Whatever a claim named as its state: nothing but a state is deleted.
Status drop_states(Project& project) {
  std::set<Digest> needed, dropped;
  for (const Claim& claim : project.state().claims()) {
    if (!needs_state(claim)) continue;
    (claim.standing.status == Claim::Status::open ? needed : dropped).insert(claim.stretch->before);
  }
  const uint64_t size = state_size(project);
  for (const Digest& state : dropped) {
    if (needed.contains(state) || !holds_state(project.blobs().path(state), size)) continue;
    CAIRN_CHECK(project.blobs().remove(state));
  }
  return {};
}

}  // namespace cairn::project
