// One tile of an exact product. Its sums stay in int32, which wraps exactly, for as long as the norms of its
// two panels prove that the totals fit; only then are they added to sums in int64.
#pragma once

#include <cstdint>
#include <span>

#include "exact/microkernel.h"

namespace cairn::exact {

// Consecutive pairs that share a bound and a shift (see PositionRun).
struct Block {
  int64_t pair;
  int64_t pairs;
  int shift = 0;
  bool ends_run = false;
};

// Of a panel and a block: |sum of products| <= norm of A * norm of B, and so for `pair` and one pair.
struct Bound {
  double norm;
  double pair;
};

// Of consecutive pairs of a panel.
Bound measure_pairs(const Microkernels& kernels, const int16_t* panel, int width, int64_t pairs);

struct RowPanel {
  int rows;
  const int16_t* pairs;
  const Bound* bounds;  // for each block
};
struct ColumnPanel {
  const int16_t* pairs;
  const int32_t* places;  // of each pair, see Microkernels::multiply
  const Bound* bounds;
};

// Sums of one tile: of all runs, and of the present one where it has to be rounded into the total.
struct Sums {
  int64_t* total;
  int64_t* run;
};

// Where the sums of a tile are: one of the two.
struct TileSums {
  const int32_t* narrow = nullptr;
  const int64_t* wide = nullptr;

  TileSums from(int64_t column) const {
    return narrow != nullptr ? TileSums{narrow + column, nullptr} : TileSums{nullptr, wide + column};
  }
};

class TileMultiplier {
 public:
  explicit TileMultiplier(const Microkernels& kernels) : kernels_(kernels) {}

  // Adds the products of all blocks. `tile` is room for one.
  void add(std::span<const Block> blocks, const RowPanel& a, const ColumnPanel& b, const Sums& sums,
           int32_t* tile) const;
  // The products of all blocks, none of which has a shift: in `tile` or, where they need it, in `wide`.
  TileSums multiply(std::span<const Block> blocks, const RowPanel& a, const ColumnPanel& b, int32_t* tile,
                    int64_t* wide) const;
  // out[row][column] = I2F(sum) * row_scale * column_scale, for so many rows and columns.
  void finish(const TileSums& sums, int rows, const float* row_scale, const float* column_scale, int columns,
              float* out, int64_t stride) const;

 private:
  const Microkernels& kernels_;
};

}  // namespace cairn::exact
