// The operators of exact arithmetic, as every processor must compute them.
//
// `docs/formats/arithmetic.md` defines each result to the last bit. Every Backend gives the same bytes:
// `reference()` is the plain transcription of the definition, the others are fast and are compared with it
// byte for byte.
//
// Tensors are dense, row-major (images as NCHW) arrays of finite IEEE binary32. Outputs never overlap inputs
// unless a function says so. A function that returns `bool` returns false where a value has diverged (NaN,
// infinity or too large for the exponent range); its outputs are then unspecified. Sizes are at least 1, but
// n of the element-wise functions may be 0.
//
// A Backend object owns scratch memory: one thread calls it at a time, and it spreads the work over the
// ThreadPool it was made with. The number of threads never shows in a result.
#pragma once

#include <climits>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/threads.h"

namespace cairn::exact {

// Changes whenever the definition changes the bits of any result.
inline constexpr uint32_t kArithmeticVersion = 1;

enum class Isa { scalar, neon, neon_dot, avx2, avx_vnni, avx512_vnni };

std::string_view isa_name(Isa isa);                // "avx512-vnni": as above, with - for _
Result<Isa> isa_from_name(std::string_view name);  // also "auto": the best that this processor runs
std::vector<Isa> supported_isas();                 // what this processor runs, slowest first; scalar always
std::vector<Isa> built_isas();                     // likewise, what processors of this family run

// How a tensor divides into groups that share an exponent. The tensor is [outer][repeat][groups][inner];
// element (o, a, g, i) belongs to group o * groups + g. Examples:
//   rows of a matrix [rows][columns]:             {1, 1, rows, columns}
//   columns of a matrix [rows][columns]:          {1, rows, columns, 1}
//   image and channel group of [N][C][H][W]:      {1, 1, N * channel_groups, C / channel_groups * H * W}
//   output channel of weights [OC][IC][KH][KW]:   {1, 1, OC, IC * KH * KW}   (IC: of one channel group)
//   input channel of weights:                     {channel_groups, OC / channel_groups, IC, KH * KW}
struct Groups {
  int64_t outer = 1;
  int64_t repeat = 1;
  int64_t groups = 1;
  int64_t inner = 1;

  int64_t elements() const { return outer * repeat * groups * inner; }
  int64_t count() const { return outer * groups; }
};

// The exponent of a group of zeros: it contributes nothing to any product or sum. Operators may rely on its
// integers being 0.
inline constexpr int32_t kEmptyGroup = INT32_MIN;

// Integers q and one exponent e for each group: the tensor q * 2^e. |q| <= 2^(bits-1) - 1; the bits change no
// result, only how fast it comes.
struct Quantized {
  int16_t* values = nullptr;
  int32_t* exponents = nullptr;
  int bits = 15;
};
struct ConstQuantized {
  const int16_t* values = nullptr;
  const int32_t* exponents = nullptr;
  int bits = 15;

  ConstQuantized(const int16_t* v, const int32_t* e, int b = 15) : values(v), exponents(e), bits(b) {}
  ConstQuantized(Quantized q)
      : values(q.values), exponents(q.exponents), bits(q.bits) {}  // NOLINT: reading is always allowed
};

struct Convolution {
  int64_t batch, channel_groups;
  int64_t in_channels, in_height, in_width;  // in_channels counts all channel groups
  int64_t out_channels, out_height, out_width;
  int64_t kernel_height, kernel_width;
  int64_t stride_height = 1, stride_width = 1;
  int64_t pad_top = 0, pad_left = 0;  // padding at the bottom and right follows from the output size
  int64_t dilation_height = 1, dilation_width = 1;
};

// Every channel has a kernel of its own, and the zeros around an image stay few.
inline constexpr int64_t kMaxDepthwiseReach = 255;
inline bool is_depthwise(const Convolution& c) {
  return c.channel_groups == c.in_channels && c.channel_groups == c.out_channels &&
         (c.kernel_height - 1) * c.dilation_height <= kMaxDepthwiseReach &&
         (c.kernel_width - 1) * c.dilation_width <= kMaxDepthwiseReach && c.pad_top <= kMaxDepthwiseReach &&
         c.pad_left <= kMaxDepthwiseReach;
}

struct Pooling {
  int64_t planes;  // batch * channels
  int64_t in_height, in_width, out_height, out_width;
  int64_t kernel_height, kernel_width;
  int64_t stride_height = 1, stride_width = 1;
  int64_t pad_top = 0, pad_left = 0;
  bool count_padding = false;  // AveragePool only
};

// A tensor seen as [samples][channels][inner]: statistics run over samples and inner, one result for each
// channel. Blocks of exact sums end at each sample and at 2^14 elements.
struct Channels {
  int64_t samples, channels, inner;
};

// Functions of one variable, with the constants a and b that some of them have.
enum class Activation : uint8_t {
  sigmoid,
  hyperbolic_tangent,
  error_function,
  exponential,
  logarithm,
  square_root,
  reciprocal,
  absolute,
  negate,
  square,
  cube,
  clip,        // to [a, b]
  leaky_relu,  // a: the slope below 0
  elu,         // a: what it tends to below 0, b: the factor of all
  softplus,
  hard_sigmoid,  // x * a + b, clipped to [0, 1]
  hard_swish,
  add_constant,       // a
  multiply_constant,  // a
};
inline constexpr int kActivations = 19;

struct Chain;  // exact/chain.h

// What a classifier should have said. Of each row's two labels the first has `share` of the weight; of all of
// it, `smoothing` is spread evenly over all classes.
struct Targets {
  const int32_t* labels;
  const int32_t* others;  // the same as labels, where a row has one
  float share = 1;
  float smoothing = 0;
};

class Backend {
 public:
  virtual ~Backend() = default;
  virtual Isa isa() const = 0;

  // -- Quantization --
  // 2 <= bits <= 15.
  [[nodiscard]] virtual bool quantize(const float* x, const Groups&, int bits, Quantized out) = 0;
  // Dithered: for gradients. `key` is a Philox word; the dither of element i (row-major index mod 2^32) is
  // mix(key + i).
  [[nodiscard]] virtual bool quantize_dithered(const float* x, const Groups&, int bits, uint32_t key,
                                               Quantized out) = 0;

  // Whether no value is NaN or infinite.
  [[nodiscard]] virtual bool finite(const float* x, int64_t n) = 0;

  // -- Matrix products --
  // The layer's forward product (a = X, b = W):
  // c[m][n] = sum over k of a[m][k] * b[n][k]; exponents of a by m, of b by n.
  virtual void product_nt(int64_t m, int64_t n, int64_t k, ConstQuantized a, ConstQuantized b, float* c) = 0;
  // The input gradient (a = dY, b = W, k = outputs of the layer):
  // c[m][n] = sum over k of a[m][k] * b[k][n]; exponents of a by m, of b by n.
  virtual void product_nn(int64_t m, int64_t n, int64_t k, ConstQuantized a, ConstQuantized b, float* c) = 0;
  // The weight gradient (a = dY, b = X, k = rows of both):
  // c[m][n] = sum over k of a[k][m] * b[k][n]; exponents of both by k, aligned to the largest.
  // k * largest |a| * largest |b| <= 2^48: k <= 2^24 for operands of 13 bits.
  virtual void product_tn(int64_t m, int64_t n, int64_t k, ConstQuantized a, ConstQuantized b, float* c) = 0;

  // -- Convolutions --
  // Exponents of x and dy by (image, channel group), of w by output channel.
  virtual void convolve(const Convolution&, ConstQuantized x, ConstQuantized w, float* y) = 0;
  // Exponents of w by input channel: group (channel group, input channel within it).
  virtual void convolve_input_gradient(const Convolution&, ConstQuantized dy, ConstQuantized w,
                                       float* dx) = 0;
  // dw [OC][IC / channel_groups][KH][KW]; the sum over images is aligned.
  // batch * out_height * out_width * largest |dy| * largest |x| <= 2^48, as for product_tn.
  virtual void convolve_weight_gradient(const Convolution&, ConstQuantized dy, ConstQuantized x,
                                        float* dw) = 0;

  // Where is_depthwise(): in binary32, tap after tap, from +0.
  virtual void depthwise_convolve(const Convolution&, const float* x, const float* w, float* y) = 0;
  virtual void depthwise_input_gradient(const Convolution&, const float* dy, const float* w, float* dx) = 0;

  // -- Exact sums --
  // samples * inner <= 2^32.
  [[nodiscard]] virtual bool sum(const float* x, const Channels&, float* result) = 0;
  // The sum of the rounded products x * y.
  [[nodiscard]] virtual bool sum_products(const float* x, const float* y, const Channels&, float* result) = 0;
  [[nodiscard]] virtual bool moments(const float* x, const Channels&, float* mean, float* variance) = 0;

  // -- Element-wise --
  // Single IEEE operations in the order written; exp and the like as arithmetic.md lists them. An output may
  // be the same array as an input.
  virtual void add(const float* a, const float* b, int64_t n, float* y) = 0;
  virtual void subtract(const float* a, const float* b, int64_t n, float* y) = 0;
  virtual void multiply(const float* a, const float* b, int64_t n, float* y) = 0;
  virtual void divide(const float* a, const float* b, int64_t n, float* y) = 0;
  virtual void square_root(const float* x, int64_t n, float* y) = 0;
  virtual void scale(const float* x, float factor, int64_t n, float* y) = 0;       // y = x * factor
  virtual void add_scaled(const float* x, float factor, int64_t n, float* y) = 0;  // y = y + x * factor
  virtual void add_channels(const float* x, const float* c, const Channels&,
                            float* y) = 0;  // y = x + c[channel]
  virtual void multiply_channels(const float* x, const float* c, const Channels&,
                                 float* y) = 0;                // y = x * c[channel]
  virtual void relu(const float* x, int64_t n, float* y) = 0;  // x > 0 ? x : +0
  virtual void relu_gradient(const float* y, const float* dy, int64_t n, float* dx) = 0;  // y > 0 ? dy : +0
  virtual void exponential(const float* x, int64_t n, float* y) = 0;
  virtual void logarithm(const float* x, int64_t n, float* y) = 0;
  virtual void hyperbolic_tangent(const float* x, int64_t n, float* y) = 0;
  virtual void error_function(const float* x, int64_t n, float* y) = 0;
  virtual void sigmoid(const float* x, int64_t n, float* y) = 0;
  // y = f(x), and dx = dy * f'(x).
  virtual void activate(Activation f, float a, float b, const float* x, int64_t n, float* y) = 0;
  virtual void activation_gradient(Activation f, float a, float b, const float* x, const float* dy, int64_t n,
                                   float* dx) = 0;
  // y = mix(key + i) < threshold ? +0 : x * scale, with i the element's index mod 2^32. Its gradient is the
  // same function of dy.
  virtual void dropout(const float* x, int64_t n, uint32_t key, uint32_t threshold, float scale,
                       float* y) = 0;

  // -- Embedding --
  // The gradient of a table [rows][width] of which row indices[p] was taken for each p < count: from +0, row
  // p of dy [count][width] is added to row indices[p] of dw, in ascending p. Every index is a whole number of
  // [0, rows).
  virtual void embedding_gradient(const float* indices, const float* dy, int64_t count, int64_t rows,
                                  int64_t width, float* dw) = 0;

  // -- Normalization --
  // y = 1 / sqrt(variance + epsilon)
  virtual void inverse_deviation(const float* variance, float epsilon, int64_t n, float* y) = 0;
  // y = ((x - mean) * inverse) * gamma + beta. y may be x.
  virtual void normalize(const float* x, const Channels&, const float* mean, const float* inverse,
                         const float* gamma, const float* beta, float* y) = 0;
  // Gradient of batch normalization with training statistics. n = samples * inner:
  //   xhat = (x - mean) * inverse;  dbeta = sum(dy);  dgamma = sum(dy * xhat);
  //   dx = ((dy - dbeta / n) - xhat * (dgamma / n)) * (gamma * inverse). dx may be x or dy.
  [[nodiscard]] virtual bool normalize_gradient(const float* x, const float* dy, const Channels&,
                                                const float* mean, const float* inverse, const float* gamma,
                                                float* dgamma, float* dbeta, float* dx) = 0;

  // -- Several of these in one go --
  // The first step whose checked result has diverged, or the number of steps if the end has; then all outputs
  // are unspecified.
  [[nodiscard]] virtual std::optional<size_t> run_chain(const Chain&) = 0;

  // -- Pooling --
  // Every window has at least one value inside the input.
  // `chosen` is the index within the input plane of the first largest value in row-major order.
  virtual void max_pool(const Pooling&, const float* x, float* y, int32_t* chosen) = 0;
  // Adds in ascending order of outputs, from +0.
  virtual void max_pool_gradient(const Pooling&, const float* dy, const int32_t* chosen, float* dx) = 0;
  // The exact sum of the values inside the input (one block), divided by their number or, where padding
  // counts, by kernel_height * kernel_width.
  [[nodiscard]] virtual bool average_pool(const Pooling&, const float* x, float* y) = 0;
  // Adds each output's share to its window, in ascending order of outputs, from +0.
  virtual void average_pool_gradient(const Pooling&, const float* dy, float* dx) = 0;

  // -- Softmax, and with cross-entropy --
  [[nodiscard]] virtual bool softmax(const float* x, int64_t rows, int64_t columns, float* y) = 0;
  // For each row of `logits` [rows][classes]: losses[row] = log(s) - (logits[label] - max), by the shares of
  // the row's two labels, and gradient = (softmax - target) / rows. `gradient` may be null. 0 <= label <
  // classes.
  [[nodiscard]] virtual bool softmax_cross_entropy(const float* logits, const Targets& targets, int64_t rows,
                                                   int64_t classes, float* losses, float* gradient) = 0;
};

// Precondition: `isa` is one of supported_isas(). The pool outlives the backend.
std::unique_ptr<Backend> make_backend(Isa isa, ThreadPool& pool);

}  // namespace cairn::exact
