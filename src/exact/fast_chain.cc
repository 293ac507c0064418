#include "exact/chain_blocks.h"
#include "exact/fast_backend.h"
#include "exact/parallel.h"

namespace cairn::exact {

std::optional<size_t> FastBackend::run_chain(const Chain& chain) {
  constexpr int64_t kGrain = 1 << 14;
  machine_.scratch.reset();
  ChainBlocks blocks(machine_, kernels_, chain.steps);
  bool finite = true;
  if (const auto* quantization = std::get_if<ChainQuantization>(&chain.end)) {
    finite = quantize_chain(blocks, *quantization);
  } else if (const auto* gradient = std::get_if<ChainNormalizeGradient>(&chain.end)) {
    finite = normalize_gradient_of(blocks, *gradient);
  } else {
    parallel_for(machine_.pool, chain.count, kGrain, [&](int64_t begin, int64_t end, int worker) {
      blocks.run(begin, end - begin, worker, nullptr);
    });
  }
  if (finite && blocks.diverged() == chain.steps.size()) return std::nullopt;
  return blocks.diverged();
}

}  // namespace cairn::exact
