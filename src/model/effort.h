// How much there is to compute, before anything has run.
#pragma once

#include "model/program.h"

namespace cairn::model {

// Moving a byte takes about as long as so many multiply-accumulates: between what a processor with AVX2 and
// one with AVX-512 VNNI was seen to do.
inline constexpr uint64_t kEffortPerByte = 10;

// The multiply-accumulates of a product, convolution or weight gradient; of other instructions none.
uint64_t products(const Instruction& instruction);

// The bytes of all operands, each once.
uint64_t operand_bytes(const Program& program, const Instruction& instruction);

// In multiply-accumulates: products, and kEffortPerByte for each byte.
uint64_t effort(const Program& program, const Instruction& instruction);
uint64_t effort(const Program& program);

}  // namespace cairn::model
