// Threads for work that may block. Inside this folder only.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace cairn::net {

// Safe to call from several threads.
class WorkPool {
 public:
  explicit WorkPool(int threads);
  ~WorkPool() { stop(); }
  WorkPool(const WorkPool&) = delete;
  WorkPool& operator=(const WorkPool&) = delete;

  void post(std::function<void()> job);  // runs it in its turn; one that throws is dropped
  size_t waiting() const;
  void stop();  // does what is waiting, then joins

 private:
  void work();

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> jobs_;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace cairn::net
