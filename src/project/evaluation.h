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

struct StatedEvaluation {
  trust::UserId user = 0;
  trust::Evaluation statement;
  bool agrees = false;  // with what was found here
};

// Everything stated about a round's snapshot, by user, beside what was recomputed.
std::vector<StatedEvaluation> stated_evaluations(const Project& project, trust::Round round,
                                                 const work::Evaluation& found);

}  // namespace cairn::project
