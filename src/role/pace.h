// How fast a machine computes, measured on the units that it computes anyway, and what that means for them.
//
// Pure: times are milliseconds of a clock that the caller reads. One thread.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>

namespace cairn::role {

class Pace {
 public:
  // A unit begins, or goes on, with so many of its images done.
  void begin(int64_t now, uint64_t done);
  // So many of them are done now.
  void reach(int64_t now, uint64_t done);
  // Nothing was computed for so long: it was paused.
  void skip(int64_t milliseconds) { from_ += milliseconds; }

  int64_t measured() const { return time_; }           // milliseconds, of the last minute of work at most
  double images_per_second() const;                    // 0: not known yet
  std::optional<int64_t> left(uint64_t images) const;  // milliseconds that so many images take

 private:
  struct Span {
    int64_t time = 0;
    uint64_t images = 0;
  };
  int64_t from_ = 0;
  uint64_t done_ = 0;
  std::deque<Span> spans_;  // the oldest first
  int64_t time_ = 0;        // of all spans
  uint64_t images_ = 0;
};

// Which end comes before so much more time has passed; 0: there is no such end.
enum class TooLate : uint8_t { no, lease, round };
TooLate too_late(int64_t left, int64_t now, int64_t lease_ends, int64_t round_ends);

// "about 40 s", "about 12 min", "about 2 h 5 min".
std::string duration_text(int64_t milliseconds);

}  // namespace cairn::role
