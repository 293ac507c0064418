// Images laid out so that convolutions need no patch matrix.
//
// Along an axis, output o meets image index o * step + offset of a tap, or zero where the image has nothing.
// The image is seen as `step` phases: index i of phase p is image index i * step + p + base. So output o
// meets index o + shift of its tap's phase, and under one tap all outputs of an image read one run of
// positions, counted row by row. What outputs read beyond the image is zero; the zeros after a row (or an
// image) are those before the next one, so that few positions are wasted.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>

#include "exact/microkernel.h"

namespace cairn::exact {

class PlaneAxis {
 public:
  // `offsets` of all taps; their order does not matter. At least one.
  PlaneAxis(int64_t size, int64_t outputs, int64_t step, std::span<const int64_t> offsets);

  int64_t phase(int64_t offset) const { return (offset - base_) % step_; }
  int64_t shift(int64_t offset) const { return (offset - base_) / step_; }
  int64_t image_index(int64_t index, int64_t phase) const { return index * step_ + phase + base_; }
  // The indices [first, end) of a phase that lie inside the image, within [0, length).
  int64_t first(int64_t phase) const { return first_index(0, phase); }
  int64_t end(int64_t phase) const { return first_index(size_, phase); }

  int64_t size() const { return size_; }
  int64_t outputs() const { return outputs_; }
  int64_t step() const { return step_; }
  int64_t reach() const { return reach_; }    // the largest shift
  int64_t length() const { return length_; }  // indices from a row (or an image) to the next
  void lengthen(int64_t length) { length_ = std::max(length_, length); }

 private:
  int64_t first_index(int64_t least, int64_t phase) const;

  int64_t size_, outputs_, step_, base_ = 0, reach_ = 0, length_ = 0;
};

// The channels of images [image][channel][height][width]. Positions count through one image, row by row.
class Planes {
 public:
  Planes(const Microkernels& kernels, const int16_t* values, int64_t image_stride, const PlaneAxis& rows,
         const PlaneAxis& columns)
      : kernels_(kernels), values_(values), image_stride_(image_stride), rows_(rows), columns_(columns) {}

  const PlaneAxis& rows() const { return rows_; }
  const PlaneAxis& columns() const { return columns_; }
  int64_t phases() const { return rows_.step() * columns_.step(); }
  int64_t phase(int64_t y, int64_t x) const { return rows_.phase(y) * columns_.step() + columns_.phase(x); }
  int64_t shift(int64_t y, int64_t x) const { return rows_.shift(y) * columns_.length() + columns_.shift(x); }
  int64_t reach() const { return rows_.reach() * columns_.length() + columns_.reach(); }
  int64_t positions() const { return rows_.length() * columns_.length(); }  // from an image to the next

  // The row of an image that outputs meet at `index`, in the first phase; null where there is none.
  const int16_t* row(int64_t image, int64_t channel, int64_t index) const {
    const int64_t row = rows_.image_index(index, 0);
    if (row < 0 || row >= rows_.size()) return nullptr;
    return values_ + image * image_stride_ + (channel * rows_.size() + row) * columns_.size();
  }
  // Asks the cache for it. The channel need not exist.
  void prefetch_row(int64_t image, int64_t channel, int64_t index) const {
    constexpr int64_t kLine = 32;  // integers
    const int16_t* from = row(image, channel, index);
    if (from == nullptr) return;
    for (int64_t i = 0; i < columns_.size(); i += kLine) __builtin_prefetch(from + i);
  }
  // The integers at positions [begin, end) of an image; begin >= 0. Behind the image there are zeros.
  void copy(int64_t image, int64_t channel, int64_t phase, int64_t begin, int64_t end, int16_t* out) const;
  // Asks the cache for what copy() will read.
  void prefetch(int64_t image, int64_t channel, int64_t begin, int64_t end) const;
  // The same where positions count through `batch` images.
  void copy_batch(int64_t batch, int64_t channel, int64_t phase, int64_t begin, int64_t end,
                  int16_t* out) const;

 private:
  const Microkernels& kernels_;
  const int16_t* values_;
  int64_t image_stride_;
  PlaneAxis rows_, columns_;
};

}  // namespace cairn::exact
