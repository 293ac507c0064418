#include "model/cpu_copies.h"

#include <algorithm>
#include <array>

namespace cairn::model {

void concatenate(const Blocks& g, std::span<const float* const> parts, float* y) {
  for (int64_t o = 0; o < g.outer; ++o) {
    for (size_t i = 0; i < parts.size(); ++i) y = std::copy_n(parts[i] + o * g.inner[i], g.inner[i], y);
  }
}

void cut(const Range& g, const float* x, float* y) {
  x += g.start * g.inner;
  for (int64_t o = 0; o < g.outer; ++o) y = std::copy_n(x + o * g.whole * g.inner, g.length * g.inner, y);
}

void surround(const Range& g, const float* x, float* y) {
  const int64_t before = g.start * g.inner, length = g.length * g.inner;
  const int64_t after = g.whole * g.inner - before - length;
  for (int64_t o = 0; o < g.outer; ++o) {
    y = std::fill_n(y, before, 0.0f);
    y = std::copy_n(x + o * length, length, y);
    y = std::fill_n(y, after, 0.0f);
  }
}

void permute(const Permutation& g, const float* x, float* y) {
  const size_t rank = g.shape.size();
  std::array<int64_t, kMaxRank> size{}, stride{}, index{};
  for (size_t d = 0; d < rank; ++d) {
    const auto from = static_cast<size_t>(g.order[d]);
    size[d] = g.shape[from];
    stride[d] = 1;
    for (size_t inner = from + 1; inner < rank; ++inner) stride[d] *= g.shape[inner];
  }
  // Row by row of the result; `index` counts through the rows.
  const int64_t last = size[rank - 1], step = stride[rank - 1], rows = elements(g.shape) / last;
  for (int64_t row = 0; row < rows; ++row) {
    const float* from = x;
    for (size_t d = 0; d + 1 < rank; ++d) from += index[d] * stride[d];
    for (int64_t i = 0; i < last; ++i) *y++ = from[i * step];
    for (size_t d = rank - 1; d-- > 0 && ++index[d] == size[d];) index[d] = 0;
  }
}

void repeat(const Repetition& g, const float* x, float* y) {
  for (int64_t o = 0; o < g.outer; ++o) {
    for (int64_t i = 0; i < g.count; ++i) y = std::copy_n(x + o * g.inner, g.inner, y);
  }
}

bool embed(const Lookup& g, const float* indices, const float* table, float* y) {
  for (int64_t p = 0; p < g.count; ++p) {
    const float index = indices[p];
    if (!(index >= 0 && index < static_cast<float>(g.rows))) return false;  // a NaN too
    const auto row = static_cast<int64_t>(index);
    if (static_cast<float>(row) != index) return false;
    y = std::copy_n(table + row * g.width, g.width, y);
  }
  return true;
}

}  // namespace cairn::model
