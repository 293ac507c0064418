#include <cmath>

#include "exact/activations.h"
#include "exact/reference.h"

namespace cairn::exact {
namespace {

// Calls visit(element, channel) for every element.
template <typename Visit>
void for_each_element(const Channels& shape, Visit visit) {
  int64_t element = 0;
  for (int64_t sample = 0; sample < shape.samples; ++sample)
    for (int64_t channel = 0; channel < shape.channels; ++channel)
      for (int64_t i = 0; i < shape.inner; ++i) visit(element++, channel);
}

}  // namespace

void Reference::add(const float* a, const float* b, int64_t n, float* y) {
  for (int64_t i = 0; i < n; ++i) y[i] = a[i] + b[i];
}

void Reference::subtract(const float* a, const float* b, int64_t n, float* y) {
  for (int64_t i = 0; i < n; ++i) y[i] = a[i] - b[i];
}

void Reference::multiply(const float* a, const float* b, int64_t n, float* y) {
  for (int64_t i = 0; i < n; ++i) y[i] = a[i] * b[i];
}

void Reference::divide(const float* a, const float* b, int64_t n, float* y) {
  for (int64_t i = 0; i < n; ++i) y[i] = a[i] / b[i];
}

void Reference::square_root(const float* x, int64_t n, float* y) {
  for (int64_t i = 0; i < n; ++i) y[i] = std::sqrt(x[i]);
}

void Reference::scale(const float* x, float factor, int64_t n, float* y) {
  for (int64_t i = 0; i < n; ++i) y[i] = x[i] * factor;
}

void Reference::add_scaled(const float* x, float factor, int64_t n, float* y) {
  for (int64_t i = 0; i < n; ++i) y[i] = y[i] + x[i] * factor;
}

void Reference::add_channels(const float* x, const float* c, const Channels& shape, float* y) {
  for_each_element(shape, [=](int64_t i, int64_t channel) { y[i] = x[i] + c[channel]; });
}

void Reference::multiply_channels(const float* x, const float* c, const Channels& shape, float* y) {
  for_each_element(shape, [=](int64_t i, int64_t channel) { y[i] = x[i] * c[channel]; });
}

void Reference::relu(const float* x, int64_t n, float* y) {
  for (int64_t i = 0; i < n; ++i) y[i] = x[i] > 0.0f ? x[i] : 0.0f;
}

void Reference::relu_gradient(const float* y, const float* dy, int64_t n, float* dx) {
  for (int64_t i = 0; i < n; ++i) dx[i] = y[i] > 0.0f ? dy[i] : 0.0f;
}

void Reference::exponential(const float* x, int64_t n, float* y) {
  for (int64_t i = 0; i < n; ++i) y[i] = exp_exact(x[i]);
}

void Reference::logarithm(const float* x, int64_t n, float* y) {
  for (int64_t i = 0; i < n; ++i) y[i] = log_exact(x[i]);
}

void Reference::hyperbolic_tangent(const float* x, int64_t n, float* y) {
  for (int64_t i = 0; i < n; ++i) y[i] = tanh_exact(x[i]);
}

void Reference::error_function(const float* x, int64_t n, float* y) {
  for (int64_t i = 0; i < n; ++i) y[i] = erf_exact(x[i]);
}

void Reference::sigmoid(const float* x, int64_t n, float* y) {
  for (int64_t i = 0; i < n; ++i) y[i] = sigmoid_exact(x[i]);
}

void Reference::activate(Activation f, float a, float b, const float* x, int64_t n, float* y) {
  for (int64_t i = 0; i < n; ++i) y[i] = activation_value(f, x[i], a, b);
}

void Reference::activation_gradient(Activation f, float a, float b, const float* x, const float* dy,
                                    int64_t n, float* dx) {
  for (int64_t i = 0; i < n; ++i) dx[i] = dy[i] * activation_slope(f, x[i], a, b);
}

void Reference::dropout(const float* x, int64_t n, uint32_t key, uint32_t threshold, float scale, float* y) {
  for (int64_t i = 0; i < n; ++i)
    y[i] = mix(key + static_cast<uint32_t>(i)) < threshold ? 0.0f : x[i] * scale;
}

void Reference::inverse_deviation(const float* variance, float epsilon, int64_t n, float* y) {
  for (int64_t i = 0; i < n; ++i) y[i] = 1.0f / std::sqrt(variance[i] + epsilon);
}

void Reference::normalize(const float* x, const Channels& shape, const float* mean, const float* inverse,
                          const float* gamma, const float* beta, float* y) {
  for_each_element(
      shape, [=](int64_t i, int64_t c) { y[i] = ((x[i] - mean[c]) * inverse[c]) * gamma[c] + beta[c]; });
}

}  // namespace cairn::exact
