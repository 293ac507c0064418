// The trust policy and the averaging rule of a project: numbers only, part of the genesis event.
//
// Everything money-like is an integer. A reputation counts units of 10^-12, so 0.001 is 1'000'000'000.
#pragma once

#include <cstdint>
#include <vector>

#include "base/bytes.h"
#include "base/schedule.h"

namespace cairn::ledger {

using Reputation = uint64_t;
inline constexpr Reputation kReputationOne = 1'000'000'000'000;

enum class Growth : uint8_t { linear = 0, exponential = 1 };
enum class Fate : uint8_t { newcomer = 0, banned = 1 };     // of a convicted user
enum class Exam : uint8_t { entries = 0, duplicates = 1 };  // what a newcomer has to show
enum class Judges : uint8_t { named = 0, panel = 1 };       // who decides claims
enum class Averaging : uint8_t { normalized = 0, plain = 1, at_acceptance = 2 };
enum class Clip : uint8_t { none = 0, fixed = 1, median = 2 };

using cairn::RateKnot;

struct Policy {
  // Reputation
  Reputation minimum = kReputationOne / 1000;
  Reputation maximum = kReputationOne / 1000 * 999;
  Growth growth = Growth::linear;
  Reputation step = kReputationOne / 1000;  // linear
  uint32_t growth_ppm = 19'000;             // exponential: step = max(1, reputation * ppm / 10^6)
  uint32_t max_steps_per_round = 4;
  Fate fate = Fate::newcomer;
  Exam exam = Exam::entries;
  uint32_t exam_entries = 3;  // accepted entries that pass it
  uint32_t judge_votes = 1;   // equal votes of named judges that make a verdict
  Judges judges = Judges::named;
  uint32_t panel_size = 5;                            // users drawn to judge a claim
  uint32_t panel_votes = 3;                           // equal votes of theirs that make a verdict
  Reputation panel_reputation = kReputationOne / 10;  // that they have at least
  uint32_t panel_hours = 12;                          // after a claim; then the named judges may vote too
  uint32_t quorum = 0;      // units with an entry that close a round; 0: no number of them does
  uint64_t round_time = 0;  // milliseconds after which a round with an entry closes; 0: no time does
  uint32_t staleness = 4;   // rounds after its own in which an entry is still taken
  uint32_t join_work = 0;   // leading zero bits that a proof of work has at registration: join_work.h

  // Averaging
  Averaging averaging = Averaging::normalized;
  std::vector<RateKnot> rate = {{0, uint64_t{1} << 40}};  // the outer rate
  uint32_t round_size = 1;  // plain: the constant Q that a round's sum is divided by
  Clip clip = Clip::median;
  uint64_t clip_norm = 0;        // fixed: C on the 2^-48 grid
  uint32_t refresh_rounds = 16;  // how often the averaging reputation may rise
  Reputation max_rise = kReputationOne / 50;
  uint32_t horizon = 256;      // rounds after which an entry's weight settles; 0: never
  uint32_t floor_rounds = 64;  // normalized: F is half the median of the last so many closed rounds' weights

  bool operator==(const Policy&) const = default;
};

inline constexpr uint32_t kMaxPanel = 256;
inline constexpr uint32_t kMaxPanelHours = 23;  // the named judges have an hour before a suspension at least
inline constexpr uint32_t kMaxJoinWork = 40;
inline constexpr uint32_t kMaxStaleness = 256;
inline constexpr uint32_t kMaxHorizon = 1'000'000;
inline constexpr uint64_t kMaxRoundTime = uint64_t{1000} * 3600 * 24 * 366;  // milliseconds
inline constexpr uint32_t kMaxRateKnots = 4096;
inline constexpr uint64_t kMaxRate = uint64_t{1} << 52;  // an outer rate of 4096

// Every field of a policy that counts is within its range: docs/formats/ledger.md has the table. The error
// names the field.
Status validate(const Policy& policy);

}  // namespace cairn::ledger
