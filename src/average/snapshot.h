// The parameters of a model version: integers on a grid of 2^-48, and the binary32 numbers that are trained.
//
// The grid is what is summed, exactly; the numbers are what a contributor downloads. Bytes and rounding:
// docs/formats/averaging.md.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/digest.h"

namespace cairn::average {

inline constexpr int kGridBits = 48;

struct Snapshot {
  std::vector<int64_t> grid;  // units of 2^-48, so that a parameter lies in [-2^15, 2^15)

  bool operator==(const Snapshot&) const = default;
};

// The grid points nearest to given parameters, ties to even. Refuses what is not finite or out of range, with
// its index. Starting from parameters() of the result gives the same snapshot again.
Result<Snapshot> starting_snapshot(std::span<const float> parameters);

// Each grid point rounded once to binary32, ties to even.
std::vector<float> parameters(const Snapshot& snapshot);

// The canonical bytes of parameters(snapshot): what is stored, and what a gradient names as its snapshot.
Bytes encode_parameters(const Snapshot& snapshot);
Result<std::vector<float>> decode_parameters(BytesView bytes);
uint64_t parameters_size(uint64_t count);  // of those bytes

Digest parameters_digest(const Snapshot& snapshot);           // SHA-256 of encode_parameters()
Digest parameters_digest(std::span<const float> parameters);  // the same of their numbers
Digest grid_digest(const Snapshot& snapshot);

}  // namespace cairn::average
