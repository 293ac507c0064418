// The rate of each exact kernel beside what the processor's ports can do at most, measured in the same run:
// multiply-accumulates of products and convolutions, bytes of everything else.
//
// Every repetition times the kernel and then, with the same threads, the loop over registers; the rates and
// their ratio are medians, because other programs share the machine.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <ctime>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "base/float_environment.h"
#include "exact/backend.h"
#include "port_peak.h"

namespace cairn::bench {
namespace {

using exact::Backend;
using exact::Convolution;
using exact::Isa;

double now(bool processor_time) {
  timespec time;
  clock_gettime(processor_time ? CLOCK_PROCESS_CPUTIME_ID : CLOCK_MONOTONIC, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

// One thread is measured by the processor time that it got; several by the clock, so that waiting counts.
double seconds_of(int threads, const std::function<void()>& work) {
  const double begin = now(threads == 1);
  work();
  return now(threads == 1) - begin;
}

double median(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + static_cast<int64_t>(values.size() / 2), values.end());
  return values[values.size() / 2];
}

// A backend with its threads, as long-lived as the benchmark that uses it.
struct Machine {
  Machine(Isa isa, int threads) : pool(threads), backend(exact::make_backend(isa, pool)) {}
  ThreadPool pool;
  std::unique_ptr<Backend> backend;
};

// Integers as a quantized tensor has them: |q| <= 4095, roughly normal, exponents within a few powers of two.
struct Operand {
  Operand(int64_t groups, int64_t size) : values(static_cast<size_t>(groups * size)) {
    std::minstd_rand random(1);
    for (int16_t& value : values) {
      int sum = 0;
      for (int i = 0; i < 8; ++i) sum += static_cast<int>(random() % 1024) - 512;
      value = static_cast<int16_t>(sum);
    }
    for (int64_t i = 0; i < groups; ++i) exponents.push_back(static_cast<int32_t>(random() % 6) - 20);
  }
  exact::ConstQuantized view() const { return {values.data(), exponents.data(), 13}; }

  std::vector<int16_t> values;
  std::vector<int32_t> exponents;
};

// Reports `work`, of `macs` multiply-accumulates, against the integer peak of all threads.
void measure(benchmark::State& state, Machine& machine, double macs, const std::function<void()>& work) {
  const int threads = machine.pool.size();
  std::vector<double> rates, peaks, ratios;
  work();
  for (auto _ : state) {
    const double seconds = seconds_of(threads, work);
    state.SetIterationTime(seconds);
    const double peak_seconds = seconds_of(threads, [&] {
      machine.pool.run(threads, [&](int64_t, int) { integer_peak(machine.backend->isa()); });
    });
    rates.push_back(macs / seconds / 1e9);
    peaks.push_back(static_cast<double>(threads * kPeakMacs) / peak_seconds / 1e9);
    ratios.push_back(rates.back() / peaks.back() * 100);
  }
  state.counters["GMAC/s"] = median(rates);
  state.counters["peak"] = median(peaks);
  state.counters["percent"] = median(ratios);
}

void register_benchmark(const std::string& name, const std::function<void(benchmark::State&)>& body) {
  benchmark::RegisterBenchmark(name.c_str(), body)->UseManualTime()->Unit(benchmark::kMillisecond);
}

void register_peaks(Isa isa) {
  const std::string prefix = "peak/" + std::string(exact::isa_name(isa));
  for (const bool integer : {true, false}) {
    register_benchmark(prefix + (integer ? "/int16" : "/binary32"), [isa, integer](benchmark::State& state) {
      std::vector<double> rates;
      for (auto _ : state) {
        const double seconds = seconds_of(1, [&] { integer ? integer_peak(isa) : float_peak(isa); });
        state.SetIterationTime(seconds);
        rates.push_back(static_cast<double>(kPeakMacs) / seconds / 1e9);
      }
      state.counters["GMAC/s"] = median(rates);
    });
  }
}

void register_products(Isa isa, int threads) {
  struct Named {
    const char* name;
    void (Backend::*product)(int64_t, int64_t, int64_t, exact::ConstQuantized, exact::ConstQuantized, float*);
  };
  for (const Named& named : {Named{"nt", &Backend::product_nt}, Named{"nn", &Backend::product_nn},
                             Named{"tn", &Backend::product_tn}}) {
    for (const int64_t n : {256, 1024, 2048}) {
      const std::string name = std::string("product_") + named.name + "/" +
                               std::string(exact::isa_name(isa)) + "/" + std::to_string(n) +
                               "/threads:" + std::to_string(threads);
      register_benchmark(name, [=, product = named.product](benchmark::State& state) {
        Machine machine(isa, threads);
        const Operand a(n, n), b(n, n);
        std::vector<float> c(static_cast<size_t>(n * n));
        measure(state, machine, static_cast<double>(n) * static_cast<double>(n * n),
                [&] { (machine.backend.get()->*product)(n, n, n, a.view(), b.view(), c.data()); });
      });
    }
  }
}

struct Layer {
  const char* name;
  int64_t in_channels, out_channels, size, kernel, stride, pad;
};

// Those of ResNet-18 and ResNet-50 at 224 x 224. bench/convolutions.py reads the names.
constexpr Layer kLayers[] = {
    {"7x7s2_3_64_224", 3, 64, 224, 7, 2, 3},     {"3x3_64_64_56", 64, 64, 56, 3, 1, 1},
    {"3x3s2_64_128_56", 64, 128, 56, 3, 2, 1},   {"1x1s2_64_128_56", 64, 128, 56, 1, 2, 0},
    {"3x3_128_128_28", 128, 128, 28, 3, 1, 1},   {"3x3_256_256_14", 256, 256, 14, 3, 1, 1},
    {"3x3_512_512_7", 512, 512, 7, 3, 1, 1},     {"1x1_64_256_56", 64, 256, 56, 1, 1, 0},
    {"1x1_256_64_56", 256, 64, 56, 1, 1, 0},     {"3x3s2_128_128_56", 128, 128, 56, 3, 2, 1},
    {"1x1s2_256_512_56", 256, 512, 56, 1, 2, 0}, {"1x1_512_128_28", 512, 128, 28, 1, 1, 0},
    {"1x1_1024_256_14", 1024, 256, 14, 1, 1, 0}, {"1x1_512_2048_7", 512, 2048, 7, 1, 1, 0},
};

Convolution convolution_of(const Layer& layer, int64_t batch) {
  const int64_t out = (layer.size + 2 * layer.pad - layer.kernel) / layer.stride + 1;
  Convolution c{};
  c.batch = batch;
  c.channel_groups = 1;
  c.in_channels = layer.in_channels;
  c.out_channels = layer.out_channels;
  c.in_height = c.in_width = layer.size;
  c.out_height = c.out_width = out;
  c.kernel_height = c.kernel_width = layer.kernel;
  c.stride_height = c.stride_width = layer.stride;
  c.pad_top = c.pad_left = layer.pad;
  c.dilation_height = c.dilation_width = 1;
  return c;
}

void measure_convolution(benchmark::State& state, Isa isa, int threads, const Layer& layer, int direction) {
  constexpr int64_t kBatch = 8;
  Machine machine(isa, threads);
  const Convolution c = convolution_of(layer, kBatch);
  const int64_t out_plane = c.out_height * c.out_width, in_plane = c.in_height * c.in_width;
  const int64_t taps = c.kernel_height * c.kernel_width;
  const Operand x(kBatch, c.in_channels * in_plane), dy(kBatch, c.out_channels * out_plane);
  const Operand w(c.out_channels, c.in_channels * taps), w_by_input(c.in_channels, c.out_channels * taps);
  std::vector<float> y(dy.values.size()), dx(x.values.size()), dw(w.values.size());
  const double macs = static_cast<double>(kBatch * out_plane * c.out_channels * c.in_channels * taps);
  measure(state, machine, macs, [&] {
    if (direction == 0) machine.backend->convolve(c, x.view(), w.view(), y.data());
    if (direction == 1) machine.backend->convolve_input_gradient(c, dy.view(), w_by_input.view(), dx.data());
    if (direction == 2) machine.backend->convolve_weight_gradient(c, dy.view(), x.view(), dw.data());
  });
}

void register_convolutions(Isa isa, int threads) {
  const char* directions[] = {"forward", "input_gradient", "weight_gradient"};
  for (int direction = 0; direction < 3; ++direction) {
    for (const Layer& layer : kLayers) {
      const std::string name = std::string("convolution_") + directions[direction] + "/" +
                               std::string(exact::isa_name(isa)) + "/" + layer.name +
                               "/threads:" + std::to_string(threads);
      register_benchmark(
          name, [=](benchmark::State& state) { measure_convolution(state, isa, threads, layer, direction); });
    }
  }
}

// Everything but products and convolutions, on tensors as a small network has them: 16 images of 16 channels
// of 32 x 32.
struct Tensors {
  static constexpr exact::Channels kShape{16, 16, 32 * 32};
  static constexpr int64_t kCount = 16 * 16 * 32 * 32;
  static constexpr exact::Groups kRows{1, 1, 16, 16 * 32 * 32};
  static constexpr exact::Pooling kPooling{16 * 16, 32, 32, 16, 16, 2, 2, 2, 2};
  static constexpr int64_t kClasses = 1024;

  Tensors() : x(kCount), y(kCount), z(kCount), q(kCount), e(kCount), labels(kCount / kClasses, 3) {
    std::minstd_rand random(1);
    for (auto* values : {&x, &y})
      for (float& value : *values) value = static_cast<float>(random() % 4001) / 1000 - 2;
    for (auto* values : {&a, &b, &c, &d}) values->assign(kCount / kClasses, 0.5f);  // more than the channels
  }

  std::vector<float> x, y, z, a, b, c, d;
  std::vector<int16_t> q;
  std::vector<int32_t> e, labels;
};

struct Kernel {
  const char* name;
  int64_t bytes;  // read and written for each element of x
  std::function<bool(Backend&, Tensors&)> run;
};

const Kernel kKernels[] = {
    {"quantize", 6,
     [](Backend& f, Tensors& t) {
       return f.quantize(t.x.data(), t.kRows, 13, {t.q.data(), t.e.data()});
     }},
    {"quantize_dithered", 6,
     [](Backend& f, Tensors& t) {
       return f.quantize_dithered(t.x.data(), t.kRows, 13, 7, {t.q.data(), t.e.data()});
     }},
    {"sum", 4, [](Backend& f, Tensors& t) { return f.sum(t.x.data(), t.kShape, t.a.data()); }},
    {"sum_products", 8,
     [](Backend& f, Tensors& t) { return f.sum_products(t.x.data(), t.y.data(), t.kShape, t.a.data()); }},
    {"moments", 4,
     [](Backend& f, Tensors& t) { return f.moments(t.x.data(), t.kShape, t.a.data(), t.b.data()); }},
    {"normalize", 8,
     [](Backend& f, Tensors& t) {
       f.normalize(t.x.data(), t.kShape, t.a.data(), t.b.data(), t.b.data(), t.a.data(), t.z.data());
       return true;
     }},
    {"normalize_gradient", 12,
     [](Backend& f, Tensors& t) {
       return f.normalize_gradient(t.x.data(), t.y.data(), t.kShape, t.a.data(), t.b.data(), t.b.data(),
                                   t.c.data(), t.d.data(), t.z.data());
     }},
    {"add", 12,
     [](Backend& f, Tensors& t) {
       f.add(t.x.data(), t.y.data(), t.kCount, t.z.data());
       return true;
     }},
    {"relu", 8,
     [](Backend& f, Tensors& t) {
       f.relu(t.x.data(), t.kCount, t.z.data());
       return true;
     }},
    {"exponential", 8,
     [](Backend& f, Tensors& t) {
       f.exponential(t.x.data(), t.kCount, t.z.data());
       return true;
     }},
    {"max_pool", 6,
     [](Backend& f, Tensors& t) {
       f.max_pool(t.kPooling, t.x.data(), t.z.data(), t.e.data());
       return true;
     }},
    {"average_pool", 5,
     [](Backend& f, Tensors& t) { return f.average_pool(t.kPooling, t.x.data(), t.z.data()); }},
    {"softmax_cross_entropy", 8,
     [](Backend& f, Tensors& t) {
       return f.softmax_cross_entropy(t.x.data(), t.labels.data(), t.kCount / t.kClasses, t.kClasses,
                                      t.a.data(), t.z.data());
     }},
};

// Reports a kernel against the rate at which the same threads copy within their first-level caches.
void measure_kernel(benchmark::State& state, Machine& machine, const Kernel& kernel) {
  Tensors tensors;
  const int threads = machine.pool.size();
  std::vector<double> rates, peaks, ratios;
  bool finite = kernel.run(*machine.backend, tensors);
  for (auto _ : state) {
    const double seconds = seconds_of(threads, [&] { finite &= kernel.run(*machine.backend, tensors); });
    state.SetIterationTime(seconds);
    const double peak_seconds = seconds_of(threads, [&] {
      machine.pool.run(threads, [&](int64_t, int) { copy_peak(machine.backend->isa()); });
    });
    rates.push_back(static_cast<double>(kernel.bytes * Tensors::kCount) / seconds / 1e9);
    peaks.push_back(static_cast<double>(threads * kPeakBytes) / peak_seconds / 1e9);
    ratios.push_back(rates.back() / peaks.back() * 100);
  }
  if (!finite) state.SkipWithError("a value diverged");
  state.counters["GB/s"] = median(rates);
  state.counters["peak"] = median(peaks);
  state.counters["percent"] = median(ratios);
}

void register_kernels(Isa isa, int threads) {
  for (const Kernel& kernel : kKernels) {
    const std::string name = std::string(kernel.name) + "/" + std::string(exact::isa_name(isa)) +
                             "/threads:" + std::to_string(threads);
    register_benchmark(name, [isa, threads, &kernel](benchmark::State& state) {
      Machine machine(isa, threads);
      measure_kernel(state, machine, kernel);
    });
  }
}

void register_all() {
  for (const Isa isa : exact::supported_isas()) {
    if (isa == Isa::scalar) continue;
    register_peaks(isa);
    for (const int threads : {1, 2}) {
      register_kernels(isa, threads);
      register_products(isa, threads);
      register_convolutions(isa, threads);
    }
  }
}

}  // namespace
}  // namespace cairn::bench

int main(int argc, char** argv) {
  cairn::set_float_environment();
  cairn::bench::register_all();
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
