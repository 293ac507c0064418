#include <atomic>
#include <vector>

#include "exact/block_sums.h"
#include "exact/chain_blocks.h"
#include "exact/fast_backend.h"
#include "exact/parallel.h"

namespace cairn::exact {
namespace {

constexpr int64_t kGrain = 1 << 14;

// What is summed, where the elements are made on the way: each function gives the n values that begin at
// element `start`, in `buffer` if they lie nowhere yet. run(): all of one channel. row(): one a channel.
struct Plain {
  const float* x;
  const float* run(int64_t start, int64_t, float*) const { return x + start; }
  const float* row(int64_t start, int64_t, int64_t, float*) const { return x + start; }
};

struct Products {
  const Kernels& kernels;
  const float *x, *y;
  const float* run(int64_t start, int64_t n, float* buffer) const {
    kernels.multiply(x + start, y + start, n, buffer);
    return buffer;
  }
  const float* row(int64_t start, int64_t n, int64_t, float* buffer) const { return run(start, n, buffer); }
};

struct GammaTerms {
  const Kernels& kernels;
  const float *x, *dy, *mean, *inverse;
  const float* row(int64_t start, int64_t n, int64_t channel, float* buffer) const {
    kernels.gamma_terms_each(x + start, dy + start, mean + channel, inverse + channel, n, buffer);
    return buffer;
  }
};

int64_t blocks_each(const Channels& shape) {
  return shape.samples * ((shape.inner + kBlock - 1) / kBlock);
}

// Calls body(start, n, channel, block of the channel, worker) for every block of every channel.
template <typename Body>
void for_each_block(ThreadPool& pool, const Channels& shape, Body body) {
  const int64_t blocks = (shape.inner + kBlock - 1) / kBlock;
  const auto run = [&](int64_t begin, int64_t end, int worker) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t block = i % blocks, plane = i / blocks;
      const int64_t channel = plane % shape.channels, sample = plane / shape.channels;
      body(plane * shape.inner + block * kBlock, std::min(kBlock, shape.inner - block * kBlock), channel,
           sample * blocks + block, worker);
    }
  };
  const int64_t size = std::min(shape.inner, kBlock);
  parallel_for(pool, shape.samples * shape.channels * blocks, kGrain / size + 1, run);
}

// Calls body(first channel, n, worker) for pieces of a row of channels, where each element is a block.
template <typename Body>
void for_each_columns(ThreadPool& pool, const Channels& shape, Body body) {
  constexpr int64_t kColumns = 512;
  parallel_for(pool, (shape.channels + kColumns - 1) / kColumns, kGrain / (shape.samples * kColumns) + 1,
               [&](int64_t begin, int64_t end, int worker) {
                 for (int64_t i = begin; i < end; ++i)
                   body(i * kColumns, std::min(kColumns, shape.channels - i * kColumns), worker);
               });
}

bool reduce_block(const Kernels& kernels, const float* x, int64_t n, BlockSum* block) {
  if (!group_exponent(kernels.largest_magnitude(x, n), kSumBits, &block->exponent)) return false;
  block->sum = block->exponent == kEmptyGroup ? 0 : kernels.sum_block(x, power_of_two(-block->exponent), n);
  return true;
}

bool reduce_block(const Kernels& kernels, const float* x, int64_t n, BlockMoments* block) {
  if (!group_exponent(kernels.largest_magnitude(x, n), kMomentBits, &block->exponent)) return false;
  block->sums = block->exponent == kEmptyGroup ? MomentSums{}
                                               : kernels.moment_block(x, power_of_two(-block->exponent), n);
  return true;
}

// The scale of each column: its exponent, and 2^-exponent; false where one has diverged. Calls row(sample)
// for the values of a sample.
template <typename Row>
bool column_scales(const Kernels& kernels, int64_t samples, int64_t n, int bits, Row row, int32_t* exponents,
                   float* factors) {
  std::vector<uint32_t> largest(static_cast<size_t>(n), 0);
  for (int64_t s = 0; s < samples; ++s) kernels.raise_magnitudes(row(s), n, largest.data());
  for (int64_t i = 0; i < n; ++i) {
    if (!group_exponent(largest[static_cast<size_t>(i)], bits, &exponents[i])) return false;
    if (exponents[i] == kEmptyGroup) exponents[i] = kMinExponent;
    factors[i] = power_of_two(-exponents[i]);
  }
  return true;
}

template <typename Row>
bool sum_columns(const Kernels& kernels, int64_t samples, int64_t n, Row row, float* result) {
  std::vector<int32_t> exponents(static_cast<size_t>(n));
  std::vector<float> factors(static_cast<size_t>(n));
  if (!column_scales(kernels, samples, n, kSumBits, row, exponents.data(), factors.data())) return false;
  std::vector<int64_t> totals(static_cast<size_t>(n), 0);
  for (int64_t s = 0; s < samples; ++s) kernels.sum_row(row(s), factors.data(), n, totals.data());
  for (int64_t i = 0; i < n; ++i) {
    const size_t c = static_cast<size_t>(i);
    result[i] = to_binary32(totals[c]) * power_of_two(exponents[c]);
  }
  return true;
}

template <typename Row>
bool moment_columns(const Kernels& kernels, int64_t samples, int64_t n, Row row, float* mean,
                    float* variance) {
  std::vector<int32_t> exponents(static_cast<size_t>(n));
  std::vector<float> factors(static_cast<size_t>(n));
  if (!column_scales(kernels, samples, n, kMomentBits, row, exponents.data(), factors.data())) return false;
  std::vector<Moments> totals(static_cast<size_t>(n));
  std::vector<int64_t> sums(static_cast<size_t>(n)), squares(static_cast<size_t>(n));
  constexpr int64_t kRows = 1 << 14;  // squares stay below 2^48 * 2^14
  for (int64_t first = 0; first < samples; first += kRows) {
    std::fill(sums.begin(), sums.end(), 0);
    std::fill(squares.begin(), squares.end(), 0);
    for (int64_t s = first; s < std::min(samples, first + kRows); ++s)
      kernels.moment_row(row(s), factors.data(), n, sums.data(), squares.data());
    for (size_t c = 0; c < totals.size(); ++c) {
      totals[c].sum += sums[c];
      totals[c].sum_of_squares += squares[c];
    }
  }
  bool finite = true;
  for (int64_t i = 0; i < n; ++i) {
    Moments& total = totals[static_cast<size_t>(i)];
    total.exponent = exponents[static_cast<size_t>(i)];
    finite &= finish_moments(total, samples, &mean[i], &variance[i]);
  }
  return finite;
}

}  // namespace

// The sums of what a source gives, where each element is a block: rows of channels.
template <typename Source>
bool FastBackend::sum_rows(const Channels& shape, const Source& source, float* result) {
  machine_.scratch.reset();
  float* buffers = machine_.scratch.take<float>(machine_.pool.size() * kBlock);
  std::atomic<bool> finite = true;
  for_each_columns(machine_.pool, shape, [&](int64_t channel, int64_t n, int worker) {
    const auto row = [&](int64_t sample) {
      return source.row(sample * shape.channels + channel, n, channel, buffers + worker * kBlock);
    };
    if (!sum_columns(kernels_, shape.samples, n, row, result + channel)) finite = false;
  });
  return finite;
}

template <typename Source>
bool FastBackend::sum_source(const Channels& shape, const Source& source, float* result) {
  if (shape.inner == 1) return sum_rows(shape, source, result);
  machine_.scratch.reset();
  float* buffers = machine_.scratch.take<float>(machine_.pool.size() * kBlock);
  const int64_t count = blocks_each(shape);
  BlockSum* blocks = machine_.scratch.take<BlockSum>(count * shape.channels);
  std::atomic<bool> finite = true;
  for_each_block(machine_.pool, shape,
                 [&](int64_t start, int64_t n, int64_t channel, int64_t block, int worker) {
                   const float* x = source.run(start, n, buffers + worker * kBlock);
                   if (!reduce_block(kernels_, x, n, blocks + channel * count + block)) finite = false;
                 });
  if (!finite) return false;
  for (int64_t c = 0; c < shape.channels; ++c)
    result[c] = total_of({blocks + c * count, static_cast<size_t>(count)});
  return true;
}

bool FastBackend::sum(const float* x, const Channels& shape, float* result) {
  return sum_source(shape, Plain{x}, result);
}

bool FastBackend::sum_products(const float* x, const float* y, const Channels& shape, float* result) {
  return sum_source(shape, Products{kernels_, x, y}, result);
}

bool FastBackend::moments(const float* x, const Channels& shape, float* mean, float* variance) {
  std::atomic<bool> finite = true;
  if (shape.inner == 1) {
    for_each_columns(machine_.pool, shape, [&](int64_t channel, int64_t n, int) {
      const auto row = [&](int64_t sample) { return x + sample * shape.channels + channel; };
      if (!moment_columns(kernels_, shape.samples, n, row, mean + channel, variance + channel))
        finite = false;
    });
    return finite;
  }
  machine_.scratch.reset();
  const int64_t count = blocks_each(shape);
  BlockMoments* blocks = machine_.scratch.take<BlockMoments>(count * shape.channels);
  for_each_block(machine_.pool, shape, [&](int64_t start, int64_t n, int64_t channel, int64_t block, int) {
    if (!reduce_block(kernels_, x + start, n, blocks + channel * count + block)) finite = false;
  });
  if (!finite) return false;
  for (int64_t c = 0; c < shape.channels; ++c) {
    const Moments total = moments_of({blocks + c * count, static_cast<size_t>(count)});
    if (!finish_moments(total, shape.samples * shape.inner, &mean[c], &variance[c])) finite = false;
  }
  return finite;
}

namespace {

// What normalize_gradient() needs of a channel besides the elements.
struct NormalizedChannel {
  float mean, inverse, gamma;
  float mean_beta = 0, mean_gamma = 0, slope = 0;

  void finish(float dgamma, float dbeta, float n) {
    mean_beta = dbeta / n;
    mean_gamma = dgamma / n;
    slope = gamma * inverse;
  }
};

// What a worker needs for a channel of normalize_gradient(): room for the products of a block of dy with the
// normalized values, and the sums of all blocks.
struct GradientRoom {
  float* products;
  BlockSum *beta_blocks, *gamma_blocks;
};

// Both sweeps over a channel follow each other, so that the second reads from the cache. All blocks are
// looked at even if one has diverged: a chain that makes them wants to know which step was the first.
template <typename Source>
bool normalize_gradient_of_channel(const Kernels& kernels, const Source& dy, const ChainNormalizeGradient& g,
                                   int64_t channel, const GradientRoom& room, int worker) {
  NormalizedChannel c{g.mean[channel], g.inverse[channel], g.gamma[channel]};
  const Channels& shape = g.shape;
  const int64_t step = shape.channels * shape.inner;
  const auto for_each = [&](auto body) {
    for (int64_t start = channel * shape.inner; start < shape.samples * step; start += step) {
      for (int64_t done = 0; done < shape.inner; done += kBlock)
        body(start + done, std::min(kBlock, shape.inner - done));
    }
  };
  size_t block = 0;
  bool finite = true;
  for_each([&](int64_t at, int64_t n) {
    const float* values = dy.make(at, n, worker);
    kernels.gamma_terms(g.x + at, values, c.mean, c.inverse, n, room.products);
    finite &= reduce_block(kernels, values, n, &room.beta_blocks[block]);
    finite &= reduce_block(kernels, room.products, n, &room.gamma_blocks[block++]);
  });
  if (!finite) return false;
  g.dbeta[channel] = total_of({room.beta_blocks, block});
  g.dgamma[channel] = total_of({room.gamma_blocks, block});
  c.finish(g.dgamma[channel], g.dbeta[channel], to_binary32(shape.samples * shape.inner));
  for_each([&](int64_t at, int64_t n) {
    const float* values = dy.again(at);
    kernels.normalize_gradient(g.x + at, values, c.mean, c.inverse, c.mean_beta, c.mean_gamma, c.slope, n,
                               g.dx + at);
  });
  return true;
}

// dy of normalize_gradient() for its two sweeps: as it lies in memory, or as a chain makes it. What the chain
// does not store waits for the second sweep where dx will be.
struct GivenGradient {
  const float* dy;
  const float* make(int64_t at, int64_t, int) const { return dy + at; }
  const float* again(int64_t at) const { return dy + at; }
};

struct MadeGradient {
  ChainBlocks& blocks;
  float* dx;
  const float* make(int64_t at, int64_t n, int worker) const { return blocks.run(at, n, worker, dx + at); }
  const float* again(int64_t at) const { return (blocks.stored() == nullptr ? dx : blocks.stored()) + at; }
};

}  // namespace

template <typename Source>
bool FastBackend::normalize_gradient_from(const Source& dy, const ChainNormalizeGradient& g) {
  const Channels& shape = g.shape;
  const int64_t count = blocks_each(shape), workers = machine_.pool.size();
  float* buffers = machine_.scratch.take<float>(workers * kBlock);
  BlockSum* blocks = machine_.scratch.take<BlockSum>(workers * 2 * count);
  std::atomic<bool> finite = true;
  const int64_t grain = kGrain / (shape.samples * shape.inner) + 1;
  parallel_for(machine_.pool, shape.channels, grain, [&](int64_t begin, int64_t end, int worker) {
    BlockSum* mine = blocks + worker * 2 * count;
    const GradientRoom room{buffers + worker * kBlock, mine, mine + count};
    for (int64_t c = begin; c < end; ++c) {
      if (!normalize_gradient_of_channel(kernels_, dy, g, c, room, worker)) finite = false;
    }
  });
  return finite;
}

bool FastBackend::normalize_gradient_of(ChainBlocks& dy, const ChainNormalizeGradient& end) {
  return normalize_gradient_from(MadeGradient{dy, end.dx}, end);
}

bool FastBackend::normalize_gradient(const float* x, const float* dy, const Channels& shape,
                                     const float* mean, const float* inverse, const float* gamma,
                                     float* dgamma, float* dbeta, float* dx) {
  if (shape.inner == 1) return normalize_gradient_rows(x, dy, shape, mean, inverse, gamma, dgamma, dbeta, dx);
  machine_.scratch.reset();
  return normalize_gradient_from(GivenGradient{dy}, {x, shape, mean, inverse, gamma, dgamma, dbeta, dx});
}

// Where each element is a block: rows of channels.
bool FastBackend::normalize_gradient_rows(const float* x, const float* dy, const Channels& shape,
                                          const float* mean, const float* inverse, const float* gamma,
                                          float* dgamma, float* dbeta, float* dx) {
  if (!sum_rows(shape, Plain{dy}, dbeta)) return false;
  if (!sum_rows(shape, GammaTerms{kernels_, x, dy, mean, inverse}, dgamma)) return false;
  machine_.scratch.reset();
  float* mean_beta = machine_.scratch.take<float>(shape.channels);
  float* mean_gamma = machine_.scratch.take<float>(shape.channels);
  float* slope = machine_.scratch.take<float>(shape.channels);
  for (int64_t c = 0; c < shape.channels; ++c) {
    NormalizedChannel channel{mean[c], inverse[c], gamma[c]};
    channel.finish(dgamma[c], dbeta[c], to_binary32(shape.samples));
    mean_beta[c] = channel.mean_beta;
    mean_gamma[c] = channel.mean_gamma;
    slope[c] = channel.slope;
  }
  const int64_t row = shape.channels;
  parallel_for(machine_.pool, shape.samples, kGrain / row + 1, [&](int64_t begin, int64_t end, int) {
    for (int64_t i = begin * row; i < end * row; i += row)
      kernels_.normalize_gradient_each(x + i, dy + i, mean, inverse, mean_beta, mean_gamma, slope, row,
                                       dx + i);
  });
  return true;
}

}  // namespace cairn::exact
