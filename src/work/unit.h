// Units: which images a unit of work is made of.
#pragma once

#include <cstdint>
#include <vector>

#include "work/recipe.h"

namespace cairn::work {

// The training images of unit number `unit`, in the order in which they are computed; always
// recipe.unit_images() of them.
//
// The shuffled epochs stand one after the other in an endless sequence: position p is image
// permutation(p / train_count)(p mod train_count), and unit u has the positions [u * size, (u + 1) * size).
// So every epoch has every image exactly once, units are all the same size, and the unit at the end of an
// epoch takes its last images from the next one. Precondition: 1 <= train_count <= 2^31.
std::vector<uint32_t> unit_images(const Recipe& recipe, uint32_t train_count, uint32_t unit);

}  // namespace cairn::work
