// Less memory for more work: what waits for long is dropped and computed a second time.
//
// After Chen et al., "Training Deep Nets with Sublinear Memory Cost" (2016), which keeps some tensors of the
// way forward and makes those between them again on the way back. Here a search decides which, among all
// buffers and by what each costs (the trade-off of Jain et al., "Checkmate", 2020): the peak is lowered step
// by step, each time by what saves most for its effort.
//
// It changes no bit of any result. An instruction is a function of what it reads and of the key of its
// tensor, so what runs again gives the same; statistics and gradients are written by the first run alone.
#pragma once

#include "model/program.h"

namespace cairn::model {

// What bounds the search, whatever a stranger's model is like: steps of schedules looked at (about ten
// seconds), and what runs again, in efforts of the program.
inline constexpr uint64_t kMaxSearch = 500'000'000;
inline constexpr uint64_t kMaxEffortAgain = 3;

// Gives every buffer its place, as plan_program() does. Where that takes more than `limit` bytes in all,
// instructions run again until it fits. If it never does, memory_bytes is the least that was found, which is
// more than the limit: the same for all limits that cannot be met, and all others can.
void plan_within(Program& program, uint64_t base, uint64_t limit);

}  // namespace cairn::model
