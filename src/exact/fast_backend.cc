#include "exact/fast_backend.h"

#include "exact/convolution.h"

namespace cairn::exact {

bool FastBackend::quantize(const float* x, const Groups& shape, int bits, Quantized out) {
  return reference_.quantize(x, shape, bits, out);
}

bool FastBackend::quantize_dithered(const float* x, const Groups& shape, int bits, uint32_t key,
                                    Quantized out) {
  return reference_.quantize_dithered(x, shape, bits, key, out);
}

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
  fast_convolve_weight_gradient(machine_, shape, dy, x, dw);
}

bool FastBackend::sum(const float* x, const Channels& shape, float* result) {
  return reference_.sum(x, shape, result);
}

bool FastBackend::sum_products(const float* x, const float* y, const Channels& shape, float* result) {
  return reference_.sum_products(x, y, shape, result);
}

bool FastBackend::moments(const float* x, const Channels& shape, float* mean, float* variance) {
  return reference_.moments(x, shape, mean, variance);
}

void FastBackend::add(const float* a, const float* b, int64_t n, float* y) {
  reference_.add(a, b, n, y);
}

void FastBackend::subtract(const float* a, const float* b, int64_t n, float* y) {
  reference_.subtract(a, b, n, y);
}

void FastBackend::multiply(const float* a, const float* b, int64_t n, float* y) {
  reference_.multiply(a, b, n, y);
}

void FastBackend::divide(const float* a, const float* b, int64_t n, float* y) {
  reference_.divide(a, b, n, y);
}

void FastBackend::square_root(const float* x, int64_t n, float* y) {
  reference_.square_root(x, n, y);
}

void FastBackend::scale(const float* x, float factor, int64_t n, float* y) {
  reference_.scale(x, factor, n, y);
}

void FastBackend::add_scaled(const float* x, float factor, int64_t n, float* y) {
  reference_.add_scaled(x, factor, n, y);
}

void FastBackend::add_channels(const float* x, const float* c, const Channels& shape, float* y) {
  reference_.add_channels(x, c, shape, y);
}

void FastBackend::multiply_channels(const float* x, const float* c, const Channels& shape, float* y) {
  reference_.multiply_channels(x, c, shape, y);
}

void FastBackend::relu(const float* x, int64_t n, float* y) {
  reference_.relu(x, n, y);
}

void FastBackend::relu_gradient(const float* y, const float* dy, int64_t n, float* dx) {
  reference_.relu_gradient(y, dy, n, dx);
}

void FastBackend::exponential(const float* x, int64_t n, float* y) {
  reference_.exponential(x, n, y);
}

void FastBackend::logarithm(const float* x, int64_t n, float* y) {
  reference_.logarithm(x, n, y);
}

void FastBackend::hyperbolic_tangent(const float* x, int64_t n, float* y) {
  reference_.hyperbolic_tangent(x, n, y);
}

void FastBackend::error_function(const float* x, int64_t n, float* y) {
  reference_.error_function(x, n, y);
}

void FastBackend::sigmoid(const float* x, int64_t n, float* y) {
  reference_.sigmoid(x, n, y);
}

void FastBackend::normalize(const float* x, const Channels& shape, const float* mean, const float* variance,
                            float epsilon, const float* gamma, const float* beta, float* inverse, float* y) {
  reference_.normalize(x, shape, mean, variance, epsilon, gamma, beta, inverse, y);
}

bool FastBackend::normalize_gradient(const float* x, const float* dy, const Channels& shape,
                                     const float* mean, const float* inverse, const float* gamma,
                                     float* dgamma, float* dbeta, float* dx) {
  return reference_.normalize_gradient(x, dy, shape, mean, inverse, gamma, dgamma, dbeta, dx);
}

void FastBackend::max_pool(const Pooling& shape, const float* x, float* y, int32_t* chosen) {
  reference_.max_pool(shape, x, y, chosen);
}

void FastBackend::max_pool_gradient(const Pooling& shape, const float* dy, const int32_t* chosen, float* dx) {
  reference_.max_pool_gradient(shape, dy, chosen, dx);
}

bool FastBackend::average_pool(const Pooling& shape, const float* x, float* y) {
  return reference_.average_pool(shape, x, y);
}

void FastBackend::average_pool_gradient(const Pooling& shape, const float* dy, float* dx) {
  reference_.average_pool_gradient(shape, dy, dx);
}

bool FastBackend::softmax_cross_entropy(const float* logits, const int32_t* labels, int64_t rows,
                                        int64_t classes, float* losses, float* gradient) {
  return reference_.softmax_cross_entropy(logits, labels, rows, classes, losses, gradient);
}

}  // namespace cairn::exact
