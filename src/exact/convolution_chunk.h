// The pixels that a thread convolves at a time: as many positions as a second-level cache holds, with the
// integers of two channels (or four, of 8 bits) side by side.
#pragma once

#include <span>

#include "exact/convolution_filter.h"

namespace cairn::exact {

// Whether it is faster with bytes, and their sums fit an int32.
bool multiplies_bytes(Machine&, const DirectConvolution&);

// How a convolution's pixels lie in a chunk: [step][phase][position], each four bytes.
struct ChunkLayout {
  // `filter` is what the convolution is part of, or null. Takes scratch memory.
  ChunkLayout(Machine&, const DirectConvolution&, const FilteredConvolution* filter);

  int64_t block_begin(int64_t block) const { return block * block_steps; }
  int64_t block_end(int64_t block) const { return std::min((block + 1) * block_steps, steps); }
  // The place of a step's phase, in pixels.
  int64_t line(int64_t step, int64_t phase) const { return (step * phases + phase) * plane; }

  bool bytes;        // four integers of 8 bits lie together, else two of 16
  int64_t together;  // channels of a step
  int64_t steps, phases;
  const bool* phase_used;       // whether any tap reads it
  int64_t block_steps, blocks;  // steps that share a bound
  int64_t tiles;                // of all outputs
  int64_t chunk_tiles;          // of a chunk, at most
  int64_t plane;                // positions from a phase to the next
};

class PixelChunk {
 public:
  PixelChunk(Machine&, const DirectConvolution&, const FilteredConvolution* filter, const ChunkLayout&);

  // From this tile of all outputs on. Does nothing where it holds that already.
  void fill(int64_t first_tile);

  int64_t first_position() const { return first_position_; }
  int64_t tiles() const { return tiles_; }
  const int16_t* pixels() const { return pixels_; }
  // [block][phase][position]: the sum of the squares of what lies there, see Microkernels::add_squares.
  const uint32_t* squares() const { return squares_; }
  const float* scales() const { return scales_; }  // of each position's image

 private:
  void fill_block(int64_t block, int64_t begin, int64_t end);
  void fill_step(int64_t step, int64_t phase, int64_t position, int64_t count, int16_t* out);
  void fill_filtered_block(int64_t block, int64_t begin, int64_t end);
  void fill_scales();

  const DirectConvolution& c_;
  const FilteredConvolution* filter_;
  const ChunkLayout& layout_;
  const Microkernels& kernels_;
  int64_t first_position_ = -1, tiles_ = 0;
  int16_t* pixels_;
  uint32_t* squares_;
  float* scales_;
};

}  // namespace cairn::exact
