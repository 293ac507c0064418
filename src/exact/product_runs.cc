#include "exact/product_runs.h"

#include <algorithm>

#include "exact/arithmetic.h"

namespace cairn::exact {
namespace {

constexpr int32_t kLeast = 2 * kMinExponent;
constexpr int32_t kMost = 2 * kMaxExponent;
constexpr int kExponents = kMost - kLeast + 1;
// 2^52 * 2^-54 rounds to zero.
constexpr int kLeastShift = -53;

// The index of an item's exponent, or -1 if it contributes nothing.
int bucket(int32_t a, int32_t b) {
  return a == kEmptyGroup || b == kEmptyGroup ? -1 : a + b - kLeast;
}

}  // namespace

ProductRuns sort_runs(Scratch& scratch, int64_t count, int64_t steps, int64_t stride, const int32_t* a,
                      const int32_t* b, int spare) {
  int64_t sizes[kExponents] = {};
  int largest = -1;
  for (int64_t i = 0; i < count; ++i) {
    const int v = bucket(a[i * stride], b[i * stride]);
    if (v >= 0) ++sizes[v];
    largest = std::max(largest, v);
  }
  ProductRuns result{
      {scratch.take<ProductRuns::Item>(count), 0}, {scratch.take<PositionRun>(kExponents), 0}, 0};
  if (largest < 0) return result;

  const int least = std::max(0, largest - kGuardBits + kLeastShift);
  int64_t items = 0, position = 0;
  size_t runs = 0;
  int64_t next_item[kExponents], next_position[kExponents];
  int raised[kExponents];
  int base = -1;  // of the present run
  for (int v = least; v <= largest; ++v) {
    if (sizes[v] == 0) continue;
    const bool joins = base >= largest - kGuardBits && v <= base + spare;
    if (!joins) {
      base = v;
      position = (position + 1) / 2 * 2;
      ++runs;
    }
    raised[v] = v - base;
    next_item[v] = items;
    next_position[v] = position;
    items += sizes[v];
    position += sizes[v] * steps;
    result.runs.data()[runs - 1] = {(position + 1) / 2 * 2, base - largest + kGuardBits};
  }
  for (int64_t i = 0; i < count; ++i) {
    const int v = bucket(a[i * stride], b[i * stride]);
    if (v < least) continue;
    result.items.data()[next_item[v]++] = {i, next_position[v], raised[v]};
    next_position[v] += steps;
  }
  result.items = {result.items.data(), static_cast<size_t>(items)};
  result.runs = {result.runs.data(), runs};
  // A single run is not shifted, which gives the same bits: a power of two does not change the rounding.
  if (runs == 1) result.runs.data()[0].shift = 0;
  result.scale = power_of_two((runs > 1 ? largest - kGuardBits : base) + kLeast);
  return result;
}

}  // namespace cairn::exact
