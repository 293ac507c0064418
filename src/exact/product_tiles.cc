#include "exact/product_tiles.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace cairn::exact {
namespace {

constexpr int64_t kLongestSlice = 6144;   // positions that are packed whole
constexpr int64_t kSlice = 4096;          // positions of a slice where there are more
constexpr int64_t kBlockPositions = 256;  // positions that share a bound
constexpr int64_t kPackedA = 8 << 20;     // bytes of packed A at a time
constexpr int64_t kPackedB = 384 << 10;   // bytes of packed B for each task: most of a second-level cache
constexpr int64_t kColumnBlock = 2048;    // columns at a time where sums are kept in memory
constexpr int64_t kRowBlock = 1024;       // rows likewise
constexpr int64_t kTasksForThread = 2;
// A sum bounded by this, in binary64 with its rounding errors, is below 2^31.
constexpr double kLargestSum = 2147483000.0;

int64_t round_up(int64_t value, int64_t step) {
  return (value + step - 1) / step * step;
}
int64_t divide_up(int64_t value, int64_t step) {
  return (value + step - 1) / step;
}

// Positions of a slice that share a bound and a run.
struct Block {
  int64_t pair;  // within the slice
  int64_t pairs;
  int shift;
  bool ends_run;
};

// Of a panel and a block: |sum of products| <= norm of A * norm of B, and so for `pair` and one pair.
struct Bound {
  double norm;
  double pair;
};

// Sums of one tile in int64: of all runs, and of the present one where it has to be rounded into the total.
struct Sums {
  int64_t* total;
  int64_t* run;
};

// What one thread works with.
struct Worker {
  int16_t* b;
  Bound* b_bounds;
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
  void measure(const int16_t* panel, int width, Bound* bounds) const;
  void run_tasks(bool last_slice);
  void run_task(int64_t task, bool last_slice, Worker& worker, int index);
  void multiply_tile(int64_t a_panel, int64_t column, const int16_t* b, const Bound* b_bounds,
                     bool last_slice, Worker& worker);
  void add_blocks(int rows, const int16_t* a, const Bound* a_bounds, const int16_t* b, const Bound* b_bounds,
                  const Sums& sums, int32_t* tile) const;
  Sums sums_at(int64_t* memory) const;
  void finish(int rows, int64_t row, int64_t column, const int32_t* tile, const Sums& sums, float* out);
  void convert(int rows, int64_t row, int64_t column, const int32_t* tile, const Sums& sums, float* out,
               int64_t stride) const;

  int width_of(int64_t a_panel) const {
    const int64_t rest = block_rows_ - a_panel * kernels_.rows;
    return static_cast<int>(std::min<int64_t>(kernels_.rows, round_up(rest, kernels_.row_step)));
  }

  const Microkernels& kernels_;
  Machine& machine_;
  const TiledProduct& product_;

  // Fixed for the whole product.
  int64_t positions_, slice_positions_, slices_, row_block_, column_block_, tile_size_;
  bool several_runs_, rounded_runs_;
  int64_t sums_per_tile_;

  // The present block of rows and columns, and slice.
  int64_t first_row_ = 0, block_rows_ = 0, first_column_ = 0, block_columns_ = 0;
  int64_t begin_ = 0, end_ = 0, pairs_ = 0, blocks_ = 0;
  int64_t a_panels_ = 0, b_panels_ = 0, task_panels_ = 0, column_tasks_ = 0, row_splits_ = 0;

  Block* block_ = nullptr;
  int16_t* a_ = nullptr;
  Bound* a_bounds_ = nullptr;
  int64_t* sums_ = nullptr;
  Worker* workers_ = nullptr;
};

Tiler::Tiler(Machine& machine, const TiledProduct& product)
    : kernels_(microkernels(machine.isa)), machine_(machine), product_(product) {
  positions_ = product.runs.empty() ? 0 : product.runs.back().end;
  slices_ = positions_ <= kLongestSlice ? 1 : divide_up(positions_, kSlice);
  slice_positions_ = round_up(divide_up(positions_, slices_), kBlockPositions);
  slices_ = std::max<int64_t>(1, divide_up(positions_, std::max<int64_t>(slice_positions_, 1)));
  tile_size_ = kernels_.rows * kernels_.columns;
  several_runs_ = product.runs.size() > 1;
  rounded_runs_ = several_runs_ && product.runs.front().shift < 0;
  sums_per_tile_ = (rounded_runs_ ? 2 : 1) * tile_size_;

  const int64_t bytes_per_row = 2 * std::max<int64_t>(slice_positions_, 1);
  row_block_ = std::max<int64_t>(kPackedA / bytes_per_row / kernels_.rows, 1) * kernels_.rows;
  if (slices_ > 1) row_block_ = std::min(row_block_, round_up(kRowBlock, kernels_.rows));
  row_block_ = std::min(row_block_, round_up(product.rows, kernels_.rows));
  column_block_ = slices_ > 1 ? std::min(kColumnBlock, product.columns) : product.columns;
}

void Tiler::take_memory() {
  Scratch& scratch = machine_.scratch;
  const int64_t most_blocks =
      slice_positions_ / kBlockPositions + static_cast<int64_t>(product_.runs.size()) + 1;
  const int64_t a_panels = row_block_ / kernels_.rows;
  block_ = scratch.take<Block>(most_blocks);
  a_ = scratch.take<int16_t>(row_block_ * slice_positions_);
  a_bounds_ = scratch.take<Bound>(a_panels * most_blocks);
  if (slices_ > 1) {
    sums_ = scratch.take<int64_t>(a_panels * divide_up(column_block_, kernels_.columns) * sums_per_tile_);
  }
  const int64_t panel_bytes = 2 * kernels_.columns * std::max<int64_t>(slice_positions_, 1);
  const int threads = machine_.pool.size();
  task_panels_ = std::max<int64_t>(kPackedB / panel_bytes, 1);
  const int64_t b_panels = divide_up(column_block_, kernels_.columns);
  if (threads > 1) task_panels_ = std::min(task_panels_, divide_up(b_panels, kTasksForThread * threads));
  workers_ = scratch.take<Worker>(threads);
  for (int i = 0; i < threads; ++i) {
    workers_[i] = {scratch.take<int16_t>(task_panels_ * kernels_.columns * slice_positions_),
                   scratch.take<Bound>(task_panels_ * most_blocks), scratch.take<int32_t>(tile_size_),
                   scratch.take<int64_t>(sums_per_tile_), scratch.take<float>(tile_size_)};
  }
}

void Tiler::run() {
  take_memory();
  for (first_row_ = 0; first_row_ < product_.rows; first_row_ += row_block_) {
    block_rows_ = std::min(row_block_, product_.rows - first_row_);
    a_panels_ = divide_up(block_rows_, kernels_.rows);
    for (first_column_ = 0; first_column_ < product_.columns; first_column_ += column_block_) {
      block_columns_ = std::min(column_block_, product_.columns - first_column_);
      b_panels_ = divide_up(block_columns_, kernels_.columns);
      if (slices_ > 1) {
        std::memset(sums_, 0, static_cast<size_t>(a_panels_ * b_panels_ * sums_per_tile_) * sizeof(int64_t));
      }
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
}

void Tiler::measure(const int16_t* panel, int width, Bound* bounds) const {
  for (int64_t i = 0; i < blocks_; ++i) {
    const PanelSquares squares = kernels_.measure(panel + block_[i].pair * width * 2, width, block_[i].pairs);
    bounds[i] = {std::sqrt(squares.sum), std::sqrt(squares.pair)};
  }
}

void Tiler::pack_a() {
  machine_.pool.run(a_panels_, [this](int64_t panel, int worker) {
    const int64_t row = panel * kernels_.rows;
    const int width = width_of(panel);
    int16_t* to = a_ + row * pairs_ * 2;
    product_.a.pack(kernels_, begin_, end_, first_row_ + row, std::min<int64_t>(width, block_rows_ - row),
                    width, to, worker);
    measure(to, width, a_bounds_ + panel * blocks_);
  });
}

void Tiler::run_tasks(bool last_slice) {
  const int64_t wanted = kTasksForThread * machine_.pool.size();
  column_tasks_ = divide_up(b_panels_, task_panels_);
  row_splits_ = 1;
  if (machine_.pool.size() > 1 && column_tasks_ < wanted) {
    row_splits_ = std::min(divide_up(wanted, column_tasks_), std::max<int64_t>(a_panels_ / 4, 1));
  }
  machine_.pool.run(column_tasks_ * row_splits_, [this, last_slice](int64_t task, int worker) {
    run_task(task, last_slice, workers_[worker], worker);
  });
}

void Tiler::run_task(int64_t task, bool last_slice, Worker& worker, int index) {
  const int64_t first_panel = task / row_splits_ * task_panels_;
  const int64_t panels = std::min(task_panels_, b_panels_ - first_panel);
  const int64_t column = first_panel * kernels_.columns;
  const int64_t columns = std::min(panels * kernels_.columns, block_columns_ - column);
  const int64_t panel_size = kernels_.columns * pairs_ * 2;
  product_.b.pack(kernels_, begin_, end_, first_column_ + column, columns, kernels_.columns, worker.b, index);
  for (int64_t panel = 0; panel < panels; ++panel) {
    measure(worker.b + panel * panel_size, kernels_.columns, worker.b_bounds + panel * blocks_);
  }
  const int64_t split = task % row_splits_;
  const int64_t first_a = a_panels_ * split / row_splits_, last_a = a_panels_ * (split + 1) / row_splits_;
  for (int64_t a_panel = first_a; a_panel < last_a; ++a_panel) {
    for (int64_t panel = 0; panel < panels; ++panel) {
      multiply_tile(a_panel, column + panel * kernels_.columns, worker.b + panel * panel_size,
                    worker.b_bounds + panel * blocks_, last_slice, worker);
    }
  }
}

Sums Tiler::sums_at(int64_t* memory) const {
  return {memory, rounded_runs_ ? memory + tile_size_ : nullptr};
}

// `column` counts from the block's first; everything else here is of one tile.
void Tiler::multiply_tile(int64_t a_panel, int64_t column, const int16_t* b, const Bound* b_bounds,
                          bool last_slice, Worker& worker) {
  const int rows = width_of(a_panel);
  const int16_t* a = a_ + a_panel * kernels_.rows * pairs_ * 2;
  const Bound* a_bounds = a_bounds_ + a_panel * blocks_;
  const int64_t row = first_row_ + a_panel * kernels_.rows;
  if (slices_ == 1 && !several_runs_) {
    double bound = 0;
    for (int64_t i = 0; i < blocks_; ++i) bound += a_bounds[i].norm * b_bounds[i].norm;
    if (bound < kLargestSum) {
      kernels_.multiply(rows, pairs_, a, b, worker.tile);
      finish(rows, row, first_column_ + column, worker.tile, {}, worker.out);
      return;
    }
  }
  int64_t* memory = worker.sums;
  if (slices_ > 1) {
    memory = sums_ + (a_panel * b_panels_ + column / kernels_.columns) * sums_per_tile_;
  } else {
    std::memset(memory, 0, static_cast<size_t>(sums_per_tile_) * sizeof(int64_t));
  }
  const Sums sums = sums_at(memory);
  add_blocks(rows, a, a_bounds, b, b_bounds, sums, worker.tile);
  if (last_slice) finish(rows, row, first_column_ + column, nullptr, sums, worker.out);
}

// Multiplies as many blocks at a time as the bounds allow.
void Tiler::add_blocks(int rows, const int16_t* a, const Bound* a_bounds, const int16_t* b,
                       const Bound* b_bounds, const Sums& sums, int32_t* tile) const {
  int64_t begin = 0;  // the first pair that is not yet in the sums
  double bound = 0;   // of the pairs from there to the present block
  const auto add = [&](int64_t end, int shift) {
    if (begin == end) return;
    kernels_.multiply(rows, end - begin, a + begin * rows * 2, b + begin * kernels_.columns * 2, tile);
    kernels_.accumulate(tile, rows * kernels_.columns, std::max(shift, 0), shift < 0 ? sums.run : sums.total);
    begin = end;
    bound = 0;
  };
  for (int64_t i = 0; i < blocks_; ++i) {
    const Block& block = block_[i];
    const int64_t end = block.pair + block.pairs;
    const double norm = a_bounds[i].norm * b_bounds[i].norm;
    if (bound + norm >= kLargestSum) add(block.pair, block.shift);
    bound += norm;
    if (norm >= kLargestSum) {
      const double pair_bound = a_bounds[i].pair * b_bounds[i].pair;
      const int64_t step = std::max<int64_t>(1, static_cast<int64_t>(kLargestSum / pair_bound));
      while (begin < end) add(std::min(begin + step, end), block.shift);
    }
    if (block.ends_run) add(end, block.shift);
    if (block.ends_run && block.shift < 0) {
      kernels_.fold(sums.run, rows * kernels_.columns, block.shift, sums.total);
    }
  }
  if (blocks_ > 0) add(pairs_, block_[blocks_ - 1].shift);
}

void Tiler::convert(int rows, int64_t row, int64_t column, const int32_t* tile, const Sums& sums, float* out,
                    int64_t stride) const {
  const float* row_scale = product_.row_scale + row;
  const float* column_scale = product_.column_scale + column;
  if (tile != nullptr) {
    kernels_.finish(tile, rows, row_scale, column_scale, out, stride);
  } else {
    kernels_.finish_wide(sums.total, rows, row_scale, column_scale, out, stride);
  }
}

void Tiler::finish(int rows, int64_t row, int64_t column, const int32_t* tile, const Sums& sums, float* out) {
  const int held_rows = static_cast<int>(std::min<int64_t>(rows, first_row_ + block_rows_ - row));
  const int64_t columns = std::min<int64_t>(kernels_.columns, product_.columns - column);
  int64_t stride = 0;
  float* place = product_.sink.place(row, column, columns, &stride);
  if (place != nullptr && columns == kernels_.columns) {
    convert(held_rows, row, column, tile, sums, place, stride);
    return;
  }
  convert(held_rows, row, column, tile, sums, out, kernels_.columns);
  for (int i = 0; i < held_rows; ++i, out += kernels_.columns) {
    if (place != nullptr) {
      std::memcpy(place + i * stride, out, static_cast<size_t>(columns) * sizeof(float));
    } else {
      product_.sink.store(row + i, column, columns, out);
    }
  }
}

}  // namespace

void multiply_tiled(Machine& machine, const TiledProduct& product) {
  Tiler(machine, product).run();
}

}  // namespace cairn::exact
