// Images as the operands of a weight gradient: k counts the positions of all outputs (see Planes), lanes are
// channels, or channels under the taps of a kernel.
#pragma once

#include <span>

#include "exact/convolution_planes.h"
#include "exact/product_runs.h"
#include "exact/product_tiles.h"

namespace cairn::exact {

// What lane i takes in: the integers of `channel` at all positions, `shift` later.
struct PositionLane {
  int64_t channel, phase, shift;
};

// Each image of `items` occupies `steps` positions from its own on.
class PositionLanes : public PanelSource {
 public:
  PositionLanes(const Planes& planes, std::span<const ProductRuns::Item> items, int64_t steps)
      : planes_(planes), items_(items), steps_(steps) {}

  void pack(const Microkernels& kernels, int64_t begin, int64_t end, int64_t lane, int64_t lanes, int width,
            int16_t* panels) const override;

 protected:
  // A channel that does not exist stands for zeros.
  virtual PositionLane lane(int64_t index) const { return {index, 0, 0}; }
  virtual bool exists(const PositionLane&) const { return true; }
  virtual int64_t pairs_behind() const { return 0; }  // of an image, in a panel
  virtual int64_t reach() const { return 0; }         // between the shifts of a channel's lanes
  virtual bool is_raised() const { return true; }     // whether it is A, see ProductRuns::Item
  const Planes& planes() const { return planes_; }
  template <typename Filter>
  void pack_filtered(const Microkernels& kernels, int64_t begin, int64_t end, int64_t first_channel, int held,
                     int width, int64_t row_length, int64_t parities, int16_t* panels, Filter filter) const;

  // Calls visit(item, its first position, count) for each image in order.
  template <typename Visit>
  void for_each_image(int64_t begin, int64_t end, Visit visit) const;

 private:
  class Rows;

  template <typename Filter>
  void for_each_row(int64_t image, int64_t channel, int64_t row_length, int64_t begin, int64_t end,
                    int16_t** parts, Filter filter) const;
  void pack_panel(const Microkernels& kernels, int64_t begin, int64_t end, int64_t lane, int held, int width,
                  int16_t* panel) const;

  const Planes& planes_;
  std::span<const ProductRuns::Item> items_;
  int64_t steps_;
};

// Lane e is patch element e: a channel under a tap.
class PatchLanes final : public PositionLanes {
 public:
  PatchLanes(const Planes& planes, std::span<const ProductRuns::Item> items, int64_t steps,
             std::span<const PositionLane> taps)
      : PositionLanes(planes, items, steps), taps_(taps), reach_(planes.reach()) {}

 protected:
  PositionLane lane(int64_t index) const override;
  int64_t reach() const override { return reach_; }
  bool is_raised() const override { return false; }

 private:
  std::span<const PositionLane> taps_;  // by index; channel 0
  int64_t reach_;
};

// Each tile of columns has neighbouring channels under one tap. Taps whose shifts differ by whole pairs read
// the same panels, from different pairs on.
class SharedLanes : public PositionLanes {
 public:
  struct Tap {
    int64_t index;
    int64_t phase, shift;
    int64_t panel;  // among those of the same channels
  };

  // `taps` in ascending order of panels; taps of one panel have one phase and shifts of one parity.
  SharedLanes(const Planes& planes, std::span<const ProductRuns::Item> items, int64_t steps, int64_t channels,
              int64_t columns, std::span<const Tap> taps);

  int64_t panel_of(int64_t tile) const override;
  int64_t first_pair(int64_t tile) const override { return tap(tile).shift / 2; }
  int64_t panel_pairs(int64_t begin, int64_t end) const override;
  void place_pairs(int64_t begin, int64_t end, int32_t* places) const override;

  int64_t tiles() const { return blocks() * static_cast<int64_t>(taps_.size()); }
  const Tap& tap(int64_t tile) const { return taps_[static_cast<size_t>(tile) % taps_.size()]; }
  int64_t first_channel(int64_t tile) const { return tile / static_cast<int64_t>(taps_.size()) * columns_; }

 protected:
  PositionLane lane(int64_t index) const override;
  bool exists(const PositionLane& lane) const override { return lane.channel < channels_; }
  int64_t pairs_behind() const override { return most_shift_ / 2; }
  bool is_raised() const override { return false; }

 private:
  int64_t blocks() const { return (channels_ + columns_ - 1) / columns_; }

  int64_t channels_, columns_;
  std::span<const Tap> taps_;
  int64_t panels_, most_shift_ = 0;
};

// The parts of FilteredConvolution's filter in the gradient of weights,
//
//   dw0 = m0 + (m1 + m2) / 2, dw1 = (m1 - m2) / 2, dw2 = (m1 + m2) / 2 + m3,
//
// where m is the sum of filtered pixels times filtered gradients (see Microkernels::filter_lines): positions
// count pairs of neighbouring outputs, so many in a row. All parts are packed at once.
class FilteredPixelLanes final : public SharedLanes {
 public:
  // The phase of a tap is its part; a shift is one of positions. Panels are those of one part after the
  // other: first, where any tap needs them, of even shifts, then of odd ones.
  FilteredPixelLanes(const Microkernels& kernels, const Planes& planes,
                     std::span<const ProductRuns::Item> items, int64_t steps, int64_t channels,
                     int64_t row_length, std::span<const Tap> taps);

  void pack(const Microkernels& kernels, int64_t begin, int64_t end, int64_t lane, int64_t lanes, int width,
            int16_t* panels) const override;

 private:
  int64_t channels_, row_length_;
  int64_t parities_;  // panels of a part
};

class FilteredGradientLanes final : public PositionLanes {
 public:
  FilteredGradientLanes(const Planes& planes, std::span<const ProductRuns::Item> items, int64_t steps,
                        int64_t row_length)
      : PositionLanes(planes, items, steps), row_length_(row_length) {}

  void pack_parts(const Microkernels& kernels, int64_t begin, int64_t end, int64_t row, int64_t lanes,
                  int width, int16_t* panels) const override;

 private:
  int64_t row_length_;
};

}  // namespace cairn::exact
