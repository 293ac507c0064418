// Ascending positions in few bits: the code of Elias (1974) and Fano (1971). Canonical bytes:
// docs/formats/gradient-file.md.
//
// Positions of chance take at most a bit each more than they have to, and 0.6 bits where they are a tenth or
// fewer. How many bytes they take does not depend on them, so a reader knows the size of a file before it has
// one.
#pragma once

#include <cstdint>
#include <span>

#include "base/bytes.h"

namespace cairn::work {

// Bytes for `count` positions below `limit`; 1 <= count <= limit <= 2^28, here and below.
uint64_t positions_size(uint32_t limit, uint32_t count);

// Precondition: strictly ascending and below `limit`.
Bytes encode_positions(std::span<const uint32_t> positions, uint32_t limit);

// Refuses what encode_positions() does not write. `bytes` has the size above.
Status check_positions(BytesView bytes, uint32_t limit, uint32_t count);

// Goes through positions that check_positions() accepts, which outlive it.
class PositionReader {
 public:
  PositionReader(BytesView bytes, uint32_t limit, uint32_t count);

  uint32_t next();  // at most `count` times

 private:
  BytesView low_, high_;
  int low_bits_;
  uint64_t read_ = 0;
  uint64_t byte_ = 0;  // of high_
  uint32_t ones_ = 0;  // of that byte, not read yet
};

}  // namespace cairn::work
