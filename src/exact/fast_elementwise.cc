#include <cmath>

#include "exact/fast_backend.h"
#include "exact/parallel.h"

namespace cairn::exact {
namespace {

constexpr int64_t kGrain = 1 << 15;
// Runs shorter than this are worked on a whole sample at a time, with one parameter for each element.
constexpr int64_t kShortRun = 32;

// A vector with one value for each channel, repeated for each element of the channel.
float* expand(Scratch& scratch, const float* c, const Channels& shape) {
  float* result = scratch.take<float>(shape.channels * shape.inner);
  for (int64_t channel = 0; channel < shape.channels; ++channel)
    std::fill(result + channel * shape.inner, result + (channel + 1) * shape.inner, c[channel]);
  return result;
}

// Calls body(first element, channel) for every run of `inner` elements of one channel.
template <typename Body>
void for_each_run(ThreadPool& pool, const Channels& shape, Body body) {
  parallel_for(pool, shape.samples * shape.channels, kGrain / shape.inner + 1,
               [&](int64_t begin, int64_t end, int) {
                 for (int64_t run = begin; run < end; ++run) body(run * shape.inner, run % shape.channels);
               });
}

// Calls body(first element) for every sample.
template <typename Body>
void for_each_sample(ThreadPool& pool, const Channels& shape, Body body) {
  const int64_t size = shape.channels * shape.inner;
  parallel_for(pool, shape.samples, kGrain / std::max<int64_t>(size, 1) + 1,
               [&](int64_t begin, int64_t end, int) {
                 for (int64_t sample = begin; sample < end; ++sample) body(sample * size);
               });
}

}  // namespace

void FastBackend::apply(Kernels::Unary kernel, const float* x, int64_t n, float* y) {
  parallel_for(machine_.pool, n, kGrain,
               [=](int64_t begin, int64_t end, int) { kernel(x + begin, end - begin, y + begin); });
}

void FastBackend::apply(Kernels::Binary kernel, const float* a, const float* b, int64_t n, float* y) {
  parallel_for(machine_.pool, n, kGrain, [=](int64_t begin, int64_t end, int) {
    kernel(a + begin, b + begin, end - begin, y + begin);
  });
}

void FastBackend::apply(Kernels::WithConstant kernel, const float* x, float c, int64_t n, float* y) {
  parallel_for(machine_.pool, n, kGrain,
               [=](int64_t begin, int64_t end, int) { kernel(x + begin, c, end - begin, y + begin); });
}

void FastBackend::apply_channels(Kernels::WithConstant run, Kernels::Binary row, const float* x,
                                 const float* c, const Channels& shape, float* y) {
  machine_.scratch.reset();
  if (shape.inner >= kShortRun) {
    for_each_run(machine_.pool, shape,
                 [=](int64_t start, int64_t channel) { run(x + start, c[channel], shape.inner, y + start); });
  } else {
    const float* each = shape.inner == 1 ? c : expand(machine_.scratch, c, shape);
    for_each_sample(machine_.pool, shape,
                    [=](int64_t start) { row(x + start, each, shape.channels * shape.inner, y + start); });
  }
}

void FastBackend::add(const float* a, const float* b, int64_t n, float* y) {
  apply(kernels_.add, a, b, n, y);
}

void FastBackend::subtract(const float* a, const float* b, int64_t n, float* y) {
  apply(kernels_.subtract, a, b, n, y);
}

void FastBackend::multiply(const float* a, const float* b, int64_t n, float* y) {
  apply(kernels_.multiply, a, b, n, y);
}

void FastBackend::divide(const float* a, const float* b, int64_t n, float* y) {
  apply(kernels_.divide, a, b, n, y);
}

void FastBackend::scale(const float* x, float factor, int64_t n, float* y) {
  apply(kernels_.scale, x, factor, n, y);
}

void FastBackend::add_scaled(const float* x, float factor, int64_t n, float* y) {
  apply(kernels_.add_scaled, x, factor, n, y);
}

void FastBackend::square_root(const float* x, int64_t n, float* y) {
  apply(kernels_.square_root, x, n, y);
}

void FastBackend::relu(const float* x, int64_t n, float* y) {
  apply(kernels_.relu, x, n, y);
}

void FastBackend::exponential(const float* x, int64_t n, float* y) {
  apply(kernels_.exponential, x, n, y);
}

void FastBackend::logarithm(const float* x, int64_t n, float* y) {
  apply(kernels_.logarithm, x, n, y);
}

void FastBackend::hyperbolic_tangent(const float* x, int64_t n, float* y) {
  apply(kernels_.hyperbolic_tangent, x, n, y);
}

void FastBackend::error_function(const float* x, int64_t n, float* y) {
  apply(kernels_.error_function, x, n, y);
}

void FastBackend::sigmoid(const float* x, int64_t n, float* y) {
  apply(kernels_.sigmoid, x, n, y);
}

void FastBackend::activate(Activation f, float a, float b, const float* x, int64_t n, float* y) {
  const auto kernel = kernels_.activate[static_cast<size_t>(f)];
  parallel_for(machine_.pool, n, kGrain,
               [=](int64_t begin, int64_t end, int) { kernel(x + begin, a, b, end - begin, y + begin); });
}

void FastBackend::activation_gradient(Activation f, float a, float b, const float* x, const float* dy,
                                      int64_t n, float* dx) {
  const auto kernel = kernels_.activation_gradient[static_cast<size_t>(f)];
  parallel_for(machine_.pool, n, kGrain, [=](int64_t begin, int64_t end, int) {
    kernel(x + begin, dy + begin, a, b, end - begin, dx + begin);
  });
}

void FastBackend::dropout(const float* x, int64_t n, uint32_t key, uint32_t threshold, float scale,
                          float* y) {
  parallel_for(machine_.pool, n, kGrain, [=, this](int64_t begin, int64_t end, int) {
    kernels_.dropout(x + begin, key + static_cast<uint32_t>(begin), threshold, scale, end - begin, y + begin);
  });
}

void FastBackend::relu_gradient(const float* y, const float* dy, int64_t n, float* dx) {
  apply(kernels_.relu_gradient, y, dy, n, dx);
}

void FastBackend::add_channels(const float* x, const float* c, const Channels& shape, float* y) {
  apply_channels(kernels_.add_constant, kernels_.add, x, c, shape, y);
}

void FastBackend::multiply_channels(const float* x, const float* c, const Channels& shape, float* y) {
  apply_channels(kernels_.scale, kernels_.multiply, x, c, shape, y);
}

void FastBackend::inverse_deviation(const float* variance, float epsilon, int64_t n, float* y) {
  for (int64_t i = 0; i < n; ++i) y[i] = 1.0f / std::sqrt(variance[i] + epsilon);
}

void FastBackend::normalize(const float* x, const Channels& shape, const float* mean, const float* inverse,
                            const float* gamma, const float* beta, float* y) {
  if (shape.inner >= kShortRun) {
    for_each_run(machine_.pool, shape, [&](int64_t start, int64_t c) {
      kernels_.normalize(x + start, mean[c], inverse[c], gamma[c], beta[c], shape.inner, y + start);
    });
    return;
  }
  machine_.scratch.reset();
  const auto each = [&](const float* c) { return expand(machine_.scratch, c, shape); };
  const float *means = each(mean), *inverses = each(inverse), *gammas = each(gamma), *betas = each(beta);
  for_each_sample(machine_.pool, shape, [&](int64_t start) {
    kernels_.normalize_each(x + start, means, inverses, gammas, betas, shape.channels * shape.inner,
                            y + start);
  });
}

}  // namespace cairn::exact
