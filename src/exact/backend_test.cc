// Every fast operator but products and convolutions against the reference, byte for byte.
#include "exact/backend.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <sstream>

#include "exact/isa_test.h"
#include "exact/reference.h"
#include "exact/test_values.h"

namespace cairn::exact {
namespace {

class BackendTest : public IsaTest {
 protected:
  void SetUp() override {
    IsaTest::SetUp();
    if (IsSkipped()) return;
    for (int threads = 1; threads <= 4; ++threads) {
      pools_.push_back(std::make_unique<ThreadPool>(threads));
      fast_.push_back(make_backend(GetParam(), *pools_.back()));
    }
  }

  // What an operator gave: whether it succeeded, and all its outputs.
  struct Outcome {
    bool finite = true;
    std::vector<std::vector<uint8_t>> outputs;

    template <typename T>
    void add(const std::vector<T>& values) {
      const auto* bytes = reinterpret_cast<const uint8_t*>(values.data());
      outputs.emplace_back(bytes, bytes + values.size() * sizeof(T));
    }
  };

  // Runs the operator on the reference and on the fast backend with one to four threads.
  void compare(const std::function<Outcome(Backend&)>& run, const std::string& what) {
    const Outcome expected = run(reference_);
    for (size_t i = 0; i < fast_.size(); ++i) {
      const Outcome got = run(*fast_[i]);
      ASSERT_EQ(got.finite, expected.finite) << what << ", threads " << i + 1;
      ASSERT_TRUE(!expected.finite || got.outputs == expected.outputs) << what << ", threads " << i + 1;
      (expected.finite ? finite_ : diverged_)++;
    }
  }

  // Both must have happened, or the test has shown nothing.
  void expect_both_outcomes() const {
    EXPECT_GT(finite_, 0);
    EXPECT_GT(diverged_, 0);
  }

  // The bits of a NaN are nobody's promise.
  static std::vector<float> canonical(std::vector<float> values) {
    for (float& v : values) v = v != v ? 0.0f : v;
    return values;
  }

  int64_t pick(int64_t least, int64_t most) {
    return least + static_cast<int64_t>(random_() % static_cast<uint64_t>(most - least + 1));
  }
  std::vector<float> floats(int64_t n, int kind) {
    return random_floats(random_, n, static_cast<Floats>(kind));
  }

  std::mt19937_64 random_{20261123};
  ThreadPool one_{1};
  Reference reference_{one_};
  std::vector<std::unique_ptr<ThreadPool>> pools_;
  std::vector<std::unique_ptr<Backend>> fast_;
  int finite_ = 0, diverged_ = 0;
};

std::string name(const Groups& g, int kind, int bits) {
  std::ostringstream text;
  text << "[" << g.outer << "," << g.repeat << "," << g.groups << "," << g.inner << "] kind " << kind
       << " bits " << bits;
  return text.str();
}

std::string name(const Channels& c, int kind) {
  std::ostringstream text;
  text << "[" << c.samples << "," << c.channels << "," << c.inner << "] kind " << kind;
  return text.str();
}

TEST_P(BackendTest, Quantize) {
  std::vector<Groups> shapes = {{1, 1, 1, 300000}, {1, 40, 1, 8000}, {1, 1, 3, 70000}, {1, 900, 77, 1},
                                {2, 30, 50, 9},    {1, 1, 700, 10},  {1, 1, 1, 1}};
  for (int i = 0; i < 12; ++i) shapes.push_back({pick(1, 3), pick(1, 9), pick(1, 20), pick(1, 40)});
  for (const Groups& shape : shapes) {
    for (int kind = 0; kind < kFloats; ++kind) {
      const int bits = static_cast<int>(pick(2, 15));
      const std::vector<float> x = floats(shape.elements(), kind);
      const uint32_t key = static_cast<uint32_t>(random_());
      for (bool dither : {false, true}) {
        compare(
            [&](Backend& backend) {
              std::vector<int16_t> q(x.size(), 77);
              std::vector<int32_t> e(static_cast<size_t>(shape.count()), 77);
              Outcome outcome;
              outcome.finite =
                  dither ? backend.quantize_dithered(x.data(), shape, bits, key, {q.data(), e.data()})
                         : backend.quantize(x.data(), shape, bits, {q.data(), e.data()});
              outcome.add(q);
              outcome.add(e);
              return outcome;
            },
            name(shape, kind, bits));
      }
    }
  }
  expect_both_outcomes();
}

TEST_P(BackendTest, QuantizedIntegersFitTheirBits) {
  for (int bits = 2; bits <= 15; ++bits) {
    for (int kind : {0, 2, 3, 6, 7}) {
      const std::vector<float> x = floats(4000, kind);
      std::vector<int16_t> q(x.size());
      std::vector<int32_t> e(8);
      for (int round = 0; round < 2; ++round) {
        const Groups shape{1, 1, 8, 500};
        const bool finite = round == 0
                                ? fast_[0]->quantize(x.data(), shape, bits, {q.data(), e.data()})
                                : fast_[0]->quantize_dithered(x.data(), shape, bits, 5, {q.data(), e.data()});
        ASSERT_TRUE(finite) << kind;
        const int limit = (1 << (bits - 1)) - 1;
        for (int16_t v : q) ASSERT_LE(std::abs(v), limit);
      }
    }
  }
}

std::vector<Channels> statistics_shapes() {
  return {{1, 1, 1},      {3, 5, 1},          {700, 33, 1},       {20000, 3, 1},          {4, 600, 1},
          {2, 3, kBlock}, {2, 3, kBlock - 1}, {2, 2, kBlock + 1}, {1, 2, 3 * kBlock + 5}, {9, 7, 49},
          {5, 16, 784},   {33, 4, 2},         {6, 10, 17},        {1, 3, 40000},          {70, 64, 9}};
}

TEST_P(BackendTest, Sums) {
  for (const Channels& shape : statistics_shapes()) {
    const int64_t n = shape.samples * shape.channels * shape.inner;
    for (int kind = 0; kind < kFloats; ++kind) {
      const std::vector<float> x = floats(n, kind), y = floats(n, static_cast<int>(pick(0, 7)));
      compare(
          [&](Backend& backend) {
            std::vector<float> sum(static_cast<size_t>(shape.channels));
            Outcome outcome;
            outcome.finite = backend.sum(x.data(), shape, sum.data());
            outcome.add(sum);
            return outcome;
          },
          "sum " + name(shape, kind));
      compare(
          [&](Backend& backend) {
            std::vector<float> sum(static_cast<size_t>(shape.channels));
            Outcome outcome;
            outcome.finite = backend.sum_products(x.data(), y.data(), shape, sum.data());
            outcome.add(sum);
            return outcome;
          },
          "sum of products " + name(shape, kind));
    }
  }
  expect_both_outcomes();
}

TEST_P(BackendTest, Moments) {
  for (const Channels& shape : statistics_shapes()) {
    for (int kind = 0; kind < kFloats; ++kind) {
      const std::vector<float> x = floats(shape.samples * shape.channels * shape.inner, kind);
      compare(
          [&](Backend& backend) {
            std::vector<float> mean(static_cast<size_t>(shape.channels)), variance(mean);
            Outcome outcome;
            outcome.finite = backend.moments(x.data(), shape, mean.data(), variance.data());
            outcome.add(mean);
            outcome.add(variance);
            return outcome;
          },
          name(shape, kind));
    }
  }
  expect_both_outcomes();
}

TEST_P(BackendTest, Normalization) {
  for (const Channels& shape : statistics_shapes()) {
    const int64_t n = shape.samples * shape.channels * shape.inner;
    for (int kind = 0; kind < 8; ++kind) {
      const std::vector<float> x = floats(n, kind), dy = floats(n, static_cast<int>(pick(0, kFloats - 1)));
      const std::vector<float> mean = floats(shape.channels, 0), gamma = floats(shape.channels, 0),
                               beta = floats(shape.channels, 0);
      std::vector<float> variance = floats(shape.channels, 0);
      for (float& v : variance) v = std::fabs(v);
      compare(
          [&](Backend& backend) {
            std::vector<float> inverse(variance), y(x), dx(x), dgamma(gamma), dbeta(gamma);
            backend.inverse_deviation(variance.data(), 1e-5f, shape.channels, inverse.data());
            backend.normalize(x.data(), shape, mean.data(), inverse.data(), gamma.data(), beta.data(),
                              y.data());
            Outcome outcome;
            outcome.finite =
                backend.normalize_gradient(x.data(), dy.data(), shape, mean.data(), inverse.data(),
                                           gamma.data(), dgamma.data(), dbeta.data(), dx.data());
            for (const auto* output : {&inverse, &y, &dx, &dgamma, &dbeta}) outcome.add(*output);
            std::vector<float> on_x(x), on_dy(dy);
            outcome.finite &=
                backend.normalize_gradient(on_x.data(), dy.data(), shape, mean.data(), inverse.data(),
                                           gamma.data(), dgamma.data(), dbeta.data(), on_x.data());
            outcome.finite &=
                backend.normalize_gradient(x.data(), on_dy.data(), shape, mean.data(), inverse.data(),
                                           gamma.data(), dgamma.data(), dbeta.data(), on_dy.data());
            for (const auto* output : {&on_x, &on_dy}) outcome.add(*output);
            return outcome;
          },
          name(shape, kind));
    }
  }
  expect_both_outcomes();
}

TEST_P(BackendTest, ElementWise) {
  using Unary = void (Backend::*)(const float*, int64_t, float*);
  using Binary = void (Backend::*)(const float*, const float*, int64_t, float*);
  using Scaling = void (Backend::*)(const float*, float, int64_t, float*);
  for (int64_t n : {0, 1, 7, 16, 33, 1000, 140001}) {
    for (int kind = 0; kind < 10; ++kind) {
      const std::vector<float> x = floats(n, kind), z = floats(n, static_cast<int>(pick(0, 8)));
      const float factor = random_float(random_, Floats::plain);
      const auto check = [&](const std::string& what, auto run) {
        compare(
            [&](Backend& backend) {
              std::vector<float> y(z), in_place(x);
              run(backend, x.data(), y.data());
              run(backend, in_place.data(), in_place.data());
              for (float& v : y) v = v != v ? 0.0f : v;  // the bits of a NaN are nobody's promise
              for (float& v : in_place) v = v != v ? 0.0f : v;
              Outcome outcome;
              outcome.add(y);
              outcome.add(in_place);
              return outcome;
            },
            what + " kind " + std::to_string(kind) + " n " + std::to_string(n));
      };
      int index = 0;
      for (Unary f : {&Backend::square_root, &Backend::relu, &Backend::exponential, &Backend::logarithm,
                      &Backend::hyperbolic_tangent, &Backend::error_function, &Backend::sigmoid})
        check("unary " + std::to_string(index++),
              [&](Backend& b, const float* in, float* out) { (b.*f)(in, n, out); });
      for (Binary f :
           {&Backend::add, &Backend::subtract, &Backend::multiply, &Backend::divide, &Backend::relu_gradient})
        check("binary " + std::to_string(index++),
              [&](Backend& b, const float* in, float* out) { (b.*f)(in, z.data(), n, out); });
      for (Scaling f : {&Backend::scale, &Backend::add_scaled})
        check("scaling " + std::to_string(index++),
              [&](Backend& b, const float* in, float* out) { (b.*f)(in, factor, n, out); });
    }
  }
}

TEST_P(BackendTest, Activations) {
  for (int64_t n : {0, 1, 7, 33, 1000, 33001}) {
    for (int kind = 0; kind < 10; ++kind) {
      const std::vector<float> x = floats(n, kind), dy = floats(n, static_cast<int>(pick(0, 8)));
      const float a = random_float(random_, Floats::plain), b = random_float(random_, Floats::plain);
      for (int number = 0; number < kActivations; ++number) {
        const auto f = static_cast<Activation>(number);
        compare(
            [&](Backend& backend) {
              std::vector<float> y(x), dx(x), in_place(dy);
              backend.activate(f, a, b, x.data(), n, y.data());
              backend.activation_gradient(f, a, b, x.data(), dy.data(), n, dx.data());
              backend.activation_gradient(f, a, b, x.data(), in_place.data(), n, in_place.data());
              Outcome outcome;
              for (auto* output : {&y, &dx, &in_place}) {
                for (float& v : *output) v = v != v ? 0.0f : v;
                outcome.add(*output);
              }
              return outcome;
            },
            "activation " + std::to_string(number) + " kind " + std::to_string(kind) + " n " +
                std::to_string(n));
      }
    }
  }
}

TEST_P(BackendTest, ChannelOperators) {
  for (const Channels& shape : statistics_shapes()) {
    const std::vector<float> x = floats(shape.samples * shape.channels * shape.inner, 1),
                             c = floats(shape.channels, 1);
    compare(
        [&](Backend& backend) {
          std::vector<float> sum(x.size()), product(x.size());
          backend.add_channels(x.data(), c.data(), shape, sum.data());
          backend.multiply_channels(x.data(), c.data(), shape, product.data());
          Outcome outcome;
          outcome.add(sum);
          outcome.add(product);
          return outcome;
        },
        name(shape, 1));
  }
}

std::vector<Pooling> pooling_shapes() {
  std::vector<Pooling> shapes = {{6, 32, 32, 16, 16, 2, 2, 2, 2},
                                 {3, 57, 57, 29, 29, 3, 3, 2, 2, 1, 1},
                                 {2, 12, 11, 12, 11, 3, 3, 1, 1, 1, 1, true},
                                 {2, 150, 130, 1, 1, 150, 130},
                                 {4, 7, 7, 1, 1, 7, 7},
                                 {2, 20, 31, 3, 7, 9, 11, 7, 5, 4, 5},
                                 {40, 64, 64, 32, 32, 2, 2, 2, 2},
                                 {3, 10, 10, 3, 3, 2, 2, 3, 4}};
  return shapes;
}

TEST_P(BackendTest, MaxPool) {
  for (const Pooling& p : pooling_shapes()) {
    const size_t outputs = static_cast<size_t>(p.planes * p.out_height * p.out_width);
    for (int kind = 0; kind < kFloats; ++kind) {
      const std::vector<float> x = floats(p.planes * p.in_height * p.in_width, kind);
      const std::vector<float> dy = floats(static_cast<int64_t>(outputs), 1);
      compare(
          [&](Backend& backend) {
            std::vector<float> y(outputs), dx(x.size(), 9.0f);
            std::vector<int32_t> chosen(outputs);
            backend.max_pool(p, x.data(), y.data(), chosen.data());
            backend.max_pool_gradient(p, dy.data(), chosen.data(), dx.data());
            Outcome outcome;
            outcome.add(y);
            outcome.add(chosen);
            outcome.add(dx);
            return outcome;
          },
          "kind " + std::to_string(kind) + " width " + std::to_string(p.in_width));
    }
  }
}

TEST_P(BackendTest, AveragePool) {
  for (const Pooling& p : pooling_shapes()) {
    const size_t outputs = static_cast<size_t>(p.planes * p.out_height * p.out_width);
    for (int kind = 0; kind < kFloats; ++kind) {
      const std::vector<float> x = floats(p.planes * p.in_height * p.in_width, kind);
      const std::vector<float> dy = floats(static_cast<int64_t>(outputs), 1);
      compare(
          [&](Backend& backend) {
            std::vector<float> y(outputs), dx(x.size(), 9.0f);
            Outcome outcome;
            outcome.finite = backend.average_pool(p, x.data(), y.data());
            backend.average_pool_gradient(p, dy.data(), dx.data());
            outcome.add(y);
            outcome.add(dx);
            return outcome;
          },
          "kind " + std::to_string(kind) + " width " + std::to_string(p.in_width));
    }
  }
  expect_both_outcomes();
}

TEST_P(BackendTest, Dropout) {
  for (const int64_t n : {0, 1, 15, 1000, 200001}) {
    for (int kind = 0; kind < kFloats; ++kind) {
      const std::vector<float> x = floats(n, kind);
      const auto key = static_cast<uint32_t>(random_()), threshold = static_cast<uint32_t>(random_());
      compare(
          [&](Backend& backend) {
            std::vector<float> y(x.size());
            backend.dropout(x.data(), n, key, threshold, 1.25f, y.data());
            Outcome outcome;
            outcome.add(canonical(std::move(y)));
            return outcome;
          },
          "kind " + std::to_string(kind) + " n " + std::to_string(n));
    }
  }
}

TEST_P(BackendTest, EmbeddingGradient) {
  struct Shape {
    int64_t count, rows, width;
  };
  for (const auto& s : {Shape{1, 1, 1}, Shape{5, 9, 3}, Shape{700, 33, 48}, Shape{3000, 2, 1000}}) {
    for (int kind = 0; kind < kFloats; ++kind) {
      const std::vector<float> dy = floats(s.count * s.width, kind);
      std::vector<float> indices;
      for (int64_t p = 0; p < s.count; ++p) indices.push_back(static_cast<float>(pick(0, s.rows - 1)));
      compare(
          [&](Backend& backend) {
            std::vector<float> dw(static_cast<size_t>(s.rows * s.width), 9.0f);
            backend.embedding_gradient(indices.data(), dy.data(), s.count, s.rows, s.width, dw.data());
            Outcome outcome;
            outcome.add(canonical(std::move(dw)));
            return outcome;
          },
          "kind " + std::to_string(kind) + " rows " + std::to_string(s.rows));
    }
  }
}

TEST_P(BackendTest, Softmax) {
  for (auto [rows, columns] : {std::pair<int64_t, int64_t>{1, 1}, {5, 10}, {64, 197}, {3, 1000}, {900, 17}}) {
    for (int kind = 0; kind < kFloats; ++kind) {
      const std::vector<float> x = floats(rows * columns, kind);
      compare(
          [&](Backend& backend) {
            std::vector<float> y(x.size());
            Outcome outcome;
            outcome.finite = backend.softmax(x.data(), rows, columns, y.data());
            outcome.add(y);
            return outcome;
          },
          "kind " + std::to_string(kind) + " columns " + std::to_string(columns));
    }
  }
  expect_both_outcomes();
}

TEST_P(BackendTest, SoftmaxCrossEntropy) {
  for (auto [rows, classes] : {std::pair<int64_t, int64_t>{1, 1}, {5, 10}, {64, 10}, {3, 1000}, {900, 17}}) {
    for (int kind = 0; kind < kFloats; ++kind) {
      const std::vector<float> z = floats(rows * classes, kind);
      std::vector<int32_t> labels;
      std::vector<int32_t> others;
      for (int64_t row = 0; row < rows; ++row) {
        labels.push_back(static_cast<int32_t>(pick(0, classes - 1)));
        others.push_back(pick(0, 3) == 0 ? labels.back() : static_cast<int32_t>(pick(0, classes - 1)));
      }
      const bool mixed = pick(0, 1) != 0;
      const Targets targets{labels.data(), mixed ? others.data() : labels.data(),
                            mixed ? static_cast<float>(pick(0, 65536)) * 0x1p-16f : 1.0f,
                            pick(0, 1) != 0 ? 0.1f : 0.0f};
      for (bool with_gradient : {false, true}) {
        compare(
            [&](Backend& backend) {
              std::vector<float> losses(static_cast<size_t>(rows)), gradient(z.size());
              Outcome outcome;
              outcome.finite = backend.softmax_cross_entropy(z.data(), targets, rows, classes, losses.data(),
                                                             with_gradient ? gradient.data() : nullptr);
              outcome.add(losses);
              outcome.add(gradient);
              return outcome;
            },
            "kind " + std::to_string(kind) + " classes " + std::to_string(classes));
      }
    }
  }
  expect_both_outcomes();
}

INSTANTIATE_TEST_SUITE_P(Isas, BackendTest, testing::ValuesIn(fast_isas()), isa_suffix);

}  // namespace
}  // namespace cairn::exact
