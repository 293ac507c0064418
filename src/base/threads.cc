#include "base/threads.h"

#include <algorithm>
#include <chrono>

#include "base/float_environment.h"

namespace cairn {
namespace {

// Whether it came true within some 20 microseconds.
template <typename Condition>
bool spin_until(Condition condition) {
  using Clock = std::chrono::steady_clock;
  constexpr auto kPatience = std::chrono::microseconds(20);
  for (const auto begin = Clock::now(); Clock::now() - begin < kPatience;) {
    if (condition()) return true;
  }
  return condition();
}

}  // namespace

ThreadPool::ThreadPool(int threads) {
  for (int worker = 1; worker < threads; ++worker) {
    workers_.emplace_back([this, worker] { work(worker); });
  }
}

ThreadPool::~ThreadPool() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  start_.notify_all();
  for (std::thread& worker : workers_) worker.join();
}

void ThreadPool::run(int64_t count, const std::function<void(int64_t, int)>& body) {
  if (workers_.empty() || count <= 1) {
    for (int64_t i = 0; i < count; ++i) body(i, 0);
    return;
  }
  {
    std::lock_guard lock(mutex_);
    loop_ = {&body, count};
    next_ = 0;
    ++generation_;
  }
  start_.notify_all();
  drain({&body, count}, 0);
  {
    std::lock_guard lock(mutex_);
    loop_ = {};  // who comes now is too late
  }
  if (spin_until([this] { return inside_ == 0; })) return;
  std::unique_lock lock(mutex_);
  done_.wait(lock, [this] { return inside_ == 0; });
}

void ThreadPool::work(int worker) {
  set_float_environment();
  uint64_t seen = 0;
  while (!stopping_) {
    if (!spin_until([&] { return stopping_ || generation_ != seen; })) {
      std::unique_lock lock(mutex_);
      start_.wait(lock, [&] { return stopping_ || generation_ != seen; });
    }
    const Loop loop = enter(&seen);
    if (loop.body == nullptr) continue;
    drain(loop, worker);
    leave();
  }
}

ThreadPool::Loop ThreadPool::enter(uint64_t* seen) {
  std::lock_guard lock(mutex_);
  *seen = generation_;
  if (loop_.body != nullptr) ++inside_;
  return loop_;
}

void ThreadPool::leave() {
  std::lock_guard lock(mutex_);
  if (--inside_ == 0) done_.notify_one();
}

// Whoever took an index is inside until it is done.
void ThreadPool::drain(const Loop& loop, int worker) {
  for (int64_t index = next_++; index < loop.count; index = next_++) (*loop.body)(index, worker);
}

int hardware_threads() {
  return std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

}  // namespace cairn
