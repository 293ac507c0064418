// Threads for work that may block. Inside this folder only.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace cairn::net {

// Safe to call from several threads.
class WorkPool {
 public:
  // `complain` is told of jobs that throw, on any thread.
  WorkPool(int threads, std::function<void(const std::string&)> complain);
  ~WorkPool() { stop(); }
  WorkPool(const WorkPool&) = delete;
  WorkPool& operator=(const WorkPool&) = delete;

  void post(std::function<void()> job);              // runs it in its turn; one that throws is ended there
  void run(const std::function<void()>& job) const;  // now, on this thread, in the same way
  size_t waiting() const;
  void stop();  // does what is waiting, then joins

 private:
  void work();

  const std::function<void(const std::string&)> complain_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> jobs_;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace cairn::net
