// Convolutions of the fast backends.
#pragma once

#include "exact/product.h"

namespace cairn::exact {

void fast_convolve(Machine&, const Convolution&, ConstQuantized x, ConstQuantized w, float* y);
void fast_convolve_input_gradient(Machine&, const Convolution&, ConstQuantized dy, ConstQuantized w,
                                  float* dx);
void fast_convolve_weight_gradient(Machine&, const Convolution&, ConstQuantized dy, ConstQuantized x,
                                   float* dw);

}  // namespace cairn::exact
