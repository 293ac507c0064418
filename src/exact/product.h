// Matrix products of the fast backends: the same results as Reference, from the processor's integer
// instructions.
#pragma once

#include "exact/backend.h"
#include "exact/scratch.h"

namespace cairn::exact {

// What a fast operator works with. `isa` is never scalar.
struct Machine {
  Isa isa;
  ThreadPool& pool;
  Scratch& scratch;  // the operator calls reset() when it starts
};

void fast_product_nt(Machine&, int64_t m, int64_t n, int64_t k, ConstQuantized a, ConstQuantized b, float* c);
void fast_product_nn(Machine&, int64_t m, int64_t n, int64_t k, ConstQuantized a, ConstQuantized b, float* c);
void fast_product_tn(Machine&, int64_t m, int64_t n, int64_t k, ConstQuantized a, ConstQuantized b, float* c);

}  // namespace cairn::exact
