#include "exact/fast_backend.h"

#include "exact/convolution.h"
#include "exact/depthwise.h"

namespace cairn::exact {

void FastBackend::product_nt(int64_t m, int64_t n, int64_t k, ConstQuantized a, ConstQuantized b, float* c) {
  fast_product_nt(machine_, m, n, k, a, b, c);
}

void FastBackend::product_nn(int64_t m, int64_t n, int64_t k, ConstQuantized a, ConstQuantized b, float* c) {
  fast_product_nn(machine_, m, n, k, a, b, c);
}

void FastBackend::product_tn(int64_t m, int64_t n, int64_t k, ConstQuantized a, ConstQuantized b, float* c) {
  fast_product_tn(machine_, m, n, k, a, b, c);
}

void FastBackend::convolve(const Convolution& shape, ConstQuantized x, ConstQuantized w, float* y) {
  fast_convolve(machine_, shape, x, w, y);
}

void FastBackend::convolve_input_gradient(const Convolution& shape, ConstQuantized dy, ConstQuantized w,
                                          float* dx) {
  fast_convolve_input_gradient(machine_, shape, dy, w, dx);
}

void FastBackend::convolve_weight_gradient(const Convolution& shape, ConstQuantized dy, ConstQuantized x,
                                           float* dw) {
  if (is_depthwise(shape)) return fast_depthwise_weight_gradient(machine_, kernels_, shape, dy, x, dw);
  fast_convolve_weight_gradient(machine_, shape, dy, x, dw);
}

void FastBackend::depthwise_convolve(const Convolution& shape, const float* x, const float* w, float* y) {
  fast_depthwise_convolve(machine_, kernels_, shape, x, w, y);
}

void FastBackend::depthwise_input_gradient(const Convolution& shape, const float* dy, const float* w,
                                           float* dx) {
  fast_depthwise_input_gradient(machine_, kernels_, shape, dy, w, dx);
}

}  // namespace cairn::exact
