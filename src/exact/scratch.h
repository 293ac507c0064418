// Working memory that a backend keeps from one call to the next.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <vector>

namespace cairn::exact {

// take() hands out 64-byte aligned, uninitialized arrays, which hold until the next reset(). After the first
// few calls of a training step nothing is allocated any more. For one thread: take what every worker needs
// first.
class Scratch {
 public:
  void reset();

  template <typename T>
  T* take(int64_t count) {
    return static_cast<T*>(take_bytes(static_cast<size_t>(count) * sizeof(T)));
  }

 private:
  static constexpr size_t kAlignment = 64;
  static constexpr size_t kMinBlock = size_t{1} << 20;

  struct Free {
    void operator()(void* memory) const { std::free(memory); }
  };
  struct Block {
    std::unique_ptr<void, Free> memory;
    size_t size;
  };

  void* take_bytes(size_t bytes);

  std::vector<Block> blocks_;
  size_t block_ = 0;  // the block that is handed out now, and how much of it is gone
  size_t used_ = 0;
  size_t taken_ = 0;    // since the last reset()
  size_t largest_ = 0;  // the most that was ever taken between two resets
};

}  // namespace cairn::exact
