// The order in which the instructions of a program run, some of them several times: what a search for less
// memory works on.
#pragma once

#include <vector>

#include "model/program.h"

namespace cairn::model {

// An instruction reads what the last writers of its operands before it gave. `again`: it has run before.
struct Step {
  uint32_t instruction = 0;
  bool again = false;
};
using Schedule = std::vector<Step>;

// What a schedule takes, besides what lies at fixed places.
struct Demand {
  std::vector<uint64_t> live;  // by step: bytes that hold something then
  uint64_t peak = 0;           // of a perfect plan; a real one may have gaps
  uint64_t effort_again = 0;   // of steps that run again (effort.h)

  size_t peak_step() const;
  uint64_t above(uint64_t target) const;  // bytes times steps
};

// A buffer that nothing reads or writes at a step, although it is read later: before step `until`.
struct Waiting {
  BufferId buffer;
  size_t until;
};

// The schedules of a program, which outlives this. It is verified, but for its places.
class Schedules {
 public:
  explicit Schedules(const Program& program);

  Schedule plain() const;  // each instruction once, in their order
  Demand demand(const Schedule& schedule) const;
  // Leaves out steps that run again for nobody.
  void drop_useless(Schedule& schedule) const;
  // Of a schedule without useless steps.
  std::vector<Waiting> waiting_at(const Schedule& schedule, size_t step) const;
  // What waits is made again before it is read: its instruction runs again, and so do those that make what
  // this one reads, unless it is there then or has at most `keep` bytes: that waits instead.
  Schedule without_waiting(const Schedule& schedule, const Waiting& waiting, uint64_t keep) const;

  uint64_t bytes(BufferId buffer) const { return bytes_[buffer]; }  // that a plan has to place
  // The program that a schedule says, not yet placed. Instructions that run again write buffers of their own,
  // and of a chain only what somebody reads is computed.
  Program program(const Schedule& schedule) const;

 private:
  struct Operands {
    std::vector<BufferId> reads, writes;  // that a plan has to place
    std::vector<BufferId> overwritable;   // reads in whose place the output may be written
    BufferId output = 0;
    uint64_t effort = 0;
    bool stores_all = false;  // also what nobody reads
  };

  Operands operands_of(const Instruction& instruction) const;
  std::vector<bool> live_after_all() const;
  std::vector<bool> live_before(const Schedule& schedule, size_t step) const;
  bool gives(const Step& step, BufferId buffer, const std::vector<bool>& live) const;
  bool is_useful(const Step& step, const std::vector<bool>& live) const;
  // From what is still to be read after a step to what is before it; `waiting` are the bytes of that. Returns
  // the bytes that hold something while it runs.
  uint64_t step_back(const Step& step, std::vector<bool>& live, uint64_t& waiting) const;

  const Program& program_;
  std::vector<Operands> operands_;  // by instruction
  std::vector<uint64_t> bytes_;     // by buffer
  std::vector<uint32_t> maker_;     // by buffer: its instruction
};

}  // namespace cairn::model
