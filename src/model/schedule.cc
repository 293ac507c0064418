#include "model/schedule.h"

#include <algorithm>
#include <numeric>
#include <optional>
#include <set>

#include "model/effort.h"
#include "model/fusion.h"

namespace cairn::model {

size_t Demand::peak_step() const {
  return static_cast<size_t>(std::ranges::max_element(live) - live.begin());
}

uint64_t Demand::above(uint64_t target) const {
  uint64_t total = 0;
  for (const uint64_t bytes : live) total += bytes > target ? bytes - target : 0;
  return total;
}

Schedules::Schedules(const Program& program)
    : program_(program), bytes_(program.buffers.size()), maker_(program.buffers.size()) {
  for (BufferId b = 0; b < bytes_.size(); ++b) {
    if (!program.buffers[b].fixed) bytes_[b] = align(size_in_bytes(program.buffers[b]));
  }
  for (uint32_t i = 0; i < program.instructions.size(); ++i) {
    for (BufferId b : program.instructions[i].writes) maker_[b] = i;
    operands_.push_back(operands_of(program.instructions[i]));
  }
}

Schedules::Operands Schedules::operands_of(const Instruction& instruction) const {
  Operands result;
  for (BufferId b : instruction.writes) {
    if (bytes_[b] != 0) result.writes.push_back(b);
  }
  for (size_t r = 0; r < instruction.reads.size(); ++r) {
    const BufferId b = instruction.reads[r];
    if (bytes_[b] == 0) continue;
    result.reads.push_back(b);
    const bool fits = program_.buffers[b].type == ElementType::float32 && may_overwrite(instruction, r);
    if (fits) result.overwritable.push_back(b);
  }
  if (!instruction.writes.empty()) result.output = instruction.writes[overwriting_output(instruction)];
  result.effort = effort(program_, instruction);
  result.stores_all = instruction.op != Opcode::chain;
  return result;
}

Schedule Schedules::plain() const {
  Schedule result(program_.instructions.size());
  for (uint32_t i = 0; i < result.size(); ++i) result[i].instruction = i;
  return result;
}

std::vector<bool> Schedules::live_after_all() const {
  std::vector<bool> live(bytes_.size());
  for (BufferId b = 0; b < live.size(); ++b) live[b] = program_.buffers[b].kept && bytes_[b] != 0;
  return live;
}

// What is kept is what the first run has written.
bool Schedules::gives(const Step& step, BufferId b, const std::vector<bool>& live) const {
  return live[b] && !(step.again && program_.buffers[b].kept);
}

bool Schedules::is_useful(const Step& step, const std::vector<bool>& live) const {
  return !step.again || std::ranges::any_of(operands_[step.instruction].writes,
                                            [&](BufferId b) { return gives(step, b, live); });
}

uint64_t Schedules::step_back(const Step& step, std::vector<bool>& live, uint64_t& waiting) const {
  if (!is_useful(step, live)) return waiting;
  const Operands& operands = operands_[step.instruction];
  uint64_t now = waiting;
  bool overwrites = false;
  for (BufferId b : operands.writes) {
    if (gives(step, b, live)) {
      live[b] = false;
      waiting -= bytes_[b];
      overwrites |= b == operands.output;
    } else if (operands.stores_all) {
      now += bytes_[b];
    }
  }
  for (BufferId b : operands.reads) {
    if (live[b]) continue;
    live[b] = true;
    waiting += bytes_[b];
    const bool takes_place = overwrites && bytes_[b] == bytes_[operands.output] &&
                             std::ranges::count(operands.overwritable, b) != 0;
    if (!takes_place) now += bytes_[b];
    overwrites &= !takes_place;
  }
  return now;
}

Demand Schedules::demand(const Schedule& schedule) const {
  Demand result;
  result.live.resize(schedule.size());
  std::vector<bool> live = live_after_all();
  uint64_t waiting = 0;
  for (BufferId b = 0; b < live.size(); ++b) waiting += live[b] ? bytes_[b] : 0;
  for (size_t i = schedule.size(); i-- > 0;) {
    const Step& step = schedule[i];
    if (step.again && is_useful(step, live)) result.effort_again += operands_[step.instruction].effort;
    result.live[i] = step_back(step, live, waiting);
    result.peak = std::max(result.peak, result.live[i]);
  }
  return result;
}

void Schedules::drop_useless(Schedule& schedule) const {
  std::vector<bool> live = live_after_all();
  uint64_t waiting = 0;
  Schedule kept;
  for (size_t i = schedule.size(); i-- > 0;) {
    if (is_useful(schedule[i], live)) kept.push_back(schedule[i]);
    step_back(schedule[i], live, waiting);
  }
  schedule.assign(kept.rbegin(), kept.rend());
}

std::vector<Waiting> Schedules::waiting_at(const Schedule& schedule, size_t step) const {
  std::vector<bool> seen = live_after_all();  // what is kept is not to be made again
  const auto see = [&](const Operands& operands) {
    for (const auto* buffers : {&operands.reads, &operands.writes}) {
      for (BufferId b : *buffers) seen[b] = true;
    }
  };
  see(operands_[schedule[step].instruction]);
  std::vector<Waiting> result;
  for (size_t i = step + 1; i < schedule.size(); ++i) {
    const Operands& operands = operands_[schedule[i].instruction];
    for (BufferId b : operands.reads) {
      if (!seen[b]) result.push_back({b, i});
      seen[b] = true;
    }
    see(operands);
  }
  return result;
}

std::vector<bool> Schedules::live_before(const Schedule& schedule, size_t step) const {
  std::vector<bool> live = live_after_all();
  uint64_t waiting = 0;
  for (size_t i = schedule.size(); i-- > step;) step_back(schedule[i], live, waiting);
  return live;
}

Schedule Schedules::without_waiting(const Schedule& schedule, const Waiting& waiting, uint64_t keep) const {
  const std::vector<bool> live = live_before(schedule, waiting.until);
  std::set<uint32_t> again;
  std::vector<uint32_t> left = {maker_[waiting.buffer]};
  while (!left.empty()) {
    const uint32_t instruction = left.back();
    left.pop_back();
    if (!again.insert(instruction).second) continue;
    for (BufferId b : operands_[instruction].reads) {
      if (!live[b] && bytes_[b] > keep) left.push_back(maker_[b]);
    }
  }
  Schedule result;
  result.reserve(schedule.size() + again.size());
  const auto place = schedule.begin() + static_cast<std::ptrdiff_t>(waiting.until);
  result.assign(schedule.begin(), place);
  for (const uint32_t instruction : again) result.push_back({instruction, true});
  result.insert(result.end(), place, schedule.end());
  return result;
}

namespace {

// Writes a schedule down as a program.
class Writer {
 public:
  explicit Writer(const Program& program) : from_(program), to_(program), now_(program.buffers.size()) {
    std::iota(now_.begin(), now_.end(), 0);
    to_.instructions.clear();
  }

  Program write(const Schedule& schedule) {
    for (const Step& step : schedule) {
      instructions_.push_back(step.again ? once_more(step.instruction) : first(step.instruction));
    }
    drop_unread(schedule);
    for (size_t i = 0; i < schedule.size(); ++i) {
      if (!instructions_[i]) continue;
      if (schedule[i].again) to_.effort_again += effort(to_, *instructions_[i]);
      to_.instructions.push_back(std::move(*instructions_[i]));
      if (!schedule[i].again && schedule[i].instruction + 1 == from_.forward_end)
        to_.forward_end = to_.instructions.size();
    }
    return std::move(to_);
  }

 private:
  void rename(std::vector<BufferId>& buffers) const {
    for (BufferId& b : buffers) b = now_[b];
  }

  void rename_operands(Instruction& instruction) const {
    rename(instruction.reads);
    rename(instruction.writes);
    for (Instruction& part : instruction.parts) rename_operands(part);
  }

  Instruction first(uint32_t index) const {
    Instruction result = from_.instructions[index];
    rename_operands(result);
    return result;
  }

  // With new buffers for all that it writes. What is kept or lies somewhere fixed stays what it was.
  Instruction once_more(uint32_t index) {
    Instruction result = from_.instructions[index];
    std::set<BufferId> written(result.writes.begin(), result.writes.end());
    for (const Instruction& part : result.parts) written.insert(part.writes.begin(), part.writes.end());
    for (BufferId b : written) {
      Buffer buffer = from_.buffers[b];
      buffer.kept = buffer.fixed = buffer.given = false;
      now_[b] = static_cast<BufferId>(to_.buffers.size());
      to_.buffers.push_back(buffer);
    }
    rename_operands(result);
    for (BufferId b : written) {
      if (from_.buffers[b].kept || from_.buffers[b].fixed) now_[b] = b;
    }
    return result;
  }

  void drop_unread(const Schedule& schedule) {
    std::vector<bool> read(to_.buffers.size());
    for (size_t i = schedule.size(); i-- > 0;) {
      if (schedule[i].again) instructions_[i] = needed_of(std::move(*instructions_[i]), read);
      if (!instructions_[i]) continue;
      for (BufferId b : instructions_[i]->reads) read[b] = true;
    }
  }

  // What is left of an instruction that runs again; nothing of one that nobody reads. The checks have been
  // passed.
  static std::optional<Instruction> needed_of(Instruction instruction, const std::vector<bool>& read) {
    if (instruction.op != Opcode::chain) {
      const bool needed = std::ranges::any_of(instruction.writes, [&](BufferId b) { return read[b]; });
      return needed ? std::optional(std::move(instruction)) : std::nullopt;
    }
    std::set<BufferId> inside;
    std::vector<Instruction> parts;
    for (size_t i = instruction.parts.size(); i-- > 0;) {
      Instruction& part = instruction.parts[i];
      const bool needed =
          std::ranges::any_of(part.writes, [&](BufferId b) { return read[b] || inside.count(b) != 0; });
      if (!needed) continue;
      inside.insert(part.reads.begin(), part.reads.end());
      parts.insert(parts.begin(), std::move(part));
    }
    if (parts.empty()) return std::nullopt;
    if (parts.size() == 1) return std::move(parts[0]);
    return chain_of(std::move(parts), [&](BufferId b) { return read[b]; });
  }

  const Program& from_;
  Program to_;
  std::vector<BufferId> now_;  // by buffer of from_: where its values were written last
  std::vector<std::optional<Instruction>> instructions_;
};

}  // namespace

Program Schedules::program(const Schedule& schedule) const {
  return Writer(program_).write(schedule);
}

}  // namespace cairn::model
