// Disputes about a stretch of an entry's local steps: what its gradient file says, what claims quote of it,
// what judges recompute, and the training states that are handed in for them.
#pragma once

#include "project/project.h"
#include "project/trainer.h"

namespace cairn::project {

// What the file behind an opened entry says about its numbers. It is fetched where it is not here.
Result<work::GradientHead> stated_head(const Project& project, trust::EntryId entry);

// Whether a file can be disputed stretch by stretch: the recipe has more than one, and the file a digest for
// every place between two.
bool has_stretches(const work::Recipe& recipe, const work::GradientHead& file);

// A stretch as the file of that digest states it. Precondition: index <= file.trace.size().
ledger::Stretch stretch_of(const work::GradientHead& file, const Digest& digest, uint32_t index);

// Whether the file of that digest says what a claim quotes of it.
Status check_quote(const work::Recipe& recipe, const work::GradientHead& file, const Digest& digest,
                   const ledger::Stretch& quoted);

// "steps 96 to 128 of 512"; what is claimed at all, where it is no stretch: "all 512 steps", "the unit".
std::string steps_text(const work::Recipe& recipe, const std::optional<ledger::Stretch>& stretch);

// Where the steps of a stretch lead from the state before it, given as bytes (of the first: none).
Result<Digest> recompute_stretch(const Project& project, Trainer& trainer, trust::EntryId entry,
                                 const ledger::Stretch& stretch, BytesView before, const Progress& progress);

// What a claim is about, recomputed: the digest to vote for. Of a stretch only its steps are, where the state
// before it is here or can be fetched; else all steps up to its end. A claim that misquotes the file is
// answered with what it says that the file states, so that it is rejected.
Result<Digest> recompute_claim(const Project& project, Trainer& trainer, trust::ClaimId claim,
                               const Progress& progress);

// Bytes of a training state of the project.
uint64_t state_size(const Project& project);
// Whether a file of that size may be a training state, as its size and its beginning tell.
bool holds_state(const std::filesystem::path& file, uint64_t size);

// Deletes the training states that no open claim needs any more.
Status drop_states(Project& project);

}  // namespace cairn::project
