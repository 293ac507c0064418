#include <algorithm>
#include <atomic>

#include "exact/arithmetic.h"
#include "exact/reference.h"

namespace cairn::exact {
namespace {

// The exact sums of a block: of q, and of q * q where it is wanted.
struct Block {
  int32_t exponent;
  int64_t sum;
  int64_t sum_of_squares;
};

// Calls visit(first element, count) for each block of a channel.
template <typename Visit>
void for_each_block(const Channels& shape, int64_t channel, Visit visit) {
  for (int64_t sample = 0; sample < shape.samples; ++sample) {
    const int64_t start = (sample * shape.channels + channel) * shape.inner;
    for (int64_t i = 0; i < shape.inner; i += kBlock) visit(start + i, std::min(kBlock, shape.inner - i));
  }
}

// False where a value has diverged. element(i) is the binary32 value at index i.
template <typename Element>
bool reduce_block(int64_t start, int64_t count, int bits, Element element, Block* block) {
  uint32_t largest = 0;
  for (int64_t i = start; i < start + count; ++i) largest = std::max(largest, magnitude(element(i)));
  *block = {};
  if (!group_exponent(largest, bits, &block->exponent)) return false;
  if (block->exponent == kEmptyGroup) return true;
  for (int64_t i = start; i < start + count; ++i) {
    const int64_t q = round_to_integer(element(i) * power_of_two(-block->exponent));
    block->sum += q;
    if (bits == kMomentBits) block->sum_of_squares += q * q;
  }
  return true;
}

template <typename Element>
bool reduce_channel(const Channels& shape, int64_t channel, int bits, Element element,
                    std::vector<Block>* blocks) {
  bool finite = true;
  for_each_block(shape, channel, [&](int64_t start, int64_t count) {
    Block block;
    finite &= reduce_block(start, count, bits, element, &block);
    if (block.exponent != kEmptyGroup) blocks->push_back(block);
  });
  return finite;
}

int32_t largest_exponent(const std::vector<Block>& blocks) {
  int32_t largest = kMinExponent;
  for (const Block& block : blocks) largest = std::max(largest, block.exponent);
  return largest;
}

template <typename Element>
bool sum_channel(const Channels& shape, int64_t channel, Element element, float* result) {
  std::vector<Block> blocks;
  if (!reduce_channel(shape, channel, kSumBits, element, &blocks)) return false;
  const int32_t e = largest_exponent(blocks);
  int64_t total = 0;
  for (const Block& block : blocks) total += shift_rounded(block.sum, e - block.exponent);
  *result = to_binary32(total) * power_of_two(e);
  return true;
}

bool moments_of_channel(const Channels& shape, int64_t channel, const float* x, float* mean,
                        float* variance) {
  std::vector<Block> blocks;
  if (!reduce_channel(
          shape, channel, kMomentBits, [x](int64_t i) { return x[i]; }, &blocks))
    return false;
  const int32_t e = largest_exponent(blocks);
  int64_t t1 = 0;
  Int128 t2 = 0;
  for (const Block& block : blocks) {
    t1 += shift_rounded(block.sum, e - block.exponent);
    t2 += shift_rounded(block.sum_of_squares, 2 * (e - block.exponent));
  }
  const int64_t n = shape.samples * shape.inner;
  *mean = (to_binary32(t1) / to_binary32(n)) * power_of_two(e);
  const Int128 spread = std::max(Int128{0}, n * t2 - Int128{t1} * t1);
  *variance = (to_binary32(spread) / to_binary32(Int128{n} * n)) * power_of_two(2 * e);
  return magnitude(*variance) < kInfinityBits;
}

// Calls body(channel) for every channel; false if any was.
template <typename Body>
bool for_each_channel(ThreadPool& pool, const Channels& shape, Body body) {
  std::atomic<bool> finite = true;
  pool.run(shape.channels, [&](int64_t channel, int) {
    if (!body(channel)) finite = false;
  });
  return finite;
}

}  // namespace

bool Reference::sum(const float* x, const Channels& shape, float* result) {
  return for_each_channel(pool_, shape, [&](int64_t channel) {
    return sum_channel(
        shape, channel, [x](int64_t i) { return x[i]; }, &result[channel]);
  });
}

bool Reference::sum_products(const float* x, const float* y, const Channels& shape, float* result) {
  return for_each_channel(pool_, shape, [&](int64_t channel) {
    return sum_channel(
        shape, channel, [x, y](int64_t i) { return x[i] * y[i]; }, &result[channel]);
  });
}

bool Reference::moments(const float* x, const Channels& shape, float* mean, float* variance) {
  return for_each_channel(pool_, shape, [&](int64_t channel) {
    return moments_of_channel(shape, channel, x, &mean[channel], &variance[channel]);
  });
}

bool Reference::normalize_gradient(const float* x, const float* dy, const Channels& shape, const float* mean,
                                   const float* inverse, const float* gamma, float* dgamma, float* dbeta,
                                   float* dx) {
  const float n = to_binary32(shape.samples * shape.inner);
  return for_each_channel(pool_, shape, [&](int64_t c) {
    const auto normalized = [&](int64_t i) { return (x[i] - mean[c]) * inverse[c]; };
    if (!sum_channel(
            shape, c, [&](int64_t i) { return dy[i]; }, &dbeta[c]))
      return false;
    if (!sum_channel(
            shape, c, [&](int64_t i) { return dy[i] * normalized(i); }, &dgamma[c]))
      return false;
    const float mean_beta = dbeta[c] / n, mean_gamma = dgamma[c] / n, slope = gamma[c] * inverse[c];
    for_each_block(shape, c, [&](int64_t start, int64_t count) {
      for (int64_t i = start; i < start + count; ++i)
        dx[i] = ((dy[i] - mean_beta) - normalized(i) * mean_gamma) * slope;
    });
    return true;
  });
}

}  // namespace cairn::exact
