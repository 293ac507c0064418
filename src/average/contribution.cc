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
  if (gradient.values.size() != sum_.size()) {
    return Error{"values: " + std::to_string(gradient.values.size()) + " where the model has " +
                 std::to_string(sum_.size()) + " parameters"};
  }
  CAIRN_CHECK(add(gradient, old_one, false));
  return add(gradient, new_one, true);
}

Status GridSum::add(const work::GradientFile& gradient, const Coefficient& coefficient, bool negative) {
  if (coefficient.factor == 0) return {};
  const int64_t factor = negative ? -coefficient.factor : coefficient.factor;
  const std::span<const int16_t> values = gradient.values;
  for (size_t b = 0; b * gradient.block_size < values.size(); ++b) {
    const size_t begin = b * gradient.block_size;
    const auto block = values.subspan(begin, std::min<size_t>(gradient.block_size, values.size() - begin));
    const int shift = coefficient.exponent + gradient.exponents[b];
    if (shift >= 0) {
      CAIRN_CHECK(add_large(block, begin, factor, shift));
    } else if (shift >= -62) {  // below that every product rounds to zero
      add_block(block, begin, factor, -shift);
    }
  }
  return {};
}

void GridSum::add_block(std::span<const int16_t> values, size_t begin, int64_t factor, int shift) {
  for (size_t i = 0; i < values.size(); ++i) add_one(begin + i, rounded_shift(values[i] * factor, shift));
}

Status GridSum::add_large(std::span<const int16_t> values, size_t begin, int64_t factor, int shift) {
  for (size_t i = 0; i < values.size(); ++i) {
    const int64_t product = values[i] * factor;
    if (product == 0) continue;
    if (shift > 62 || (product < 0 ? -product : product) >> (63 - shift) != 0) {
      return Error{"values: value " + std::to_string(begin + i) + " alone takes the model out of its range"};
    }
    add_one(begin + i, product * (int64_t{1} << shift));
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
