// A pseudo-random order without a table: any position can be asked alone.
#pragma once

#include <cstdint>

#include "base/philox.h"

namespace cairn::work {

// A bijection of [0, size): a Feistel network over the smallest even number of bits that holds `size`, walked
// along its cycle until it lands inside (Black and Rogaway, "Ciphers with Arbitrary Finite Domains", CT-RSA
// 2002). The round function is one Philox word at counter (half, 8 * lane + Feistel round, epoch, stream).
class Permutation {
 public:
  // Which of many it is, under one seed.
  struct Name {
    RandomStream stream;
    uint32_t epoch = 0;
    uint32_t lane = 0;  // below 2^29
  };

  // Precondition: 1 <= size <= 2^31.
  Permutation(uint64_t seed, const Name& name, uint32_t size);

  uint32_t size() const { return size_; }
  uint32_t at(uint32_t position) const;  // Precondition: position < size().

 private:
  uint32_t encipher(uint32_t block) const;

  uint64_t seed_;
  Name name_;
  uint32_t size_;
  int half_bits_;
};

}  // namespace cairn::work
