#include "role/backlog.h"

#include <algorithm>
#include <chrono>

namespace cairn::role {
namespace {

constexpr int64_t kLongestHold = 10'000;  // milliseconds: not longer than clients wait

const Error kAveraging{"the next model is being averaged; try again in a moment"};
const Error kStopping{"the coordinator is stopping; try again in a minute"};

void refuse(const Write& write, const Error& why) {
  write.done(why, Refusal::Kind::busy);
}

}  // namespace

bool Backlog::add(Operation operation) {
  {
    const auto* write = std::get_if<Write>(&operation);
    const bool newcomer = write != nullptr && write->newcomer;
    const std::lock_guard lock(mutex_);
    auto& queue = newcomer ? newcomers_ : waiting_;
    if (stopped_ || queue.size() >= (newcomer ? limits_.newcomers_waiting : limits_.waiting)) return false;
    queue.push_back(std::move(operation));
  }
  changed_.notify_one();
  return true;
}

void Backlog::wake() {
  {
    const std::lock_guard lock(mutex_);
    woken_ = true;
  }
  changed_.notify_one();
}

void Backlog::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
  }
  changed_.notify_all();
}

// Their time has come, or the clock was set back.
bool Backlog::newcomers_may_come() const {
  const int64_t until = newcomers_from_ - environment_.now();
  return !newcomers_.empty() && (until <= 0 || until > kLongestHold);
}

std::optional<std::deque<Operation>> Backlog::next(const std::function<int64_t()>& wait) {
  std::unique_lock lock(mutex_);
  while (!stopped_ && !woken_ && waiting_.empty() && !newcomers_may_come()) {
    int64_t time = wait();
    if (!newcomers_.empty()) time = std::clamp<int64_t>(newcomers_from_ - environment_.now(), 1, time);
    if (changed_.wait_for(lock, std::chrono::milliseconds(time)) == std::cv_status::timeout) break;
  }
  woken_ = false;
  if (stopped_) return std::nullopt;
  return take();
}

std::deque<Operation> Backlog::take() {
  std::deque<Operation> batch;
  const auto move = [&batch](std::deque<Operation>& from, size_t most) {
    const auto end = from.begin() + static_cast<std::ptrdiff_t>(std::min(from.size(), most));
    std::move(from.begin(), end, std::back_inserter(batch));
    from.erase(from.begin(), end);
  };
  move(waiting_, limits_.batch);
  if (newcomers_may_come()) move(newcomers_, limits_.newcomers_batch);
  return batch;
}

void Backlog::count_newcomers(int64_t milliseconds) {
  newcomers_from_ = environment_.now() + std::min(limits_.newcomers_pause * milliseconds, kLongestHold);
}

void Backlog::hold(Write write) {
  if (held_.size() >= limits_.waiting) return refuse(write, kAveraging);
  held_.push_back({std::move(write), environment_.now() + kLongestHold});
}

std::vector<Write> Backlog::released(bool round_is_open) {
  std::vector<Held> still;
  std::vector<Write> writes;
  for (Held& held : held_) {
    if (round_is_open) {
      writes.push_back(std::move(held.write));
    } else if (held.until <= environment_.now()) {
      refuse(held.write, kAveraging);
    } else {
      still.push_back(std::move(held));
    }
  }
  held_ = std::move(still);
  std::ranges::stable_partition(writes, [](const Write& write) { return !write.newcomer; });
  return writes;
}

void Backlog::refuse_all() {
  for (const Held& held : held_) refuse(held.write, kStopping);
  held_.clear();
  const std::lock_guard lock(mutex_);
  for (auto* queue : {&waiting_, &newcomers_}) {
    for (const Operation& operation : *queue) {
      if (const auto* write = std::get_if<Write>(&operation)) refuse(*write, kStopping);
    }
    queue->clear();
  }
}

}  // namespace cairn::role
