// The inner loops of exact matrix products, one table of functions for each instruction set.
//
// Operands are packed into panels: a panel of `width` lanes (rows of A or columns of B) holds, for each pair
// of consecutive k, `width` pairs of int16. So one 32-bit load broadcasts two k of a row of A, one vector
// load gives two k of many columns of B, and one instruction multiplies and adds both. Lanes that the matrix
// lacks are zeros. Where that suits an instruction set better, a pair takes another form of 32 bits: only the
// functions of one table read what that table has packed.
//
// Everything behind this table is compiled for its instruction set, and so must not use inline functions
// that other files share: the linker could keep the copy that only some processors can run.
#pragma once

#include <cstdint>

#include "exact/backend.h"

namespace cairn::exact {

// What a panel's integers say about the size of sums over them, as maxima over the panel's lanes.
struct PanelSquares {
  double sum;   // at least the sum of the squares
  double pair;  // the largest sum of the two squares of a pair
};

struct Microkernels {
  int rows;      // lanes of a panel of A
  int row_step;  // the last panel of A may be narrower, by multiples of this
  int columns;   // lanes of a panel of B

  // tile[row][column] = the sum over all pairs, modulo 2^32. `rows` is the width of the panel of A. Pair i of
  // the columns lies at b + 2 * places[i].
  void (*multiply)(int rows, int64_t pairs, const int16_t* a, const int16_t* b, const int32_t* places,
                   int32_t* tile);

  // out[i] = from[i * step]
  void (*copy_row)(const int16_t* from, int64_t step, int64_t count, int16_t* out);
  // Packs `lanes` lanes of which lane i has k consecutive integers at sources[i]. An odd k gets a zero.
  void (*pack_lanes)(const int16_t* const* sources, int lanes, int width, int64_t k, int16_t* panel);
  // Packs `lanes` lanes of which step i of k lies side by side at sources[i] + offset.
  void (*pack_steps)(const int16_t* const* sources, int64_t offset, int lanes, int width, int64_t pairs,
                     int16_t* panel);
  // Packs `lanes` lanes of which lane i has pairs (even[i * stride + t], odd[i * stride + t]) for each tap t;
  // a null `odd` stands for zeros. The pair of tap t becomes pair places[t] of the panel. width <= 16.
  void (*pack_taps)(const int16_t* even, const int16_t* odd, int64_t stride, int lanes, int width,
                    int64_t taps, const int32_t* places, int16_t* panel);
  // Precondition: pairs <= 128.
  PanelSquares (*measure)(const int16_t* panel, int width, int64_t pairs);

  // sums[i] += at least the sum of the two squares of pair i, in units of 2^8.
  void (*add_squares)(const int16_t* pairs, int64_t count, uint32_t* sums);
  // The largest, over lanes i, of the sum over taps of squares[places[tap] + i], times 2^8. lanes: `columns`.
  uint64_t (*largest_window)(const uint32_t* squares, const int32_t* places, int64_t taps, int lanes);

  // sum[i] += tile[i] * 2^shift, for shift >= 0
  void (*accumulate)(const int32_t* tile, int64_t count, int shift, int64_t* sum);
  // total[i] += sum[i] * 2^shift, rounded to nearest, ties to even; then sum[i] = 0. For shift < 0.
  void (*fold)(int64_t* sum, int64_t count, int shift, int64_t* total);

  // out[row][column] = (tile -> binary32, one rounding) * row_scale * column_scale, for the first `columns`
  // of a tile's columns. Rows of `out` are `stride` apart.
  void (*finish)(const int32_t* tile, int rows, const float* row_scale, const float* column_scale,
                 int columns, float* out, int64_t stride);
  void (*finish_wide)(const int64_t* tile, int rows, const float* row_scale, const float* column_scale,
                      int columns, float* out, int64_t stride);

  // Products of integers of 8 bits, four to a step, where that is faster; else null. What stands for a pair
  // holds four bytes: of A as they are, of B plus 128.
  // tile[row][column] = start[row] + the sum over all steps of the products of the bytes, modulo 2^32.
  void (*multiply_bytes)(int rows, int64_t steps, const int16_t* a, const int16_t* b, const int32_t* places,
                         const int32_t* start, int32_t* tile);
  // Of B: step i is (lines[0][i], ..., lines[3][i]).
  void (*pack_byte_steps)(const int16_t* const* lines, int64_t count, int16_t* out);
  // Of A, as pack_taps: channel c of up to 4 lies c * channel_stride behind the first; the others are zeros.
  void (*pack_byte_taps)(const int16_t* first, int64_t channel_stride, int channels, int64_t stride,
                         int lanes, int width, int64_t taps, const int32_t* places, int16_t* panel);
  // sums[lane] = the sum of a lane's bytes in a panel of A.
  void (*sum_bytes)(const int16_t* panel, int width, int64_t steps, int32_t* sums);

  // The parts of FilteredConvolution, where a pair of a panel is two integers; else null.
  // Of pixels x = row[first + 2 i ...], zeros where they are not among the row's `width`:
  // (x0 - x2, x1 + x2, x2 - x1, x1 - x3). Those of rows of two channels (an absent one is null) become pair i
  // of parts[...], whose squares are added to squares[...][i] as add_squares() does.
  void (*filter_pixels)(const int16_t* even, const int16_t* odd, int64_t width, int64_t first, int64_t pairs,
                        int16_t* const* parts, uint32_t* const* squares);
  // The same of one channel's row, part[...][i]; and of a gradient z = row[first + 2 i ...] the parts
  // (z0, z0 + z1, z0 - z1, -z1) that they meet in the gradient of weights.
  void (*filter_lines)(const int16_t* row, int64_t width, int64_t first, int64_t pairs,
                       int16_t* const* parts);
  void (*filter_gradient_lines)(const int16_t* row, int64_t width, int64_t first, int64_t pairs,
                                int16_t* const* parts);
  // Of four tiles of sums s that lie `size` apart, into the first three:
  // (s0 + (s1 + s2) / 2, (s1 - s2) / 2, (s1 + s2) / 2 + s3).
  void (*filter_weight_sums)(int64_t* tiles, int64_t size, int64_t count);
  // Of weights w = taps[...][i]: (2 w0, w0 + w1 + w2, w0 - w1 + w2, 2 w2).
  void (*filter_weights)(const int16_t* const* taps, int64_t count, int16_t* const* parts);
  // Of four tiles of sums s that lie `size` apart, ((s0 + s1 + s2) / 2, (s1 - s2 - s3) / 2), into the first
  // two. Everything wraps but the halving.
  void (*filter_sums)(int32_t* tiles, int64_t size, int64_t count);
  // The same as results, interlaced: out[row][2 * column] and the one after it, as finish() makes them; the
  // first `count` of each row.
  void (*finish_filtered)(const int32_t* tiles, int64_t size, int rows, const float* row_scale,
                          const float* column_scale, int64_t count, float* out, int64_t stride);
};

extern const Microkernels kMicrokernelsAvx2;
extern const Microkernels kMicrokernelsAvxVnni;
extern const Microkernels kMicrokernelsAvx512;
extern const Microkernels kMicrokernelsNeon;
extern const Microkernels kMicrokernelsNeonDot;

// Precondition: `isa` is supported and not scalar.
const Microkernels& microkernels(Isa isa);

}  // namespace cairn::exact
