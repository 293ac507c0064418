#include "work/block_encoding.h"

#include <algorithm>
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

uint32_t largest_magnitude(std::span<const float> block) {
  uint32_t largest = 0;
  for (const float x : block) largest = std::max(largest, std::bit_cast<uint32_t>(x) & 0x7fffffff);
  return largest;
}

// The smallest exponent e >= kMinExponent with magnitude <= (2^(bits-1) - 1) * 2^e. Magnitude is not zero.
int block_exponent(float magnitude, int bits) {
  const double limit = (1 << (bits - 1)) - 1;
  const auto biased = static_cast<int>(std::bit_cast<uint64_t>(double{magnitude}) >> 52);
  // magnitude lies in [2^p, 2^(p+1)) with p = biased - 1023, and limit in [2^(bits-2), 2^(bits-1)).
  int exponent = std::max(biased - 1023 - (bits - 1), kMinExponent);
  while (double{magnitude} > limit * power_of_two(exponent)) ++exponent;
  return exponent;
}

Error diverged(std::span<const float> values, size_t first, size_t last) {
  const auto block = values.subspan(first, last - first);
  const auto worst =
      std::ranges::max_element(block, {}, [](float x) { return std::bit_cast<uint32_t>(x) & 0x7fffffff; });
  return {"diverged: gradient value " + std::to_string(first + static_cast<size_t>(worst - block.begin())) +
          " is " + std::to_string(*worst)};
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

}  // namespace

Result<EncodedBlocks> encode_blocks(std::span<const float> values, int bits, uint32_t block_size,
                                    const RandomSequence& rounding) {
  CAIRN_ASSERT((bits == 8 || bits == 16) && block_size > 0 && values.size() <= kMaxParameters);
  EncodedBlocks encoded;
  encoded.values.resize(values.size());
  Words words(rounding);
  for (size_t first = 0; first < values.size(); first += block_size) {
    const size_t last = std::min(first + block_size, values.size());
    const uint32_t largest = largest_magnitude(values.subspan(first, last - first));
    if (largest >= kInfinityBits) return diverged(values, first, last);
    const int exponent = largest == 0 ? 0 : block_exponent(std::bit_cast<float>(largest), bits);
    if (exponent > kMaxExponent) return diverged(values, first, last);
    const double scale = power_of_two(16 - exponent);
    bool zeros = true;
    for (size_t i = first; i < last; ++i) {
      const int64_t fixed = nearest_integer(double{values[i]} * scale);
      encoded.values[i] = static_cast<int16_t>((fixed + (words.at(i) >> 16)) >> 16);
      zeros = zeros && encoded.values[i] == 0;
    }
    encoded.exponents.push_back(zeros ? int8_t{0} : static_cast<int8_t>(exponent));
  }
  return encoded;
}

void decode_blocks(const GradientFile& file, std::span<float> values) {
  CAIRN_ASSERT(values.size() == file.values.size());
  for (size_t i = 0; i < values.size(); ++i) {
    const double scale = power_of_two(file.exponents[i / file.block_size]);
    values[i] = static_cast<float>(file.values[i] * scale);
  }
}

}  // namespace cairn::work
