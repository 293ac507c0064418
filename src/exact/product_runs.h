// The order in which a weight gradient takes its rows (or images): by the sum of their two exponents.
#pragma once

#include "exact/product_tiles.h"

namespace cairn::exact {

// Item i occupies `steps` positions from items[i].position on. Items of equal exponent are one run, which
// begins at an even position. Items of which either exponent is kEmptyGroup are left out, and so are those so
// far below the largest that their sum rounds to zero.
struct ProductRuns {
  struct Item {
    int64_t index;
    int64_t position;
    int raised;  // its integers of A count 2^raised times
  };
  std::span<Item> items;
  std::span<PositionRun> runs;
  float scale;  // of the total: a power of two
};

// Item i has the exponents a[i * stride] and b[i * stride]. Memory comes from `scratch`. Exponents up to
// `spare` above that of a run may join it, raised, where its sums are not rounded: the total is the same.
// Precondition: count * steps <= 2^24, so that the sum of a run is below 2^52.
ProductRuns sort_runs(Scratch& scratch, int64_t count, int64_t steps, int64_t stride, const int32_t* a,
                      const int32_t* b, int spare);
// How far the integers of A may be raised.
inline int spare_bits(int bits) {
  return 15 - bits;
}

}  // namespace cairn::exact
