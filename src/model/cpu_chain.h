// A chain of a program as the backend takes it.
#pragma once

#include <array>

#include "exact/chain.h"
#include "model/device.h"

namespace cairn::model {

class CpuChain {
 public:
  // Where buffers lie.
  class Memory {
   public:
    virtual ~Memory() = default;
    virtual float* floats(BufferId id) const = 0;
    virtual exact::Quantized integers(BufferId id) const = 0;
  };

  // What it gives refers to this object and holds until the next call. Allocates nothing.
  exact::Chain make(const Instruction& chain, const Memory& memory, const DitherKey& key);

  // The buffer whose values have diverged, when the backend says that step `diverged` of the last chain has:
  // what the step gives, or the first operand of the end.
  BufferId blamed(size_t diverged) const;

 private:
  exact::ChainInput input(BufferId id) const;
  exact::ChainStep step(const Instruction& part) const;

  const Instruction* instruction_ = nullptr;
  const Memory* memory_ = nullptr;
  std::array<exact::ChainStep, kMaxChain> steps_;
  std::array<BufferId, kMaxChain> results_ = {};  // by step
  size_t count_ = 0;
};

}  // namespace cairn::model
