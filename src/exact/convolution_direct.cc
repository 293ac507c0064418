#include "exact/convolution_direct.h"

#include <cmath>

#include "exact/convolution_chunk.h"
#include "exact/product_tile.h"

namespace cairn::exact {
namespace {

constexpr int64_t kGroupTiles = 16;  // tiles that share what is read of the weights
constexpr int64_t kTasksForThread = 4;
constexpr int64_t kMostColumns = 32;      // of any instruction set's tiles
constexpr double kLargestPair = 23169.1;  // the norm of two integers of 15 bits, of the sum of two of 14

int64_t divide_up(int64_t value, int64_t step) {
  return (value + step - 1) / step;
}

// One grid of outputs.
struct Grid {
  std::span<const DirectTap> taps;
  int64_t first_step;         // of its weights in a panel
  const int32_t* places;      // of its steps, from a tile's first position on
  const int32_t* tap_places;  // of the taps of the first channels
  std::span<const Block> blocks;
};

// Outputs side by side within a tile.
struct Stretch {
  int32_t first, count;
  int64_t image, y, x;
};

struct Tile {
  int64_t position;  // counted from the chunk's first
  int64_t stretches;
  Stretch stretch[kMostColumns];
};

struct Worker {
  PixelChunk chunk;
  Tile* tiles;
  Bound* bounds;  // [grid][tile][block]
  int32_t* sums;
  int64_t* wide;
  float* values;  // [grids across] tiles
};

class DirectConvolver {
 public:
  // `filter` is what `convolution` is part of, or null.
  DirectConvolver(Machine& machine, const DirectConvolution& convolution, const FilteredConvolution* filter);
  void run();

 private:
  void place_grids();
  void pack_weights();
  void pack_panel(int64_t index, const int32_t* first, const int32_t* step, int32_t* places) const;
  void pack_channels(const int16_t* first, int64_t left, int lanes, int width, const int32_t* places,
                     int16_t* panel) const;
  void pack_filtered_panel(int64_t index, int16_t* room) const;
  void measure(const Grid& grid, const int16_t* panel, int width, Bound* bounds) const;
  void add_up(const Grid& grid, const int16_t* panel, int width, int32_t* starts) const;
  void take_workers();
  void run_chunk(int64_t first_panel, int64_t last_panel, Worker& worker);
  void run_tiles(int64_t first_tile, int64_t last_tile, int64_t first_panel, int64_t last_panel,
                 Worker& worker);
  void cut(int64_t first_position, Tile& tile) const;
  void bound_tiles(int64_t tiles, Worker& worker) const;
  void multiply_tile(int64_t panel, int64_t row_of_grids, const Tile& tile, const Bound* bounds,
                     int64_t tiles, Worker& worker);
  TileSums multiply(int64_t panel_and_grid, const Grid& grid, const RowPanel& a, const ColumnPanel& b,
                    Worker& worker) const;
  void multiply_filtered_tile(int64_t panel, const Tile& tile, const Bound* bounds, int64_t tiles,
                              Worker& worker);
  void store_filtered(int64_t row, int rows, const Tile& tile, const Worker& worker);
  const int64_t* multiply_parts(int64_t panel, const Tile& tile, const Bound* bounds, int64_t tiles,
                                Worker& worker) const;
  void add_parts(int64_t panel, const Tile& tile, int64_t begin, int64_t end, Worker& worker) const;
  void store(const TileSums& sums, int64_t row, int rows, int64_t down, const Tile& tile,
             const Worker& worker);
  void interlace(int64_t row, int rows, int64_t down, const Tile& tile, const float* values);

  int width_of(int64_t panel) const {
    const int64_t rest = c_.rows - panel * kernels_.rows;
    return static_cast<int>(
        std::min<int64_t>(kernels_.rows, divide_up(rest, kernels_.row_step) * kernels_.row_step));
  }
  int lanes_of(int64_t panel) const {
    return static_cast<int>(std::min<int64_t>(width_of(panel), c_.rows - panel * kernels_.rows));
  }
  int16_t* panel(int64_t index) const { return weights_ + index * kernels_.rows * panel_steps_ * 2; }

  Machine& machine_;
  const DirectConvolution& c_;
  const FilteredConvolution* filter_;
  const Microkernels& kernels_;
  const TileMultiplier multiplier_;
  const Planes& planes_;

  const ChunkLayout layout_;
  int64_t panels_;
  int64_t panel_steps_;  // and a place for taps that meet nothing
  std::span<Grid> grids_;
  int16_t* weights_ = nullptr;
  Bound* weight_bounds_ = nullptr;  // [panel][grid][block]
  int32_t* starts_ = nullptr;       // of sums of bytes: [panel][grid][row]
  std::span<Worker> workers_;
};

DirectConvolver::DirectConvolver(Machine& machine, const DirectConvolution& convolution,
                                 const FilteredConvolution* filter)
    : machine_(machine),
      c_(convolution),
      filter_(filter),
      kernels_(microkernels(machine.isa)),
      multiplier_(kernels_),
      planes_(convolution.planes),
      layout_(machine, convolution, filter),
      panels_(divide_up(c_.rows, kernels_.rows)) {}

// Each task fills a chunk and multiplies it, so that its pixels never leave the cache of its processor. Few
// chunks are shared by tasks of some of the rows each.
void DirectConvolver::run() {
  place_grids();
  pack_weights();
  take_workers();
  const int threads = machine_.pool.size();
  const int64_t chunks = divide_up(layout_.tiles, layout_.chunk_tiles);
  const int64_t splits =
      chunks >= 2 * threads ? 1 : std::min(divide_up(kTasksForThread * threads, chunks), panels_);
  machine_.pool.run(chunks * splits, [&](int64_t task, int index) {
    Worker& worker = workers_[static_cast<size_t>(index)];
    const int64_t split = task / chunks;
    worker.chunk.fill(task % chunks * layout_.chunk_tiles);
    run_chunk(panels_ * split / splits, panels_ * (split + 1) / splits, worker);
  });
}

// Where the steps of each grid lie: its weights in a panel, its pixels from a position on.
void DirectConvolver::place_grids() {
  Scratch& scratch = machine_.scratch;
  grids_ = {scratch.take<Grid>(static_cast<int64_t>(c_.grids.taps.size())), c_.grids.taps.size()};
  int64_t first_step = 0;
  for (size_t g = 0; g < grids_.size(); ++g) {
    const std::span<const DirectTap> taps = c_.grids.taps[g];
    const int64_t count = static_cast<int64_t>(taps.size());
    int32_t* tap_places = scratch.take<int32_t>(count);
    int32_t* places = scratch.take<int32_t>(count * layout_.steps);
    Block* blocks = scratch.take<Block>(layout_.blocks);
    for (int64_t t = 0; t < count; ++t) {
      const DirectTap& tap = taps[static_cast<size_t>(t)];
      tap_places[t] =
          static_cast<int32_t>(layout_.line(0, planes_.phase(tap.y, tap.x)) + planes_.shift(tap.y, tap.x));
      for (int64_t s = 0; s < layout_.steps; ++s) {
        places[s * count + t] = static_cast<int32_t>(layout_.line(s, 0)) + tap_places[t];
      }
    }
    for (int64_t b = 0; b < layout_.blocks; ++b) {
      const int64_t begin = layout_.block_begin(b);
      blocks[b] = {begin * count, (layout_.block_end(b) - begin) * count};
    }
    grids_[g] = {
        taps, first_step, places, tap_places, {blocks, count == 0 ? 0 : static_cast<size_t>(layout_.blocks)}};
    first_step += count * layout_.steps;
  }
  panel_steps_ = first_step + 1;
}

void DirectConvolver::pack_weights() {
  Scratch& scratch = machine_.scratch;
  const int64_t grids = static_cast<int64_t>(grids_.size());
  weights_ = scratch.take<int16_t>(panels_ * kernels_.rows * panel_steps_ * 2);
  weight_bounds_ = scratch.take<Bound>(panels_ * grids * layout_.blocks);
  starts_ = scratch.take<int32_t>(panels_ * grids * kernels_.rows);
  int32_t* first = scratch.take<int32_t>(c_.taps);  // of each tap, in a panel
  int32_t* step = scratch.take<int32_t>(c_.taps);   // from channels that lie together to the next
  std::fill_n(first, c_.taps, static_cast<int32_t>(panel_steps_ - 1));
  std::fill_n(step, c_.taps, 0);
  for (const Grid& grid : grids_) {
    for (size_t t = 0; t < grid.taps.size(); ++t) {
      first[grid.taps[t].index] = static_cast<int32_t>(grid.first_step + static_cast<int64_t>(t));
      step[grid.taps[t].index] = static_cast<int32_t>(grid.taps.size());
    }
  }
  int32_t* places = scratch.take<int32_t>(c_.taps * machine_.pool.size());
  const int64_t room_each = filter_ != nullptr ? filter_->room_for_weights() : 0;
  int16_t* room = scratch.take<int16_t>(room_each * machine_.pool.size());
  machine_.pool.run(panels_, [&](int64_t index, int worker) {
    if (filter_ != nullptr) {
      pack_filtered_panel(index, room + worker * room_each);
    } else {
      pack_panel(index, first, step, places + worker * c_.taps);
    }
    const int width = width_of(index);
    for (size_t g = 0; g < grids_.size(); ++g) {
      const int64_t at = index * grids + static_cast<int64_t>(g);
      if (layout_.bytes) {
        add_up(grids_[g], panel(index), width, starts_ + at * kernels_.rows);
      } else {
        measure(grids_[g], panel(index), width, weight_bounds_ + at * layout_.blocks);
      }
    }
  });
}

// `places` is room for the places of the taps of the channels that are packed.
void DirectConvolver::pack_panel(int64_t index, const int32_t* first, const int32_t* step,
                                 int32_t* places) const {
  std::copy_n(first, c_.taps, places);
  const int16_t* row = c_.weights + index * kernels_.rows * c_.row_stride;
  for (int64_t channel = 0; channel < c_.channels; channel += layout_.together) {
    pack_channels(row + channel * c_.channel_stride, c_.channels - channel, lanes_of(index), width_of(index),
                  places, panel(index));
    for (int64_t t = 0; t < c_.taps; ++t) places[t] += step[t];
  }
}

void DirectConvolver::pack_filtered_panel(int64_t index, int16_t* room) const {
  const int width = width_of(index);
  const int16_t* row = c_.weights + index * kernels_.rows * c_.row_stride;
  int16_t* parts[FilteredConvolution::kParts];
  for (int part = 0; part < FilteredConvolution::kParts; ++part)
    parts[part] = panel(index) + grids_[static_cast<size_t>(part)].first_step * width * 2;
  const int64_t each = static_cast<int64_t>(grids_[0].taps.size()) * width * 2;
  for (int64_t channel = 0; channel < c_.channels; channel += 2) {
    const int16_t* even = row + channel * c_.channel_stride;
    const int16_t* odd = channel + 1 < c_.channels ? even + c_.channel_stride : nullptr;
    filter_->pack_weights(even, odd, lanes_of(index), width, parts, room);
    for (int16_t*& part : parts) part += each;
  }
}

void DirectConvolver::pack_channels(const int16_t* first, int64_t left, int lanes, int width,
                                    const int32_t* places, int16_t* panel) const {
  if (layout_.bytes) {
    const int channels = static_cast<int>(std::min<int64_t>(left, 4));
    kernels_.pack_byte_taps(first, c_.channel_stride, channels, c_.row_stride, lanes, width, c_.taps, places,
                            panel);
  } else {
    const int16_t* odd = left > 1 ? first + c_.channel_stride : nullptr;
    kernels_.pack_taps(first, odd, c_.row_stride, lanes, width, c_.taps, places, panel);
  }
}

void DirectConvolver::measure(const Grid& grid, const int16_t* panel, int width, Bound* bounds) const {
  const int16_t* weights = panel + grid.first_step * width * 2;
  for (const Block& block : grid.blocks)
    *bounds++ = measure_pairs(kernels_, weights + block.pair * width * 2, width, block.pairs);
}

// What takes back the 128 that every pixel has too much.
void DirectConvolver::add_up(const Grid& grid, const int16_t* panel, int width, int32_t* starts) const {
  const int64_t steps = layout_.steps * static_cast<int64_t>(grid.taps.size());
  kernels_.sum_bytes(panel + grid.first_step * width * 2, width, steps, starts);
  for (int i = 0; i < width; ++i) starts[i] *= -128;
}

void DirectConvolver::take_workers() {
  Scratch& scratch = machine_.scratch;
  const int64_t grids = static_cast<int64_t>(grids_.size()), tile = kernels_.rows * kernels_.columns;
  const int64_t tiles = filter_ != nullptr ? grids : 1;
  workers_ = {scratch.take<Worker>(machine_.pool.size()), static_cast<size_t>(machine_.pool.size())};
  for (Worker& worker : workers_) {
    new (&worker) Worker{PixelChunk(machine_, c_, filter_, layout_),
                         scratch.take<Tile>(kGroupTiles),
                         scratch.take<Bound>(grids * kGroupTiles * layout_.blocks),
                         scratch.take<int32_t>(tile * tiles),
                         scratch.take<int64_t>(tile * tiles),
                         scratch.take<float>(tile * c_.grids.across)};
  }
}

void DirectConvolver::run_chunk(int64_t first_panel, int64_t last_panel, Worker& worker) {
  for (int64_t tile = 0; tile < worker.chunk.tiles(); tile += kGroupTiles)
    run_tiles(tile, std::min(tile + kGroupTiles, worker.chunk.tiles()), first_panel, last_panel, worker);
}

void DirectConvolver::run_tiles(int64_t first_tile, int64_t last_tile, int64_t first_panel,
                                int64_t last_panel, Worker& worker) {
  const int64_t tiles = last_tile - first_tile;
  for (int64_t i = 0; i < tiles; ++i) {
    worker.tiles[i].position = (first_tile + i) * kernels_.columns;
    cut(worker.chunk.first_position(), worker.tiles[i]);
  }
  if (!layout_.bytes) bound_tiles(tiles, worker);
  for (int64_t p = first_panel; p < last_panel; ++p) {
    if (filter_ != nullptr) {
      for (int64_t i = 0; i < tiles; ++i)
        multiply_filtered_tile(p, worker.tiles[i], worker.bounds + i * layout_.blocks, tiles, worker);
      continue;
    }
    for (int64_t down = 0; down < c_.grids.down; ++down) {
      for (int64_t i = 0; i < tiles; ++i)
        multiply_tile(p, down, worker.tiles[i], worker.bounds + i * layout_.blocks, tiles, worker);
    }
  }
}

// Which columns of a tile are outputs, and of which pixels.
void DirectConvolver::cut(int64_t first_position, Tile& tile) const {
  const PlaneAxis &rows = planes_.rows(), &columns = planes_.columns();
  const int64_t position = first_position + tile.position;
  int64_t image = position / planes_.positions();
  int64_t y = position % planes_.positions() / columns.length(), x = position % columns.length();
  tile.stretches = 0;
  for (int32_t done = 0; done < kernels_.columns && image < c_.batch; x = 0) {
    const int32_t held =
        static_cast<int32_t>(std::min<int64_t>(columns.length() - x, kernels_.columns - done));
    const int32_t outputs = static_cast<int32_t>(std::min<int64_t>(columns.outputs() - x, held));
    if (outputs > 0 && y < rows.outputs()) tile.stretch[tile.stretches++] = {done, outputs, image, y, x};
    done += held;
    if (++y == rows.length()) y = 0, ++image;
  }
}

void DirectConvolver::bound_tiles(int64_t tiles, Worker& worker) const {
  Bound* bounds = worker.bounds;
  for (const Grid& grid : grids_) {
    const int64_t taps = static_cast<int64_t>(grid.taps.size());
    for (int64_t i = 0; i < tiles; ++i) {
      for (int64_t b = 0; b < layout_.blocks; ++b) {
        const uint32_t* squares = worker.chunk.squares() + layout_.line(b, 0) + worker.tiles[i].position;
        const uint64_t sum = kernels_.largest_window(squares, grid.tap_places, taps, kernels_.columns);
        const double norm = std::sqrt(static_cast<double>(sum));
        *bounds++ = {norm, std::min(norm, kLargestPair)};
      }
    }
  }
}

// The outputs of a tile in all grids of a row of grids. `bounds` are those of the tile in the first grid.
void DirectConvolver::multiply_tile(int64_t p, int64_t row_of_grids, const Tile& tile, const Bound* bounds,
                                    int64_t tiles, Worker& worker) {
  const int64_t row = p * kernels_.rows, grids = static_cast<int64_t>(grids_.size());
  const int width = width_of(p), rows = lanes_of(p);
  for (int64_t across = 0; across < c_.grids.across; ++across) {
    const int64_t g = row_of_grids * c_.grids.across + across;
    const Grid& grid = grids_[static_cast<size_t>(g)];
    const RowPanel a{width, panel(p) + grid.first_step * width * 2,
                     weight_bounds_ + (p * grids + g) * layout_.blocks};
    const ColumnPanel b{worker.chunk.pixels() + 2 * tile.position, grid.places,
                        bounds + g * tiles * layout_.blocks};
    const TileSums sums = multiply(p * grids + g, grid, a, b, worker);
    if (c_.grids.across == 1) return store(sums, row, rows, row_of_grids, tile, worker);
    multiplier_.finish(sums, rows, c_.row_scales + row, worker.chunk.scales() + tile.position,
                       kernels_.columns, worker.values + across * kernels_.rows * kernels_.columns,
                       kernels_.columns);
  }
  interlace(row, rows, row_of_grids, tile, worker.values);
}

TileSums DirectConvolver::multiply(int64_t panel_and_grid, const Grid& grid, const RowPanel& a,
                                   const ColumnPanel& b, Worker& worker) const {
  if (!layout_.bytes) return multiplier_.multiply(grid.blocks, a, b, worker.sums, worker.wide);
  const int64_t steps = layout_.steps * static_cast<int64_t>(grid.taps.size());
  kernels_.multiply_bytes(a.rows, steps, a.pairs, b.pairs, b.places, starts_ + panel_and_grid * kernels_.rows,
                          worker.sums);
  return {worker.sums, nullptr};
}

void DirectConvolver::multiply_filtered_tile(int64_t p, const Tile& tile, const Bound* bounds, int64_t tiles,
                                             Worker& worker) {
  const int64_t row = p * kernels_.rows, size = kernels_.rows * kernels_.columns;
  const int64_t* wide = multiply_parts(p, tile, bounds, tiles, worker);
  if (wide == nullptr) return store_filtered(row, lanes_of(p), tile, worker);
  for (int64_t across = 0; across < c_.grids.across; ++across) {
    kernels_.finish_wide(wide + across * size, lanes_of(p), c_.row_scales + row,
                         worker.chunk.scales() + tile.position, kernels_.columns,
                         worker.values + across * size, kernels_.columns);
  }
  interlace(row, lanes_of(p), 0, tile, worker.values);
}

void DirectConvolver::store_filtered(int64_t row, int rows, const Tile& tile, const Worker& worker) {
  const int64_t plane = c_.height * c_.width, size = kernels_.rows * kernels_.columns;
  for (int64_t i = 0; i < tile.stretches; ++i) {
    const Stretch& s = tile.stretch[i];
    if (s.y >= c_.height) continue;
    kernels_.finish_filtered(
        worker.sums + s.first, size, rows, c_.row_scales + row,
        worker.chunk.scales() + tile.position + s.first, std::min<int64_t>(2 * s.count, c_.width - 2 * s.x),
        c_.out + s.image * c_.image_stride + row * plane + s.y * c_.width + 2 * s.x, plane);
  }
}

// The sums of the parts, in worker.sums. Or, where twice an output need not fit an int32, returns those of
// the first and of the second output of every pair, a tile each.
const int64_t* DirectConvolver::multiply_parts(int64_t p, const Tile& tile, const Bound* bounds,
                                               int64_t tiles, Worker& worker) const {
  const Bound* weights = weight_bounds_ + p * FilteredConvolution::kParts * layout_.blocks;
  // Of twice an output: parts 0 to 2 make the first, 1 to 3 the second.
  const auto bound_of = [&](size_t block, double Bound::*kind) {
    const auto part = [&](int64_t i) {
      return (weights + i * layout_.blocks)[block].*kind * (bounds + i * tiles * layout_.blocks)[block].*kind;
    };
    return part(1) + part(2) + std::max(part(0), part(3));
  };
  const std::span<const Block> blocks = grids_[0].blocks;
  const int64_t pairs = blocks.back().pair + blocks.back().pairs, size = kernels_.rows * kernels_.columns;
  double bound = 0;
  for (size_t b = 0; b < blocks.size(); ++b) bound += bound_of(b, &Bound::norm);
  if (bound < kLargestSum) {
    add_parts(p, tile, 0, pairs, worker);
    return nullptr;
  }
  std::fill_n(worker.wide, 2 * size, int64_t{0});
  for_each_bounded_range(
      blocks, bound_of,
      [&](int64_t begin, int64_t end, int) {
        add_parts(p, tile, begin, end, worker);
        kernels_.filter_sums(worker.sums, size, width_of(p) * kernels_.columns);
        kernels_.accumulate(worker.sums, 2 * size, 0, worker.wide);
      },
      [](int) {});
  return worker.wide;
}

// Of pairs [begin, end) of each part.
void DirectConvolver::add_parts(int64_t p, const Tile& tile, int64_t begin, int64_t end,
                                Worker& worker) const {
  const int width = width_of(p);
  const int64_t size = kernels_.rows * kernels_.columns;
  for (const Grid& part : grids_) {
    kernels_.multiply(width, end - begin, panel(p) + (part.first_step + begin) * width * 2,
                      worker.chunk.pixels() + 2 * tile.position, part.places + begin,
                      worker.sums + (&part - grids_.data()) * size);
  }
}

void DirectConvolver::store(const TileSums& sums, int64_t row, int rows, int64_t down, const Tile& tile,
                            const Worker& worker) {
  const int64_t plane = c_.height * c_.width;
  for (int64_t i = 0; i < tile.stretches; ++i) {
    const Stretch& s = tile.stretch[i];
    const int64_t y = s.y * c_.grids.down + down;
    if (y >= c_.height) continue;
    multiplier_.finish(sums.from(s.first), rows, c_.row_scales + row,
                       worker.chunk.scales() + tile.position + s.first, s.count,
                       c_.out + s.image * c_.image_stride + row * plane + y * c_.width + s.x, plane);
  }
}

void DirectConvolver::interlace(int64_t row, int rows, int64_t down, const Tile& tile, const float* values) {
  const int64_t across = c_.grids.across, grid = kernels_.rows * kernels_.columns;
  for (int64_t i = 0; i < tile.stretches; ++i) {
    const Stretch& s = tile.stretch[i];
    const int64_t y = s.y * c_.grids.down + down, x = s.x * across;
    if (y >= c_.height) continue;
    const int64_t whole = std::min<int64_t>(s.count, (c_.width - x) / across);
    for (int r = 0; r < rows; ++r) {
      float* out = c_.out + s.image * c_.image_stride + ((row + r) * c_.height + y) * c_.width + x;
      const float* from = values + r * kernels_.columns + s.first;
      if (across == 2) {
        for (int64_t j = 0; j < whole; ++j) {
          out[2 * j] = from[j];
          out[2 * j + 1] = from[grid + j];
        }
      } else {
        for (int64_t j = 0; j < whole; ++j)
          for (int64_t k = 0; k < across; ++k) out[j * across + k] = from[k * grid + j];
      }
      if (whole < s.count)
        for (int64_t k = 0; k < c_.width - x - whole * across; ++k)
          out[whole * across + k] = from[k * grid + whole];
    }
  }
}

}  // namespace

bool fits_direct(Machine& machine, const Planes& planes, int64_t channels) {
  constexpr int64_t kMostBytes = int64_t{128} << 20;
  const int64_t plane = planes.reach() + microkernels(machine.isa).columns;
  return plane <= kMostBytes / 4 / divide_up(channels, 2) / planes.phases();
}

void convolve_direct(Machine& machine, const DirectConvolution& convolution) {
  if (!multiplies_bytes(machine, convolution) && FilteredConvolution::pays(machine, convolution)) {
    const FilteredConvolution filtered(machine, convolution);
    DirectConvolver(machine, filtered.parts(), &filtered).run();
  } else {
    DirectConvolver(machine, convolution, nullptr).run();
  }
}

}  // namespace cairn::exact
