#include "work/permutation.h"

#include <algorithm>
#include <bit>

#include "base/result.h"

namespace cairn::work {

Permutation::Permutation(uint64_t seed, const Name& name, uint32_t size)
    : seed_(seed), name_(name), size_(size) {
  CAIRN_ASSERT(size >= 1 && size <= uint32_t{1} << 31);
  half_bits_ = std::max(1, (static_cast<int>(std::bit_width(size - 1)) + 1) / 2);
}

uint32_t Permutation::at(uint32_t position) const {
  CAIRN_ASSERT(position < size_);
  uint32_t image = encipher(position);
  while (image >= size_) image = encipher(image);
  return image;
}

uint32_t Permutation::encipher(uint32_t block) const {
  constexpr uint32_t kFeistelRounds = 8;
  const uint32_t mask = (uint32_t{1} << half_bits_) - 1;
  uint32_t left = block >> half_bits_;
  uint32_t right = block & mask;
  for (uint32_t round = 0; round < kFeistelRounds; ++round) {
    const RandomSequence sequence(seed_, name_.stream, name_.epoch, kFeistelRounds * name_.lane + round);
    const uint32_t word = sequence.at(right)[0];
    const uint32_t mixed = left ^ (word & mask);
    left = right;
    right = mixed;
  }
  return left << half_bits_ | right;
}

}  // namespace cairn::work
