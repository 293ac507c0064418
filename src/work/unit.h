// Units: which images a unit of work is made of.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "work/epoch.h"
#include "work/recipe.h"

namespace cairn::work {

// The training images of unit number `unit`, in the order in which they are computed; always
// recipe.unit_images() of them. `groups` are the data's (data::DataSet::groups).
//
// The epochs stand one after the other in an endless sequence, and unit u has its positions [u * size, (u +
// 1) * size). So every epoch has every image exactly once, units are all the same size, and the unit at the
// end of an epoch takes its last images from the next one.
std::vector<uint32_t> unit_images(const Recipe& recipe, std::span<const uint32_t> groups, uint32_t unit);

// Which units need which groups, for handing them out. Pure; safe for several threads.
class UnitOrder {
 public:
  // Precondition as that of Epoch.
  UnitOrder(const Recipe& recipe, std::vector<uint32_t> groups);

  uint32_t groups() const { return static_cast<uint32_t>(groups_.size()); }
  Epoch epoch(uint32_t number) const { return {seed_, RandomStream::permutation, number, groups_}; }

  // Where the unit's first image is.
  uint32_t epoch_of(uint32_t unit) const { return static_cast<uint32_t>(unit * size_ / images_); }
  uint32_t position_of(uint32_t unit) const { return static_cast<uint32_t>(unit * size_ % images_); }

  // For every group, by number: the units of an epoch whose first image is in it, before `end`. There are
  // 2^32 - 1 units at most.
  struct Range {
    uint32_t begin, end;
  };
  std::vector<Range> units_of(uint32_t epoch) const;

 private:
  Range units_at(uint64_t begin, uint64_t end) const;

  uint64_t seed_;
  uint64_t size_;  // images of a unit
  std::vector<uint32_t> groups_;
  uint64_t images_;  // of an epoch
};

}  // namespace cairn::work
