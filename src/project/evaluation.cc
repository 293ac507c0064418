#include "project/evaluation.h"

#include <algorithm>
#include <cmath>
#include <set>

namespace cairn::project {
namespace {

constexpr double kLossUnits = 0x1p40;
constexpr double kMaxLoss = 0x1p23;
constexpr trust::Round kAsked = 4;  // rounds in which people are asked about one snapshot

// Between the openings of the round before and of this one.
bool follows_a_removal(const trust::State& state, trust::Round round) {
  const int64_t before = state.rounds()[round - 1].opened, opened = state.rounds()[round].opened;
  return std::ranges::any_of(state.claims(), [&](const trust::Claim& claim) {
    return claim.verdict && claim.verdict->time > before && claim.verdict->time <= opened;
  });
}

// The same everywhere, and nobody's choice: a snapshot's digest is not known before its round opens.
Digest lot(const Project& project, trust::Round round, trust::UserId user) {
  ByteWriter writer;
  writer.raw(project.state().rounds()[round].snapshot.bytes);
  writer.raw(project.state().user(user).key.bytes);
  return sha256(writer.bytes());
}

// How many of those who took part in the round before drew a lower lot; nothing for who did not.
std::optional<size_t> rank(const Project& project, trust::Round round, trust::UserId user) {
  std::set<trust::UserId> authors;
  for (const trust::EntryId id : project.state().rounds()[round - 1].entries)
    authors.insert(project.state().entry(id).user);
  if (!authors.contains(user)) return std::nullopt;
  const Digest own = lot(project, round, user);
  return static_cast<size_t>(
      std::ranges::count_if(authors, [&](trust::UserId other) { return lot(project, round, other) < own; }));
}

bool is_asked(const Project& project, trust::Round round, trust::UserId user, trust::Round open) {
  const auto& stated = project.state().rounds()[round].evaluations;
  if (stated.size() >= kEvaluators || stated.contains(user) || !evaluation_due(project, round)) return false;
  const auto place = rank(project, round, user);
  return place && *place < kEvaluators * (open - round + 1);
}

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

bool evaluation_due(const Project& project, trust::Round round) {
  const uint32_t every = project.recipe().evaluation_every;
  if (every == 0 || round == 0) return false;
  return round % every == 0 || follows_a_removal(project.state(), round);
}

std::optional<trust::Round> evaluation_wanted(const Project& project, trust::UserId user) {
  const auto open = project.state().open_round();
  if (!open || project.data().count(data::Split::test) == 0) return std::nullopt;
  for (trust::Round round = *open; round > 0 && *open - round < kAsked; --round) {
    if (is_asked(project, round, user, *open)) return round;
  }
  return std::nullopt;
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
