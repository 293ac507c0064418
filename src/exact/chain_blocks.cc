#include "exact/chain_blocks.h"

#include <algorithm>

#include "exact/arithmetic.h"

namespace cairn::exact {
namespace {

// Runs shorter than this are worked on with one parameter for each element.
constexpr int64_t kShortRun = 32;

// Calls body(offset, length, channel) for the runs of one channel that make up elements [begin, begin + n).
template <typename Body>
void for_each_run(const Channels& shape, int64_t begin, int64_t n, Body body) {
  int64_t run = begin / shape.inner, left = shape.inner - begin % shape.inner;
  for (int64_t done = 0; done < n; ++run, left = shape.inner) {
    const int64_t length = std::min(left, n - done);
    body(done, length, run % shape.channels);
    done += length;
  }
}

// The value of each element's channel.
void spread(const float* c, const Channels& shape, int64_t begin, int64_t n, float* out) {
  if (shape.inner > 1) {
    for_each_run(shape, begin, n, [=](int64_t offset, int64_t length, int64_t channel) {
      std::fill_n(out + offset, length, c[channel]);
    });
    return;
  }
  for (int64_t done = 0, channel = begin % shape.channels; done < n; channel = 0) {
    const int64_t length = std::min(shape.channels - channel, n - done);
    std::copy_n(c + channel, length, out + done);
    done += length;
  }
}

}  // namespace

ChainBlocks::ChainBlocks(Machine& machine, const Kernels& kernels, std::span<const ChainStep> steps)
    : kernels_(kernels),
      steps_(steps),
      buffer_size_((static_cast<int64_t>(steps.size()) + kVectors) * kBlockElements),
      diverged_(steps.size()) {
  buffers_ = machine.scratch.take<float>(machine.pool.size() * buffer_size_);
}

const float* ChainBlocks::run(int64_t begin, int64_t n, int worker, float* result) {
  for (int64_t done = 0; done < n; done += kBlockElements) {
    run_block(begin + done, std::min(kBlockElements, n - done), buffers_ + worker * buffer_size_,
              result == nullptr ? nullptr : result + done);
  }
  return stored() == nullptr ? result : stored() + begin;
}

void ChainBlocks::run_block(int64_t begin, int64_t n, float* buffers, float* result) {
  float* results = buffers + kVectors * kBlockElements;
  const auto place = [&](size_t step) {
    if (steps_[step].store != nullptr) return steps_[step].store + begin;
    if (step + 1 == steps_.size() && result != nullptr) return result;
    return results + static_cast<int64_t>(step) * kBlockElements;
  };
  const auto values = [&](const ChainInput& input) -> const float* {
    if (input.step >= 0) return place(static_cast<size_t>(input.step));
    return input.tensor == nullptr ? nullptr : input.tensor + begin;
  };
  for (size_t i = 0; i < steps_.size(); ++i) {
    const ChainStep& step = steps_[i];
    run_step(step, values(step.inputs[0]), values(step.inputs[1]), begin, n, buffers, place(i));
    if (step.checked) check(i, place(i), n);
  }
}

void ChainBlocks::run_step(const ChainStep& step, const float* x, const float* y, int64_t begin, int64_t n,
                           float* vectors, float* out) const {
  const auto function = static_cast<size_t>(step.function);
  switch (step.kind) {
    case ChainStep::Kind::add:
      return kernels_.add(x, y, n, out);
    case ChainStep::Kind::multiply:
      return kernels_.multiply(x, y, n, out);
    case ChainStep::Kind::relu:
      return kernels_.relu(x, n, out);
    case ChainStep::Kind::relu_gradient:
      return kernels_.relu_gradient(x, y, n, out);
    case ChainStep::Kind::activate:
      return kernels_.activate[function](x, step.a, step.b, n, out);
    case ChainStep::Kind::activation_gradient:
      return kernels_.activation_gradient[function](x, y, step.a, step.b, n, out);
    default:
      return run_over_channels(step, x, begin, n, vectors, out);
  }
}

void ChainBlocks::run_over_channels(const ChainStep& step, const float* x, int64_t begin, int64_t n,
                                    float* vectors, float* out) const {
  using Kind = ChainStep::Kind;
  const auto& c = step.per_channel;
  if (step.shape.inner >= kShortRun) {
    for_each_run(step.shape, begin, n, [&](int64_t at, int64_t length, int64_t i) {
      if (step.kind == Kind::add_channels) kernels_.add_constant(x + at, c[0][i], length, out + at);
      if (step.kind == Kind::multiply_channels) kernels_.scale(x + at, c[0][i], length, out + at);
      if (step.kind == Kind::normalize)
        kernels_.normalize(x + at, c[0][i], c[1][i], c[2][i], c[3][i], length, out + at);
    });
    return;
  }
  const auto each = [&](size_t i) {
    float* vector = vectors + static_cast<int64_t>(i) * kBlockElements;
    spread(c[i], step.shape, begin, n, vector);
    return vector;
  };
  if (step.kind == Kind::add_channels) kernels_.add(x, each(0), n, out);
  if (step.kind == Kind::multiply_channels) kernels_.multiply(x, each(0), n, out);
  if (step.kind == Kind::normalize) kernels_.normalize_each(x, each(0), each(1), each(2), each(3), n, out);
}

// All blocks run to the end, so that the first step is found whatever the order of the blocks.
void ChainBlocks::check(size_t step, const float* values, int64_t n) {
  if (kernels_.largest_magnitude(values, n) < kInfinityBits) return;
  for (size_t seen = diverged_; step < seen && !diverged_.compare_exchange_weak(seen, step);) {
  }
}

}  // namespace cairn::exact
