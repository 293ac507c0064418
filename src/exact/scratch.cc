#include "exact/scratch.h"

#include <algorithm>

#include "base/result.h"

namespace cairn::exact {

void Scratch::reset() {
  largest_ = std::max(largest_, taken_);
  // Several blocks become one that is large enough for all, so that memory does not grow with their history.
  if (blocks_.size() > 1) blocks_.clear();
  block_ = 0;
  used_ = 0;
  taken_ = 0;
}

void* Scratch::take_bytes(size_t bytes) {
  bytes = (bytes + kAlignment - 1) / kAlignment * kAlignment;
  while (block_ < blocks_.size() && blocks_[block_].size - used_ < bytes) {
    ++block_;
    used_ = 0;
  }
  if (block_ == blocks_.size()) {
    const size_t size = std::max({bytes, kMinBlock, blocks_.empty() ? largest_ : 0});
    void* memory = std::aligned_alloc(kAlignment, size);
    CAIRN_ASSERT(memory != nullptr);  // the planner has already promised this memory
    blocks_.push_back({std::unique_ptr<void, Free>(memory), size});
  }
  void* result = static_cast<char*>(blocks_[block_].memory.get()) + used_;
  used_ += bytes;
  taken_ += bytes;
  return result;
}

}  // namespace cairn::exact
