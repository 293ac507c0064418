#include "model/planner.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <queue>
#include <set>

#include "model/program.h"

namespace cairn::model {
namespace {

constexpr size_t kMaxBlocksBySize = 4096;  // some ten milliseconds

// The free gaps below the end of memory, by place and by size. Neighbouring gaps are joined.
class Gaps {
 public:
  uint64_t take(uint64_t bytes) {
    const auto fit = by_size_.lower_bound({bytes, 0});
    if (fit != by_size_.end()) return take_from(fit->second, fit->first, bytes);
    return grow(bytes);
  }

  void give(uint64_t offset, uint64_t bytes) {
    auto next = by_offset_.lower_bound(offset);
    if (next != by_offset_.end() && next->first == offset + bytes) {
      bytes += next->second;
      next = remove(next);
    }
    if (next != by_offset_.begin()) {
      const auto previous = std::prev(next);
      if (previous->first + previous->second == offset) {
        offset = previous->first;
        bytes += previous->second;
        remove(previous);
      }
    }
    insert(offset, bytes);
  }

  uint64_t end() const { return end_; }

 private:
  using ByOffset = std::map<uint64_t, uint64_t>;

  uint64_t take_from(uint64_t offset, uint64_t size, uint64_t bytes) {
    remove(by_offset_.find(offset));
    if (size > bytes) insert(offset + bytes, size - bytes);
    return offset;
  }

  // A gap at the end is used, although it is too small, and only what is missing is added.
  uint64_t grow(uint64_t bytes) {
    uint64_t offset = end_;
    if (!by_offset_.empty()) {
      const auto last = std::prev(by_offset_.end());
      if (last->first + last->second == end_) {
        offset = last->first;
        remove(last);
      }
    }
    end_ = offset + bytes;
    return offset;
  }

  void insert(uint64_t offset, uint64_t bytes) {
    by_offset_[offset] = bytes;
    by_size_.insert({bytes, offset});
  }

  ByOffset::iterator remove(ByOffset::iterator gap) {
    by_size_.erase({gap->second, gap->first});
    return by_offset_.erase(gap);
  }

  ByOffset by_offset_;
  std::set<std::pair<uint64_t, uint64_t>> by_size_;  // size, offset
  uint64_t end_ = 0;
};

// When each buffer is written and last read. What is kept is read after the last instruction.
std::vector<Lifetime> lifetimes(const Program& program) {
  std::vector<Lifetime> result(program.buffers.size());
  for (size_t i = 0; i < program.instructions.size(); ++i) {
    for (BufferId id : program.instructions[i].writes) {
      result[id] = {align(size_in_bytes(program.buffers[id])), i, i};
    }
    for (BufferId id : program.instructions[i].reads) result[id].last = i;
  }
  for (size_t b = 0; b < result.size(); ++b) {
    if (program.buffers[b].kept) result[b].last = program.instructions.size();
  }
  return result;
}

// The input that the output may overwrite, or the output itself.
BufferId overwritten(const Program& program, size_t i, const std::vector<Lifetime>& times) {
  const Instruction& instruction = program.instructions[i];
  const BufferId out = instruction.writes[overwriting_output(instruction)];
  if (program.buffers[out].fixed) return out;
  for (size_t r = 0; r < instruction.reads.size(); ++r) {
    const BufferId in = instruction.reads[r];
    const bool same_size =
        times[in].bytes == times[out].bytes && program.buffers[in].type == ElementType::float32;
    if (may_overwrite(instruction, r) && !program.buffers[in].fixed && times[in].last == i && same_size)
      return in;
  }
  return out;
}

}  // namespace

Placement plan_memory(std::span<const Lifetime> blocks) {
  using End = std::pair<size_t, size_t>;  // last step, block
  std::priority_queue<End, std::vector<End>, std::greater<>> ends;
  Placement plan;
  Gaps gaps;
  for (size_t b = 0; b < blocks.size(); ++b) {
    while (!ends.empty() && ends.top().first < blocks[b].first) {
      const size_t dead = ends.top().second;
      gaps.give(plan.offsets[dead], align(blocks[dead].bytes));
      ends.pop();
    }
    plan.offsets.push_back(gaps.take(align(blocks[b].bytes)));
    ends.push({blocks[b].last, b});
  }
  plan.peak = gaps.end();
  return plan;
}

Placement plan_by_size(std::span<const Lifetime> blocks) {
  std::vector<size_t> order(blocks.size());
  std::iota(order.begin(), order.end(), 0);
  std::ranges::stable_sort(order, std::greater(), [&](size_t b) { return blocks[b].bytes; });
  Placement plan{std::vector<uint64_t>(blocks.size()), 0};
  std::vector<size_t> placed;  // by offset
  for (const size_t b : order) {
    const uint64_t bytes = align(blocks[b].bytes);
    uint64_t offset = 0;
    for (const size_t other : placed) {
      if (blocks[other].first > blocks[b].last || blocks[b].first > blocks[other].last) continue;
      if (offset + bytes <= plan.offsets[other]) break;
      offset = std::max(offset, plan.offsets[other] + align(blocks[other].bytes));
    }
    plan.offsets[b] = offset;
    plan.peak = std::max(plan.peak, offset + bytes);
    placed.insert(std::ranges::upper_bound(placed, offset, {}, [&](size_t p) { return plan.offsets[p]; }), b);
  }
  return plan;
}

void plan_program(Program& program, uint64_t base) {
  const std::vector<Lifetime> times = lifetimes(program);
  std::vector<Lifetime> blocks;
  std::vector<size_t> block_of(program.buffers.size());
  for (size_t i = 0; i < program.instructions.size(); ++i) {
    for (BufferId out : program.instructions[i].writes) {
      if (program.buffers[out].fixed) continue;
      const Instruction& instruction = program.instructions[i];
      const bool overwrites = out == instruction.writes[overwriting_output(instruction)];
      const BufferId in = overwrites ? overwritten(program, i, times) : out;
      if (in == out) {
        block_of[out] = blocks.size();
        blocks.push_back(times[out]);
      } else {
        block_of[out] = block_of[in];
        blocks[block_of[out]].last = times[out].last;
      }
    }
  }
  Placement plan = plan_memory(blocks);
  if (blocks.size() <= kMaxBlocksBySize) {
    Placement other = plan_by_size(blocks);
    if (other.peak < plan.peak) plan = std::move(other);
  }
  for (const Instruction& instruction : program.instructions) {
    for (BufferId out : instruction.writes) {
      if (!program.buffers[out].fixed) program.buffers[out].offset = base + plan.offsets[block_of[out]];
    }
  }
  program.memory_bytes = base + plan.peak;
}

}  // namespace cairn::model
