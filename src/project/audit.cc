#include "project/audit.h"

#include <algorithm>
#include <variant>

#include "project/dispute.h"
#include "project/draft.h"
#include "project/evaluation.h"
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

// What the log says that computing something gives: a unit, or what a snapshot gets right.
struct Stated {
  trust::Round round = 0;
  trust::UnitId unit = 0;
  std::variant<Digest, trust::Evaluation> result;
  std::string who;  // says so
};

std::vector<Stated> everything_stated(const Project& project) {
  const trust::State& state = project.state();
  std::vector<Stated> all;
  for (const trust::LiveEntry& entry : state.live_entries()) {
    all.push_back({entry.round, entry.unit, entry.gradient,
                   entry_text(entry.id) + " by " + project.user_name(entry.user)});
  }
  for (trust::ClaimId id = 1; state.has_claim(id); ++id) {
    const auto& verdict = state.claim(id).verdict;
    if (!verdict || verdict->voided || state.claim(id).stretch) continue;
    const Entry& entry = state.entry(state.claim(id).entry);
    all.push_back({entry.round, entry.unit, verdict->gradient, "the verdict on claim " + std::to_string(id)});
  }
  for (trust::Round round = 0; round < state.rounds().size(); ++round) {
    for (const auto& [user, evaluation] : state.rounds()[round].evaluations)
      all.push_back({round, 0, evaluation,
                     "the test of round " + std::to_string(round) + " by " + project.user_name(user)});
  }
  return all;
}

Status recompute(Trainer& trainer, const Stated& one) {
  constexpr std::string_view kAdvice = "; `cairn selftest` shows whether this machine is sound";
  if (const auto* stated = std::get_if<trust::Evaluation>(&one.result)) {
    CAIRN_TRY(const work::Evaluation found, trainer.evaluate(one.round, {}));
    const ledger::Evaluated own = evaluated(one.round, found);
    if (*stated == trust::Evaluation{own.correct, own.images, own.loss}) return {};
    return Error{one.who + ": is " + std::to_string(stated->correct) + " of " +
                 std::to_string(stated->images) + ", and testing it gives " + std::to_string(own.correct) +
                 " of " + std::to_string(own.images) + std::string(kAdvice)};
  }
  const Digest& digest = std::get<Digest>(one.result);
  CAIRN_TRY(const work::GradientFile file, trainer.gradient(one.round, one.unit, {}));
  const Digest recomputed = sha256(work::encode(file));
  if (recomputed == digest) return {};
  return Error{one.who + ": computing unit " + std::to_string(one.unit) + " of round " +
               std::to_string(one.round) + " gives " + recomputed.hex() + ", not " + digest.hex() +
               std::string(kAdvice)};
}

// Moves `count` items, drawn at random, to the front.
template <typename T>
void draw_to_front(std::vector<T>& items, size_t count, Environment& environment) {
  for (size_t i = 0; i < count; ++i) {
    std::swap(items[i], items[i + environment.random_word() % (items.size() - i)]);
  }
}

Result<Probe> probe_stretches(const Project& project, Trainer& trainer, trust::EntryId id,
                              const work::GradientHead& file, const Progress& progress) {
  const Entry& entry = project.state().entry(id);
  CAIRN_TRY(const auto found,
            trainer.false_stretch(entry.round, entry.unit, file, *entry.gradient, progress));
  if (!found) return Probe{id, *entry.gradient, *entry.gradient};
  Probe probe{id, found->stated.after, found->got, stretch_of(file, *entry.gradient, found->index)};
  if (found->index > 0) probe.state = work::encode_training_state(found->before, project.recipe());
  return probe;
}

}  // namespace

Result<uint32_t> recompute_some(const Project& project, Trainer& trainer, uint32_t count,
                                const Progress& progress) {
  std::vector<Stated> stated = everything_stated(project);
  count = static_cast<uint32_t>(std::min<size_t>(count, stated.size()));
  draw_to_front(stated, count, project.environment());
  for (uint32_t i = 0; i < count; ++i) {
    if (!report(progress, i, count)) return Error{"interrupted"};
    CAIRN_CHECK(recompute(trainer, stated[i]));
  }
  return count;
}

Result<trust::EntryId> draw_entry(const Project& project, trust::UserId auditor, uint64_t random) {
  const auto entry = trust::pick_probe(project.state(), random, auditor);
  if (!entry)
    return Error{project.directory().string() + ": there is no entry to probe; close a round first"};
  return *entry;
}

Result<Probe> probe(const Project& project, Trainer& trainer, trust::EntryId id, const Progress& progress) {
  CAIRN_CHECK(check_probable(project, id));
  const Entry& entry = project.state().entry(id);
  if (work::stretch_count(project.recipe()) > 1) {
    // Where the file cannot be had its digest still says whether it is true.
    const auto file = stated_head(project, id);
    if (file && has_stretches(project.recipe(), *file))
      return probe_stretches(project, trainer, id, *file, progress);
  }
  CAIRN_TRY(const work::GradientFile file, trainer.gradient(entry.round, entry.unit, progress));
  return Probe{id, *entry.gradient, sha256(work::encode(file))};
}

Result<Digest> probe_again(const Project& project, Trainer& trainer, const Probe& found,
                           const Progress& progress) {
  if (found.stretch)
    return recompute_stretch(project, trainer, found.entry, *found.stretch, found.state, progress);
  const Entry& entry = project.state().entry(found.entry);
  CAIRN_TRY(const work::GradientFile file, trainer.gradient(entry.round, entry.unit, progress));
  return sha256(work::encode(file));
}

Result<std::vector<trust::EntryId>> entries_with_image(const Project& project, const std::string& image,
                                                       std::optional<trust::Round> round) {
  CAIRN_TRY(const uint32_t index, project.data().find(image));
  const auto groups = project.data().groups(data::Split::train);
  std::vector<trust::EntryId> found;
  for (const trust::LiveEntry& entry : project.state().live_entries()) {
    if (round && entry.round != *round) continue;
    const std::vector<uint32_t> images = work::unit_images(project.recipe(), groups, entry.unit);
    if (std::ranges::find(images, index) != images.end()) found.push_back(entry.id);
  }
  return found;
}

Status check_claim(const Project& project, const PublicKey& claimant, trust::EntryId entry) {
  CAIRN_CHECK(check_probable(project, entry));
  const trust::State& state = project.state();
  const ledger::Statement claim{project.id(), project.head(), claimant, ledger::ClaimFiled{entry, {}}, {}};
  return trust::check(state, {state.time(), claim});
}

ledger::Body claim_body(const Project& project, const PublicKey& claimant, const Probe& found) {
  const Digest seal = ledger::claim_seal(project.id(), claimant, found.entry, found.recomputed);
  if (found.stretch) return ledger::StretchClaimed{found.entry, *found.stretch, seal};
  return ledger::ClaimFiled{found.entry, seal};
}

Result<trust::ClaimId> file_claim(Project& project, const SigningKey& claimant, const Probe& found) {
  CAIRN_CHECK(check_probable(project, found.entry));
  CAIRN_CHECK(project.commit([&]() -> Result<Project::Change> {
    if (found.match()) {
      return Error{entry_text(found.entry) + ": has that very digest, so there is nothing to claim"};
    }
    const auto id = static_cast<trust::ClaimId>(project.state().claims().size() + 1);
    CAIRN_TRY(Draft draft, Draft::begin(project));
    CAIRN_CHECK(draft.say(claimant, claim_body(project, claimant.public_key(), found)));
    if (!found.state.empty()) CAIRN_CHECK(draft.add_blob(found.state));
    draft.put_aside(claim_opening(id), project.sign(claimant, ledger::ClaimOpened{id, found.recomputed}));
    return draft.take();
  }));
  return static_cast<trust::ClaimId>(project.state().claims().size());
}

}  // namespace cairn::project
