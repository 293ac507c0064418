// Images as the operands of a matrix product, packed straight from the image (no patch matrix in memory).
//
// Under each tap of a kernel, the pixels of a grid meet pixels of the image. Counting grid pixels through all
// images gives positions; counting taps within channels gives patch elements.
#pragma once

#include <span>

#include "exact/product_operands.h"
#include "exact/product_runs.h"

namespace cairn::exact {

// Grid pixel (y, x) meets image pixel (y * step_y + tap.y, x * step_x + tap.x), or zero where that is
// outside.
struct Tap {
  int64_t y, x;
};

struct PatchGrid {
  const int16_t* values;  // the first channel of the group, of the first image
  int64_t image_stride;   // integers from one image to the next
  int64_t channels;
  int64_t height, width;  // of the image
  int64_t grid_height, grid_width;
  int64_t step_y, step_x;
  std::span<const Tap> taps;
  std::span<const ProductRuns::Item> images;  // where each image's grid pixels begin, ascending

  int64_t grid() const { return grid_height * grid_width; }

  // The strips of the grid pixels [begin, end) under a tap, for Microkernels::gather from a channel. Writes
  // at most end - begin of them; returns how many.
  int64_t cut_strips(const Tap& tap, int64_t begin, int64_t end, Strip* strips) const;
  // Where the grid pixels under the only tap lie side by side in the first channel, else null.
  const int16_t* in_place(int64_t begin, int64_t end) const;

  // Calls visit(image, first grid pixel, count, offset of the first from `begin`) for each image in order.
  template <typename Visit>
  void for_each_image(int64_t begin, int64_t end, Visit visit) const {
    auto item =
        std::upper_bound(images.begin(), images.end(), begin,
                         [](int64_t position, const auto& entry) { return position < entry.position; });
    if (item != images.begin()) --item;
    for (; item != images.end() && item->position < end; ++item) {
      const int64_t first = std::max(begin, item->position), last = std::min(end, item->position + grid());
      if (first < last) visit(item->index, first - item->position, last - first, first - begin);
    }
  }
};

// k: the patch elements. Lanes: the grid pixels.
class PatchSteps final : public PanelSource {
 public:
  explicit PatchSteps(const PatchGrid& grid) : grid_(grid) {}
  void pack(const Microkernels& kernels, int64_t begin, int64_t end, int64_t lane, int64_t lanes, int width,
            int16_t* panels, int worker) const override;

 private:
  const PatchGrid& grid_;
};

// k: the grid pixels. Lanes: the patch elements.
class PatchLanes final : public PanelSource {
 public:
  explicit PatchLanes(const PatchGrid& grid) : grid_(grid) {}
  void pack(const Microkernels& kernels, int64_t begin, int64_t end, int64_t lane, int64_t lanes, int width,
            int16_t* panels, int worker) const override;

 private:
  const PatchGrid& grid_;
};

}  // namespace cairn::exact
