// The tiled exact product behind matrix products and the weight gradients of convolutions.
//
//   result[row][column] = I2F(sum over positions of a[row][position] * b[column][position])
//                         * row_scale[row] * column_scale[column]
//
// Positions are cut into slices whose packed operands fit the caches. Within a slice, all of A is packed once
// and shared; each task packs the panels of B that its tiles read and multiplies them with all panels of A.
#pragma once

#include <cstdint>
#include <span>

#include "exact/product.h"
#include "exact/product_tile.h"

namespace cairn::exact {

// An operand that packs itself: from a matrix, or from an image as a convolution sees it.
class PanelSource {
 public:
  virtual ~PanelSource() = default;

  // Packs the lanes [lane, lane + lanes) at positions [begin, end) into consecutive panels of `width` lanes,
  // each of (end - begin) / 2 pairs. begin and end are even; positions that do not exist are zeros. Safe to
  // call from every worker at once.
  virtual void pack(const Microkernels& kernels, int64_t begin, int64_t end, int64_t lane, int64_t lanes,
                    int width, int16_t* panels) const = 0;

  // The same of one panel of every part (see TileGroups), one behind the other: of rows [row, row + lanes).
  virtual void pack_parts(const Microkernels& kernels, int64_t begin, int64_t end, int64_t row, int64_t lanes,
                          int width, int16_t* panels) const {
    pack(kernels, begin, end, row, lanes, width, panels);
  }

  // Several tiles of columns may read one panel of B, each from another pair on. pack() then counts the lanes
  // of panels, and a panel holds more pairs of a slice than there are, in an order of its own.
  // The panel of a tile of columns, ascending, and its first pair.
  virtual int64_t panel_of(int64_t tile) const { return tile; }
  virtual int64_t first_pair(int64_t) const { return 0; }
  // The pairs that a panel holds, and the place of each pair of positions among them.
  virtual int64_t panel_pairs(int64_t begin, int64_t end) const { return (end - begin) / 2; }
  virtual void place_pairs(int64_t begin, int64_t end, int32_t* places) const {
    for (int32_t i = 0; i < (end - begin) / 2; ++i) places[i] = i;
  }
};

// Where results go. Safe to call from every worker at once, for different places.
class TileSink {
 public:
  virtual ~TileSink() = default;

  // The place of (row, column), if `columns` results of a row lie side by side from there, and its rows are
  // `*stride` apart; else null.
  virtual float* place(int64_t row, int64_t column, int64_t columns, int64_t* stride) const = 0;
  // Stores one row of results that has no such place.
  virtual void store(int64_t row, int64_t column, int64_t columns, const float* values) const = 0;
  // Takes the sums of a group of tiles (see TileGroups): [tile][row of a panel][column]. May change them.
  virtual void store_group(int64_t, int, int64_t, int64_t*) const {}
};

// Consecutive positions whose sum enters the total times 2^shift, rounded. A single run has shift 0.
struct PositionRun {
  int64_t end;  // even; the run begins where the one before ends
  int shift;    // at most kGuardBits, and above -62; ascending from run to run
};

// Tiles of columns that make results together, as a bilinear filter does: A has so many parts (see
// PanelSource::pack_parts), and each is multiplied with as many tiles of a group in turn.
struct TileGroups {
  int64_t tiles = 1;  // a multiple of parts
  int64_t parts = 1;
};

struct TiledProduct {
  int64_t rows, columns;
  std::span<const PositionRun> runs;
  const PanelSource& a;
  const PanelSource& b;
  const float* row_scale;     // at least rows, rounded up to whole panels
  const float* column_scale;  // likewise
  const TileSink& sink;
  TileGroups groups = {};  // where there is more than one tile, the sink takes sums, of runs without rounding
};

// Powers of two for TiledProduct: of exponents (0 for kEmptyGroup), or all the same.
const float* take_scales(Scratch& scratch, const int32_t* exponents, int64_t count);
const float* take_equal_scales(Scratch& scratch, float scale, int64_t count);

// Takes scratch memory, and leaves what was taken before as it is.
void multiply_tiled(Machine&, const TiledProduct&);

}  // namespace cairn::exact
