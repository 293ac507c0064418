// The gradient of a convolution's weights: sums over the positions of outputs. Of three ways to read them,
// the first that pays: filtered, so that three taps share the products of two outputs; shared, so that taps
// read the same panels; or as a patch matrix that is packed in pieces.
#include <algorithm>

#include "exact/convolution.h"
#include "exact/convolution_filter.h"
#include "exact/convolution_group.h"
#include "exact/convolution_lanes.h"
#include "exact/product_operands.h"

namespace cairn::exact {
namespace {

// Tiles of SharedLanes within dw [row][channel][tap].
class SharedSink final : public TileSink {
 public:
  SharedSink(const SharedLanes& lanes, float* dw, int64_t channels, int64_t taps, int64_t columns)
      : lanes_(lanes), dw_(dw), channels_(channels), taps_(taps), columns_(columns) {}

  float* place(int64_t, int64_t, int64_t, int64_t*) const override { return nullptr; }
  void store(int64_t row, int64_t column, int64_t columns, const float* values) const override {
    const int64_t tile = column / columns_, channel = lanes_.first_channel(tile);
    float* out = dw_ + (row * channels_ + channel) * taps_ + lanes_.tap(tile).index;
    const int64_t held = std::min(columns, channels_ - channel);
    for (int64_t i = 0; i < held; ++i) out[i * taps_] = values[i];
  }

 private:
  const SharedLanes& lanes_;
  float* dw_;
  int64_t channels_, taps_, columns_;
};

// Sorted into panels: by phase, and by the parity of their shifts.
std::span<const SharedLanes::Tap> take_shared_taps(Scratch& scratch, const Planes& planes,
                                                   const ConvolutionGroup& g) {
  using Tap = SharedLanes::Tap;
  const Convolution& c = g.c;
  Tap* taps = scratch.take<Tap>(g.taps);
  size_t count = 0;
  for (int64_t t = 0; t < g.taps; ++t) {
    const ConvolutionTap at = tap_at(c, t);
    if (meets_image(c, at)) taps[count++] = {t, planes.phase(at.y, at.x), planes.shift(at.y, at.x), 0};
  }
  const auto kind = [](const Tap& tap) { return 2 * tap.phase + tap.shift % 2; };
  std::sort(taps, taps + count, [&](const Tap& a, const Tap& b) {
    return kind(a) != kind(b) ? kind(a) < kind(b) : a.index < b.index;
  });
  for (size_t t = 1; t < count; ++t)
    taps[t].panel = taps[t - 1].panel + (kind(taps[t]) != kind(taps[t - 1]) ? 1 : 0);
  return {taps, count};
}

// Sharing saves packing and scatters the results. It needs long sums, and tiles of channels that leave few
// lanes empty.
// Or taps that meet nothing, which it leaves out.
bool sharing_pays(const ConvolutionGroup& g, const Planes& inputs, int64_t steps, int64_t columns,
                  int64_t taps) {
  constexpr int64_t kPairsForRow = 1;  // of sums, for each output channel: measured
  const int64_t lanes = (g.in_channels + columns - 1) / columns * columns;
  if (g.taps == 1 || g.in_channels * 8 < lanes * 7) return false;
  if (taps > 0 && 2 * taps <= g.taps) return true;
  return taps == g.taps && inputs.reach() <= steps && g.c.batch * steps / 2 >= kPairsForRow * g.out_channels;
}

// Groups of the tiles of FilteredPixelLanes, whose sums are those of the filter's parts, within dw
// [row][channel][tap].
class FilteredSink final : public TileSink {
 public:
  FilteredSink(const Microkernels& kernels, const SharedLanes& lanes, int64_t kernel_rows, float* dw,
               int64_t channels, const float* row_scales, const float* ones)
      : kernels_(kernels),
        lanes_(lanes),
        kernel_rows_(kernel_rows),
        dw_(dw),
        channels_(channels),
        row_scales_(row_scales),
        ones_(ones) {}

  float* place(int64_t, int64_t, int64_t, int64_t*) const override { return nullptr; }
  void store(int64_t, int64_t, int64_t, const float*) const override {}
  void store_group(int64_t row, int rows, int64_t group, int64_t* sums) const override {
    const int64_t size = kernels_.rows * kernels_.columns, part = kernel_rows_ * size;
    for (int64_t tap = 0; tap < kernel_rows_; ++tap, sums += size) {
      kernels_.filter_weight_sums(sums, part, rows * kernels_.columns);
      for (int64_t x = 0; x < 3; ++x) store_tap(row, rows, group, tap, x, sums + x * part);
    }
  }

 private:
  void store_tap(int64_t row, int rows, int64_t group, int64_t tap, int64_t x, const int64_t* sums) const {
    float values[kMostLanes * kMostLanes];
    const int64_t tile = group * FilteredConvolution::kParts * kernel_rows_ + tap;
    const int64_t channel = lanes_.first_channel(tile),
                  held = std::min<int64_t>(kernels_.columns, channels_ - channel);
    kernels_.finish_wide(sums, rows, row_scales_ + row, ones_, static_cast<int>(held), values,
                         kernels_.columns);
    float* out = dw_ + (row * channels_ + channel) * 3 * kernel_rows_ + 3 * lanes_.tap(tile).index + x;
    for (int i = 0; i < rows; ++i, out += channels_ * 3 * kernel_rows_)
      for (int64_t c = 0; c < held; ++c) out[c * 3 * kernel_rows_] = values[i * kernels_.columns + c];
  }

  const Microkernels& kernels_;
  const SharedLanes& lanes_;
  int64_t kernel_rows_;
  float* dw_;
  int64_t channels_;
  const float *row_scales_, *ones_;
};

// The taps of each part in turn: first those whose shifts are even, and so of one panel.
std::span<const SharedLanes::Tap> take_filtered_taps(Scratch& scratch, const Convolution& c,
                                                     int64_t row_length) {
  auto* taps = scratch.take<SharedLanes::Tap>(FilteredConvolution::kParts * c.kernel_height);
  size_t count = 0;
  int64_t panel = 0;
  for (int64_t part = 0; part < FilteredConvolution::kParts; ++part) {
    for (int64_t parity = 0; parity < 2; ++parity) {
      const size_t before = count;
      for (int64_t tap = 0; tap < c.kernel_height; ++tap) {
        const int64_t shift = tap * c.dilation_height * row_length;
        if (shift % 2 == parity) taps[count++] = {tap, part, shift, panel};
      }
      if (count > before) ++panel;
    }
  }
  return {taps, count};
}

// How many pairs of outputs the filter sees in an image, rounded up to an even number.
int64_t filtered_steps(const Convolution& c) {
  return (c.out_height * ((c.out_width + 1) / 2) + 1) / 2 * 2;
}

// Whether the filter applies to the weight gradient, and saves products. Sums in int64 cost some for every
// run, so runs must be long.
bool filtering_pays(const Microkernels& kernels, const ConvolutionGroup& g, int bits, const ProductRuns& runs,
                    int64_t steps) {
  constexpr int kMostBits = 14;
  constexpr int64_t kFewestPairs = 60;  // of outputs, in a run: measured
  const Convolution& c = g.c;
  if (kernels.filter_lines == nullptr || bits > kMostBits || c.kernel_width != 3 || c.stride_width != 1 ||
      c.stride_height != 1 || c.dilation_width != 1)
    return false;
  const int64_t lanes = (g.in_channels + kernels.columns - 1) / kernels.columns * kernels.columns;
  const int64_t filtered = filtered_steps(c);
  const bool rounds = !runs.runs.empty() && runs.runs.front().shift < 0;
  return !rounds && g.in_channels * 8 >= lanes * 7 && 4 * filtered < 3 * steps &&
         static_cast<int64_t>(runs.items.size()) * filtered >=
             kFewestPairs * static_cast<int64_t>(runs.runs.size());
}

void filtered_weight_gradient(Machine& machine, const ConvolutionGroup& g, const Planes& inputs,
                              const Planes& outputs, const int32_t* dy_exponents, const int32_t* x_exponents,
                              int spare, float* dw) {
  Scratch& scratch = machine.scratch;
  const Convolution& c = g.c;
  const Microkernels& kernels = microkernels(machine.isa);
  const int64_t row_length = (c.out_width + 1) / 2, steps = filtered_steps(c);
  const ProductRuns runs =
      sort_runs(scratch, c.batch, steps, c.channel_groups, dy_exponents, x_exponents, spare);
  const FilteredGradientLanes a(outputs, runs.items, steps, row_length);
  const FilteredPixelLanes b(kernels, inputs, runs.items, steps, g.in_channels, row_length,
                             take_filtered_taps(scratch, c, row_length));
  const float* row_scales = take_equal_scales(scratch, runs.scale, g.out_channels);
  const float* ones = take_equal_scales(scratch, 1.0f, kernels.columns);
  const TileGroups groups{FilteredConvolution::kParts * c.kernel_height, FilteredConvolution::kParts};
  multiply_tiled(machine,
                 {g.out_channels, b.tiles() * kernels.columns, runs.runs, a, b, row_scales, ones,
                  FilteredSink(kernels, b, c.kernel_height, dw, g.in_channels, row_scales, ones), groups});
}

void weight_gradient_of_group(Machine& machine, const ConvolutionGroup& g, ConstQuantized dy,
                              ConstQuantized x, float* dw) {
  Scratch& scratch = machine.scratch;
  const Convolution& c = g.c;
  const Planes inputs = input_planes(machine, g, x.values);
  const int64_t same[] = {0};
  PlaneAxis out_columns(c.out_width, c.out_width, 1, same);
  out_columns.lengthen(inputs.columns().length());
  const Planes outputs(microkernels(machine.isa), dy.values + g.index * g.out_channels * g.out_plane,
                       c.out_channels * g.out_plane, PlaneAxis(c.out_height, c.out_height, 1, same),
                       out_columns);
  const int64_t positions = (c.out_height - 1) * out_columns.length() + c.out_width;
  const int64_t steps = (positions + 1) / 2 * 2;
  const ProductRuns runs = sort_runs(scratch, c.batch, steps, c.channel_groups, dy.exponents + g.index,
                                     x.exponents + g.index, spare_bits(dy.bits));
  const int64_t elements = g.in_channels * g.taps, columns = microkernels(machine.isa).columns;
  float* out = dw + g.index * g.out_channels * elements;
  if (filtering_pays(microkernels(machine.isa), g, std::max(dy.bits, x.bits), runs, steps)) {
    return filtered_weight_gradient(machine, g, inputs, outputs, dy.exponents + g.index,
                                    x.exponents + g.index, spare_bits(dy.bits), out);
  }
  const PositionLanes a(outputs, runs.items, steps);
  const float* row_scales = take_equal_scales(scratch, runs.scale, g.out_channels);

  const std::span<const SharedLanes::Tap> taps = take_shared_taps(scratch, inputs, g);
  if (sharing_pays(g, inputs, steps, columns, static_cast<int64_t>(taps.size()))) {
    if (static_cast<int64_t>(taps.size()) < g.taps) std::fill_n(out, g.out_channels * elements, 0.0f);
    const SharedLanes b(inputs, runs.items, steps, g.in_channels, columns, taps);
    multiply_tiled(machine, {g.out_channels, b.tiles() * columns, runs.runs, a, b, row_scales,
                             take_equal_scales(scratch, 1.0f, b.tiles() * columns),
                             SharedSink(b, out, g.in_channels, g.taps, columns)});
    return;
  }
  PositionLane* lane_of_tap = scratch.take<PositionLane>(g.taps);
  for (int64_t t = 0; t < g.taps; ++t) {
    const ConvolutionTap at = tap_at(c, t);
    lane_of_tap[t] = {0, inputs.phase(at.y, at.x), inputs.shift(at.y, at.x)};
  }
  multiply_tiled(
      machine, {g.out_channels, elements, runs.runs, a,
                PatchLanes(inputs, runs.items, steps, {lane_of_tap, static_cast<size_t>(g.taps)}), row_scales,
                take_equal_scales(scratch, 1.0f, elements), MatrixSink(out, elements)});
}

}  // namespace

void fast_convolve_weight_gradient(Machine& machine, const Convolution& any_shape, ConstQuantized dy,
                                   ConstQuantized x, float* dw) {
  const Convolution c = in_one_row(any_shape);
  for (int64_t group = 0; group < c.channel_groups; ++group) {
    machine.scratch.reset();
    weight_gradient_of_group(machine, ConvolutionGroup(c, group), dy, x, dw);
  }
}

}  // namespace cairn::exact
