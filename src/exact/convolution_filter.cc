#include "exact/convolution_filter.h"

namespace cairn::exact {
namespace {

constexpr int64_t kPartOffsets[] = {0, 1, 2, 3};

int64_t divide_up(int64_t value, int64_t step) {
  return (value + step - 1) / step;
}

int64_t pairs_of(const DirectConvolution& c) {
  return divide_up(c.planes.columns().outputs(), 2);
}

// Pixels of parts, as if an image had a row of all parts of all pairs.
PlaneAxis part_columns(const DirectConvolution& c) {
  return {FilteredConvolution::kParts * pairs_of(c), pairs_of(c), FilteredConvolution::kParts, kPartOffsets};
}

// All taps of a kernel, in rows of three side by side, in either order.
bool is_three_wide(const DirectConvolution& c) {
  if (c.grids.taps.size() != 1 || c.planes.rows().step() != 1 || c.planes.columns().step() != 1) return false;
  const std::span<const ConvolutionTap> taps = c.grids.taps[0];
  if (static_cast<int64_t>(taps.size()) != c.taps || c.taps % 3 != 0) return false;
  if (c.planes.columns().reach() != 2) return false;
  for (size_t t = 0; t < taps.size(); t += 3) {
    const int64_t step = taps[t + 1].x - taps[t].x;
    if (step * step != 1 || taps[t + 2].x - taps[t + 1].x != step) return false;
    if (taps[t + 1].y != taps[t].y || taps[t + 2].y != taps[t].y) return false;
  }
  return true;
}

int64_t tiles_of(const DirectConvolution& c, int64_t columns, int64_t tile) {
  return divide_up(c.batch * c.planes.rows().length() * columns, tile);
}

}  // namespace

bool FilteredConvolution::pays(Machine& machine, const DirectConvolution& c) {
  constexpr int kMostBits = 14;  // three weights add up to an int16
  const Microkernels& kernels = microkernels(machine.isa);
  if (kernels.filter_pixels == nullptr || c.bits > kMostBits || !is_three_wide(c)) return false;
  const Planes parts(kernels, nullptr, 0, c.planes.rows(), part_columns(c));
  return fits_direct(machine, parts, c.channels) &&
         kParts * tiles_of(c, pairs_of(c), kernels.columns) <
             3 * tiles_of(c, c.planes.columns().length(), kernels.columns);
}

FilteredConvolution::FilteredConvolution(Machine& machine, const DirectConvolution& convolution)
    : kernels_(microkernels(machine.isa)),
      whole_(convolution),
      planes_(kernels_, nullptr, 0, convolution.planes.rows(), part_columns(convolution)),
      grids_{1, 2, {}},
      parts_{planes_,
             convolution.batch,
             convolution.channels,
             grids_,
             convolution.weights,
             convolution.rows,
             convolution.row_stride,
             convolution.channel_stride,
             convolution.taps,
             convolution.bits,
             convolution.row_scales,
             convolution.image_scales,
             convolution.out,
             convolution.image_stride,
             convolution.height,
             convolution.width} {
  Scratch& scratch = machine.scratch;
  const std::span<const ConvolutionTap> whole = convolution.grids.taps[0];
  const int64_t rows = kernel_rows(), first_x = convolution.planes.columns().image_index(0, 0);
  auto* parts = scratch.take<std::span<const ConvolutionTap>>(kParts);
  for (int64_t part = 0; part < kParts; ++part) {
    ConvolutionTap* taps = scratch.take<ConvolutionTap>(rows);
    for (int64_t row = 0; row < rows; ++row)
      taps[row] = {whole[static_cast<size_t>(3 * row)].y, part, part * rows + row};
    parts[part] = {taps, static_cast<size_t>(rows)};
  }
  grids_.taps = {parts, kParts};
  places_ = scratch.take<int32_t>(convolution.taps);
  for (size_t t = 0; t < whole.size(); ++t) {
    places_[whole[t].index] =
        static_cast<int32_t>((whole[t].x - first_x) * rows + static_cast<int64_t>(t / 3));
  }
}

void FilteredConvolution::fill(int64_t first_channel, int64_t begin, int64_t end, int16_t* const* parts,
                               uint32_t* const* squares) const {
  const int64_t length = planes_.columns().length();
  for (int64_t at = begin; at < end;) {
    const int64_t position = at % planes_.positions(), pair = position % length;
    const int64_t count = std::min(length - pair, end - at), done = at - begin;
    int16_t* const row[] = {parts[0] + 2 * done, parts[1] + 2 * done, parts[2] + 2 * done,
                            parts[3] + 2 * done};
    uint32_t* const sums[] = {squares[0] + done, squares[1] + done, squares[2] + done, squares[3] + done};
    fill_row(at / planes_.positions(), first_channel, position / length, pair, count, row, sums);
    at += count;
  }
}

void FilteredConvolution::fill_row(int64_t image, int64_t channel, int64_t y, int64_t pair, int64_t count,
                                   int16_t* const* parts, uint32_t* const* squares) const {
  const Planes& planes = whole_.planes;
  const int16_t* even = image < whole_.batch ? planes.row(image, channel, y) : nullptr;
  if (even == nullptr) {
    for (int part = 0; part < kParts; ++part) std::fill_n(parts[part], 2 * count, int16_t{0});
    return;
  }
  const int64_t width = planes.columns().size();
  planes.prefetch_row(image, channel + 2, y);
  planes.prefetch_row(image, channel + 3, y);
  const int16_t* odd = channel + 1 < whole_.channels ? planes.row(image, channel + 1, y) : nullptr;
  kernels_.filter_pixels(even, odd, width, planes.columns().image_index(2 * pair, 0), count, parts, squares);
}

void FilteredConvolution::pack_weights(const int16_t* even, const int16_t* odd, int lanes, int width,
                                       int16_t* const* panels, int16_t* room) const {
  kernels_.pack_taps(even, odd, whole_.row_stride, lanes, width, whole_.taps, places_, room);
  const int64_t each = kernel_rows() * width * 2;
  const int16_t* const taps[] = {room, room + each, room + 2 * each};
  kernels_.filter_weights(taps, each, panels);
}

}  // namespace cairn::exact
