// What one entry moves: its coefficient, one integer division, and the rounded product for each element.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "average/integers.h"
#include "base/result.h"
#include "work/gradient_file.h"

namespace cairn::average {

// factor * 2^exponent grid units for each unit of the gradient; 0 <= factor < 2^47.
struct Coefficient {
  int64_t factor = 0;
  int32_t exponent = 0;
  bool operator==(const Coefficient&) const = default;
};

// rate / 2^40 * clip / 2^30 * weight / total, to 46 or 47 bits, rounded down. Precondition: 0 < weight <=
// total < 2^72, rate <= 2^52, clip <= 2^30, weight <= 2^40.
Coefficient coefficient(uint64_t rate, uint32_t clip, uint64_t weight, Wide total);

// Integers of 64 bits that remember how often each has wrapped around, so that the order in which terms come
// and go never shows, and a sum that is out of range at the end is noticed.
class GridSum {
 public:
  explicit GridSum(std::vector<int64_t> start) : sum_(std::move(start)) {}

  // sum += old * gradient - new * gradient: each product of an element is rounded to a whole grid unit, ties
  // to even. Refuses a gradient of another length, or a product that does not fit; then the sum is
  // unspecified.
  Status replace(const work::GradientFile& gradient, const Coefficient& old_one, const Coefficient& new_one);

  const std::vector<int64_t>& values() const { return sum_; }
  Status in_range() const;  // names the first parameter that is not

 private:
  Status add(const work::GradientFile& gradient, const Coefficient& coefficient, bool negative);
  // Of values `first` to `last` of a gradient, which share an exponent.
  void add_block(const work::GradientFile& gradient, size_t first, size_t last, int64_t factor, int shift);
  Status add_large(const work::GradientFile& gradient, size_t first, size_t last, int64_t factor, int shift);
  void add_one(size_t index, int64_t term) {
    if (__builtin_add_overflow(sum_[index], term, &sum_[index])) [[unlikely]]
      wrapped(index, term);
  }
  void wrapped(size_t index, int64_t term);

  std::vector<int64_t> sum_;
  std::vector<int32_t> wraps_;  // empty while there were none
};

}  // namespace cairn::average
