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

// The loss of one row; `softmax` receives exp(z - max) and `sum` their exact sum. False if it has diverged.
bool softmax_row(const Kernels& kernels, const float* z, int64_t classes, int32_t label, float* softmax,
                 float* sum, float* loss) {
  float largest;
  if (!exponentials(kernels, z, classes, softmax, &largest, sum)) return false;
  *loss = log_exact(*sum) - (z[label] - largest);
  return magnitude(*loss) < kInfinityBits;
}

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

bool FastBackend::softmax_cross_entropy(const float* logits, const int32_t* labels, int64_t rows,
                                        int64_t classes, float* losses, float* gradient) {
  machine_.scratch.reset();
  float* terms = machine_.scratch.take<float>(machine_.pool.size() * classes);
  std::atomic<bool> finite = true;
  parallel_for(machine_.pool, rows, kGrain / classes + 1, [&](int64_t begin, int64_t end, int worker) {
    for (int64_t row = begin; row < end; ++row) {
      float* softmax = gradient == nullptr ? terms + worker * classes : gradient + row * classes;
      float sum;
      if (!softmax_row(kernels_, logits + row * classes, classes, labels[row], softmax, &sum, &losses[row])) {
        finite = false;
        return;
      }
      if (gradient == nullptr) continue;
      kernels_.divide_by(softmax, sum, classes, softmax);
      softmax[labels[row]] -= 1.0f;
      kernels_.divide_by(softmax, static_cast<float>(rows), classes, softmax);
    }
  });
  return finite;
}

}  // namespace cairn::exact
