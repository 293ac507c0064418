// A fixed pool of threads for loops whose iterations are independent.
//
// Results never depend on the number of threads: exact arithmetic makes every split of the work give the same
// bits.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace cairn {

// Loops often follow each other within microseconds, so threads spin for a moment before they sleep.
class ThreadPool {
 public:
  // `threads` counts the caller, who works too: ThreadPool(1) starts none.
  explicit ThreadPool(int threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int size() const { return static_cast<int>(workers_.size()) + 1; }

  // Calls body(i, worker) for every i in [0, count), in any order, on any thread; returns when all are done.
  // `worker` in [0, size()) names the calling thread's own scratch space. One caller at a time; bodies do not
  // throw and do not call run() themselves.
  void run(int64_t count, const std::function<void(int64_t index, int worker)>& body);

 private:
  struct Loop {
    const std::function<void(int64_t, int)>* body = nullptr;  // null: there is nothing to do
    int64_t count = 0;
  };

  void work(int worker);
  void drain(const Loop& loop, int worker);
  Loop enter(uint64_t* seen);
  void leave();

  std::vector<std::thread> workers_;
  std::mutex mutex_;
  std::condition_variable start_;
  std::condition_variable done_;
  Loop loop_;
  std::atomic<int64_t> next_ = 0;
  std::atomic<int> inside_ = 0;  // workers that may call the body
  std::atomic<uint64_t> generation_ = 0;
  std::atomic<bool> stopping_ = false;
};

int hardware_threads();

}  // namespace cairn
