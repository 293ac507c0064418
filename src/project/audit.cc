#include "project/audit.h"

#include <algorithm>

#include "project/draft.h"
#include "trust/probe.h"
#include "work/unit.h"

namespace cairn::project {
namespace {

using trust::Entry;

std::string entry_text(trust::EntryId entry) {
  return "entry " + std::to_string(entry);
}

Status check_probable(const Project& project, trust::EntryId id) {
  if (!project.state().has_entry(id)) return Error{entry_text(id) + ": is not in the log"};
  switch (project.state().entry(id).standing.status) {
    case Entry::Status::sealed:
      return Error{entry_text(id) + ": is still sealed; it opens when its round closes"};
    case Entry::Status::revoked:
      return Error{entry_text(id) + ": was revoked already"};
    case Entry::Status::opened:
    case Entry::Status::suspended:
      return {};
  }
  return {};
}

}  // namespace

Result<trust::EntryId> draw_entry(const Project& project, trust::UserId auditor, uint64_t random) {
  const auto entry = trust::pick_probe(project.state(), random, auditor);
  if (!entry)
    return Error{project.directory().string() + ": there is no entry to probe; close a round first"};
  return *entry;
}

Result<Probe> probe(const Project& project, Trainer& trainer, trust::EntryId id, const Progress& progress) {
  CAIRN_CHECK(check_probable(project, id));
  const Entry& entry = project.state().entry(id);
  CAIRN_TRY(const work::GradientFile file, trainer.gradient(entry.round, entry.unit, progress));
  return Probe{id, *entry.gradient, sha256(work::encode(file))};
}

Result<std::vector<trust::EntryId>> entries_with_image(const Project& project, const std::string& image,
                                                       std::optional<trust::Round> round) {
  CAIRN_TRY(const uint32_t index, project.data().find(image));
  const uint32_t count = project.data().count(data::Split::train);
  std::vector<trust::EntryId> found;
  for (const trust::LiveEntry& entry : project.state().live_entries()) {
    if (round && entry.round != *round) continue;
    const std::vector<uint32_t> images = work::unit_images(project.recipe(), count, entry.unit);
    if (std::ranges::find(images, index) != images.end()) found.push_back(entry.id);
  }
  return found;
}

Status check_claim(const Project& project, const SigningKey& claimant, trust::EntryId entry) {
  CAIRN_CHECK(check_probable(project, entry));
  const trust::State& state = project.state();
  return trust::check(state, {state.time(), project.sign(claimant, ledger::ClaimFiled{entry, Digest{}})});
}

Result<trust::ClaimId> file_claim(Project& project, const SigningKey& claimant, trust::EntryId entry,
                                  const Digest& recomputed) {
  CAIRN_CHECK(check_probable(project, entry));
  CAIRN_CHECK(project.commit([&]() -> Result<Project::Change> {
    if (project.state().entry(entry).gradient == recomputed) {
      return Error{entry_text(entry) + ": has that very digest, so there is nothing to claim"};
    }
    const auto id = static_cast<trust::ClaimId>(project.state().claims().size() + 1);
    const Digest seal = ledger::claim_seal(project.id(), claimant.public_key(), entry, recomputed);
    CAIRN_TRY(Draft draft, Draft::begin(project));
    CAIRN_CHECK(draft.say(claimant, ledger::ClaimFiled{entry, seal}));
    draft.put_aside(claim_opening(id), project.sign(claimant, ledger::ClaimOpened{id, recomputed}));
    return draft.take();
  }));
  return static_cast<trust::ClaimId>(project.state().claims().size());
}

}  // namespace cairn::project
