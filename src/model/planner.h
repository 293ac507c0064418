// Places buffers in memory before anything runs: a buffer's bytes are reused once it has been read for the
// last time.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace cairn::model {

// A block is needed from step `first` to step `last`, both included.
struct Lifetime {
  uint64_t bytes = 0;
  size_t first = 0;
  size_t last = 0;
};

struct Placement {
  std::vector<uint64_t> offsets;  // multiples of kAlignment
  uint64_t peak = 0;              // bytes in all
};

// Best fit in the order of time: a block takes the smallest gap that holds it, else the end of memory grows.
// Blocks must come in ascending order of `first`. The peak is never more than the sum of the aligned sizes.
Placement plan_memory(std::span<const Lifetime> blocks);
// The largest block first, each at the lowest place that is free for as long as it lives. Often leaves fewer
// gaps, and takes time by the square of the number of blocks.
Placement plan_by_size(std::span<const Lifetime> blocks);

struct Program;

// Gives every buffer that is not fixed its offset, from `base` on, and sets memory_bytes: the smaller of both
// plans. An output overwrites an input where the instruction allows it and the input is not read again.
void plan_program(Program& program, uint64_t base);

}  // namespace cairn::model
