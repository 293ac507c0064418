// The order in which an epoch goes through the training images: one group of shards after the other, shuffled
// within each. So a stretch of an epoch needs few shards, and who works on it downloads few.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "work/permutation.h"

namespace cairn::work {

// A pure function of its arguments, defined to the last bit in docs/formats/recipe.md.
class Epoch {
 public:
  // `groups` has the number of images in each group; images are numbered through, group after group.
  // Precondition: there is a group, each has an image, and together they have at most 2^31.
  Epoch(uint64_t seed, RandomStream stream, uint32_t number, std::span<const uint32_t> groups);

  uint32_t size() const { return starts_.back(); }  // images

  // Precondition of these: position < size(), and group < the number of groups.
  uint32_t image_at(uint32_t position) const;
  std::vector<uint32_t> images(uint32_t first, uint32_t count) const;  // at `count` positions from `first` on
  uint32_t group_at(uint32_t position) const { return places_[place_of(position)].group; }

  struct Range {
    uint32_t begin, end;
  };
  Range positions_of(uint32_t group) const;

 private:
  struct Place {
    uint32_t group;
    uint32_t first_image;
  };

  size_t place_of(uint32_t position) const;
  Permutation order_within(size_t place) const;

  uint64_t seed_;
  RandomStream stream_;
  uint32_t number_;
  std::vector<Place> places_;     // the groups in the order of the epoch
  std::vector<uint32_t> starts_;  // the first position of each, and the number of images
};

}  // namespace cairn::work
