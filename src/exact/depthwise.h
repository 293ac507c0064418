// Depthwise convolutions: every channel has a kernel of its own and nothing is added over channels.
#pragma once

#include "exact/kernels.h"
#include "exact/product.h"

namespace cairn::exact {

void fast_depthwise_convolve(Machine& machine, const Kernels& kernels, const Convolution& c, const float* x,
                             const float* w, float* y);
void fast_depthwise_input_gradient(Machine& machine, const Kernels& kernels, const Convolution& c,
                                   const float* dy, const float* w, float* dx);
// Backend::convolve_weight_gradient where is_depthwise(c).
void fast_depthwise_weight_gradient(Machine& machine, const Kernels& kernels, const Convolution& c,
                                    ConstQuantized dy, ConstQuantized x, float* dw);

}  // namespace cairn::exact
