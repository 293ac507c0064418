#include <atomic>

#include "exact/arithmetic.h"
#include "exact/chain_blocks.h"
#include "exact/fast_backend.h"
#include "exact/parallel.h"

namespace cairn::exact {
namespace {

// Elements below which a second thread costs more than it saves, and above which a group is split.
constexpr int64_t kGrain = 1 << 15;
constexpr int64_t kLargeGroup = 1 << 18;

uint32_t largest_of(const uint32_t* values, int64_t n) {
  return n == 0 ? 0 : *std::max_element(values, values + n);
}

// The values of contiguous groups, which may be made on the way. make(): elements [begin, begin + n) of the
// group whose first element is `first`; whole(): all of that group, once all of it was made.
struct Plain {
  const float* x;
  const float* make(int64_t begin, int64_t, int64_t, int) const { return x + begin; }
  const float* whole(int64_t first, int) const { return x + first; }
};

// What a chain does not store goes to a buffer for the group, which only the cache sees if it is small.
struct Made {
  ChainBlocks& blocks;
  float* buffer;
  int64_t stride;  // from one worker's buffer to the next; 0 if they all work on the same group

  const float* make(int64_t begin, int64_t n, int64_t first, int worker) const {
    return blocks.run(begin, n, worker,
                      buffer == nullptr ? nullptr : buffer + worker * stride + begin - first);
  }
  const float* whole(int64_t first, int worker) const {
    return buffer == nullptr ? blocks.stored() + first : buffer + worker * stride;
  }
};

// Quantization of one tensor: how it scales, whether it dithers, and whether a value has diverged.
class Quantizer {
 public:
  Quantizer(Machine& machine, const Kernels& kernels, int bits, Quantized out, bool dither, uint32_t key)
      : machine_(machine), kernels_(kernels), bits_(bits), out_(out), dither_(dither), key_(key) {}

  bool run(const float* x, const Groups& groups) {
    machine_.scratch.reset();
    const bool one_group = groups.groups == 1 || groups.repeat == 1;
    if (one_group) return run_contiguous(Plain{x}, groups);
    for (int64_t o = 0; o < groups.outer; ++o) columns(x, groups, o);
    return finite_;
  }

  bool run(ChainBlocks& blocks, const Groups& groups) {
    const int64_t size = groups.repeat * groups.inner, copies = size > kLargeGroup ? 1 : machine_.pool.size();
    float* buffer = blocks.stored() == nullptr ? machine_.scratch.take<float>(copies * size) : nullptr;
    return run_contiguous(Made{blocks, buffer, copies == 1 ? 0 : size}, groups);
  }

 private:
  template <typename Values>
  bool run_contiguous(const Values& values, const Groups& groups) {
    const int64_t size = groups.repeat * groups.inner;
    if (size > kLargeGroup) {
      for (int64_t group = 0; group < groups.count(); ++group) large_group(values, group, size);
      return finite_;
    }
    parallel_for(machine_.pool, groups.count(), kGrain / std::max<int64_t>(size, 1) + 1,
                 [&](int64_t begin, int64_t end, int worker) {
                   for (int64_t group = begin; group < end; ++group) small_group(values, group, size, worker);
                 });
    return finite_;
  }

  // The factor that scales a group whose largest magnitude is m; 0 where there is nothing to scale. Clears
  // finite_ if the group has diverged: such values must not be converted to integers.
  float factor(int64_t group, uint32_t m) {
    int32_t e;
    if (!group_exponent(m, bits_, &e)) {
      finite_ = false;
      return 0.0f;
    }
    out_.exponents[group] = e;
    return e == kEmptyGroup ? 0.0f : power_of_two(dither_ ? 16 - e : -e);
  }

  // Of the n elements x, the first of which has the index `begin`.
  void convert(const float* x, int64_t begin, int64_t n, float scale) {
    if (dither_) {
      kernels_.quantize_dithered(x, scale, key_ + static_cast<uint32_t>(begin), n, out_.values + begin);
    } else {
      kernels_.quantize(x, scale, n, out_.values + begin);
    }
  }

  void convert_each(const float* x, int64_t begin, int64_t n, const float* factors) {
    if (dither_) {
      kernels_.quantize_dithered_each(x, factors, key_ + static_cast<uint32_t>(begin), n,
                                      out_.values + begin);
    } else {
      kernels_.quantize_each(x, factors, n, out_.values + begin);
    }
  }

  // The largest magnitude of elements [begin, end) of a group, looked for while they are in the cache.
  template <typename Values>
  uint32_t largest(const Values& values, int64_t begin, int64_t end, int64_t first, int worker) {
    constexpr int64_t kPiece = 1 << 12;
    uint32_t m = 0;
    for (; begin < end; begin += kPiece) {
      const int64_t n = std::min(kPiece, end - begin);
      m = std::max(m, kernels_.largest_magnitude(values.make(begin, n, first, worker), n));
    }
    return m;
  }

  // Each is read a second time from the cache.
  template <typename Values>
  void small_group(const Values& values, int64_t group, int64_t size, int worker) {
    const int64_t first = group * size;
    const float scale = factor(group, largest(values, first, first + size, first, worker));
    if (finite_) convert(values.whole(first, worker), first, size, scale);
  }

  template <typename Values>
  void large_group(const Values& values, int64_t group, int64_t size) {
    const int64_t first = group * size;
    std::atomic<uint32_t> most = 0;
    parallel_for(machine_.pool, size, kGrain, [&](int64_t begin, int64_t end, int worker) {
      const uint32_t m = largest(values, first + begin, first + end, first, worker);
      for (uint32_t seen = most; seen < m && !most.compare_exchange_weak(seen, m);) {
      }
    });
    const float scale = factor(group, most);
    if (!finite_) return;
    parallel_for(machine_.pool, size, kGrain, [&](int64_t begin, int64_t end, int) {
      convert(values.whole(first, 0) + begin, first + begin, end - begin, scale);
    });
  }

  // Groups that lie side by side in `repeat` rows of `width` elements.
  void columns(const float* x, const Groups& groups, int64_t outer) {
    const int64_t width = groups.groups * groups.inner, start = outer * groups.repeat * width;
    const int64_t rows_each = kGrain / std::max<int64_t>(width, 1) + 1;
    machine_.scratch.reset();
    const int64_t workers = machine_.pool.size();
    uint32_t* largest = machine_.scratch.take<uint32_t>(workers * width);
    float* factors = machine_.scratch.take<float>(width);
    std::fill(largest, largest + workers * width, 0u);
    parallel_for(machine_.pool, groups.repeat, rows_each, [&](int64_t begin, int64_t end, int worker) {
      for (int64_t row = begin; row < end; ++row)
        kernels_.raise_magnitudes(x + start + row * width, width, largest + worker * width);
    });
    for (int64_t g = 0; g < groups.groups; ++g) {
      uint32_t m = 0;
      for (int64_t worker = 0; worker < workers; ++worker)
        m = std::max(m, largest_of(largest + worker * width + g * groups.inner, groups.inner));
      const float scale = factor(outer * groups.groups + g, m);
      std::fill(factors + g * groups.inner, factors + (g + 1) * groups.inner, scale);
    }
    if (!finite_) return;
    parallel_for(machine_.pool, groups.repeat, rows_each, [&](int64_t begin, int64_t end, int) {
      for (int64_t at = start + begin * width; at < start + end * width; at += width)
        convert_each(x + at, at, width, factors);
    });
  }

  Machine& machine_;
  const Kernels& kernels_;
  int bits_;
  Quantized out_;
  bool dither_;
  uint32_t key_;
  std::atomic<bool> finite_ = true;
};

}  // namespace

bool FastBackend::quantize(const float* x, const Groups& groups, int bits, Quantized out) {
  return Quantizer(machine_, kernels_, bits, out, false, 0).run(x, groups);
}

bool FastBackend::quantize_dithered(const float* x, const Groups& groups, int bits, uint32_t key,
                                    Quantized out) {
  return Quantizer(machine_, kernels_, bits, out, true, key).run(x, groups);
}

bool FastBackend::quantize_chain(ChainBlocks& blocks, const ChainQuantization& end) {
  return Quantizer(machine_, kernels_, end.bits, end.out, end.dithered, end.key).run(blocks, end.groups);
}

bool FastBackend::finite(const float* x, int64_t n) {
  std::atomic<bool> finite = true;
  parallel_for(machine_.pool, n, kGrain, [&](int64_t begin, int64_t end, int) {
    if (kernels_.largest_magnitude(x + begin, end - begin) >= 0x7f800000) finite = false;
  });
  return finite;
}

}  // namespace cairn::exact
