// What the arithmetic ports of this processor can do at most: loops over registers, without memory.
#pragma once

#include <cstdint>

#include "exact/backend.h"

namespace cairn::bench {

// Multiply-accumulates of one call of the loops below.
inline constexpr int64_t kPeakMacs = int64_t{1} << 26;

// int16 with int32 sums: vpdpwssd (AVX-512, AVX-VNNI) or vpmaddwd and vpaddd (AVX2). Precondition: supported,
// not scalar.
void integer_peak(exact::Isa isa);
// binary32 fused multiply-add in vectors of the same width.
void float_peak(exact::Isa isa);

// Bytes that one call of copy_peak() reads and writes, together.
inline constexpr int64_t kPeakBytes = int64_t{1} << 28;

// Vector loads and stores within a first-level cache: what bounds kernels that do little with each element.
void copy_peak(exact::Isa isa);

}  // namespace cairn::bench
