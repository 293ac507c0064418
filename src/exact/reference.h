// The plain scalar reference: the definition of exact arithmetic, written as code.
//
// Short loops that say what docs/formats/arithmetic.md says, one file for each theme. Every other backend is
// compared with this one byte for byte.
#pragma once

#include "exact/backend.h"

namespace cairn::exact {

class Reference final : public Backend {
 public:
  explicit Reference(ThreadPool& pool) : pool_(pool) {}
  Isa isa() const override { return Isa::scalar; }

  [[nodiscard]] bool quantize(const float* x, const Groups&, int bits, Quantized out) override;
  [[nodiscard]] bool quantize_dithered(const float* x, const Groups&, int bits, uint32_t key,
                                       Quantized out) override;
  [[nodiscard]] bool finite(const float* x, int64_t n) override;
  void product_nt(int64_t m, int64_t n, int64_t k, ConstQuantized a, ConstQuantized b, float* c) override;
  void product_nn(int64_t m, int64_t n, int64_t k, ConstQuantized a, ConstQuantized b, float* c) override;
  void product_tn(int64_t m, int64_t n, int64_t k, ConstQuantized a, ConstQuantized b, float* c) override;
  void convolve(const Convolution&, ConstQuantized x, ConstQuantized w, float* y) override;
  void convolve_input_gradient(const Convolution&, ConstQuantized dy, ConstQuantized w, float* dx) override;
  void convolve_weight_gradient(const Convolution&, ConstQuantized dy, ConstQuantized x, float* dw) override;
  void depthwise_convolve(const Convolution&, const float* x, const float* w, float* y) override;
  void depthwise_input_gradient(const Convolution&, const float* dy, const float* w, float* dx) override;
  [[nodiscard]] bool sum(const float* x, const Channels&, float* result) override;
  [[nodiscard]] bool sum_products(const float* x, const float* y, const Channels&, float* result) override;
  [[nodiscard]] bool moments(const float* x, const Channels&, float* mean, float* variance) override;
  void add(const float* a, const float* b, int64_t n, float* y) override;
  void subtract(const float* a, const float* b, int64_t n, float* y) override;
  void multiply(const float* a, const float* b, int64_t n, float* y) override;
  void divide(const float* a, const float* b, int64_t n, float* y) override;
  void square_root(const float* x, int64_t n, float* y) override;
  void scale(const float* x, float factor, int64_t n, float* y) override;
  void add_scaled(const float* x, float factor, int64_t n, float* y) override;
  void add_channels(const float* x, const float* c, const Channels&, float* y) override;
  void multiply_channels(const float* x, const float* c, const Channels&, float* y) override;
  void relu(const float* x, int64_t n, float* y) override;
  void relu_gradient(const float* y, const float* dy, int64_t n, float* dx) override;
  void exponential(const float* x, int64_t n, float* y) override;
  void logarithm(const float* x, int64_t n, float* y) override;
  void hyperbolic_tangent(const float* x, int64_t n, float* y) override;
  void error_function(const float* x, int64_t n, float* y) override;
  void sigmoid(const float* x, int64_t n, float* y) override;
  void activate(Activation f, float a, float b, const float* x, int64_t n, float* y) override;
  void activation_gradient(Activation f, float a, float b, const float* x, const float* dy, int64_t n,
                           float* dx) override;
  void dropout(const float* x, int64_t n, uint32_t key, uint32_t threshold, float scale, float* y) override;
  void embedding_gradient(const float* indices, const float* dy, int64_t count, int64_t rows, int64_t width,
                          float* dw) override;
  void inverse_deviation(const float* variance, float epsilon, int64_t n, float* y) override;
  void normalize(const float* x, const Channels&, const float* mean, const float* inverse, const float* gamma,
                 const float* beta, float* y) override;
  [[nodiscard]] std::optional<size_t> run_chain(const Chain&) override;
  [[nodiscard]] bool normalize_gradient(const float* x, const float* dy, const Channels&, const float* mean,
                                        const float* inverse, const float* gamma, float* dgamma, float* dbeta,
                                        float* dx) override;
  void max_pool(const Pooling&, const float* x, float* y, int32_t* chosen) override;
  void max_pool_gradient(const Pooling&, const float* dy, const int32_t* chosen, float* dx) override;
  [[nodiscard]] bool average_pool(const Pooling&, const float* x, float* y) override;
  void average_pool_gradient(const Pooling&, const float* dy, float* dx) override;
  [[nodiscard]] bool softmax(const float* x, int64_t rows, int64_t columns, float* y) override;
  [[nodiscard]] bool softmax_cross_entropy(const float* logits, const Targets& targets, int64_t rows,
                                           int64_t classes, float* losses, float* gradient) override;

 private:
  ThreadPool& pool_;
};

}  // namespace cairn::exact
