#include "exact/convolution_weights.h"

namespace cairn::exact {

std::span<const GridSteps> take_grid_steps(Scratch& scratch, const DirectConvolution& c,
                                           const ChunkLayout& layout) {
  const size_t grids = c.grids.taps.size();
  GridSteps* result = scratch.take<GridSteps>(static_cast<int64_t>(grids));
  int64_t first_step = 0;
  for (size_t g = 0; g < grids; ++g) {
    const std::span<const ConvolutionTap> taps = c.grids.taps[g];
    const int64_t count = static_cast<int64_t>(taps.size());
    int32_t* tap_places = scratch.take<int32_t>(count);
    int32_t* places = scratch.take<int32_t>(count * layout.steps);
    Block* blocks = scratch.take<Block>(layout.blocks);
    for (int64_t t = 0; t < count; ++t) {
      const ConvolutionTap& tap = taps[static_cast<size_t>(t)];
      tap_places[t] =
          static_cast<int32_t>(layout.line(0, c.planes.phase(tap.y, tap.x)) + c.planes.shift(tap.y, tap.x));
      for (int64_t s = 0; s < layout.steps; ++s)
        places[s * count + t] = static_cast<int32_t>(layout.line(s, 0)) + tap_places[t];
    }
    for (int64_t b = 0; b < layout.blocks; ++b) {
      const int64_t begin = layout.block_begin(b);
      blocks[b] = {begin * count, (layout.block_end(b) - begin) * count};
    }
    const size_t held = count == 0 ? 0 : static_cast<size_t>(layout.blocks);
    new (&result[g]) GridSteps{taps, first_step, places, tap_places, {blocks, held}};
    first_step += count * layout.steps;
  }
  return {result, grids};
}

WeightPacker::WeightPacker(Machine& machine, const DirectConvolution& c, const FilteredConvolution* filter,
                           const ChunkLayout& layout, std::span<const GridSteps> grids)
    : c_(c),
      filter_(filter),
      layout_(layout),
      kernels_(microkernels(machine.isa)),
      grids_(grids),
      panels_((c.rows + kernels_.rows - 1) / kernels_.rows),
      panel_steps_(grids.back().first_step + grids.back().steps(layout) + 1) {
  Scratch& scratch = machine.scratch;
  first_ = scratch.take<int32_t>(c.taps);
  step_ = scratch.take<int32_t>(c.taps);
  places_ = scratch.take<int32_t>(c.taps * machine.pool.size());
  if (filter != nullptr) room_ = scratch.take<int16_t>(filter->room_for_weights() * machine.pool.size());
  // Taps that meet nothing have a place of their own.
  std::fill_n(first_, c.taps, static_cast<int32_t>(panel_steps_ - 1));
  std::fill_n(step_, c.taps, 0);
  for (const GridSteps& grid : grids_) {
    for (size_t t = 0; t < grid.taps.size(); ++t) {
      first_[grid.taps[t].index] = static_cast<int32_t>(grid.first_step + static_cast<int64_t>(t));
      step_[grid.taps[t].index] = static_cast<int32_t>(grid.taps.size());
    }
  }
}

int WeightPacker::width_of(int64_t panel) const {
  const int64_t rest = c_.rows - panel * kernels_.rows, step = kernels_.row_step;
  return static_cast<int>(std::min<int64_t>(kernels_.rows, (rest + step - 1) / step * step));
}

int WeightPacker::rows_of(int64_t panel) const {
  return static_cast<int>(std::min<int64_t>(width_of(panel), c_.rows - panel * kernels_.rows));
}

WeightPanel WeightPacker::take_panel(Scratch& scratch) const {
  const int64_t grids = static_cast<int64_t>(grids_.size());
  return {scratch.take<int16_t>(kernels_.rows * panel_steps_ * 2),
          scratch.take<Bound>(grids * layout_.blocks), scratch.take<int32_t>(grids * kernels_.rows)};
}

void WeightPacker::pack(int64_t panel, int worker, const WeightPanel& to) const {
  if (filter_ != nullptr) {
    pack_filtered(panel, worker, to.weights);
  } else {
    pack_taps(panel, worker, to.weights);
  }
  const int width = width_of(panel);
  for (size_t g = 0; g < grids_.size(); ++g) {
    const int64_t grid = static_cast<int64_t>(g);
    if (layout_.bytes) {
      add_up(grids_[g], to.weights, width, to.starts + grid * kernels_.rows);
    } else {
      measure(grids_[g], to.weights, width, to.bounds + grid * layout_.blocks);
    }
  }
}

// Of an input gradient, the rows of a panel lie side by side, and far from those of the next channel.
void WeightPacker::prefetch(const int16_t* row, int64_t channel) const {
  constexpr int64_t kAhead = 8, kLine = 32;
  const int64_t extent = (kernels_.rows - 1) * c_.row_stride + c_.taps;
  if (extent > c_.channel_stride || channel + kAhead >= c_.channels) return;
  const int16_t* first = row + (channel + kAhead) * c_.channel_stride;
  for (int64_t i = 0; i < extent; i += kLine) __builtin_prefetch(first + i);
}

void WeightPacker::pack_taps(int64_t panel, int worker, int16_t* to) const {
  int32_t* places = places_ + worker * c_.taps;
  std::copy_n(first_, c_.taps, places);
  const int16_t* row = c_.weights + panel * kernels_.rows * c_.row_stride;
  const int rows = rows_of(panel), width = width_of(panel);
  for (int64_t channel = 0; channel < c_.channels; channel += layout_.together) {
    const int16_t* first = row + channel * c_.channel_stride;
    const int64_t held = std::min(c_.channels - channel, layout_.together);
    for (int64_t i = 0; i < held; ++i) prefetch(row, channel + i);
    if (layout_.bytes) {
      kernels_.pack_byte_taps(first, c_.channel_stride, static_cast<int>(held), c_.row_stride, rows, width,
                              c_.taps, places, to);
    } else {
      const int16_t* odd = held > 1 ? first + c_.channel_stride : nullptr;
      kernels_.pack_taps(first, odd, c_.row_stride, rows, width, c_.taps, places, to);
    }
    for (int64_t t = 0; t < c_.taps; ++t) places[t] += step_[t];
  }
}

void WeightPacker::pack_filtered(int64_t panel, int worker, int16_t* to) const {
  const int width = width_of(panel);
  const int16_t* row = c_.weights + panel * kernels_.rows * c_.row_stride;
  int16_t* parts[FilteredConvolution::kParts];
  for (size_t part = 0; part < FilteredConvolution::kParts; ++part)
    parts[part] = to + grids_[part].first_step * width * 2;
  const int64_t each = static_cast<int64_t>(grids_[0].taps.size()) * width * 2;
  for (int64_t channel = 0; channel < c_.channels; channel += 2) {
    const int16_t* even = row + channel * c_.channel_stride;
    const int16_t* odd = channel + 1 < c_.channels ? even + c_.channel_stride : nullptr;
    prefetch(row, channel);
    prefetch(row, channel + 1);
    filter_->pack_weights(even, odd, rows_of(panel), width, parts,
                          room_ + worker * filter_->room_for_weights());
    for (int16_t*& part : parts) part += each;
  }
}

void WeightPacker::measure(const GridSteps& grid, const int16_t* panel, int width, Bound* bounds) const {
  const int16_t* weights = panel + grid.first_step * width * 2;
  for (const Block& block : grid.blocks)
    *bounds++ = measure_pairs(kernels_, weights + block.pair * width * 2, width, block.pairs);
}

// What takes back the 128 that every pixel has too much.
void WeightPacker::add_up(const GridSteps& grid, const int16_t* panel, int width, int32_t* starts) const {
  kernels_.sum_bytes(panel + grid.first_step * width * 2, width, grid.steps(layout_), starts);
  for (int i = 0; i < width; ++i) starts[i] *= -128;
}

}  // namespace cairn::exact
