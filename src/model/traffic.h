// How many bytes a program moves between the processor and memory.
#pragma once

#include "model/program.h"

namespace cairn::model {

// An instruction moves each of its operands once, however often it sweeps over them: what it reads a second
// time is taken to come from the cache.
struct Traffic {
  uint64_t bytes = 0;
  uint64_t convolution_outputs = 0;  // elements that convolutions give on the way forward
};

Traffic traffic(const Program& program);

}  // namespace cairn::model
