#include "exact/product_tiles.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace cairn::exact {
namespace {

constexpr int64_t kLongestSlice = 6144;   // positions that are packed whole
constexpr int64_t kSlice = 4096;          // positions of a slice where there are more
constexpr int64_t kGroupSlice = 1536;     // likewise where every part has a panel of its own
constexpr int64_t kBlockPositions = 256;  // positions that share a bound
constexpr int64_t kPackedA = 8 << 20;     // bytes of packed A at a time
constexpr int64_t kPackedB = 384 << 10;   // bytes of packed B for each task: most of a second-level cache
constexpr int64_t kColumnBlock = 2048;    // columns at a time where sums are kept in memory
constexpr int64_t kRowBlock = 1024;       // rows likewise
constexpr int64_t kTasksForThread = 2;
int64_t round_up(int64_t value, int64_t step) {
  return (value + step - 1) / step * step;
}
int64_t divide_up(int64_t value, int64_t step) {
  return (value + step - 1) / step;
}

// What one thread works with.
struct Worker {
  int16_t* b;
  ColumnPanel* tiles;  // of the present task
  Bound* bounds;       // theirs
  int32_t* tile;
  int64_t* sums;
  float* out;
};

class Tiler {
 public:
  Tiler(Machine& machine, const TiledProduct& product);
  void run();

 private:
  void take_memory();
  void cut_slice(int64_t begin, int64_t end);
  void pack_a();
  void cut_tasks();
  void run_tasks(bool last_slice);
  void run_task(int64_t task, bool last_slice, Worker& worker);
  ColumnPanel column_panel(const int16_t* pairs, Bound* bounds) const;
  void multiply_tile(int64_t panel, int64_t tile, const ColumnPanel& b, bool last_slice, Worker& worker);
  Sums sums_at(int64_t* memory) const;
  void finish(int rows, int64_t row, int64_t column, const TileSums& sums, float* out);

  int width_of(int64_t a_panel) const {
    const int64_t rest = block_rows_ - a_panel * kernels_.rows;
    return static_cast<int>(std::min<int64_t>(kernels_.rows, round_up(rest, kernels_.row_step)));
  }

  int held_rows(int rows, int64_t row) const {
    return static_cast<int>(std::min<int64_t>(rows, first_row_ + block_rows_ - row));
  }
  int64_t part_of(int64_t tile) const { return tile % group_ / (group_ / product_.groups.parts); }
  // Of a panel of A, in the present slice.
  int16_t* a_panel(int64_t part, int64_t panel) const {
    const int64_t lanes = product_.groups.parts * panel * kernels_.rows + part * width_of(panel);
    return a_ + lanes * pairs_ * 2;
  }
  Bound* a_bounds(int64_t part, int64_t panel) const {
    return a_bounds_ + (panel * product_.groups.parts + part) * blocks_;
  }
  int64_t b_panel_size() const { return 2 * kernels_.columns * std::max<int64_t>(1, most_panel_pairs_); }
  std::span<const Block> blocks() const { return {block_, static_cast<size_t>(blocks_)}; }

  const Microkernels& kernels_;
  const TileMultiplier multiplier_;
  Machine& machine_;
  const TiledProduct& product_;

  // Fixed for the whole product.
  int64_t group_;  // tiles
  int64_t positions_, slice_positions_, slices_, row_block_, column_block_, tile_size_, most_panel_pairs_;
  bool several_runs_, rounded_runs_;
  int64_t sums_per_tile_;

  // The present block of rows and columns, and slice. Tiles of columns count from the product's first.
  int64_t first_row_ = 0, block_rows_ = 0, first_tile_ = 0, tiles_ = 0;
  int64_t begin_ = 0, end_ = 0, pairs_ = 0, blocks_ = 0, panel_pairs_ = 0;
  int64_t a_panels_ = 0, most_b_panels_ = 0, task_tiles_ = 0, column_tasks_ = 0, row_splits_ = 0;

  Block* block_ = nullptr;
  int16_t* a_ = nullptr;
  Bound* a_bounds_ = nullptr;
  int64_t* sums_ = nullptr;
  int64_t* task_begin_ = nullptr;  // tiles of columns, from the block's first
  int32_t* places_ = nullptr;      // of the slice's pairs in a panel of B, times its columns
  Worker* workers_ = nullptr;
};

Tiler::Tiler(Machine& machine, const TiledProduct& product)
    : kernels_(microkernels(machine.isa)),
      multiplier_(kernels_),
      machine_(machine),
      product_(product),
      group_(product.groups.tiles) {
  positions_ = product.runs.empty() ? 0 : product.runs.back().end;
  slices_ = positions_ <= kLongestSlice ? 1 : divide_up(positions_, kSlice);
  if (group_ > 1) slices_ = std::max<int64_t>(1, divide_up(positions_, kGroupSlice));
  slice_positions_ = round_up(divide_up(positions_, slices_), kBlockPositions);
  slices_ = std::max<int64_t>(1, divide_up(positions_, std::max<int64_t>(slice_positions_, 1)));
  most_panel_pairs_ = 0;
  for (int64_t slice = 0; slice < slices_; ++slice) {
    const int64_t begin = slice * slice_positions_, end = std::min(begin + slice_positions_, positions_);
    most_panel_pairs_ = std::max(most_panel_pairs_, product.b.panel_pairs(begin, end));
  }
  tile_size_ = kernels_.rows * kernels_.columns;
  several_runs_ = product.runs.size() > 1;
  rounded_runs_ = several_runs_ && product.runs.front().shift < 0;
  sums_per_tile_ = (rounded_runs_ ? 2 : 1) * tile_size_;

  const int64_t bytes_per_row = 2 * product.groups.parts * std::max<int64_t>(slice_positions_, 1);
  row_block_ = std::max<int64_t>(kPackedA / bytes_per_row / kernels_.rows, 1) * kernels_.rows;
  if (slices_ > 1) row_block_ = std::min(row_block_, round_up(kRowBlock, kernels_.rows));
  row_block_ = std::min(row_block_, round_up(product.rows, kernels_.rows));
  const int64_t group_columns = group_ * kernels_.columns;
  const int64_t most_columns = std::max<int64_t>(kColumnBlock / group_columns, 1) * group_columns;
  column_block_ = slices_ > 1 ? std::min(most_columns, product.columns) : product.columns;
}

void Tiler::take_memory() {
  Scratch& scratch = machine_.scratch;
  const int64_t most_blocks =
      slice_positions_ / kBlockPositions + static_cast<int64_t>(product_.runs.size()) + 1;
  const int64_t a_panels = row_block_ / kernels_.rows;
  const int64_t tiles = divide_up(column_block_, kernels_.columns);
  block_ = scratch.take<Block>(most_blocks);
  a_ = scratch.take<int16_t>(product_.groups.parts * row_block_ * slice_positions_);
  a_bounds_ = scratch.take<Bound>(product_.groups.parts * a_panels * most_blocks);
  if (slices_ > 1) sums_ = scratch.take<int64_t>(a_panels * tiles * sums_per_tile_);
  task_begin_ = scratch.take<int64_t>(tiles + 1);
  places_ = scratch.take<int32_t>(slice_positions_ / 2);
  const int threads = machine_.pool.size();
  const int64_t group_panels = product_.b.panel_of(group_ - 1) + 1;
  most_b_panels_ =
      std::clamp<int64_t>(kPackedB / 2 / b_panel_size(), group_panels, std::max(tiles, group_panels));
  task_tiles_ = threads > 1 ? round_up(divide_up(tiles, kTasksForThread * threads), group_) : tiles;
  workers_ = scratch.take<Worker>(threads);
  for (int i = 0; i < threads; ++i) {
    workers_[i] = {
        scratch.take<int16_t>(most_b_panels_ * b_panel_size()), scratch.take<ColumnPanel>(task_tiles_),
        scratch.take<Bound>(task_tiles_ * most_blocks),         scratch.take<int32_t>(tile_size_),
        scratch.take<int64_t>(group_ * sums_per_tile_),         scratch.take<float>(tile_size_)};
  }
}

void Tiler::run() {
  take_memory();
  for (first_row_ = 0; first_row_ < product_.rows; first_row_ += row_block_) {
    block_rows_ = std::min(row_block_, product_.rows - first_row_);
    a_panels_ = divide_up(block_rows_, kernels_.rows);
    for (int64_t column = 0; column < product_.columns; column += column_block_) {
      first_tile_ = column / kernels_.columns;
      tiles_ = divide_up(std::min(column_block_, product_.columns - column), kernels_.columns);
      if (slices_ > 1) {
        std::memset(sums_, 0, static_cast<size_t>(a_panels_ * tiles_ * sums_per_tile_) * sizeof(int64_t));
      }
      cut_tasks();
      for (int64_t slice = 0; slice < slices_; ++slice) {
        cut_slice(slice * slice_positions_, std::min((slice + 1) * slice_positions_, positions_));
        pack_a();
        run_tasks(slice + 1 == slices_);
      }
    }
  }
}

void Tiler::cut_slice(int64_t begin, int64_t end) {
  begin_ = begin;
  end_ = end;
  pairs_ = (end - begin) / 2;
  blocks_ = 0;
  int64_t position = begin;
  for (const PositionRun& run : product_.runs) {
    while (position < std::min(run.end, end)) {
      const int64_t next = std::min({position + kBlockPositions, run.end, end});
      block_[blocks_++] = {(position - begin) / 2, (next - position) / 2, run.shift, next == run.end};
      position = next;
    }
  }
  panel_pairs_ = product_.b.panel_pairs(begin, end);
  product_.b.place_pairs(begin, end, places_);
  for (int64_t i = 0; i < pairs_; ++i) places_[i] *= kernels_.columns;
}

// Each task has tiles of few enough panels of B for a second-level cache.
void Tiler::cut_tasks() {
  column_tasks_ = 0;
  for (int64_t tile = 0; tile < tiles_;) {
    task_begin_[column_tasks_++] = tile;
    const int64_t first_panel = product_.b.panel_of(first_tile_ + tile);
    const int64_t end = std::min(tile + task_tiles_, tiles_);
    const auto last_panel = [&] { return product_.b.panel_of(first_tile_ + tile + group_ - 1); };
    while (tile < end && last_panel() - first_panel < most_b_panels_) tile += group_;
  }
  task_begin_[column_tasks_] = tiles_;
  const int64_t wanted = kTasksForThread * machine_.pool.size();
  row_splits_ = 1;
  if (machine_.pool.size() > 1 && column_tasks_ < wanted) {
    row_splits_ = std::min(divide_up(wanted, column_tasks_), std::max<int64_t>(a_panels_ / 4, 1));
  }
}

void Tiler::pack_a() {
  machine_.pool.run(a_panels_, [this](int64_t panel, int) {
    const int64_t row = panel * kernels_.rows;
    const int width = width_of(panel);
    product_.a.pack_parts(kernels_, begin_, end_, first_row_ + row,
                          std::min<int64_t>(width, block_rows_ - row), width, a_panel(0, panel));
    for (int64_t part = 0; part < product_.groups.parts; ++part) {
      for (int64_t i = 0; i < blocks_; ++i) {
        const int16_t* pairs = a_panel(part, panel) + block_[i].pair * width * 2;
        a_bounds(part, panel)[i] = measure_pairs(kernels_, pairs, width, block_[i].pairs);
      }
    }
  });
}

void Tiler::run_tasks(bool last_slice) {
  machine_.pool.run(column_tasks_ * row_splits_, [this, last_slice](int64_t task, int worker) {
    run_task(task, last_slice, workers_[worker]);
  });
}

// Measures every block, which may lie in pieces.
ColumnPanel Tiler::column_panel(const int16_t* panel, Bound* bounds) const {
  const int columns = kernels_.columns;
  for (int64_t i = 0; i < blocks_; ++i) {
    bounds[i] = {};
    const int64_t end = block_[i].pair + block_[i].pairs;
    for (int64_t from = block_[i].pair, to = from; from < end; from = to) {
      for (++to; to < end && places_[to] == places_[to - 1] + columns;) ++to;
      const Bound piece = measure_pairs(kernels_, panel + 2 * int64_t{places_[from]}, columns, to - from);
      bounds[i] = {std::hypot(bounds[i].norm, piece.norm), std::max(bounds[i].pair, piece.pair)};
    }
  }
  return {panel, places_, bounds};
}

void Tiler::run_task(int64_t task, bool last_slice, Worker& worker) {
  const int64_t column_task = task / row_splits_, split = task % row_splits_;
  const int64_t first = first_tile_ + task_begin_[column_task];
  const int64_t last = first_tile_ + task_begin_[column_task + 1];
  const int64_t first_panel = product_.b.panel_of(first), end_panel = product_.b.panel_of(last - 1) + 1;
  const int64_t lane = first_panel * kernels_.columns;
  const int64_t lanes = std::min(end_panel * kernels_.columns, product_.columns) - lane;
  product_.b.pack(kernels_, begin_, end_, lane, lanes, kernels_.columns, worker.b);
  for (int64_t tile = first; tile < last; ++tile) {
    const int64_t pair =
        (product_.b.panel_of(tile) - first_panel) * panel_pairs_ + product_.b.first_pair(tile);
    worker.tiles[tile - first] =
        column_panel(worker.b + pair * kernels_.columns * 2, worker.bounds + (tile - first) * blocks_);
  }
  const int64_t first_a = a_panels_ * split / row_splits_, last_a = a_panels_ * (split + 1) / row_splits_;
  for (int64_t a_panel = first_a; a_panel < last_a; ++a_panel) {
    for (int64_t tile = first; tile < last; ++tile) {
      multiply_tile(a_panel, tile, worker.tiles[tile - first], last_slice, worker);
    }
  }
}

Sums Tiler::sums_at(int64_t* memory) const {
  return {memory, rounded_runs_ ? memory + tile_size_ : nullptr};
}

void Tiler::multiply_tile(int64_t panel, int64_t tile, const ColumnPanel& b, bool last_slice,
                          Worker& worker) {
  const int64_t part = part_of(tile);
  const RowPanel a{width_of(panel), a_panel(part, panel), a_bounds(part, panel)};
  const int64_t row = first_row_ + panel * kernels_.rows, column = tile * kernels_.columns;
  if (slices_ == 1 && !several_runs_ && group_ == 1) {
    finish(a.rows, row, column, multiplier_.multiply(blocks(), a, b, worker.tile, worker.sums), worker.out);
    return;
  }
  int64_t* memory = worker.sums + tile % group_ * sums_per_tile_;
  if (slices_ > 1) {
    memory = sums_ + (panel * tiles_ + tile - first_tile_) * sums_per_tile_;
  } else {
    std::memset(memory, 0, static_cast<size_t>(sums_per_tile_) * sizeof(int64_t));
  }
  multiplier_.add(blocks(), a, b, sums_at(memory), worker.tile);
  if (!last_slice) return;
  if (group_ == 1) return finish(a.rows, row, column, {nullptr, memory}, worker.out);
  if (tile % group_ + 1 < group_) return;
  product_.sink.store_group(row, held_rows(a.rows, row), tile / group_,
                            memory - (group_ - 1) * sums_per_tile_);
}

void Tiler::finish(int rows, int64_t row, int64_t column, const TileSums& sums, float* out) {
  const int held = held_rows(rows, row);
  const int columns = static_cast<int>(std::min<int64_t>(kernels_.columns, product_.columns - column));
  const float *row_scale = product_.row_scale + row, *column_scale = product_.column_scale + column;
  int64_t stride = 0;
  float* place = product_.sink.place(row, column, columns, &stride);
  if (place != nullptr) {
    multiplier_.finish(sums, held, row_scale, column_scale, columns, place, stride);
    return;
  }
  multiplier_.finish(sums, held, row_scale, column_scale, columns, out, kernels_.columns);
  for (int i = 0; i < held; ++i, out += kernels_.columns) {
    product_.sink.store(row + i, column, columns, out);
  }
}

}  // namespace

void multiply_tiled(Machine& machine, const TiledProduct& product) {
  Tiler(machine, product).run();
}

}  // namespace cairn::exact
