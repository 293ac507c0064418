// Packing of panels with NEON; see Microkernels.
#pragma once

#include "exact/microkernel.h"

namespace cairn::exact {

namespace neon {
void gather(const Strip* strips, int64_t count, int64_t step, const int16_t* channel, int64_t next,
            int16_t* out);
void pack_lanes(const int16_t* const* sources, int lanes, int width, int64_t k, int16_t* panel);
void pack_steps(const int16_t* const* sources, int64_t offset, int lanes, int width, int64_t pairs,
                int16_t* panel);
PanelSquares measure(const int16_t* panel, int width, int64_t pairs);
}  // namespace neon

// The same for panels of limbs: an integer q of at most 15 bits is 128 * high + low, both of 8 bits, and the
// place of a pair holds the two high limbs, then the two low ones.
namespace neon_limbs {
void pack_lanes(const int16_t* const* sources, int lanes, int width, int64_t k, int16_t* panel);
void pack_steps(const int16_t* const* sources, int64_t offset, int lanes, int width, int64_t pairs,
                int16_t* panel);
PanelSquares measure(const int16_t* panel, int width, int64_t pairs);
}  // namespace neon_limbs

}  // namespace cairn::exact
