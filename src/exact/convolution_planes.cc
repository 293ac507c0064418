#include "exact/convolution_planes.h"

namespace cairn::exact {
namespace {

int64_t divide_up(int64_t value, int64_t step) {
  return value > 0 ? (value + step - 1) / step : -(-value / step);
}

void fill_zeros(int16_t* out, int64_t count) {
  for (int64_t i = 0; i < count; ++i) out[i] = 0;
}

}  // namespace

PlaneAxis::PlaneAxis(int64_t size, int64_t outputs, int64_t step, std::span<const int64_t> offsets)
    : size_(size), outputs_(outputs), step_(step) {
  const auto [least, most] = std::minmax_element(offsets.begin(), offsets.end());
  base_ = *least;
  reach_ = (*most - base_) / step;
  // Index i >= length is index i - length of the next row: both must be outside of the image.
  const int64_t needed = outputs + reach_;
  const int64_t zeros_before = std::max<int64_t>(0, -base_ / step);
  const int64_t shared = std::max(needed - zeros_before, divide_up(size - base_, step));
  length_ = std::max(outputs, std::min(needed, shared));
}

int64_t PlaneAxis::first_index(int64_t least, int64_t phase) const {
  const int64_t index = step_ == 1 ? least - base_ : divide_up(least - base_ - phase, step_);
  return std::clamp<int64_t>(index, 0, length_);
}

void Planes::copy(int64_t image, int64_t channel, int64_t phase, int64_t begin, int64_t end,
                  int16_t* out) const {
  const int64_t row_phase = phase / columns_.step(), column_phase = phase % columns_.step();
  const int64_t length = columns_.length();
  const int64_t first = columns_.first(column_phase), last = std::max(first, columns_.end(column_phase));
  const int16_t* plane = values_ + image * image_stride_ + channel * rows_.size() * columns_.size();
  int64_t y = begin / length, x = begin % length;
  for (int64_t done = 0; done < end - begin; ++y, x = 0) {
    const int64_t count = std::min(length - x, end - begin - done);
    const int64_t row = rows_.image_index(y, row_phase);
    int16_t* to = out + done - x;  // of index 0
    if (row < 0 || row >= rows_.size()) {
      fill_zeros(to + x, count);
    } else {
      const int64_t from = std::clamp(first, x, x + count), stop = std::clamp(last, from, x + count);
      const int64_t column = columns_.image_index(from, column_phase);
      fill_zeros(to + x, from - x);
      kernels_.copy_row(plane + row * columns_.size() + column, columns_.step(), stop - from, to + from);
      fill_zeros(to + stop, x + count - stop);
    }
    done += count;
  }
}

void Planes::prefetch(int64_t image, int64_t channel, int64_t begin, int64_t end) const {
  constexpr int64_t kLine = 32;  // integers
  const int16_t* plane = values_ + image * image_stride_ + channel * rows_.size() * columns_.size();
  const int64_t first = std::clamp<int64_t>(rows_.image_index(begin / columns_.length(), 0), 0, rows_.size());
  const int64_t last =
      std::clamp<int64_t>(rows_.image_index(end / columns_.length() + 1, 0), first, rows_.size());
  for (int64_t i = first * columns_.size(); i < last * columns_.size(); i += kLine)
    __builtin_prefetch(plane + i);
}

void Planes::copy_batch(int64_t batch, int64_t channel, int64_t phase, int64_t begin, int64_t end,
                        int16_t* out) const {
  while (begin < end) {
    const int64_t image = begin / positions(), first = begin % positions();
    const int64_t count = std::min(positions() - first, end - begin);
    if (image < batch) {
      copy(image, channel, phase, first, first + count, out);
    } else {
      fill_zeros(out, count);
    }
    out += count;
    begin += count;
  }
}

}  // namespace cairn::exact
