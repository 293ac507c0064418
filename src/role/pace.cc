#include "role/pace.h"

#include <algorithm>

namespace cairn::role {
namespace {

constexpr int64_t kWindow = 60'000;  // milliseconds: what was longer ago says little about now

}  // namespace

void Pace::begin(int64_t now, uint64_t done) {
  from_ = now;
  done_ = done;
}

void Pace::reach(int64_t now, uint64_t done) {
  const Span span{std::max<int64_t>(now - from_, 0), done - std::min(done, done_)};
  begin(now, done);
  spans_.push_back(span);
  time_ += span.time;
  images_ += span.images;
  while (spans_.size() > 1 && time_ - spans_.front().time >= kWindow) {
    time_ -= spans_.front().time;
    images_ -= spans_.front().images;
    spans_.pop_front();
  }
}

double Pace::images_per_second() const {
  return time_ == 0 ? 0 : 1000 * static_cast<double>(images_) / static_cast<double>(time_);
}

std::optional<int64_t> Pace::left(uint64_t images) const {
  if (images_ == 0 || time_ == 0) return std::nullopt;
  return static_cast<int64_t>(1000 * static_cast<double>(images) / images_per_second());
}

TooLate too_late(int64_t left, int64_t now, int64_t lease_ends, int64_t round_ends) {
  if (lease_ends > 0 && now + left > lease_ends) return TooLate::lease;
  return round_ends > 0 && now + left > round_ends ? TooLate::round : TooLate::no;
}

std::string duration_text(int64_t milliseconds) {
  const int64_t seconds = (milliseconds + 500) / 1000, minutes = (seconds + 30) / 60;
  if (seconds < 90) return "about " + std::to_string(seconds) + " s";
  if (minutes < 90) return "about " + std::to_string(minutes) + " min";
  return "about " + std::to_string(minutes / 60) + " h " + std::to_string(minutes % 60) + " min";
}

}  // namespace cairn::role
