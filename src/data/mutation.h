// For tests of decoders: damaged copies of valid bytes.
#pragma once

#include <random>

#include "base/bytes.h"

namespace cairn::data {

// One random damage: flipped bits, extreme numbers, cuts, insertions, repetitions.
inline Bytes mutate(Bytes bytes, std::mt19937_64& random) {
  const auto below = [&](size_t bound) { return static_cast<size_t>(random() % std::max<size_t>(bound, 1)); };
  const size_t at = below(bytes.size());
  switch (random() % 6) {
    case 0:
      if (!bytes.empty()) bytes[at] ^= static_cast<uint8_t>(1 << (random() % 8));
      break;
    case 1:
      for (size_t i = at; i < std::min(at + 4, bytes.size()); ++i) bytes[i] = 0xff;
      break;
    case 2:
      bytes.resize(at);
      break;
    case 3:
      bytes.insert(bytes.begin() + static_cast<ptrdiff_t>(at), 1 + below(9), static_cast<uint8_t>(random()));
      break;
    case 4: {
      const size_t end = std::min(bytes.size(), at + 1 + below(9));
      bytes.erase(bytes.begin() + static_cast<ptrdiff_t>(at), bytes.begin() + static_cast<ptrdiff_t>(end));
      break;
    }
    default:
      for (size_t i = at; i < std::min(at + 1 + below(8), bytes.size()); ++i) {
        bytes[i] = static_cast<uint8_t>(random());
      }
  }
  return bytes;
}

}  // namespace cairn::data
