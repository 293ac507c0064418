// One tile of an exact product. Its sums stay in int32, which wraps exactly, for as long as the norms of its
// two panels prove that the totals fit; only then are they added to sums in int64.
#pragma once

#include <algorithm>
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

// A sum bounded by this, in binary64 with its rounding errors, is below 2^31.
inline constexpr double kLargestSum = 2147483000.0;

// Cuts the pairs of all blocks into ranges whose sums are bounded by kLargestSum, if a single pair's is.
// bound_of(i, kind) bounds the sums over block i, or over a pair of it. Calls visit(begin, end, shift) for
// each range, and end_run(shift) after those of a run.
template <typename BoundOf, typename Visit, typename EndRun>
void for_each_bounded_range(std::span<const Block> blocks, BoundOf bound_of, Visit visit, EndRun end_run) {
  int64_t begin = 0;  // of the present range
  double bound = 0;   // of the pairs from there to the present block
  const auto cut = [&](int64_t end, int shift) {
    if (begin < end) visit(begin, end, shift);
    begin = end;
    bound = 0;
  };
  for (size_t i = 0; i < blocks.size(); ++i) {
    const Block& block = blocks[i];
    const int64_t end = block.pair + block.pairs;
    const double norm = bound_of(i, &Bound::norm);
    if (bound + norm >= kLargestSum) cut(block.pair, block.shift);
    bound += norm;
    if (norm >= kLargestSum) {
      const double pairs = kLargestSum / bound_of(i, &Bound::pair);
      const int64_t step = std::max<int64_t>(1, static_cast<int64_t>(pairs));
      while (begin < end) cut(std::min(begin + step, end), block.shift);
    }
    if (!block.ends_run) continue;
    cut(end, block.shift);
    end_run(block.shift);
  }
  if (!blocks.empty()) cut(blocks.back().pair + blocks.back().pairs, blocks.back().shift);
}

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
