#include "exact/convolution_chunk.h"

namespace cairn::exact {
namespace {

constexpr int64_t kChunkBytes = 512 << 10;
constexpr int64_t kSharedBytes = 2 << 20;  // likewise of the only chunk, where weights are larger
constexpr int64_t kFewestTiles = 4;        // for which the weights are read once more
constexpr int64_t kChunksForThread = 4;
constexpr int64_t kFill = 1024;            // positions at a time
constexpr int64_t kBlockPairs = 128;       // pairs that share a bound, where a channel has fewer taps
constexpr int64_t kFilteredPairs = 48;     // likewise of each part, whose sums are larger
constexpr int64_t kMostProducts = 133000;  // products of 8 bits whose sum stays below 2^31

int64_t divide_up(int64_t value, int64_t step) {
  return (value + step - 1) / step;
}

}  // namespace

bool multiplies_bytes(Machine& machine, const DirectConvolution& c) {
  return c.bits <= 8 && microkernels(machine.isa).multiply_bytes != nullptr &&
         c.channels * c.taps <= kMostProducts;
}

ChunkLayout::ChunkLayout(Machine& machine, const DirectConvolution& c, const FilteredConvolution* filter)
    : bytes(multiplies_bytes(machine, c)),
      together(bytes ? 4 : 2),
      steps(divide_up(c.channels, together)),
      phases(c.planes.phases()) {
  const int64_t columns = microkernels(machine.isa).columns;
  const int64_t pairs = filter != nullptr ? kFilteredPairs / (c.taps / 3) : kBlockPairs / c.taps;
  block_steps = std::max<int64_t>(1, pairs);
  blocks = divide_up(steps, block_steps);
  bool* used = machine.scratch.take<bool>(phases);
  std::fill_n(used, phases, false);
  for (const auto& taps : c.grids.taps)
    for (const ConvolutionTap& tap : taps) used[c.planes.phase(tap.y, tap.x)] = true;
  phase_used = used;

  const PlaneAxis &down = c.planes.rows(), &across = c.planes.columns();
  const int64_t last_row = (down.outputs() - 1) * across.length();
  tiles = divide_up((c.batch - 1) * c.planes.positions() + last_row + across.outputs(), columns);
  const int64_t used_phases = std::max<int64_t>(std::count(used, used + phases, true), 1);
  const int64_t most = std::max<int64_t>(1, kChunkBytes / (4 * columns * steps * used_phases));
  const int threads = machine.pool.size();
  const int64_t balanced = threads > 1 ? divide_up(tiles, kChunksForThread * threads) : tiles;
  chunk_tiles = std::min({most, std::max(balanced, kFewestTiles), tiles});
  const int64_t pixel_bytes = 4 * columns * steps * used_phases * tiles,
                weight_bytes = 2 * c.rows * c.channels * c.taps;
  if (pixel_bytes <= std::min(kSharedBytes, weight_bytes)) chunk_tiles = tiles;
  plane = chunk_tiles * columns + c.planes.reach();
}

PixelChunk::PixelChunk(Machine& machine, const DirectConvolution& convolution,
                       const FilteredConvolution* filter, const ChunkLayout& layout)
    : c_(convolution), filter_(filter), layout_(layout), kernels_(microkernels(machine.isa)) {
  Scratch& scratch = machine.scratch;
  pixels_ = scratch.take<int16_t>(2 * layout.line(layout.steps, 0));
  squares_ = scratch.take<uint32_t>(layout.line(layout.blocks, 0));
  scales_ = scratch.take<float>(layout.chunk_tiles * kernels_.columns);
}

void PixelChunk::fill(int64_t first_tile) {
  if (first_position_ == first_tile * kernels_.columns) return;
  first_position_ = first_tile * kernels_.columns;
  tiles_ = std::min(layout_.chunk_tiles, layout_.tiles - first_tile);
  const int64_t held = tiles_ * kernels_.columns + c_.planes.reach();
  for (int64_t begin = 0; begin < held; begin += kFill) {
    const int64_t end = std::min(begin + kFill, held);
    for (int64_t block = 0; block < layout_.blocks; ++block) {
      if (filter_ != nullptr) {
        fill_filtered_block(block, begin, end);
      } else {
        fill_block(block, begin, end);
      }
    }
  }
  fill_scales();
}

// The chunk's positions [begin, end) of the channels of a block.
void PixelChunk::fill_block(int64_t block, int64_t begin, int64_t end) {
  for (int64_t phase = 0; phase < layout_.phases; ++phase) {
    if (!layout_.phase_used[phase]) continue;
    uint32_t* squares = squares_ + layout_.line(block, phase) + begin;
    std::fill_n(squares, end - begin, 0u);
    for (int64_t step = layout_.block_begin(block); step < layout_.block_end(block); ++step) {
      int16_t* out = pixels_ + 2 * (layout_.line(step, phase) + begin);
      fill_step(step, phase, first_position_ + begin, end - begin, out);
      if (!layout_.bytes) kernels_.add_squares(out, end - begin, squares);
    }
  }
}

void PixelChunk::fill_step(int64_t step, int64_t phase, int64_t position, int64_t count, int16_t* out) {
  constexpr int64_t kMostTogether = 4;
  alignas(64) int16_t lines[kMostTogether][kFill];
  const int16_t* sources[kMostTogether] = {lines[0], lines[1], lines[2], lines[3]};
  const int64_t image = position / c_.planes.positions(), first = position % c_.planes.positions();
  for (int64_t i = 0; i < layout_.together; ++i) {
    const int64_t channel = step * layout_.together + i, next = channel + layout_.together;
    if (channel >= c_.channels) {
      std::fill_n(lines[i], count, int16_t{0});
      continue;
    }
    if (next < c_.channels && image < c_.batch) c_.planes.prefetch(image, next, first, first + count);
    c_.planes.copy_batch(c_.batch, channel, phase, position, position + count, lines[i]);
  }
  if (layout_.bytes) {
    kernels_.pack_byte_steps(sources, count, out);
  } else {
    kernels_.pack_steps(sources, 0, static_cast<int>(count), static_cast<int>(count), 1, out);
  }
}

void PixelChunk::fill_filtered_block(int64_t block, int64_t begin, int64_t end) {
  constexpr int kParts = FilteredConvolution::kParts;
  uint32_t* squares[kParts];
  for (int part = 0; part < kParts; ++part) {
    squares[part] = squares_ + layout_.line(block, part) + begin;
    std::fill_n(squares[part], end - begin, 0u);
  }
  for (int64_t step = layout_.block_begin(block); step < layout_.block_end(block); ++step) {
    int16_t* parts[kParts];
    for (int part = 0; part < kParts; ++part) parts[part] = pixels_ + 2 * (layout_.line(step, part) + begin);
    filter_->fill(2 * step, first_position_ + begin, first_position_ + end, parts, squares);
  }
}

void PixelChunk::fill_scales() {
  const int64_t count = tiles_ * kernels_.columns;
  for (int64_t i = 0; i < count;) {
    const int64_t image = std::min((first_position_ + i) / c_.planes.positions(), c_.batch - 1);
    const int64_t next = (image + 1) * c_.planes.positions() - first_position_;
    const int64_t end = image + 1 < c_.batch ? std::min(next, count) : count;
    std::fill(scales_ + i, scales_ + end, c_.image_scales[image]);
    i = end;
  }
}

}  // namespace cairn::exact
