// Counter-based random numbers: Philox-4x32-10 (Salmon et al., "Parallel Random Numbers: As Easy as 1, 2, 3",
// SC 2011).
//
// No state and no order: the value at (key, counter) is a pure function, so any machine can draw any number
// of a sequence alone. Every use names its stream, so that two uses never share numbers.
#pragma once

#include <array>
#include <cstdint>

namespace cairn {

std::array<uint32_t, 4> philox4x32(std::array<uint32_t, 4> counter, std::array<uint32_t, 2> key);

// What the numbers are used for: a word of the counter, part of the arithmetic's definition. Append only.
enum class RandomStream : uint32_t {
  initial_parameters = 1,
  permutation = 2,
  dither = 3,
  gradient_rounding = 4,
  augmentation = 5,
  dropout = 6,
  evaluation_sample = 7,
  probe = 8,
  self_test = 9,
  mixup = 10,
};

// The numbers of one purpose under one seed.
class RandomSequence {
 public:
  RandomSequence(uint64_t seed, RandomStream stream, uint32_t major = 0, uint32_t minor = 0)
      : key_{static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32)},
        stream_(stream),
        major_(major),
        minor_(minor) {}

  // Four words at `index`; `major` and `minor` say which round, unit, step or tensor.
  std::array<uint32_t, 4> at(uint32_t index) const {
    return philox4x32({index, minor_, major_, static_cast<uint32_t>(stream_)}, key_);
  }

 private:
  std::array<uint32_t, 2> key_;
  RandomStream stream_;
  uint32_t major_;
  uint32_t minor_;
};

}  // namespace cairn
