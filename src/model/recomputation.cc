#include "model/recomputation.h"

#include <algorithm>

#include "model/effort.h"
#include "model/planner.h"
#include "model/schedule.h"

namespace cairn::model {
namespace {

// Buffers below this part of the peak are not worth looking at.
constexpr uint64_t kSmallestPart = 1024;
// How far the peak is to go down before steps are judged by the next part of what is above.
constexpr uint64_t kStagePart = 32;
// How far before a schedule is planned, which takes longer than to judge it.
constexpr uint64_t kPlanPart = 128;

// The path from the plain schedule to the least memory. It does not depend on a limit, so whatever limit one
// point of it meets is met.
class Search {
 public:
  explicit Search(const Program& program)
      : schedules_(program), most_effort_(kMaxEffortAgain * effort(program)) {
    now_.schedule = schedules_.plain();
    now_.demand = schedules_.demand(now_.schedule);
    target_ = peak();
  }

  // Takes a step towards less memory. False where there is none.
  bool lower() {
    if (peak() <= target_) target_ = peak() - std::min(peak(), peak() / kStagePart + 1);
    if (improve()) return true;
    target_ = peak() - std::min<uint64_t>(peak(), 1);  // at the least what is highest of all
    return improve() || improve_by_two();
  }

  uint64_t peak() const { return now_.demand.peak; }
  Program program() const { return schedules_.program(now_.schedule); }

 private:
  struct Point {
    Schedule schedule;
    Demand demand;
  };
  struct Choice {
    Point point;
    double worth = 0;  // bytes times steps above the target, for each unit of effort
  };

  bool improve() {
    Choice best;
    for_each_step(now_, [&](Point&& next) { consider(std::move(next), best); });
    return take(best);
  }

  // What lowers one peak may raise another, and a second step that one again.
  bool improve_by_two() {
    const size_t highest = now_.demand.peak_step();  // in front of which nothing is inserted
    Choice best;
    for_each_step(now_, [&](Point&& next) {
      if (next.demand.live[highest] >= peak()) return;
      for_each_step(next, [&](Point&& last) { consider(std::move(last), best); });
    });
    return take(best);
  }

  // Calls use(Point) for each way to let something at the peak wait no longer.
  template <typename Use>
  void for_each_step(const Point& from, Use use) {
    for (const Waiting& waiting : schedules_.waiting_at(from.schedule, from.demand.peak_step())) {
      const uint64_t bytes = schedules_.bytes(waiting.buffer);
      if (bytes < from.demand.peak / kSmallestPart) continue;
      for (const uint64_t keep : {bytes / 16, bytes, UINT64_MAX}) {
        if (looked_at_ > kMaxSearch) return;
        looked_at_ += from.schedule.size();
        Point next{schedules_.without_waiting(from.schedule, waiting, keep), {}};
        next.demand = schedules_.demand(next.schedule);
        use(std::move(next));
      }
    }
  }

  void consider(Point&& next, Choice& best) const {
    const uint64_t before = now_.demand.above(target_), after = next.demand.above(target_);
    const uint64_t paid = now_.demand.effort_again, price = std::max(next.demand.effort_again, paid) - paid;
    if (next.demand.peak > peak() || after >= before || next.demand.effort_again > most_effort_) return;
    const double worth = static_cast<double>(before - after) / static_cast<double>(price + 1);
    if (worth > best.worth) best = {std::move(next), worth};
  }

  bool take(Choice& best) {
    if (best.worth == 0) return false;
    now_.schedule = std::move(best.point.schedule);
    schedules_.drop_useless(now_.schedule);
    now_.demand = schedules_.demand(now_.schedule);
    return true;
  }

  const Schedules schedules_;
  const uint64_t most_effort_;
  Point now_;
  uint64_t target_ = 0;
  uint64_t looked_at_ = 0;
};

}  // namespace

void plan_within(Program& program, uint64_t base, uint64_t limit) {
  plan_program(program, base);
  program.roomy_bytes = program.memory_bytes;
  if (program.memory_bytes <= limit) return;
  const Program plain = program;
  Search search(plain);
  uint64_t planned = search.peak();
  for (bool goes_on = true; goes_on && program.memory_bytes > limit;) {
    goes_on = search.lower();
    if (goes_on && search.peak() > planned - planned / kPlanPart) continue;
    planned = search.peak();
    Program next = search.program();
    plan_program(next, base);
    next.roomy_bytes = program.roomy_bytes;
    if (next.memory_bytes < program.memory_bytes) program = std::move(next);
  }
}

}  // namespace cairn::model
