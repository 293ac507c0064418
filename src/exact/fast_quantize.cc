#include <atomic>

#include "exact/arithmetic.h"
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

// Quantization of one tensor: how it scales, whether it dithers, and whether a value has diverged.
class Quantizer {
 public:
  Quantizer(Machine& machine, const Kernels& kernels, const float* x, int bits, Quantized out, bool dither,
            uint32_t key)
      : machine_(machine), kernels_(kernels), x_(x), bits_(bits), out_(out), dither_(dither), key_(key) {}

  bool run(const Groups& groups) {
    machine_.scratch.reset();
    const bool one_group = groups.groups == 1 || groups.repeat == 1;
    if (!one_group) {
      for (int64_t o = 0; o < groups.outer; ++o) columns(groups, o);
    } else if (const int64_t size = groups.repeat * groups.inner; size <= kLargeGroup) {
      parallel_for(machine_.pool, groups.count(), kGrain / std::max<int64_t>(size, 1) + 1,
                   [&](int64_t begin, int64_t end, int) {
                     for (int64_t group = begin; group < end; ++group) small_group(group, size);
                   });
    } else {
      for (int64_t group = 0; group < groups.count(); ++group) large_group(group, size);
    }
    return finite_;
  }

 private:
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

  void convert(int64_t begin, int64_t end, float scale) {
    if (dither_) {
      kernels_.quantize_dithered(x_ + begin, scale, key_ + static_cast<uint32_t>(begin), end - begin,
                                 out_.values + begin);
    } else {
      kernels_.quantize(x_ + begin, scale, end - begin, out_.values + begin);
    }
  }

  void convert_each(int64_t begin, int64_t n, const float* factors) {
    if (dither_) {
      kernels_.quantize_dithered_each(x_ + begin, factors, key_ + static_cast<uint32_t>(begin), n,
                                      out_.values + begin);
    } else {
      kernels_.quantize_each(x_ + begin, factors, n, out_.values + begin);
    }
  }

  // Contiguous groups: each is read a second time from the cache.
  void small_group(int64_t group, int64_t size) {
    const float scale = factor(group, kernels_.largest_magnitude(x_ + group * size, size));
    if (!finite_) return;
    convert(group * size, (group + 1) * size, scale);
  }

  void large_group(int64_t group, int64_t size) {
    std::atomic<uint32_t> largest = 0;
    parallel_for(machine_.pool, size, kGrain, [&](int64_t begin, int64_t end, int) {
      const uint32_t m = kernels_.largest_magnitude(x_ + group * size + begin, end - begin);
      for (uint32_t seen = largest; seen < m && !largest.compare_exchange_weak(seen, m);) {
      }
    });
    const float scale = factor(group, largest);
    if (!finite_) return;
    parallel_for(machine_.pool, size, kGrain, [&](int64_t begin, int64_t end, int) {
      convert(group * size + begin, group * size + end, scale);
    });
  }

  // Groups that lie side by side in `repeat` rows of `width` elements.
  void columns(const Groups& groups, int64_t outer) {
    const int64_t width = groups.groups * groups.inner, start = outer * groups.repeat * width;
    const int64_t rows_each = kGrain / std::max<int64_t>(width, 1) + 1;
    machine_.scratch.reset();
    const int64_t workers = machine_.pool.size();
    uint32_t* largest = machine_.scratch.take<uint32_t>(workers * width);
    float* factors = machine_.scratch.take<float>(width);
    std::fill(largest, largest + workers * width, 0u);
    parallel_for(machine_.pool, groups.repeat, rows_each, [&](int64_t begin, int64_t end, int worker) {
      for (int64_t row = begin; row < end; ++row)
        kernels_.raise_magnitudes(x_ + start + row * width, width, largest + worker * width);
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
      for (int64_t row = begin; row < end; ++row) convert_each(start + row * width, width, factors);
    });
  }

  Machine& machine_;
  const Kernels& kernels_;
  const float* x_;
  int bits_;
  Quantized out_;
  bool dither_;
  uint32_t key_;
  std::atomic<bool> finite_ = true;
};

}  // namespace

bool FastBackend::quantize(const float* x, const Groups& groups, int bits, Quantized out) {
  return Quantizer(machine_, kernels_, x, bits, out, false, 0).run(groups);
}

bool FastBackend::quantize_dithered(const float* x, const Groups& groups, int bits, uint32_t key,
                                    Quantized out) {
  return Quantizer(machine_, kernels_, x, bits, out, true, key).run(groups);
}

bool FastBackend::finite(const float* x, int64_t n) {
  std::atomic<bool> finite = true;
  parallel_for(machine_.pool, n, kGrain, [&](int64_t begin, int64_t end, int) {
    if (kernels_.largest_magnitude(x + begin, end - begin) >= 0x7f800000) finite = false;
  });
  return finite;
}

}  // namespace cairn::exact
