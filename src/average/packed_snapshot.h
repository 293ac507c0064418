// The parameters of a round as they are stored and sent: what changed since those of another round, or since
// nothing, compressed without loss. docs/formats/snapshot.md gives the bytes.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "base/bytes.h"
#include "base/digest.h"

namespace cairn::average {

// How a packed snapshot begins. Without a base it stands by itself.
struct PackedHead {
  uint32_t count = 0;          // parameters
  std::optional<Digest> base;  // the snapshot that it is laid upon
};

// Precondition: at most 2^28 parameters, and as many in the base.
Bytes pack(std::span<const float> parameters);
Bytes pack_change(const Digest& base_digest, std::span<const float> base, std::span<const float> parameters);

// The most bytes that a packed snapshot of so many parameters may have.
uint64_t packed_size_limit(uint64_t count);

// Looks at the beginning alone.
Result<PackedHead> read_packed_head(BytesView packed);

// Turns the parameters of the base (empty where there is none) into those that are packed, which whoever asks
// compares with the digest that they should have. Refuses what is not exactly the format, or of another count
// than `count`; then `parameters` are unspecified.
Status unpack(BytesView packed, uint64_t count, std::vector<float>& parameters);

}  // namespace cairn::average
