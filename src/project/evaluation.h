// Evaluations that users sign: what a snapshot gets right on the test images. The log attests them; whoever
// recomputes one gets the same numbers or has shown it false.
#pragma once

#include "project/project.h"
#include "work/evaluation.h"

namespace cairn::project {

// The loss is rounded to the nearest 2^-40, ties to even; one of 2^23 or more counts as 2^23.
ledger::Evaluated evaluated(trust::Round round, const work::Evaluation& found);
double stated_loss(const trust::Evaluation& statement);

// Signs the result and appends it. Refuses a user's second statement about a round.
Status state_evaluation(Project& project, const SigningKey& user, trust::Round round,
                        const work::Evaluation& found);

// How many people state what the snapshot of a round gets right, where the recipe wants it tested.
inline constexpr size_t kEvaluators = 2;

// Whether the recipe wants the snapshot of that round tested: every `evaluation.every` rounds but for the
// model that the project began with, and after a verdict that removed entries.
bool evaluation_due(const Project& project, trust::Round round);

// The latest round whose snapshot this user is to test now. For each the authors of the round before are put
// in an order by lot; the first kEvaluators of them are asked in the round itself, as many more in each round
// that follows, until that many have stated something.
std::optional<trust::Round> evaluation_wanted(const Project& project, trust::UserId user);

struct StatedEvaluation {
  trust::UserId user = 0;
  trust::Evaluation statement;
  bool agrees = false;  // with what was found here
};

// Everything stated about a round's snapshot, by user, beside what was recomputed.
std::vector<StatedEvaluation> stated_evaluations(const Project& project, trust::Round round,
                                                 const work::Evaluation& found);

}  // namespace cairn::project
