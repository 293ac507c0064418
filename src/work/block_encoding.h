// Blocks of small integers with power-of-two scales: how a float gradient becomes the numbers of a gradient
// file. Defined to the last bit in docs/formats/gradient-file.md.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/philox.h"
#include "base/result.h"
#include "work/gradient_file.h"

namespace cairn::work {

struct EncodedBlocks {
  std::vector<int8_t> exponents;
  std::vector<int16_t> values;
};

// Value i is rounded up or down by chance, with word i of `rounding`, so that its expectation is the exact
// value. `bits` is 8 or 16. Refuses non-finite values and values too large for the largest exponent, naming
// the index.
Result<EncodedBlocks> encode_blocks(std::span<const float> values, int bits, uint32_t block_size,
                                    const RandomSequence& rounding);

// The numbers that a gradient file stands for, exactly. Precondition: `values` is as long as `file.values`.
void decode_blocks(const GradientFile& file, std::span<float> values);

}  // namespace cairn::work
