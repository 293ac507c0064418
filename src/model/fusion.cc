#include "model/fusion.h"

#include <algorithm>
#include <optional>

namespace cairn::model {
namespace {

constexpr size_t kNowhere = SIZE_MAX;

// The instruction that writes each buffer.
std::vector<size_t> writers(const Program& program) {
  std::vector<size_t> result(program.buffers.size(), kNowhere);
  for (size_t i = 0; i < program.instructions.size(); ++i) {
    for (BufferId b : program.instructions[i].writes) result[b] = i;
  }
  return result;
}

// A function's gradient wants to know on which side of 0 the function's input or result was. Right behind a
// normalization that can be computed again from x, which the gradient of the normalization reads anyway; so
// neither has to wait in memory for the way back.
class Recomputation {
 public:
  explicit Recomputation(Program& program) : program_(program), writer_(writers(program)) {}

  void run() {
    std::vector<std::optional<Instruction>> before(program_.instructions.size());
    for (const Instruction& gradient : program_.instructions) {
      if (gradient.op != Opcode::normalize_gradient) continue;
      const size_t function = writer_[gradient.reads[1]];
      if (function == kNowhere || before[function]) continue;
      const size_t normalization = recomputable(gradient, program_.instructions[function]);
      if (normalization == kNowhere) continue;
      Instruction again = program_.instructions[normalization];
      Buffer buffer = program_.buffers[again.writes[0]];
      buffer.kept = buffer.fixed = false;
      again.writes = {static_cast<BufferId>(program_.buffers.size())};
      program_.buffers.push_back(buffer);
      program_.instructions[function].reads[0] = again.writes[0];
      before[function] = std::move(again);
    }
    insert(before);
  }

 private:
  // The normalization of the same x whose result the function's gradient f needs. (The result of a ReLU is
  // above 0 where what went into it is.)
  size_t recomputable(const Instruction& gradient, const Instruction& f) const {
    if (f.op != Opcode::relu_gradient && f.op != Opcode::activation_gradient) return kNowhere;
    size_t source = writer_[f.reads[0]];
    if (f.op == Opcode::relu_gradient) {
      if (source == kNowhere || program_.instructions[source].op != Opcode::relu) return kNowhere;
      source = writer_[program_.instructions[source].reads[0]];
    }
    if (source == kNowhere || program_.instructions[source].op != Opcode::normalize) return kNowhere;
    const std::vector<BufferId>& reads = program_.instructions[source].reads;
    return reads[0] == gradient.reads[0] && reads[2] == gradient.reads[3] ? source : kNowhere;
  }

  void insert(std::vector<std::optional<Instruction>>& before) {
    std::vector<Instruction> instructions;
    size_t forward_end = 0;
    for (size_t i = 0; i < before.size(); ++i) {
      if (before[i]) instructions.push_back(std::move(*before[i]));
      instructions.push_back(std::move(program_.instructions[i]));
      if (i + 1 == program_.forward_end) forward_end = instructions.size();
    }
    program_.instructions = std::move(instructions);
    program_.forward_end = forward_end;
  }

  Program& program_;
  std::vector<size_t> writer_;
};

// Instructions become groups, at first of one each. A group joins the one that makes what it reads, where
// either of them stands, if what lies in between allows that.
class Fusion {
 public:
  explicit Fusion(Program& program)
      : program_(program), writer_(writers(program)), readers_(program.buffers.size()) {
    for (size_t i = 0; i < program.instructions.size(); ++i) {
      place_.push_back(i);
      groups_.push_back({i});
      for (BufferId b : program.instructions[i].reads) readers_[b].push_back(i);
    }
  }

  void run() {
    for (size_t i = 0; i < groups_.size(); ++i) {
      for (size_t place = i; place != kNowhere;) place = join_a_maker(place);
    }
    write_down();
  }

 private:
  // Joins the group at `place` with one that makes what it reads; gives the place of both, if there is one.
  size_t join_a_maker(size_t place) {
    for (size_t i : groups_[place]) {
      for (BufferId b : program_.instructions[i].reads) {
        const size_t maker = maker_of(b);
        if (maker == kNowhere || maker == place || !joinable(maker, place)) continue;
        if (can_rise(place, maker)) return join(maker, place, maker);
        if (can_sink(maker, place)) return join(maker, place, place);
      }
    }
    return kNowhere;
  }

  size_t maker_of(BufferId b) const { return writer_[b] == kNowhere ? kNowhere : place_[writer_[b]]; }

  template <typename Judge>
  bool all_parts(size_t place, Judge judge) const {
    return std::ranges::all_of(groups_[place], [&](size_t i) { return judge(program_.instructions[i]); });
  }

  bool joinable(size_t maker, size_t taker) const {
    const auto is_inner = [](const Instruction& part) {
      return is_chain_step(part.op) || part.op == Opcode::check_finite;
    };
    const auto fits = [&](const Instruction& part) {
      return (is_inner(part) || is_chain_end(part)) && takes_only_blocks(part, maker);
    };
    const bool same_way = (maker < program_.forward_end) == (taker < program_.forward_end);
    if (!same_way || groups_[maker].size() + groups_[taker].size() > kMaxChain) return false;
    if (!all_parts(maker, is_inner) || !all_parts(taker, fits)) return false;
    const Instruction& first = program_.instructions[groups_[taker].front()];
    if (is_chain_end(first) && !takes_last_result(first, maker)) return false;
    return elements_at(maker) == elements_at(taker);
  }

  bool takes_last_result(const Instruction& end, size_t maker) const {
    BufferId last = 0;
    for (size_t i : groups_[maker]) {
      const Instruction& part = program_.instructions[i];
      if (is_chain_step(part.op)) last = part.writes[0];
    }
    return end.reads[end_operand(end.op)] == last;
  }

  int64_t elements_at(size_t place) const {
    return chain_elements(program_.instructions[groups_[place].front()]);
  }

  bool takes_only_blocks(const Instruction& part, size_t maker) const {
    for (size_t r = 0; r < part.reads.size(); ++r) {
      if (maker_of(part.reads[r]) == maker && !takes_blocks(part.op, r)) return false;
    }
    return true;
  }

  // Whether all that the group reads is there at an earlier place.
  bool can_rise(size_t group, size_t place) const {
    return all_parts(group, [&](const Instruction& part) {
      return std::ranges::all_of(part.reads, [&](BufferId b) {
        const size_t maker = maker_of(b);
        return maker == kNowhere || maker == group || maker <= place;
      });
    });
  }

  // Whether nobody before a later place reads what the group writes.
  bool can_sink(size_t group, size_t place) const {
    return all_parts(group, [&](const Instruction& part) {
      return std::ranges::all_of(part.writes, [&](BufferId b) {
        return std::ranges::all_of(
            readers_[b], [&](size_t reader) { return place_[reader] == group || place_[reader] >= place; });
      });
    });
  }

  size_t join(size_t maker, size_t taker, size_t place) {
    std::vector<size_t> parts = std::move(groups_[maker]);
    std::ranges::copy(groups_[taker], std::back_inserter(parts));
    groups_[maker].clear();
    groups_[taker].clear();
    for (size_t i : parts) place_[i] = place;
    groups_[place] = std::move(parts);
    return place;
  }

  void write_down() {
    std::vector<Instruction> instructions;
    size_t forward_end = 0;
    for (size_t place = 0; place < groups_.size(); ++place) {
      const std::vector<size_t>& group = groups_[place];
      if (group.size() == 1) instructions.push_back(std::move(program_.instructions[group[0]]));
      if (group.size() > 1) instructions.push_back(chain(place));
      if (place + 1 == program_.forward_end) forward_end = instructions.size();
    }
    program_.instructions = std::move(instructions);
    program_.forward_end = forward_end;
  }

  Instruction chain(size_t place) {
    std::vector<Instruction> parts;
    for (size_t i : groups_[place]) parts.push_back(std::move(program_.instructions[i]));
    return chain_of(std::move(parts), [&](BufferId b) { return needed_outside(b, place); });
  }

  bool needed_outside(BufferId b, size_t place) const {
    if (program_.buffers[b].kept || program_.buffers[b].fixed) return true;
    return std::ranges::any_of(readers_[b], [&](size_t reader) { return place_[reader] != place; });
  }

  Program& program_;
  std::vector<std::vector<size_t>> groups_;  // by place: instructions in their order
  std::vector<size_t> place_;                // by instruction: of its group
  std::vector<size_t> writer_;               // by buffer: the instruction
  std::vector<std::vector<size_t>> readers_;
};

}  // namespace

Instruction chain_of(std::vector<Instruction> parts, const std::function<bool(BufferId)>& needed) {
  Instruction result{.op = Opcode::chain, .reads = {}, .writes = {}, .geometry = Elements{}};
  std::vector<BufferId> inside;
  for (const Instruction& part : parts) {
    for (BufferId b : part.reads) {
      const bool known = std::ranges::count(result.reads, b) + std::ranges::count(inside, b) != 0;
      if (!known) result.reads.push_back(b);
    }
    const bool step = is_chain_step(part.op);
    if (!step || needed(part.writes[0])) {
      result.writes.insert(step ? result.writes.begin() : result.writes.end(), part.writes.begin(),
                           part.writes.end());
    }
    std::ranges::copy(part.writes, std::back_inserter(inside));
  }
  result.parts = std::move(parts);
  return result;
}

void fuse(Program& program) {
  Recomputation(program).run();
  Fusion(program).run();
}

}  // namespace cairn::model
