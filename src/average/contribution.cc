#include "average/contribution.h"

#include <algorithm>

#include "average/snapshot.h"

namespace cairn::average {
namespace {

constexpr int kUnitBits = 40 + 30;  // of a rate and a clip
constexpr int kFactorBits = 46;

}  // namespace

Coefficient coefficient(uint64_t rate, uint32_t clip, uint64_t weight, Wide total) {
  const Wide product = Wide{rate} * clip * weight;
  if (product == 0) return {};
  const int shift = kFactorBits - bit_length(product) + bit_length(total);
  const Wide quotient = shift >= 0 ? (product << shift) / total : (product >> -shift) / total;
  return {static_cast<int64_t>(quotient), kGridBits - kUnitBits - shift};
}

Status GridSum::replace(const work::GradientFile& gradient, const Coefficient& old_one,
                        const Coefficient& new_one) {
  if (gradient.parameters != sum_.size()) {
    return Error{"parameters: " + std::to_string(gradient.parameters) + " where the model has " +
                 std::to_string(sum_.size())};
  }
  CAIRN_CHECK(add(gradient, old_one, false));
  return add(gradient, new_one, true);
}

Status GridSum::add(const work::GradientFile& gradient, const Coefficient& coefficient, bool negative) {
  if (coefficient.factor == 0) return {};
  const int64_t factor = negative ? -coefficient.factor : coefficient.factor;
  for (size_t b = 0; b < gradient.exponents.size(); ++b) {
    const size_t first = b * gradient.block_size;
    const size_t last = std::min<size_t>(first + gradient.block_size, gradient.values.size());
    const int shift = coefficient.exponent + gradient.exponents[b];
    if (shift >= 0) {
      CAIRN_CHECK(add_large(gradient, first, last, factor, shift));
    } else if (shift >= -62) {  // below that every product rounds to zero
      add_block(gradient, first, last, factor, -shift);
    }
  }
  return {};
}

void GridSum::add_block(const work::GradientFile& gradient, size_t first, size_t last, int64_t factor,
                        int shift) {
  const std::vector<int16_t>& values = gradient.values;
  const std::vector<uint32_t>& positions = gradient.positions;
  if (positions.empty()) {
    for (size_t i = first; i < last; ++i) add_one(i, rounded_shift(values[i] * factor, shift));
  } else {
    for (size_t i = first; i < last; ++i) add_one(positions[i], rounded_shift(values[i] * factor, shift));
  }
}

Status GridSum::add_large(const work::GradientFile& gradient, size_t first, size_t last, int64_t factor,
                          int shift) {
  for (size_t i = first; i < last; ++i) {
    const int64_t product = gradient.values[i] * factor;
    if (product == 0) continue;
    const size_t position = gradient.positions.empty() ? i : gradient.positions[i];
    if (shift > 62 || (product < 0 ? -product : product) >> (63 - shift) != 0) {
      return Error{"values: value " + std::to_string(position) + " alone takes the model out of its range"};
    }
    add_one(position, product * (int64_t{1} << shift));
  }
  return {};
}

void GridSum::wrapped(size_t index, int64_t term) {
  if (wraps_.empty()) wraps_.resize(sum_.size());
  wraps_[index] += term > 0 ? 1 : -1;
}

Status GridSum::in_range() const {
  for (size_t i = 0; i < wraps_.size(); ++i) {
    if (wraps_[i] != 0) return Error{"parameter " + std::to_string(i) + ": the model left the range of 2^15"};
  }
  return {};
}

}  // namespace cairn::average
