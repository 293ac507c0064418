#include "net/work_pool.h"

#include <exception>

#include "net/message.h"

namespace cairn::net {

WorkPool::WorkPool(int threads, std::function<void(const std::string&)> complain)
    : complain_(std::move(complain)) {
  for (int i = 0; i < threads; ++i) threads_.emplace_back([this] { work(); });
}

void WorkPool::post(std::function<void()> job) {
  {
    const std::lock_guard lock(mutex_);
    jobs_.push_back(std::move(job));
  }
  changed_.notify_one();
}

size_t WorkPool::waiting() const {
  const std::lock_guard lock(mutex_);
  return jobs_.size();
}

void WorkPool::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  for (std::thread& thread : threads_) {
    if (thread.joinable()) thread.join();
  }
}

// A fault in one handler must not take the host down: its client gets a 500, as the reply dies unused.
void WorkPool::run(const std::function<void()>& job) const {
  try {
    job();
  } catch (const std::exception& fault) {
    if (complain_) complain_("a handler failed: " + escaped(fault.what()));
  }
}

void WorkPool::work() {
  while (true) {
    std::function<void()> job;
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [&] { return stopping_ || !jobs_.empty(); });
      if (jobs_.empty()) return;
      job = std::move(jobs_.front());
      jobs_.pop_front();
    }
    run(job);
  }
}

}  // namespace cairn::net
