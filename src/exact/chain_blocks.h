// A chain, block by block: a block of every step's result lies in the cache at the same time.
#pragma once

#include <atomic>

#include "exact/chain.h"
#include "exact/kernels.h"
#include "exact/product.h"

namespace cairn::exact {

class ChainBlocks {
 public:
  // Takes from the machine's scratch what all of its workers need.
  ChainBlocks(Machine& machine, const Kernels& kernels, std::span<const ChainStep> steps);

  // Computes elements [begin, begin + n) of all steps. The last result goes to `result` unless the step says
  // where, or is dropped if that is null; returns where it lies.
  const float* run(int64_t begin, int64_t n, int worker, float* result);

  // Where the whole result of the last step lies once everything has run; null if it is not stored.
  const float* stored() const { return steps_.back().store; }
  // The first step whose result has diverged, of all that have run; the number of steps if none has.
  size_t diverged() const { return diverged_; }

 private:
  static constexpr int64_t kBlockElements = 2048;  // 8 KiB of each step
  static constexpr int64_t kVectors = 4;           // of one value for each channel, spread over a block

  void run_block(int64_t begin, int64_t n, float* buffers, float* result);
  void run_step(const ChainStep& step, const float* x, const float* y, int64_t begin, int64_t n,
                float* vectors, float* out) const;
  void run_over_channels(const ChainStep& step, const float* x, int64_t begin, int64_t n, float* vectors,
                         float* out) const;
  void check(size_t step, const float* values, int64_t n);

  const Kernels& kernels_;
  std::span<const ChainStep> steps_;
  float* buffers_;
  int64_t buffer_size_;  // of one worker, in floats
  std::atomic<size_t> diverged_;
};

}  // namespace cairn::exact
