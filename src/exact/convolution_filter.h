// Minimal filtering along the width, F(2, 3): two neighbouring outputs under three neighbouring taps,
//
//   2 y0 = m0 + m1 + m2    m0 = (x0 - x2) 2 w0            m1 = (x1 + x2) (w0 + w1 + w2)
//   2 y1 = m1 - m2 - m3    m2 = (x2 - x1) (w0 - w1 + w2)  m3 = (x1 - x3) 2 w2
//
// take four products instead of six. Binary32 pays for that with accuracy; integers lose nothing: their sums
// over channels and rows of taps are exact modulo 2^32 however far a part runs over, so y0 and y1 are exact
// wherever twice their value is known to fit.
//
// S. Winograd, Arithmetic Complexity of Computations (1980); A. Lavin and S. Gray, Fast Algorithms for
// Convolutional Neural Networks (2015).
#pragma once

#include <span>

#include "exact/convolution_direct.h"

namespace cairn::exact {

// A convolution as four, one for each m, of images that have a place for each pair of neighbouring outputs.
// One object serves all threads.
class FilteredConvolution {
 public:
  static constexpr int kParts = 4;
  // Whether the filter applies, and saves products.
  static bool pays(Machine&, const DirectConvolution&);

  // Precondition: pays(). Takes scratch memory; `convolution` outlives this.
  FilteredConvolution(Machine&, const DirectConvolution& convolution);
  FilteredConvolution(const FilteredConvolution&) = delete;
  FilteredConvolution& operator=(const FilteredConvolution&) = delete;

  // Grid i is part i; its outputs are pairs, to be interlaced.
  const DirectConvolution& parts() const { return parts_; }

  // The pixels of each part of two channels at positions [begin, end), a pair each, and their squares added;
  // see Microkernels::filter_pixels.
  void fill(int64_t first_channel, int64_t begin, int64_t end, int16_t* const* parts,
            uint32_t* const* squares) const;
  // Packs the weights of two channels (an absent second one is null): those of part i to panels[i], each tap
  // of parts() a pair of `width` lanes. `room` holds room_for_weights() integers.
  void pack_weights(const int16_t* even, const int16_t* odd, int lanes, int width, int16_t* const* panels,
                    int16_t* room) const;
  int64_t room_for_weights() const { return 2 * kernels_.rows * whole_.taps; }

 private:
  int64_t kernel_rows() const { return static_cast<int64_t>(whole_.grids.taps[0].size()) / 3; }
  void fill_row(int64_t image, int64_t channel, int64_t y, int64_t pair, int64_t count, int16_t* const* parts,
                uint32_t* const* squares) const;

  const Microkernels& kernels_;
  const DirectConvolution& whole_;
  Planes planes_;
  DirectGrids grids_;
  DirectConvolution parts_;
  int32_t* places_;  // of taps in the room for weights: the first of each row, the second, the third
};

}  // namespace cairn::exact
