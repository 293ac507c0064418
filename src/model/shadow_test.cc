#include "model/shadow.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <random>

#include "model/builtin.h"
#include "model/operators.h"

namespace cairn::model {
namespace {

bool is_parameter(const Graph& graph, ValueId value) {
  for (const Parameter& p : graph.parameters) {
    if (p.value == value) return true;
  }
  return false;
}

// Calls f(x, w, y) with element indices for each product x * w that adds to y.
template <typename F>
void convolution_taps(const Attributes& a, const Shape& x, const Shape& w, const Shape& y, F f) {
  const int64_t out_per_group = w[1] == 1 && w[0] == x[1] ? 1 : w[0] / a.groups;  // depthwise: one
  for (int64_t n = 0; n < y[0]; ++n) {
    for (int64_t oc = 0; oc < y[1]; ++oc) {
      for (int64_t position = 0; position < y[2] * y[3]; ++position) {
        const int64_t oh = position / y[3];
        const int64_t ow = position % y[3];
        for (int64_t tap = 0; tap < w[1] * w[2] * w[3]; ++tap) {
          const int64_t ic = oc / out_per_group * w[1] + tap / (w[2] * w[3]);
          const int64_t ih = oh * a.strides[0] - a.pads[0] + tap / w[3] % w[2] * a.dilations[0];
          const int64_t iw = ow * a.strides[1] - a.pads[1] + tap % w[3] * a.dilations[1];
          if (ih < 0 || ih >= x[2] || iw < 0 || iw >= x[3]) continue;
          f(((n * x[1] + ic) * x[2] + ih) * x[3] + iw, oc * w[1] * w[2] * w[3] + tap,
            (n * y[1] + oc) * y[2] * y[3] + position);
        }
      }
    }
  }
}

template <typename F>
void matrix_taps(int64_t m, int64_t n, int64_t k, bool transposed, F f) {
  for (int64_t row = 0; row < m; ++row) {
    for (int64_t column = 0; column < n; ++column) {
      for (int64_t i = 0; i < k; ++i) {
        f(row * k + i, transposed ? column * k + i : i * n + column, row * n + column);
      }
    }
  }
}

// Calls f(a, b, y) for each element of a broadcast result.
template <typename F>
void broadcast_taps(const Shadow& s, const Node& node, F f) {
  const Shape y = s.shape(node.outputs[0]);
  for (int64_t i = 0; i < elements(y); ++i) {
    int64_t index[2] = {0, 0};
    for (size_t side = 0; side < 2; ++side) {
      const Shape shape = s.shape(node.inputs[side]);
      int64_t rest = i;
      int64_t stride = 1;
      for (size_t back = 1; back <= shape.size(); ++back) {
        const int64_t position = rest % y[y.size() - back];
        rest /= y[y.size() - back];
        if (shape[shape.size() - back] != 1) index[side] += position * stride;
        stride *= shape[shape.size() - back];
      }
    }
    f(index[0], index[1], i);
  }
}

bool is_convolution(Operator op) {
  return op == Operator::conv || op == Operator::depthwise_conv;
}

// Calls f(a, b, y) for each product of the matrices that lie one behind the other.
template <typename F>
void batch_taps(const Shape& a, const Shape& b, F f) {
  const int64_t m = a[a.size() - 2], k = a.back(), n = b.back();
  for (int64_t i = 0; i < elements(a) / (m * k); ++i) {
    matrix_taps(m, n, k, false,
                [&](int64_t x, int64_t w, int64_t y) { f(i * m * k + x, i * k * n + w, i * m * n + y); });
  }
}

template <typename F>
void product_taps(const Shadow& s, const Node& node, F f) {
  const Shape x = s.shape(node.inputs[0]);
  const Shape w = s.shape(node.inputs[1]);
  if (is_convolution(node.op)) return convolution_taps(node.attributes, x, w, s.shape(node.outputs[0]), f);
  if (node.op == Operator::gemm) return matrix_taps(elements(x) / w[1], w[0], w[1], true, f);
  if (node.op == Operator::matmul) return matrix_taps(elements(x) / w[0], w[1], w[0], false, f);
  if (node.op == Operator::batch_matmul) return batch_taps(x, w, f);
  broadcast_taps(s, node, f);
}

// Calls f(y, window), the window being the indices of x that it meets and its size as the average divides by
// it.
template <typename F>
void windows(const Shadow& s, const Node& node, F f) {
  const Shape x = s.shape(node.inputs[0]);
  const Shape y = s.shape(node.outputs[0]);
  Attributes a = node.attributes;
  if (node.op == Operator::global_average_pool)
    a = {.kernel = {x[2], x[3]}, .strides = {1, 1}, .pads = {0, 0, 0, 0}};
  for (int64_t i = 0; i < elements(y); ++i) {
    const int64_t plane = i / (y[2] * y[3]);
    const int64_t top = i / y[3] % y[2] * a.strides[0] - a.pads[0];
    const int64_t left = i % y[3] * a.strides[1] - a.pads[1];
    std::vector<int64_t> window;
    for (int64_t h = std::max<int64_t>(top, 0); h < std::min(top + a.kernel[0], x[2]); ++h) {
      for (int64_t w = std::max<int64_t>(left, 0); w < std::min(left + a.kernel[1], x[3]); ++w) {
        window.push_back((plane * x[2] + h) * x[3] + w);
      }
    }
    const auto met = static_cast<double>(window.size());
    f(i, window, a.count_padding ? static_cast<double>(a.kernel[0] * a.kernel[1]) : met);
  }
}

int64_t largest(const Doubles& x, const std::vector<int64_t>& window) {
  int64_t best = window[0];
  for (int64_t i : window) {
    if (x[i] > x[best]) best = i;
  }
  return best;
}

bool is_layout(Operator op) {
  return op == Operator::concat || op == Operator::slice || op == Operator::pad || op == Operator::transpose;
}

bool is_constant(const Graph& graph, ValueId value) {
  for (const Node& node : graph.nodes) {
    if (node.op == Operator::constant && node.outputs[0] == value) return true;
  }
  return false;
}

// Calls f(x, y) where x is an element of the table that an Embedding takes.
template <typename F>
void embedding_taps(const Shadow& s, const Node& node, F f) {
  const Doubles& indices = s.values[node.inputs[0]];
  const int64_t width = s.shape(node.inputs[1])[1];
  for (size_t p = 0; p < indices.size(); ++p) {
    for (int64_t i = 0; i < width; ++i)
      f(static_cast<int64_t>(indices[p]) * width + i, static_cast<int64_t>(p) * width + i);
  }
}

Shape index_of(int64_t element, const Shape& shape) {
  Shape index(shape.size());
  for (size_t d = shape.size(); d-- > 0; element /= shape[d]) index[d] = element % shape[d];
  return index;
}

// The element, or nothing outside of the shape.
std::optional<int64_t> element_at(const Shape& index, const Shape& shape) {
  int64_t element = 0;
  for (size_t d = 0; d < shape.size(); ++d) {
    if (index[d] < 0 || index[d] >= shape[d]) return std::nullopt;
    element = element * shape[d] + index[d];
  }
  return element;
}

// Calls f(x, y) for each element of an Expand's input and each place that it goes to.
template <typename F>
void expand_taps(const Shadow& s, const Node& node, F f) {
  const Shape y_shape = s.shape(node.outputs[0]);
  Shape x_shape = s.shape(node.inputs[0]);
  x_shape.insert(x_shape.begin(), y_shape.size() - x_shape.size(), 1);
  for (int64_t y = 0; y < elements(y_shape); ++y) {
    Shape index = index_of(y, y_shape);
    for (size_t d = 0; d < index.size(); ++d) index[d] = x_shape[d] == 1 ? 0 : index[d];
    f(*element_at(index, x_shape), y);
  }
}

// Which operand a Max or Min takes.
bool takes_first(const Node& node, double a, double b) {
  return node.op == Operator::maximum ? a > b : b > a;
}

bool is_choice(Operator op) {
  return op == Operator::maximum || op == Operator::minimum;
}

// Calls f(input, its element, y) for each element that goes from an input to the output.
template <typename F>
void layout_taps(const Shadow& s, const Node& node, F f) {
  const Shape y_shape = s.shape(node.outputs[0]);
  const Attributes& a = node.attributes;
  const auto axis = static_cast<size_t>(a.axis);
  for (int64_t y = 0; y < elements(y_shape); ++y) {
    int64_t start = 0;  // of this input in a Concat
    for (ValueId input : node.inputs) {
      const Shape x_shape = s.shape(input);
      const Shape at = index_of(y, y_shape);
      Shape index = at;
      if (node.op == Operator::concat) index[axis] -= start;
      if (node.op == Operator::slice) index[axis] += a.start;
      if (node.op == Operator::pad) index[2] -= a.pads[0], index[3] -= a.pads[1];
      for (size_t d = 0; d < a.permutation.size(); ++d) index[static_cast<size_t>(a.permutation[d])] = at[d];
      if (const auto x = element_at(index, x_shape)) f(input, *x, y);
      if (node.op == Operator::concat) start += x_shape[axis];
    }
  }
}

// Softmax and RowNormalization: y, and dx from y and dy, of one row.
Doubles row_values(const Node& node, std::span<const double> x) {
  Doubles y(x.begin(), x.end());
  const auto n = static_cast<double>(x.size());
  if (node.op == Operator::softmax) {
    double sum = 0;
    for (double& v : y) sum += v = std::exp(v);
    for (double& v : y) v /= sum;
    return y;
  }
  double mean = 0, variance = 0;
  for (double v : x) mean += v / n;
  for (double v : x) variance += (v - mean) * (v - mean) / n;
  for (double& v : y) v = (v - mean) / std::sqrt(variance + double{node.attributes.epsilon});
  return y;
}

Doubles row_gradient(const Node& node, std::span<const double> x, std::span<const double> y,
                     std::span<const double> dy) {
  const auto n = static_cast<double>(x.size());
  double mean = 0, variance = 0, sum = 0, sum_products = 0;
  for (double v : x) mean += v / n;
  for (double v : x) variance += (v - mean) * (v - mean) / n;
  for (size_t i = 0; i < y.size(); ++i) sum += dy[i], sum_products += dy[i] * y[i];
  const double inverse = 1 / std::sqrt(variance + double{node.attributes.epsilon});
  Doubles dx;
  for (size_t i = 0; i < y.size(); ++i) {
    dx.push_back(node.op == Operator::softmax ? y[i] * (dy[i] - sum_products)
                                              : (dy[i] - sum / n - y[i] * sum_products / n) * inverse);
  }
  return dx;
}

bool is_row_wise(Operator op) {
  return op == Operator::softmax || op == Operator::row_normalization;
}

size_t row_length(const Shadow& s, const Node& node) {
  const Shape x = s.shape(node.inputs[0]);
  int64_t length = 1;
  for (auto d = static_cast<size_t>(node.attributes.axis); d < x.size(); ++d) length *= x[d];
  return static_cast<size_t>(length);
}

double sigmoid(double x) {
  return 1 / (1 + std::exp(-x));
}

double clipped(double x, double low, double high) {
  return std::min(std::max(x, low), high);
}

bool within(double x, double low, double high) {
  return x > low && x < high;
}

// A function of one variable and its slope.
struct Point {
  double value, slope;
};

std::optional<Point> activation(const Node& node, double x) {
  const double a = double{node.attributes.alpha}, b = double{node.attributes.beta};
  const double s = sigmoid(x), e = std::exp(x), sixth = x / 6 + 0.5;
  switch (node.op) {
    case Operator::sigmoid:
      return Point{s, s * (1 - s)};
    case Operator::tanh:
      return Point{std::tanh(x), 1 - std::tanh(x) * std::tanh(x)};
    case Operator::erf:
      return Point{std::erf(x), 2 / std::sqrt(std::acos(-1)) * std::exp(-x * x)};
    case Operator::exp:
      return Point{e, e};
    case Operator::log:
      return Point{std::log(x), 1 / x};
    case Operator::sqrt:
      return Point{std::sqrt(x), 0.5 / std::sqrt(x)};
    case Operator::reciprocal:
      return Point{1 / x, -1 / (x * x)};
    case Operator::abs:
      return Point{std::fabs(x), x > 0 ? 1.0 : x < 0 ? -1.0 : 0.0};
    case Operator::neg:
      return Point{-x, -1};
    case Operator::square:
      return Point{x * x, 2 * x};
    case Operator::cube:
      return Point{x * x * x, 3 * x * x};
    case Operator::clip:
      return Point{clipped(x, a, b), within(x, a, b) ? 1.0 : 0.0};
    case Operator::leaky_relu:
      return Point{x > 0 ? x : a * x, x > 0 ? 1 : a};
    case Operator::selu:
      return Point{b * (x > 0 ? x : a * (e - 1)), b * (x > 0 ? 1 : a * e)};
    case Operator::softplus:
      return Point{std::log1p(e), s};
    case Operator::hard_sigmoid:
      return Point{clipped(a * x + b, 0, 1), within(a * x + b, 0, 1) ? a : 0.0};
    case Operator::hard_swish:
      return Point{x * clipped(sixth, 0, 1), within(sixth, 0, 1) ? sixth + x / 6 : sixth >= 1 ? 1.0 : 0.0};
    case Operator::add_constant:
      return Point{x + a, 1};
    case Operator::multiply_constant:
      return Point{x * a, a};
    default:
      return std::nullopt;
  }
}

struct Normal {
  int64_t channels, inner, count;
  Doubles mean, inverse;
  int64_t channel(int64_t i) const { return i / inner % channels; }
};

Normal normal(const Shadow& s, const Node& node) {
  const Shape shape = s.shape(node.inputs[0]);
  const Doubles& x = s.values[node.inputs[0]];
  Normal r{shape[1], elements(shape) / (shape[0] * shape[1]), elements(shape) / shape[1], {}, {}};
  Doubles squares(r.channels);
  r.mean.resize(r.channels);
  r.inverse.resize(r.channels);
  for (size_t i = 0; i < x.size(); ++i) r.mean[r.channel(i)] += x[i] / static_cast<double>(r.count);
  for (size_t i = 0; i < x.size(); ++i) {
    const double d = x[i] - r.mean[r.channel(i)];
    squares[r.channel(i)] += d * d / static_cast<double>(r.count);
  }
  for (int64_t c = 0; c < r.channels; ++c)
    r.inverse[c] = 1 / std::sqrt(squares[c] + double{node.attributes.epsilon});
  return r;
}

int64_t bias_size(const Shadow& s, const Node& node) {
  return elements(s.shape(node.inputs[2]));
}

bool is_product(Operator op) {
  return is_convolution(op) || op == Operator::gemm || op == Operator::matmul || op == Operator::multiply ||
         op == Operator::batch_matmul;
}

void normalize_backward(Shadow& s, const Node& node) {
  const Normal r = normal(s, node);
  const Doubles& x = s.values[node.inputs[0]];
  const Doubles& gamma = s.values[node.inputs[1]];
  const Doubles& dy = s.gradients[node.outputs[0]];
  Doubles dgamma(r.channels);
  Doubles dbeta(r.channels);
  for (size_t i = 0; i < x.size(); ++i) {
    const int64_t c = r.channel(i);
    dgamma[c] += dy[i] * (x[i] - r.mean[c]) * r.inverse[c];
    dbeta[c] += dy[i];
  }
  const auto n = static_cast<double>(r.count);
  for (size_t i = 0; i < x.size(); ++i) {
    const int64_t c = r.channel(i);
    const double xhat = (x[i] - r.mean[c]) * r.inverse[c];
    s.gradients[node.inputs[0]][i] += gamma[c] * r.inverse[c] * (dy[i] - dbeta[c] / n - xhat * dgamma[c] / n);
  }
  for (int64_t c = 0; c < r.channels; ++c) {
    s.gradients[node.inputs[1]][c] += dgamma[c];
    s.gradients[node.inputs[2]][c] += dbeta[c];
  }
}

}  // namespace

Shadow::Shadow(const Graph& g, int64_t n, std::span<const float> parameters, std::span<const float> input)
    : graph(g), batch(n), values(g.shapes.size()), gradients(g.shapes.size()) {
  values[graph.input].assign(input.begin(), input.end());
  size_t offset = 0;
  for (const Parameter& p : graph.parameters) {
    const auto part = parameters.subspan(offset, static_cast<size_t>(elements(graph.shapes[p.value])));
    values[p.value].assign(part.begin(), part.end());
    offset += part.size();
  }
}

Shape Shadow::shape(ValueId value) const {
  Shape result = graph.shapes[value];
  if (!is_parameter(graph, value) && !is_constant(graph, value)) result[0] = batch;
  return result;
}

void Shadow::forward(const std::vector<Doubles>& given) {
  for (size_t n = 0; n < graph.nodes.size(); ++n) {
    if (given.empty()) {
      forward_node(graph.nodes[n]);
    } else {
      output(graph.nodes[n]) = given[n];
    }
  }
}

void Shadow::forward_node(const Node& node) {
  if (node.op == Operator::constant) {
    output(node).assign(node.attributes.values.begin(), node.attributes.values.end());
    return;
  }
  const Doubles& x = values[node.inputs[0]];
  Doubles& y = output(node);
  const Shape y_shape = shape(node.outputs[0]);
  y.assign(static_cast<size_t>(elements(y_shape)), 0);
  if (is_product(node.op)) {
    const Doubles& w = values[node.inputs[1]];
    product_taps(*this, node, [&](int64_t a, int64_t b, int64_t i) { y[i] += x[a] * w[b]; });
    const int64_t inner = is_convolution(node.op) ? y_shape[2] * y_shape[3] : 1;
    if (node.inputs.size() < 3) return;
    for (size_t i = 0; i < y.size(); ++i) y[i] += values[node.inputs[2]][i / inner % bias_size(*this, node)];
  } else if (node.op == Operator::add) {
    const Doubles& other = values[node.inputs[1]];
    broadcast_taps(*this, node, [&](int64_t a, int64_t b, int64_t i) { y[i] = x[a] + other[b]; });
  } else if (node.op == Operator::batch_normalization) {
    const Normal r = normal(*this, node);
    for (size_t i = 0; i < x.size(); ++i) {
      const int64_t c = r.channel(i);
      y[i] = (x[i] - r.mean[c]) * r.inverse[c] * values[node.inputs[1]][c] + values[node.inputs[2]][c];
    }
  } else if (node.op == Operator::relu) {
    for (size_t i = 0; i < x.size(); ++i) y[i] = std::max(x[i], 0.0);
  } else if (node.op == Operator::max_pool) {
    windows(*this, node, [&](int64_t i, const auto& window, double) { y[i] = x[largest(x, window)]; });
  } else if (node.op == Operator::average_pool || node.op == Operator::global_average_pool) {
    windows(*this, node, [&](int64_t i, const auto& window, double size) {
      for (int64_t j : window) y[i] += x[j] / size;
    });
  } else if (is_layout(node.op)) {
    layout_taps(*this, node, [&](ValueId input, int64_t j, int64_t i) { y[i] = values[input][j]; });
  } else if (node.op == Operator::expand) {
    expand_taps(*this, node, [&](int64_t j, int64_t i) { y[i] = x[j]; });
  } else if (node.op == Operator::embedding) {
    embedding_taps(*this, node, [&](int64_t j, int64_t i) { y[i] = values[node.inputs[1]][j]; });
  } else if (is_choice(node.op)) {
    const Doubles& other = values[node.inputs[1]];
    for (size_t i = 0; i < x.size(); ++i) y[i] = takes_first(node, x[i], other[i]) ? x[i] : other[i];
  } else if (is_row_wise(node.op)) {
    const size_t length = row_length(*this, node);
    for (size_t i = 0; i < x.size(); i += length)
      std::ranges::copy(row_values(node, std::span(x).subspan(i, length)), y.begin() + i);
  } else if (activation(node, 1)) {
    for (size_t i = 0; i < x.size(); ++i) y[i] = activation(node, x[i])->value;
  } else {
    y = x;
  }
}

void Shadow::backward_node(const Node& node) {
  if (node.op == Operator::constant) return;
  const Doubles& x = values[node.inputs[0]];
  Doubles& dx = gradients[node.inputs[0]];
  const Doubles& dy = gradients[node.outputs[0]];
  const Shape y_shape = shape(node.outputs[0]);
  if (is_product(node.op)) {
    const Doubles& w = values[node.inputs[1]];
    Doubles& dw = gradients[node.inputs[1]];
    product_taps(*this, node, [&](int64_t a, int64_t b, int64_t i) {
      dx[a] += dy[i] * w[b];
      dw[b] += dy[i] * x[a];
    });
    const int64_t inner = is_convolution(node.op) ? y_shape[2] * y_shape[3] : 1;
    if (node.inputs.size() < 3) return;
    for (size_t i = 0; i < dy.size(); ++i)
      gradients[node.inputs[2]][i / inner % bias_size(*this, node)] += dy[i];
  } else if (node.op == Operator::add) {
    Doubles& db = gradients[node.inputs[1]];
    broadcast_taps(*this, node, [&](int64_t a, int64_t b, int64_t i) {
      dx[a] += dy[i];
      db[b] += dy[i];
    });
  } else if (node.op == Operator::batch_normalization) {
    normalize_backward(*this, node);
  } else if (node.op == Operator::relu) {
    for (size_t i = 0; i < dy.size(); ++i) dx[i] += output(node)[i] > 0 ? dy[i] : 0;
  } else if (node.op == Operator::max_pool) {
    windows(*this, node, [&](int64_t i, const auto& window, double) { dx[largest(x, window)] += dy[i]; });
  } else if (node.op == Operator::average_pool || node.op == Operator::global_average_pool) {
    windows(*this, node, [&](int64_t i, const auto& window, double size) {
      for (int64_t j : window) dx[j] += dy[i] / size;
    });
  } else if (is_layout(node.op)) {
    layout_taps(*this, node, [&](ValueId input, int64_t j, int64_t i) { gradients[input][j] += dy[i]; });
  } else if (node.op == Operator::expand) {
    expand_taps(*this, node, [&](int64_t j, int64_t i) { dx[j] += dy[i]; });
  } else if (node.op == Operator::embedding) {
    embedding_taps(*this, node, [&](int64_t j, int64_t i) { gradients[node.inputs[1]][j] += dy[i]; });
  } else if (is_choice(node.op)) {
    const Doubles& other = values[node.inputs[1]];
    for (size_t i = 0; i < dy.size(); ++i)
      (takes_first(node, x[i], other[i]) ? dx : gradients[node.inputs[1]])[i] += dy[i];
  } else if (is_row_wise(node.op)) {
    const size_t length = row_length(*this, node);
    for (size_t i = 0; i < x.size(); i += length) {
      const auto row = [&](const Doubles& all) { return std::span(all).subspan(i, length); };
      const Doubles part = row_gradient(node, row(x), row(output(node)), row(dy));
      for (size_t j = 0; j < length; ++j) dx[i + j] += part[j];
    }
  } else if (activation(node, 1)) {
    for (size_t i = 0; i < dy.size(); ++i) dx[i] += dy[i] * activation(node, x[i])->slope;
  } else {
    for (size_t i = 0; i < dy.size(); ++i) dx[i] += dy[i];
  }
}

namespace {

Doubles softmax(std::span<const double> z) {
  const double top = *std::max_element(z.begin(), z.end());
  Doubles p;
  double sum = 0;
  for (double value : z) sum += p.emplace_back(std::exp(value - top));
  for (double& value : p) value /= sum;
  return p;
}

}  // namespace

double Shadow::loss(std::span<const int32_t> labels) const {
  const auto classes = static_cast<size_t>(graph.shapes[graph.output].back());
  double total = 0;
  for (size_t row = 0; row < labels.size(); ++row) {
    const auto z = std::span(values[graph.output]).subspan(row * classes, classes);
    total -= std::log(softmax(z)[labels[row]]);
  }
  return total / static_cast<double>(labels.size());
}

std::vector<Doubles> Shadow::backward(std::span<const int32_t> labels) {
  for (size_t v = 0; v < values.size(); ++v) gradients[v].assign(values[v].size(), 0);
  const auto classes = static_cast<size_t>(graph.shapes[graph.output].back());
  for (size_t row = 0; row < labels.size(); ++row) {
    Doubles p = softmax(std::span(values[graph.output]).subspan(row * classes, classes));
    p[labels[row]] -= 1;
    for (size_t c = 0; c < classes; ++c)
      gradients[graph.output][row * classes + c] = p[c] / static_cast<double>(labels.size());
  }
  for (size_t n = graph.nodes.size(); n-- > 0;) backward_node(graph.nodes[n]);
  std::vector<Doubles> result;
  for (const Parameter& p : graph.parameters) result.push_back(gradients[p.value]);
  return result;
}

double norm(const Doubles& x) {
  double squares = 0;
  for (double value : x) squares += value * value;
  return std::sqrt(squares);
}

double relative_error(std::span<const float> a, const Doubles& b, double floor) {
  Doubles difference;
  for (size_t i = 0; i < b.size(); ++i) difference.push_back(double{a[i]} - b[i]);
  return norm(difference) / std::max(norm(b), floor);
}

namespace {

// The shadow itself is checked by central finite differences.
TEST(Shadow, GradientsAgreeWithFiniteDifferences) {
  std::mt19937 random(1);
  std::normal_distribution<float> normal_distribution;
  for (std::string_view name : builtin_names()) {
    const int64_t side = name == "resnet8" ? 6 : 16;
    const Graph graph = *builtin_model(name, {1, 2, side, side}, 3);
    const std::vector<float> parameters = initial_parameters(graph, 2);
    std::vector<float> input(static_cast<size_t>(2 * 2 * side * side));
    for (float& value : input) value = normal_distribution(random);
    const std::vector<int32_t> labels = {2, 0};
    Shadow shadow(graph, 2, parameters, input);
    shadow.forward();
    const std::vector<Doubles> gradients = shadow.backward(labels);
    for (size_t p = 0; p < graph.parameters.size(); ++p) {
      Doubles& values = shadow.values[graph.parameters[p].value];
      const size_t i = random() % values.size();
      const double before = values[i];
      const double step = 1e-6;
      values[i] = before + step;
      shadow.forward();
      const double up = shadow.loss(labels);
      values[i] = before - step;
      shadow.forward();
      const double down = shadow.loss(labels);
      values[i] = before;
      EXPECT_NEAR(gradients[p][i], (up - down) / (2 * step), 1e-5 * norm(gradients[p]) + 1e-8)
          << graph.parameters[p].name;
    }
  }
}

}  // namespace
}  // namespace cairn::model
