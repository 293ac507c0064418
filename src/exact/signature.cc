#include "exact/signature.h"

#include <cmath>

#include "exact/arithmetic.h"
#include "exact/signature_inputs.h"

namespace cairn::exact {
namespace {

constexpr std::array kChannels = {
    Channels{1, 1, 1},          Channels{700, 33, 1},       Channels{3000, 3, 1},
    Channels{2, 2, kBlock - 1}, Channels{2, 2, kBlock + 1}, Channels{1, 2, 2 * kBlock + 5},
    Channels{9, 7, 49},         Channels{4, 16, 784},       Channels{33, 4, 2},
    Channels{6, 10, 17},        Channels{5, 64, 9}};

int64_t elements(const Channels& shape) {
  return shape.samples * shape.channels * shape.inner;
}

void quantize(Backend& backend, Section& section) {
  constexpr std::array kShapes = {Groups{1, 1, 1, 40000}, Groups{1, 1, 37, 1025}, Groups{1, 90, 77, 1},
                                  Groups{2, 30, 50, 9},   Groups{1, 1, 700, 10},  Groups{3, 40, 1, 80}};
  for (const Groups& shape : kShapes) {
    for (Kind kind : kKinds) {
      const std::vector<float> x = section.floats(shape.elements(), kind);
      for (int bits : {8, 13, 14, 15}) {
        std::vector<int16_t> q(x.size());
        std::vector<int32_t> e(static_cast<size_t>(shape.count()));
        const Quantized out{q.data(), e.data()};
        for (bool dither : {false, true}) {
          const bool finite = dither ? backend.quantize_dithered(x.data(), shape, bits, section.word(), out)
                                     : backend.quantize(x.data(), shape, bits, out);
          section.record(finite);
          if (!finite) continue;
          section.record(q);
          section.record(e);
        }
      }
    }
  }
}

void products(Backend& backend, Section& section) {
  struct Shape {
    int64_t m, n, k;
    int limit;  // k * limit^2 <= 2^48
  };
  constexpr std::array kShapes = {
      Shape{1, 1, 1, 16383},      Shape{3, 5, 7, 4095},       Shape{64, 64, 64, 4095},
      Shape{37, 131, 513, 4095},  Shape{12, 32, 2304, 4095},  Shape{13, 33, 2305, 4095},
      Shape{129, 10, 784, 8191},  Shape{7, 9, 16385, 16383},  Shape{100, 300, 500, 127},
      Shape{2, 48, 100003, 4095}, Shape{257, 530, 1100, 4095}};
  for (const Shape& s : kShapes) {
    const Operand a = section.operand({1, 1, s.m, s.k}, s.limit, -56, 63),
                  by_rows = section.operand({1, 1, s.n, s.k}, s.limit, -56, 63),
                  by_columns = section.operand({1, s.k, s.n, 1}, s.limit, -56, 63),
                  dy = section.operand({1, 1, s.k, s.m}, s.limit, -9, 12),
                  x = section.operand({1, 1, s.k, s.n}, s.limit, -56, -20);
    std::vector<float> c(static_cast<size_t>(s.m * s.n));
    backend.product_nt(s.m, s.n, s.k, a.view(), by_rows.view(), c.data());
    section.record(c);
    backend.product_nn(s.m, s.n, s.k, a.view(), by_columns.view(), c.data());
    section.record(c);
    backend.product_tn(s.m, s.n, s.k, dy.view(), x.view(), c.data());
    section.record(c);
  }
}

void convolutions(Backend& backend, Section& section) {
  constexpr std::array kShapes = {Convolution{2, 1, 3, 32, 32, 16, 32, 32, 3, 3, 1, 1, 1, 1},
                                  Convolution{3, 1, 16, 14, 14, 24, 7, 7, 3, 3, 2, 2, 1, 1},
                                  Convolution{2, 1, 3, 56, 50, 16, 28, 25, 7, 7, 2, 2, 3, 3},
                                  Convolution{5, 1, 32, 7, 7, 65, 7, 7, 1, 1},
                                  Convolution{2, 4, 16, 9, 11, 12, 7, 9, 3, 3},
                                  Convolution{2, 8, 8, 12, 12, 8, 12, 12, 3, 3, 1, 1, 1, 1},
                                  Convolution{2, 2, 6, 15, 17, 10, 6, 4, 3, 2, 2, 3, 2, 1, 2, 3},
                                  Convolution{3, 1, 1, 28, 28, 6, 24, 24, 5, 5},
                                  Convolution{2, 1, 300, 5, 5, 8, 5, 5, 3, 3, 1, 1, 1, 1},
                                  Convolution{2, 1, 64, 28, 28, 128, 14, 14, 3, 3, 2, 2, 1, 1}};
  for (const Convolution& c : kShapes) {
    const int limit = section.word() % 3 == 0 ? 16383 : 4095;
    const int64_t groups = c.channel_groups, in = c.in_channels / groups, out = c.out_channels / groups;
    const int64_t taps = c.kernel_height * c.kernel_width;
    const Operand x = section.operand({1, 1, c.batch * groups, in * c.in_height * c.in_width}, limit, -30, 8),
                  dy = section.operand({1, 1, c.batch * groups, out * c.out_height * c.out_width}, limit, -50,
                                       -20),
                  by_output = section.operand({1, 1, c.out_channels, in * taps}, limit, -40, 3),
                  by_input = section.operand({groups, out, in, taps}, limit, -40, 3);
    std::vector<float> y(dy.values.size()), dx(x.values.size()), dw(by_output.values.size());
    backend.convolve(c, x.view(), by_output.view(), y.data());
    backend.convolve_input_gradient(c, dy.view(), by_input.view(), dx.data());
    backend.convolve_weight_gradient(c, dy.view(), x.view(), dw.data());
    for (const auto* result : {&y, &dx, &dw}) section.record(*result);
  }
}

void sums(Backend& backend, Section& section) {
  for (const Channels& shape : kChannels) {
    for (Kind kind : kKinds) {
      const std::vector<float> x = section.floats(elements(shape), kind),
                               y = section.floats(elements(shape), Kind::wide);
      std::vector<float> first(static_cast<size_t>(shape.channels)), second(first);
      const auto record = [&](bool finite, bool both) {
        section.record(finite);
        if (!finite) return;
        section.record(first);
        if (both) section.record(second);
      };
      record(backend.sum(x.data(), shape, first.data()), false);
      record(backend.sum_products(x.data(), y.data(), shape, first.data()), false);
      record(backend.moments(x.data(), shape, first.data(), second.data()), true);
    }
  }
}

void elementwise(Backend& backend, Section& section) {
  using Unary = void (Backend::*)(const float*, int64_t, float*);
  using Binary = void (Backend::*)(const float*, const float*, int64_t, float*);
  using Scaling = void (Backend::*)(const float*, float, int64_t, float*);
  using PerChannel = void (Backend::*)(const float*, const float*, const Channels&, float*);
  constexpr int64_t kCount = 70001;
  for (Kind kind : kKinds) {
    const std::vector<float> a = section.floats(kCount, kind), b = section.floats(kCount, Kind::wide);
    const float factor = b[0];
    std::vector<float> y(b);
    for (Unary f : {&Backend::square_root, &Backend::relu, &Backend::exponential, &Backend::logarithm,
                    &Backend::hyperbolic_tangent, &Backend::error_function, &Backend::sigmoid}) {
      (backend.*f)(a.data(), kCount, y.data());
      section.record(y);
    }
    for (Binary f :
         {&Backend::add, &Backend::subtract, &Backend::multiply, &Backend::divide, &Backend::relu_gradient}) {
      (backend.*f)(a.data(), b.data(), kCount, y.data());
      section.record(y);
    }
    y = b;
    for (Scaling f : {&Backend::add_scaled, &Backend::scale}) {
      (backend.*f)(a.data(), factor, kCount, y.data());
      section.record(y);
    }
    for (PerChannel f : {&Backend::add_channels, &Backend::multiply_channels}) {
      for (const Channels& shape : {Channels{7, 100, 100}, Channels{100, 700, 1}, Channels{10, 1000, 7}}) {
        (backend.*f)(a.data(), b.data(), shape, y.data());
        section.record(y);
      }
    }
  }
}

void normalization(Backend& backend, Section& section) {
  for (const Channels& shape : kChannels) {
    for (Kind kind : {Kind::plain, Kind::wide, Kind::tiny, Kind::one_huge}) {
      const std::vector<float> x = section.floats(elements(shape), kind),
                               dy = section.floats(elements(shape), Kind::plain);
      const auto channel = [&](Kind k) { return section.floats(shape.channels, k); };
      const std::vector<float> mean = channel(Kind::plain), gamma = channel(Kind::wide),
                               beta = channel(Kind::plain);
      std::vector<float> variance = channel(Kind::tiny), inverse(variance), dgamma(variance), dbeta(variance);
      for (float& v : variance) v = std::fabs(v);
      std::vector<float> y(x.size()), dx(x.size());
      backend.inverse_deviation(variance.data(), 1e-5f, shape.channels, inverse.data());
      backend.normalize(x.data(), shape, mean.data(), inverse.data(), gamma.data(), beta.data(), y.data());
      section.record(inverse);
      section.record(y);
      const bool finite = backend.normalize_gradient(x.data(), dy.data(), shape, mean.data(), inverse.data(),
                                                     gamma.data(), dgamma.data(), dbeta.data(), dx.data());
      section.record(finite);
      if (!finite) continue;
      for (const auto* result : {&dgamma, &dbeta, &dx}) section.record(*result);
    }
  }
}

void pooling(Backend& backend, Section& section) {
  constexpr std::array kShapes = {Pooling{6, 32, 32, 16, 16, 2, 2, 2, 2},
                                  Pooling{3, 57, 57, 29, 29, 3, 3, 2, 2, 1, 1},
                                  Pooling{2, 12, 11, 12, 11, 3, 3, 1, 1, 1, 1, true},
                                  Pooling{2, 150, 130, 1, 1, 150, 130},
                                  Pooling{64, 7, 7, 1, 1, 7, 7},
                                  Pooling{2, 20, 31, 3, 7, 9, 11, 7, 5, 4, 5}};
  for (const Pooling& p : kShapes) {
    const int64_t outputs = p.planes * p.out_height * p.out_width;
    for (Kind kind : kKinds) {
      const std::vector<float> x = section.floats(p.planes * p.in_height * p.in_width, kind),
                               dy = section.floats(outputs, Kind::wide);
      std::vector<float> y(dy.size()), dx(x.size());
      std::vector<int32_t> chosen(dy.size());
      backend.max_pool(p, x.data(), y.data(), chosen.data());
      backend.max_pool_gradient(p, dy.data(), chosen.data(), dx.data());
      section.record(y);
      section.record(chosen);
      section.record(dx);
      const bool finite = backend.average_pool(p, x.data(), y.data());
      section.record(finite);
      if (finite) section.record(y);
      backend.average_pool_gradient(p, dy.data(), dx.data());
      section.record(dx);
    }
  }
}

void loss(Backend& backend, Section& section) {
  struct Shape {
    int64_t rows, classes;
  };
  for (const Shape& s : {Shape{1, 1}, Shape{64, 10}, Shape{300, 17}, Shape{20, 1000}}) {
    for (Kind kind : kKinds) {
      const std::vector<float> logits = section.floats(s.rows * s.classes, kind);
      std::vector<int32_t> labels(static_cast<size_t>(s.rows));
      for (int32_t& label : labels)
        label = static_cast<int32_t>(section.word() % static_cast<uint32_t>(s.classes));
      std::vector<float> losses(labels.size()), gradient(logits.size());
      const Targets targets{labels.data(), labels.data()};
      const bool finite = backend.softmax_cross_entropy(logits.data(), targets, s.rows, s.classes,
                                                        losses.data(), gradient.data());
      section.record(finite);
      if (!finite) continue;
      section.record(losses);
      section.record(gradient);
    }
  }
}

void activations(Backend& backend, Section& section) {
  constexpr int64_t kCount = 20001;
  for (Kind kind : kKinds) {
    const std::vector<float> x = section.floats(kCount, kind), dy = section.floats(kCount, Kind::plain);
    std::vector<float> y(x.size());
    for (int number = 0; number < kActivations; ++number) {
      const auto f = static_cast<Activation>(number);
      backend.activate(f, 0.25f, 0.75f, x.data(), kCount, y.data());
      section.record(y);
      backend.activation_gradient(f, 0.25f, 0.75f, x.data(), dy.data(), kCount, y.data());
      section.record(y);
    }
  }
}

void depthwise(Backend& backend, Section& section) {
  constexpr std::array kShapes = {Convolution{2, 8, 8, 12, 12, 8, 12, 12, 3, 3, 1, 1, 1, 1},
                                  Convolution{3, 5, 5, 57, 57, 5, 29, 29, 3, 3, 2, 2, 1, 1},
                                  Convolution{2, 3, 3, 15, 17, 3, 6, 4, 3, 2, 2, 3, 2, 1, 2, 3},
                                  Convolution{2, 16, 16, 7, 7, 16, 7, 7, 5, 5, 1, 1, 2, 2}};
  for (const Convolution& c : kShapes) {
    for (Kind kind : kKinds) {
      const int64_t planes = c.batch * c.channel_groups;
      const std::vector<float> x = section.floats(planes * c.in_height * c.in_width, kind),
                               dy = section.floats(planes * c.out_height * c.out_width, kind),
                               w = section.floats(c.channel_groups * c.kernel_height * c.kernel_width,
                                                  Kind::plain);
      std::vector<float> y(dy.size()), dx(x.size());
      backend.depthwise_convolve(c, x.data(), w.data(), y.data());
      section.record(y);
      backend.depthwise_input_gradient(c, dy.data(), w.data(), dx.data());
      section.record(dx);
    }
  }
}

void softmax(Backend& backend, Section& section) {
  struct Shape {
    int64_t rows, columns;
  };
  for (const Shape& s : {Shape{1, 1}, Shape{64, 197}, Shape{300, 17}, Shape{20, 1000}}) {
    for (Kind kind : kKinds) {
      const std::vector<float> x = section.floats(s.rows * s.columns, kind);
      std::vector<float> y(x.size());
      const bool finite = backend.softmax(x.data(), s.rows, s.columns, y.data());
      section.record(finite);
      if (finite) section.record(y);
    }
  }
}

void embedding(Backend& backend, Section& section) {
  struct Shape {
    int64_t count, rows, width;
  };
  for (const Shape& s : {Shape{1, 1, 1}, Shape{700, 33, 48}, Shape{64, 1000, 7}, Shape{3000, 2, 65}}) {
    for (Kind kind : kKinds) {
      const std::vector<float> dy = section.floats(s.count * s.width, kind);
      std::vector<float> indices(static_cast<size_t>(s.count)), dw(static_cast<size_t>(s.rows * s.width));
      for (float& index : indices) index = static_cast<float>(section.word() % static_cast<uint32_t>(s.rows));
      backend.embedding_gradient(indices.data(), dy.data(), s.count, s.rows, s.width, dw.data());
      section.record(dw);
    }
  }
}

void dropout(Backend& backend, Section& section) {
  constexpr int64_t kCount = 70001;
  for (Kind kind : kKinds) {
    const std::vector<float> x = section.floats(kCount, kind);
    std::vector<float> y(x.size());
    for (const uint32_t threshold : {0u, 0x1999999au, 0x80000000u, 0xffffffffu}) {
      backend.dropout(x.data(), kCount, section.word(), threshold, 1.25f, y.data());
      section.record(y);
    }
  }
}

// What a machine gives that computes as docs/formats/arithmetic.md says. It changes with kArithmeticVersion,
// with the inputs above, and with each section that is added at the end.
constexpr std::string_view kSignature = "5ca397653a21658b167d0fb883788536224a797135f4b4e29933761b734da9aa";

struct Part {
  const char* name;
  void (*run)(Backend&, Section&);
};
// The place in this list numbers the random sequence of a section.
constexpr std::array kParts = {Part{"quantize", quantize},        Part{"product", products},
                               Part{"convolution", convolutions}, Part{"sums", sums},
                               Part{"elementwise", elementwise},  Part{"normalization", normalization},
                               Part{"pooling", pooling},          Part{"loss", loss},
                               Part{"activations", activations},  Part{"depthwise", depthwise},
                               Part{"softmax", softmax},          Part{"embedding", embedding},
                               Part{"dropout", dropout}};

}  // namespace

std::vector<SectionSignature> selftest_signatures(Backend& backend) {
  std::vector<SectionSignature> result;
  for (const Part& part : kParts) {
    Section section(static_cast<uint32_t>(result.size()));
    part.run(backend, section);
    result.push_back({part.name, section.finish()});
  }
  return result;
}

Digest combined_signature(const std::vector<SectionSignature>& sections) {
  ByteWriter bytes;
  bytes.u32(kArithmeticVersion);
  for (const SectionSignature& section : sections) {
    bytes.string(section.name);
    bytes.raw(section.digest.bytes);
  }
  return Hasher("cairn self-test").update(bytes.bytes()).finish();
}

Digest expected_signature() {
  const Result<Digest> digest = Digest::from_hex(kSignature);
  CAIRN_ASSERT(digest.ok());
  return *digest;
}

}  // namespace cairn::exact
