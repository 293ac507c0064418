#include "work/block_encoding.h"

#include <algorithm>
#include <array>
#include <bit>
#include <string>

namespace cairn::work {
namespace {

constexpr uint32_t kInfinityBits = 0x7f800000;

// 2^exponent for exponents of normal binary64 numbers.
double power_of_two(int exponent) {
  return std::bit_cast<double>(static_cast<uint64_t>(exponent + 1023) << 52);
}

// The nearest integer, ties to even, of |x| < 2^51: adding 1.5 * 2^52 leaves no bits for a fraction.
int64_t nearest_integer(double x) {
  constexpr double kShift = 0x1.8p52;
  return static_cast<int64_t>((x + kShift) - kShift);
}

uint32_t magnitude(float x) {
  return std::bit_cast<uint32_t>(x) & 0x7fffffff;
}

// The `kept`-th largest magnitude, and how many are larger.
struct Threshold {
  uint32_t magnitude, larger;
};

// Counts by the high 16 bits of the magnitude, then within the one of them that matters by the low 15: as
// exact as a sort, and in no more memory for a larger gradient.
Threshold find_threshold(std::span<const float> values, uint32_t kept) {
  std::vector<uint32_t> counts(size_t{1} << 16);
  for (const float x : values) ++counts[magnitude(x) >> 15];
  uint32_t larger = 0, high = 0xffff, low = 0x7fff;
  for (; kept - larger > counts[high]; --high) larger += counts[high];
  counts.assign(size_t{1} << 15, 0);
  for (const float x : values) {
    if (magnitude(x) >> 15 == high) ++counts[magnitude(x) & 0x7fff];
  }
  for (; kept - larger > counts[low]; --low) larger += counts[low];
  return {high << 15 | low, larger};
}

// The kept values of a gradient, in order.
class Kept {
 public:
  Kept(std::span<const float> values, std::span<const uint32_t> positions)
      : values_(values), positions_(positions) {}

  size_t size() const { return positions_.empty() ? values_.size() : positions_.size(); }
  size_t position(size_t i) const { return positions_.empty() ? i : positions_[i]; }
  float operator[](size_t i) const { return values_[position(i)]; }

 private:
  std::span<const float> values_;
  std::span<const uint32_t> positions_;  // empty: all
};

// The smallest exponent e >= kMinExponent with magnitude <= (2^(bits-1) - 1) * 2^e. Magnitude is not zero.
int block_exponent(float magnitude, int bits) {
  const double limit = (1 << (bits - 1)) - 1;
  const auto biased = static_cast<int>(std::bit_cast<uint64_t>(double{magnitude}) >> 52);
  // magnitude lies in [2^p, 2^(p+1)) with p = biased - 1023, and limit in [2^(bits-2), 2^(bits-1)).
  int exponent = std::max(biased - 1023 - (bits - 1), kMinExponent);
  while (double{magnitude} > limit * power_of_two(exponent)) ++exponent;
  return exponent;
}

Error diverged(const Kept& kept, size_t first, size_t last) {
  size_t worst = first;
  for (size_t i = first; i < last; ++i) {
    if (magnitude(kept[i]) > magnitude(kept[worst])) worst = i;
  }
  return {"diverged: gradient value " + std::to_string(kept.position(worst)) + " is " +
          std::to_string(kept[worst])};
}

// Word i of a random sequence, four words at a time. Indices ascend.
class Words {
 public:
  explicit Words(const RandomSequence& sequence) : sequence_(sequence) {}
  uint32_t at(size_t index) {
    if (index / 4 != group_) {
      group_ = index / 4;
      words_ = sequence_.at(static_cast<uint32_t>(group_));
    }
    return words_[index % 4];
  }

 private:
  const RandomSequence& sequence_;
  size_t group_ = SIZE_MAX;
  std::array<uint32_t, 4> words_{};
};

Status encode_block(const Kept& kept, size_t first, size_t last, Words& words, GradientFile& file) {
  uint32_t largest = 0;
  for (size_t i = first; i < last; ++i) largest = std::max(largest, magnitude(kept[i]));
  if (largest >= kInfinityBits) return diverged(kept, first, last);
  const int exponent = largest == 0 ? 0 : block_exponent(std::bit_cast<float>(largest), file.bits);
  if (exponent > kMaxExponent) return diverged(kept, first, last);
  const double scale = power_of_two(16 - exponent);
  bool zeros = true;
  for (size_t i = first; i < last; ++i) {
    const int64_t fixed = nearest_integer(double{kept[i]} * scale);
    file.values[i] = static_cast<int16_t>((fixed + (words.at(kept.position(i)) >> 16)) >> 16);
    zeros = zeros && file.values[i] == 0;
  }
  file.exponents.push_back(zeros ? int8_t{0} : static_cast<int8_t>(exponent));
  return {};
}

}  // namespace

std::vector<uint32_t> largest_values(std::span<const float> values, uint32_t kept) {
  CAIRN_ASSERT(kept >= 1 && kept <= values.size());
  const Threshold threshold = find_threshold(values, kept);
  uint32_t equal = kept - threshold.larger;  // that are kept too
  std::vector<uint32_t> positions;
  positions.reserve(kept);
  for (size_t i = 0; i < values.size(); ++i) {
    const uint32_t own = magnitude(values[i]);
    if (own < threshold.magnitude || (own == threshold.magnitude && equal == 0)) continue;
    if (own == threshold.magnitude) --equal;
    positions.push_back(static_cast<uint32_t>(i));
  }
  return positions;
}

Status encode_values(std::span<const float> values, uint32_t kept, const RandomSequence& rounding,
                     GradientFile& file) {
  CAIRN_ASSERT(file.bits == 4 || file.bits == 8 || file.bits == 16);
  CAIRN_ASSERT(file.block_size > 0 && values.size() <= kMaxParameters);
  file.parameters = static_cast<uint32_t>(values.size());
  file.positions.clear();
  if (kept < values.size()) file.positions = largest_values(values, kept);
  file.exponents.clear();
  file.values.resize(kept);
  const Kept numbers(values, file.positions);
  Words words(rounding);
  for (size_t first = 0; first < kept; first += file.block_size) {
    CAIRN_CHECK(encode_block(numbers, first, std::min<size_t>(first + file.block_size, kept), words, file));
  }
  return {};
}

void decode_values(const GradientFile& file, std::span<float> values) {
  CAIRN_ASSERT(values.size() == file.parameters);
  if (!file.positions.empty()) std::ranges::fill(values, 0.0f);
  for (size_t i = 0; i < file.values.size(); ++i) {
    const double scale = power_of_two(file.exponents[i / file.block_size]);
    values[file.positions.empty() ? i : file.positions[i]] = static_cast<float>(file.values[i] * scale);
  }
}

}  // namespace cairn::work
