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

// The positions of the `kept` values of largest magnitude, ascending; of equal ones the earlier is kept.
// Precondition: 1 <= kept <= values.size(). A NaN counts as larger than an infinity.
std::vector<uint32_t> largest_values(std::span<const float> values, uint32_t kept);

// Writes a gradient into `file`, whose bits and block size say how: the `kept` largest values, each rounded
// up or down by chance, with the word of `rounding` at its position, so that its expectation is the exact
// value. (That of the others is lost: a gradient of which little is kept is shorter than the true one.)
// Refuses non-finite values and values too large for the largest exponent, naming the position; then the
// numbers of `file` are unspecified.
Status encode_values(std::span<const float> values, uint32_t kept, const RandomSequence& rounding,
                     GradientFile& file);

// The whole gradient that a file stands for, exactly. Precondition: `values` has file.parameters elements.
void decode_values(const GradientFile& file, std::span<float> values);

}  // namespace cairn::work
