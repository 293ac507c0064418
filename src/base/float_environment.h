// The floating-point environment that exact arithmetic needs: round to nearest even, subnormals kept.
#pragma once

namespace cairn {

// Sets the environment of the calling thread. Every thread that computes calls it once (ThreadPool does for
// its own).
void set_float_environment();

}  // namespace cairn
