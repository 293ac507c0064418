#include <atomic>

#include "exact/fast_backend.h"
#include "exact/functions.h"
#include "exact/parallel.h"

namespace cairn::exact {
namespace {

constexpr int64_t kGrain = 1 << 12;

// terms = exp(z - largest) and their exact sum. False if a value of the row has diverged.
bool exponentials(const Kernels& kernels, const float* z, int64_t classes, float* terms, float* largest,
                  float* sum) {
  if (kernels.largest_magnitude(z, classes) >= kInfinityBits) return false;
  *largest = kernels.largest_value(z, classes);
  *sum = to_binary32(kernels.softmax_terms(z, *largest, classes, terms)) * 0x1p-30f;
  return true;
}

// The losses of rows and their gradient, by one worker at a time each.
class Loss {
 public:
  Loss(const Kernels& kernels, const Targets& targets, int64_t rows, int64_t classes)
      : kernels_(kernels), targets_(targets), rows_(static_cast<float>(rows)), classes_(classes) {}

  // `softmax` receives exp(z - largest) and `sum` their exact sum. False if the row has diverged.
  bool row(const float* z, int64_t number, float* softmax, float* sum, float* loss) const {
    float largest;
    if (!exponentials(kernels_, z, classes_, softmax, &largest, sum)) return false;
    const float whole = log_exact(*sum);
    const float first = whole - (z[targets_.labels[number]] - largest);
    const float second = whole - (z[targets_.others[number]] - largest);
    *loss = targets_.share * first + (1.0f - targets_.share) * second;
    return magnitude(*loss) < kInfinityBits;
  }

  // From what row() left in `gradient`.
  void gradient(int64_t number, float sum, float* gradient) const {
    kernels_.divide_by(gradient, sum, classes_, gradient);
    const float spread = targets_.smoothing / static_cast<float>(classes_);
    if (spread != 0) {
      for (int64_t j = 0; j < classes_; ++j) gradient[j] = gradient[j] - spread;
    }
    const float labelled = 1.0f - targets_.smoothing;
    float& first = gradient[targets_.labels[number]];
    first = first - labelled * targets_.share;
    float& second = gradient[targets_.others[number]];
    second = second - labelled * (1.0f - targets_.share);
    kernels_.divide_by(gradient, rows_, classes_, gradient);
  }

 private:
  const Kernels& kernels_;
  const Targets& targets_;
  float rows_;
  int64_t classes_;
};

}  // namespace

bool FastBackend::softmax(const float* x, int64_t rows, int64_t columns, float* y) {
  std::atomic<bool> finite = true;
  parallel_for(machine_.pool, rows, kGrain / columns + 1, [&](int64_t begin, int64_t end, int) {
    for (int64_t row = begin; row < end; ++row) {
      float largest, sum;
      float* terms = y + row * columns;
      if (!exponentials(kernels_, x + row * columns, columns, terms, &largest, &sum)) {
        finite = false;
        return;
      }
      kernels_.divide_by(terms, sum, columns, terms);
    }
  });
  return finite;
}

bool FastBackend::softmax_cross_entropy(const float* logits, const Targets& targets, int64_t rows,
                                        int64_t classes, float* losses, float* gradient) {
  machine_.scratch.reset();
  float* terms = machine_.scratch.take<float>(machine_.pool.size() * classes);
  const Loss loss(kernels_, targets, rows, classes);
  std::atomic<bool> finite = true;
  parallel_for(machine_.pool, rows, kGrain / classes + 1, [&](int64_t begin, int64_t end, int worker) {
    for (int64_t row = begin; row < end; ++row) {
      float* softmax = gradient == nullptr ? terms + worker * classes : gradient + row * classes;
      float sum;
      if (!loss.row(logits + row * classes, row, softmax, &sum, &losses[row])) {
        finite = false;
        return;
      }
      if (gradient != nullptr) loss.gradient(row, sum, softmax);
    }
  });
  return finite;
}

}  // namespace cairn::exact
