// Random and hostile operands for the tests of products and convolutions.
#pragma once

#include <cstdint>
#include <random>
#include <vector>

#include "exact/backend.h"

namespace cairn::exact {

enum class Fill {
  uniform,
  zeros,
  all_4095,
  all_8191,
  all_16383,
  same_4095,  // without signs, so that nothing cancels
  same_8191,
  same_16383,
  one_huge_row,
  with_empty_groups,
  powers_of_two,
};
inline constexpr int kFills = 11;

struct Values {
  std::vector<int16_t> integers;
  std::vector<int32_t> exponents;
  int bits = 15;

  ConstQuantized view() const { return {integers.data(), exponents.data(), bits}; }

  // Keeps of each integer what fits so many bits.
  void limit(int most_bits) {
    bits = most_bits;
    for (int16_t& value : integers) value = static_cast<int16_t>(value % (1 << (bits - 1)));
  }

  // [rows][columns] as [columns][rows], with the same exponents.
  Values transposed(int64_t rows, int64_t columns) const {
    Values result = *this;
    for (int64_t i = 0; i < rows; ++i) {
      for (int64_t j = 0; j < columns; ++j) result.integers[j * rows + i] = integers[i * columns + j];
    }
    return result;
  }
};

inline int16_t random_integer(std::mt19937_64& random, Fill fill, bool huge_row) {
  const int sign = (random() & 1) != 0 ? -1 : 1;
  switch (fill) {
    case Fill::zeros:
      return 0;
    case Fill::all_4095:
      return static_cast<int16_t>(sign * 4095);
    case Fill::all_8191:
      return static_cast<int16_t>(sign * 8191);
    case Fill::all_16383:
      return static_cast<int16_t>(sign * 16383);
    case Fill::same_4095:
      return 4095;
    case Fill::same_8191:
      return 8191;
    case Fill::same_16383:
      return 16383;
    case Fill::one_huge_row:
      return static_cast<int16_t>(huge_row ? 16383 : sign * static_cast<int>(random() % 20));
    case Fill::powers_of_two:
      return static_cast<int16_t>(sign * (1 << random() % 14));
    default:
      return static_cast<int16_t>(sign * static_cast<int>(random() % 4096));
  }
}

// [groups][size] integers and an exponent in [least, most] for each group.
inline Values random_values(std::mt19937_64& random, int64_t groups, int64_t size, Fill fill, int32_t least,
                            int32_t most) {
  Values result;
  const int64_t huge = static_cast<int64_t>(random() % static_cast<uint64_t>(groups));
  for (int64_t group = 0; group < groups; ++group) {
    const bool empty = fill == Fill::zeros || (fill == Fill::with_empty_groups && random() % 4 == 0);
    const uint64_t range = static_cast<uint64_t>(most - least + 1);
    result.exponents.push_back(empty ? kEmptyGroup : least + static_cast<int32_t>(random() % range));
    for (int64_t i = 0; i < size; ++i) {
      result.integers.push_back(random_integer(random, empty ? Fill::zeros : fill, group == huge));
    }
  }
  return result;
}

}  // namespace cairn::exact
