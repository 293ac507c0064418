// Panels of a convolution's weights: of so many neighbouring rows, the steps of every grid of outputs.
#pragma once

#include <span>

#include "exact/convolution_chunk.h"
#include "exact/product_tile.h"

namespace cairn::exact {

// The steps of one grid of outputs: its taps under the channels that lie together.
struct GridSteps {
  std::span<const ConvolutionTap> taps;
  int64_t first_step;         // in a panel
  const int32_t* places;      // of its steps' pixels, from a tile's first position on
  const int32_t* tap_places;  // of the taps of the first channels
  std::span<const Block> blocks;

  int64_t steps(const ChunkLayout& layout) const { return layout.steps * static_cast<int64_t>(taps.size()); }
};

// In the order of DirectGrids. Takes scratch memory.
std::span<const GridSteps> take_grid_steps(Scratch&, const DirectConvolution&, const ChunkLayout&);

struct WeightPanel {
  int16_t* weights = nullptr;
  Bound* bounds = nullptr;    // [grid][block]
  int32_t* starts = nullptr;  // of sums of bytes: [grid][row]
};

class WeightPacker {
 public:
  // Takes scratch memory; what it is given outlives it.
  WeightPacker(Machine&, const DirectConvolution&, const FilteredConvolution* filter, const ChunkLayout&,
               std::span<const GridSteps> grids);

  int64_t panels() const { return panels_; }
  int width_of(int64_t panel) const;  // lanes, some of which may be empty
  int rows_of(int64_t panel) const;
  WeightPanel take_panel(Scratch&) const;
  // From `worker`, one at a time each.
  void pack(int64_t panel, int worker, const WeightPanel& to) const;

 private:
  void prefetch(const int16_t* row, int64_t channel) const;
  void pack_taps(int64_t panel, int worker, int16_t* to) const;
  void pack_filtered(int64_t panel, int worker, int16_t* to) const;
  void measure(const GridSteps& grid, const int16_t* panel, int width, Bound* bounds) const;
  void add_up(const GridSteps& grid, const int16_t* panel, int width, int32_t* starts) const;

  const DirectConvolution& c_;
  const FilteredConvolution* filter_;
  const ChunkLayout& layout_;
  const Microkernels& kernels_;
  std::span<const GridSteps> grids_;
  int64_t panels_, panel_steps_;
  int32_t* first_;   // place of each tap in a panel
  int32_t* step_;    // from channels that lie together to the next
  int32_t* places_;  // room for those of the present channels, for each worker
  int16_t* room_ = nullptr;
};

}  // namespace cairn::exact
