#include "exact/convolution_direct.h"

#include <cmath>

#include "exact/convolution_weights.h"

namespace cairn::exact {
namespace {

constexpr int64_t kGroupTiles = 16;  // tiles that share what is read of the weights
constexpr int64_t kTasksForThread = 4;
constexpr int64_t kMostColumns = 32;      // of any instruction set's tiles
constexpr double kLargestPair = 23169.1;  // the norm of two integers of 15 bits, of the sum of two of 14

int64_t divide_up(int64_t value, int64_t step) {
  return (value + step - 1) / step;
}

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
  int index;
  PixelChunk chunk;
  WeightPanel panel;  // the present one, and room for one
  WeightPanel room;
  int64_t placed;  // the position of the first of the present tiles, or -1
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
  void pack_weights();
  void take_workers();
  void run_chunk(int64_t first_panel, int64_t last_panel, Worker& worker);
  void place_tiles(int64_t first_tile, int64_t last_tile, Worker& worker);
  void run_panel(int64_t panel, int64_t tiles, Worker& worker);
  void cut(int64_t first_position, Tile& tile) const;
  void bound_tiles(int64_t tiles, Worker& worker) const;
  void multiply_tile(int64_t panel, int64_t row_of_grids, const Tile& tile, const Bound* bounds,
                     int64_t tiles, Worker& worker);
  TileSums multiply(int64_t grid, const RowPanel& a, const ColumnPanel& b, Worker& worker) const;
  void multiply_filtered_tile(int64_t panel, const Tile& tile, const Bound* bounds, int64_t tiles,
                              Worker& worker);
  void store_filtered(int64_t row, int rows, const Tile& tile, const Worker& worker);
  const int64_t* multiply_parts(int64_t panel, const Tile& tile, const Bound* bounds, int64_t tiles,
                                Worker& worker) const;
  void add_parts(int64_t panel, const Tile& tile, int64_t begin, int64_t end, Worker& worker) const;
  void store(const TileSums& sums, int64_t row, int rows, int64_t down, const Tile& tile,
             const Worker& worker);
  void interlace(int64_t row, int rows, int64_t down, const Tile& tile, const float* values);

  Machine& machine_;
  const DirectConvolution& c_;
  const FilteredConvolution* filter_;
  const Microkernels& kernels_;
  const TileMultiplier multiplier_;
  const Planes& planes_;

  const ChunkLayout layout_;
  const std::span<const GridSteps> grids_;
  const WeightPacker packer_;
  const int64_t panels_;
  std::span<WeightPanel> packed_;  // all panels, or none where each is packed when it is needed
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
      grids_(take_grid_steps(machine.scratch, c_, layout_)),
      packer_(machine, c_, filter, layout_, grids_),
      panels_(packer_.panels()) {}

// Each task fills a chunk and multiplies it, so that its pixels never leave the cache of its processor. Few
// chunks are shared by tasks of some of the rows each. Where there is only one, every task packs the panel of
// weights that it multiplies: of a large kernel, packed weights would go through memory.
void DirectConvolver::run() {
  take_workers();
  const int threads = machine_.pool.size();
  const int64_t chunks = divide_up(layout_.tiles, layout_.chunk_tiles);
  int64_t splits = 1;
  if (chunks == 1) {
    splits = panels_;
  } else {
    pack_weights();
    if (chunks < 2 * threads) splits = std::min(divide_up(kTasksForThread * threads, chunks), panels_);
  }
  machine_.pool.run(chunks * splits, [&](int64_t task, int index) {
    Worker& worker = workers_[static_cast<size_t>(index)];
    const int64_t split = task / chunks;
    worker.chunk.fill(task % chunks * layout_.chunk_tiles);
    run_chunk(panels_ * split / splits, panels_ * (split + 1) / splits, worker);
  });
}

void DirectConvolver::pack_weights() {
  packed_ = {machine_.scratch.take<WeightPanel>(panels_), static_cast<size_t>(panels_)};
  for (WeightPanel& panel : packed_) panel = packer_.take_panel(machine_.scratch);
  machine_.pool.run(panels_, [this](int64_t panel, int worker) {
    packer_.pack(panel, worker, packed_[static_cast<size_t>(panel)]);
  });
}

void DirectConvolver::take_workers() {
  Scratch& scratch = machine_.scratch;
  const int64_t grids = static_cast<int64_t>(grids_.size()), tile = kernels_.rows * kernels_.columns;
  const int64_t tiles = filter_ != nullptr ? grids : 1;
  workers_ = {scratch.take<Worker>(machine_.pool.size()), static_cast<size_t>(machine_.pool.size())};
  for (size_t i = 0; i < workers_.size(); ++i) {
    new (&workers_[i]) Worker{static_cast<int>(i),
                              PixelChunk(machine_, c_, filter_, layout_),
                              {},
                              packer_.take_panel(scratch),
                              -1,
                              scratch.take<Tile>(kGroupTiles),
                              scratch.take<Bound>(grids * kGroupTiles * layout_.blocks),
                              scratch.take<int32_t>(tile * tiles),
                              scratch.take<int64_t>(tile * tiles),
                              scratch.take<float>(tile * c_.grids.across)};
  }
}

void DirectConvolver::run_chunk(int64_t first_panel, int64_t last_panel, Worker& worker) {
  const int64_t tiles = worker.chunk.tiles();
  for (int64_t tile = 0; tile < tiles; tile += kGroupTiles) {
    const int64_t end = std::min(tile + kGroupTiles, tiles);
    place_tiles(tile, end, worker);
    for (int64_t panel = first_panel; panel < last_panel; ++panel) {
      if (!packed_.empty()) {
        worker.panel = packed_[static_cast<size_t>(panel)];
      } else if (tile == 0 || last_panel - first_panel > 1) {
        worker.panel = worker.room;
        packer_.pack(panel, worker.index, worker.panel);
      }
      run_panel(panel, end - tile, worker);
    }
  }
}

void DirectConvolver::place_tiles(int64_t first_tile, int64_t last_tile, Worker& worker) {
  const int64_t position = worker.chunk.first_position() + first_tile * kernels_.columns;
  if (worker.placed == position) return;
  worker.placed = position;
  for (int64_t i = 0; i < last_tile - first_tile; ++i) {
    worker.tiles[i].position = (first_tile + i) * kernels_.columns;
    cut(worker.chunk.first_position(), worker.tiles[i]);
  }
  if (!layout_.bytes) bound_tiles(last_tile - first_tile, worker);
}

void DirectConvolver::run_panel(int64_t panel, int64_t tiles, Worker& worker) {
  if (filter_ != nullptr) {
    for (int64_t i = 0; i < tiles; ++i)
      multiply_filtered_tile(panel, worker.tiles[i], worker.bounds + i * layout_.blocks, tiles, worker);
    return;
  }
  for (int64_t down = 0; down < c_.grids.down; ++down) {
    for (int64_t i = 0; i < tiles; ++i)
      multiply_tile(panel, down, worker.tiles[i], worker.bounds + i * layout_.blocks, tiles, worker);
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
  for (const GridSteps& grid : grids_) {
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
  const int64_t row = p * kernels_.rows;
  const int width = packer_.width_of(p), rows = packer_.rows_of(p);
  for (int64_t across = 0; across < c_.grids.across; ++across) {
    const int64_t g = row_of_grids * c_.grids.across + across;
    const GridSteps& grid = grids_[static_cast<size_t>(g)];
    const RowPanel a{width, worker.panel.weights + grid.first_step * width * 2,
                     worker.panel.bounds + g * layout_.blocks};
    const ColumnPanel b{worker.chunk.pixels() + 2 * tile.position, grid.places,
                        bounds + g * tiles * layout_.blocks};
    const TileSums sums = multiply(g, a, b, worker);
    if (c_.grids.across == 1) return store(sums, row, rows, row_of_grids, tile, worker);
    multiplier_.finish(sums, rows, c_.row_scales + row, worker.chunk.scales() + tile.position,
                       kernels_.columns, worker.values + across * kernels_.rows * kernels_.columns,
                       kernels_.columns);
  }
  interlace(row, rows, row_of_grids, tile, worker.values);
}

TileSums DirectConvolver::multiply(int64_t g, const RowPanel& a, const ColumnPanel& b, Worker& worker) const {
  const GridSteps& grid = grids_[static_cast<size_t>(g)];
  if (!layout_.bytes) return multiplier_.multiply(grid.blocks, a, b, worker.sums, worker.wide);
  kernels_.multiply_bytes(a.rows, grid.steps(layout_), a.pairs, b.pairs, b.places,
                          worker.panel.starts + g * kernels_.rows, worker.sums);
  return {worker.sums, nullptr};
}

void DirectConvolver::multiply_filtered_tile(int64_t p, const Tile& tile, const Bound* bounds, int64_t tiles,
                                             Worker& worker) {
  const int64_t row = p * kernels_.rows, size = kernels_.rows * kernels_.columns;
  const int64_t* wide = multiply_parts(p, tile, bounds, tiles, worker);
  if (wide == nullptr) return store_filtered(row, packer_.rows_of(p), tile, worker);
  for (int64_t across = 0; across < c_.grids.across; ++across) {
    kernels_.finish_wide(wide + across * size, packer_.rows_of(p), c_.row_scales + row,
                         worker.chunk.scales() + tile.position, kernels_.columns,
                         worker.values + across * size, kernels_.columns);
  }
  interlace(row, packer_.rows_of(p), 0, tile, worker.values);
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
  const Bound* weights = worker.panel.bounds;
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
        kernels_.filter_sums(worker.sums, size, packer_.width_of(p) * kernels_.columns);
        kernels_.accumulate(worker.sums, 2 * size, 0, worker.wide);
      },
      [](int) {});
  return worker.wide;
}

// Of pairs [begin, end) of each part.
void DirectConvolver::add_parts(int64_t p, const Tile& tile, int64_t begin, int64_t end,
                                Worker& worker) const {
  const int width = packer_.width_of(p);
  const int64_t size = kernels_.rows * kernels_.columns;
  for (const GridSteps& part : grids_) {
    kernels_.multiply(width, end - begin, worker.panel.weights + (part.first_step + begin) * width * 2,
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
