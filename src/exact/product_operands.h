// Operands and results that products and convolutions share.
#pragma once

#include <algorithm>

#include "exact/product_tiles.h"

namespace cairn::exact {

inline constexpr int kMostLanes = 32;

// A matrix of which each lane's k lie side by side: [lanes][k].
class LaneMatrix final : public PanelSource {
 public:
  LaneMatrix(const int16_t* values, int64_t k) : values_(values), k_(k) {}

  void pack(const Microkernels& kernels, int64_t begin, int64_t end, int64_t lane, int64_t lanes, int width,
            int16_t* panels) const override {
    for (; lanes > 0; lanes -= width, lane += width, panels += width * (end - begin)) {
      const int held = static_cast<int>(std::min<int64_t>(lanes, width));
      const int16_t* sources[kMostLanes];
      for (int i = 0; i < held; ++i) sources[i] = values_ + (lane + i) * k_ + begin;
      kernels.pack_lanes(sources, held, width, std::min(end, k_) - begin, panels);
    }
  }

 private:
  const int16_t* values_;
  int64_t k_;
};

// A dense matrix of results.
class MatrixSink final : public TileSink {
 public:
  MatrixSink(float* c, int64_t stride) : c_(c), stride_(stride) {}

  float* place(int64_t row, int64_t column, int64_t, int64_t* stride) const override {
    *stride = stride_;
    return c_ + row * stride_ + column;
  }
  void store(int64_t, int64_t, int64_t, const float*) const override {}

 private:
  float* c_;
  int64_t stride_;
};

}  // namespace cairn::exact
