// A fixed pool of threads for loops whose iterations are independent.
//
// Results never depend on the number of threads: exact arithmetic makes every split of the work give the same
// bits.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace cairn {

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
  void work(int worker);
  void drain(int worker);

  std::vector<std::thread> workers_;
  std::mutex mutex_;
  std::condition_variable start_;
  std::condition_variable done_;
  const std::function<void(int64_t, int)>* body_ = nullptr;
  int64_t count_ = 0;
  int64_t next_ = 0;
  int64_t unfinished_ = 0;
  uint64_t generation_ = 0;
  bool stopping_ = false;
};

int hardware_threads();

}  // namespace cairn
