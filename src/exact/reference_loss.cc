#include "exact/functions.h"
#include "exact/reference.h"

namespace cairn::exact {
namespace {

// The softmax of one row, the largest value and the sum of the exponentials. False if a value has diverged.
bool softmax_row(const float* z, int64_t classes, float* softmax, float* top, float* exponentials) {
  float largest = z[0];
  bool finite = true;
  for (int64_t j = 0; j < classes; ++j) {
    finite &= magnitude(z[j]) < kInfinityBits;
    largest = z[j] > largest ? z[j] : largest;
  }
  if (!finite) return false;
  int64_t total = 0;
  for (int64_t j = 0; j < classes; ++j) {
    softmax[j] = exp_exact(z[j] - largest);
    total += round_to_integer(softmax[j] * 0x1p+30f);
  }
  const float sum = to_binary32(total) * 0x1p-30f;
  for (int64_t j = 0; j < classes; ++j) softmax[j] = softmax[j] / sum;
  *top = largest;
  *exponentials = sum;
  return true;
}

}  // namespace

bool Reference::softmax(const float* x, int64_t rows, int64_t columns, float* y) {
  for (int64_t row = 0; row < rows; ++row) {
    float largest, sum;
    if (!softmax_row(x + row * columns, columns, y + row * columns, &largest, &sum)) return false;
  }
  return true;
}

bool Reference::softmax_cross_entropy(const float* logits, const Targets& targets, int64_t rows,
                                      int64_t classes, float* losses, float* gradient) {
  std::vector<float> softmax(static_cast<size_t>(classes));
  const float other_share = 1.0f - targets.share;
  const float labelled = 1.0f - targets.smoothing;
  for (int64_t row = 0; row < rows; ++row) {
    const float* z = logits + row * classes;
    const int32_t label = targets.labels[row], other = targets.others[row];
    float largest, sum;
    if (!softmax_row(z, classes, softmax.data(), &largest, &sum)) return false;
    const float loss = log_exact(sum) - (z[label] - largest);
    const float other_loss = log_exact(sum) - (z[other] - largest);
    losses[row] = targets.share * loss + other_share * other_loss;
    if (magnitude(losses[row]) >= kInfinityBits) return false;
    if (gradient == nullptr) continue;
    for (float& p : softmax) p = p - targets.smoothing / static_cast<float>(classes);
    softmax[label] = softmax[label] - labelled * targets.share;
    softmax[other] = softmax[other] - labelled * other_share;
    for (int64_t j = 0; j < classes; ++j) gradient[row * classes + j] = softmax[j] / static_cast<float>(rows);
  }
  return true;
}

}  // namespace cairn::exact
