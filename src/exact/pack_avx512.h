// Packing of panels with AVX-512; see Microkernels.
#pragma once

#include "exact/microkernel.h"

namespace cairn::exact::avx512 {

void copy_row(const int16_t* from, int64_t step, int64_t count, int16_t* out);
void pack_lanes(const int16_t* const* sources, int lanes, int width, int64_t k, int16_t* panel);
void pack_steps(const int16_t* const* sources, int64_t offset, int lanes, int width, int64_t pairs,
                int16_t* panel);
void pack_taps(const int16_t* even, const int16_t* odd, int64_t stride, int lanes, int width, int64_t taps,
               const int32_t* places, int16_t* panel);
void pack_byte_steps(const int16_t* const* lines, int64_t count, int16_t* out);
void pack_byte_taps(const int16_t* first, int64_t channel_stride, int channels, int64_t stride, int lanes,
                    int width, int64_t taps, const int32_t* places, int16_t* panel);
void sum_bytes(const int16_t* panel, int width, int64_t steps, int32_t* sums);
PanelSquares measure(const int16_t* panel, int width, int64_t pairs);
void add_squares(const int16_t* pairs, int64_t count, uint32_t* sums);
uint64_t largest_window(const uint32_t* squares, const int32_t* places, int64_t taps, int lanes);
void filter_pixels(const int16_t* even, const int16_t* odd, int64_t width, int64_t first, int64_t pairs,
                   int16_t* const* parts, uint32_t* const* squares);
void filter_lines(const int16_t* row, int64_t width, int64_t first, int64_t pairs, int16_t* const* parts);
void filter_gradient_lines(const int16_t* row, int64_t width, int64_t first, int64_t pairs,
                           int16_t* const* parts);
void filter_weight_sums(int64_t* tiles, int64_t size, int64_t count);
void filter_weights(const int16_t* const* taps, int64_t count, int16_t* const* parts);
void filter_sums(int32_t* tiles, int64_t size, int64_t count);
void finish_filtered(const int32_t* tiles, int64_t size, int rows, const float* row_scale,
                     const float* column_scale, int64_t count, float* out, int64_t stride);

}  // namespace cairn::exact::avx512
