// What waits for the coordinator's sequencer, in the order in which it gets its turn: known users first, and
// a share of the time for newcomers, so that neither shuts the others out.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <variant>
#include <vector>

#include "base/environment.h"
#include "project/project.h"

namespace cairn::role {

// Why an operation was not done: whose fault it is decides the status code of the answer.
struct Refusal {
  enum class Kind : uint8_t { refused, forbidden, busy, broken };
  Kind kind = Kind::refused;
  std::string message;
};

// A change of the project.
struct Write {
  // Says through `kind` what kind of refusal its error is, if it is not simply refused.
  std::function<Result<project::Project::Change>(Refusal::Kind& kind)> make;
  std::function<void(Result<uint64_t> first, Refusal::Kind kind)> done;
  bool needs_round = false;  // waits while the next model is averaged
  bool newcomer = false;     // its author is not in the log yet
};
using Look = std::function<void(const project::Project&)>;
using Operation = std::variant<Write, Look>;

struct BacklogLimits {
  size_t waiting = 4096;  // operations; more are refused
  size_t batch = 512;     // changes committed together
  // The same of newcomers: they come after known users, and after the sequencer was at work for them they
  // wait so many times as long, so that known users keep nine tenths of it.
  size_t newcomers_waiting = 256;
  size_t newcomers_batch = 16;
  int64_t newcomers_pause = 9;
};

// add(), wake() and stop() from any thread; the rest is the sequencer's.
class Backlog {
 public:
  Backlog(BacklogLimits limits, Environment& environment) : limits_(limits), environment_(environment) {}

  bool add(Operation operation);  // false: too much waits already
  void wake();                    // next() returns, though perhaps with nothing
  void stop();                    // nothing is added any more, and next() ends

  // Waits for something to do, wake(), stop(), or until it is time: `wait` says in how many milliseconds, and
  // is asked again whenever something comes in. Newcomers last. Nothing: stopped.
  std::optional<std::deque<Operation>> next(const std::function<int64_t()>& wait);
  // How long the sequencer was at work for newcomers just now.
  void count_newcomers(int64_t milliseconds);

  // Puts aside what needs an open round, or refuses it where too much waits.
  void hold(Write write);
  // What was put aside, newcomers last, once a round is open. Refuses what has waited for too long.
  std::vector<Write> released(bool round_is_open);

  // Answers everything that waits.
  void refuse_all();

 private:
  struct Held {
    Write write;
    int64_t until = 0;  // milliseconds; refused then
  };

  bool newcomers_may_come() const;
  std::deque<Operation> take();

  BacklogLimits limits_;
  Environment& environment_;
  std::vector<Held> held_;
  int64_t newcomers_from_ = 0;  // when they may come again

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Operation> waiting_, newcomers_;
  bool woken_ = false, stopped_ = false;
};

}  // namespace cairn::role
