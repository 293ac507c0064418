// A gradient file: the gradient of one unit as small integers with power-of-two block scales, all of them or
// only the largest.
//
// It says nothing about who computed it: the same unit gives every honest machine the same bytes, so two
// files are compared by digest. Canonical bytes: docs/formats/gradient-file.md.
#pragma once

#include <cstdint>
#include <vector>

#include "base/bytes.h"
#include "base/digest.h"

namespace cairn::work {

inline constexpr uint64_t kMaxGradientFileSize = uint64_t{1} << 30;
inline constexpr uint64_t kMaxParameters = uint64_t{1} << 28;
inline constexpr uint32_t kMaxBlockSize = uint32_t{1} << 20;
inline constexpr uint32_t kMaxTrace = 65535;  // digests
inline constexpr int kMinExponent = -126;
inline constexpr int kMaxExponent = 63;
inline constexpr uint32_t kKeepAll = 1'000'000;  // parts per million

// What a file says about its numbers.
struct GradientHead {
  Digest project;   // digest of the genesis event
  Digest snapshot;  // digest of the parameters it was computed at
  uint32_t round = 0;
  uint32_t unit = 0;
  uint32_t samples = 0;     // images that went in
  float loss = 0;           // mean training loss over the unit
  uint8_t bits = 16;        // 16, 8 or 4
  uint32_t block_size = 0;  // kept values that share an exponent
  uint32_t parameters = 0;  // of the model: values of the whole gradient

  std::vector<Digest> trace;  // of training states on the way (work/trace.h); empty without

  bool operator==(const GradientHead&) const = default;
};

struct GradientFile : GradientHead {
  // Where the kept values belong, strictly ascending and below `parameters`; empty where all were kept. The
  // other values of the gradient are zero.
  std::vector<uint32_t> positions;
  // Kept value i is values[i] * 2^exponents[i / block_size]; the last block may be short. |value| <=
  // 2^(bits-1) - 1.
  std::vector<int8_t> exponents;  // in [-126, 63]; a block of zeros has exponent 0
  std::vector<int16_t> values;

  bool operator==(const GradientFile&) const = default;
};

struct GradientSummary : GradientHead {
  uint32_t kept = 0;  // values
};

// How many of a model's values a recipe's gradient.keep (parts per million, at most kKeepAll) leaves: one at
// least.
uint32_t kept_count(uint64_t parameters, uint32_t keep);

// Bytes of the canonical form without a trace: no number in it has a say. `kept` <= `parameters` <=
// kMaxParameters.
uint64_t gradient_file_size(int bits, uint32_t block_size, uint64_t parameters, uint64_t kept);

Bytes encode(const GradientFile& file);
// Refuses anything that is not exactly the canonical form, naming the field.
Result<GradientFile> decode_gradient_file(BytesView bytes);
// Refuses the same, and keeps no numbers.
Result<GradientSummary> check_gradient_file(BytesView bytes);
// Reads no further than what a file says about its numbers.
Result<GradientHead> read_gradient_head(BytesView bytes);

}  // namespace cairn::work
