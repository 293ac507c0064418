#include "exact/convolution.h"
#include "exact/reference.h"

namespace cairn::exact {

void fast_convolve(Machine& machine, const Convolution& shape, ConstQuantized x, ConstQuantized w, float* y) {
  Reference(machine.pool).convolve(shape, x, w, y);
}

void fast_convolve_input_gradient(Machine& machine, const Convolution& shape, ConstQuantized dy,
                                  ConstQuantized w, float* dx) {
  Reference(machine.pool).convolve_input_gradient(shape, dy, w, dx);
}

void fast_convolve_weight_gradient(Machine& machine, const Convolution& shape, ConstQuantized dy,
                                   ConstQuantized x, float* dw) {
  Reference(machine.pool).convolve_weight_gradient(shape, dy, x, dw);
}

}  // namespace cairn::exact
