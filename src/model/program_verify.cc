// The verifier: it trusts nothing that the lowering or the planner decided.
#include <algorithm>
#include <map>
#include <set>

#include "model/program.h"

namespace cairn::model {
namespace {

// Runs the instructions in mind: which buffers hold something, and which bytes are still to be read.
class ProgramVerifier {
 public:
  explicit ProgramVerifier(const Program& program)
      : program_(program), last_read_(program.buffers.size(), 0) {}

  Status run() {
    CAIRN_CHECK(operands());
    written_.resize(program_.buffers.size());
    for (BufferId b = 0; b < program_.buffers.size(); ++b) {
      if (program_.buffers[b].given) CAIRN_CHECK(hold(b));
    }
    for (index_ = 0; index_ < program_.instructions.size(); ++index_) CAIRN_CHECK(step());
    for (BufferId b = 0; b < program_.buffers.size(); ++b) {
      if (program_.buffers[b].kept && !written_[b])
        return problem("buffer " + std::to_string(b) + " is never written");
    }
    return {};
  }

 private:
  Error problem(const std::string& what) const {
    return Error{"program: instruction " + std::to_string(index_) + ": " + what};
  }

  Status operands() {
    for (index_ = 0; index_ < program_.instructions.size(); ++index_) {
      const Instruction& instruction = program_.instructions[index_];
      if (instruction.op == Opcode::chain) CAIRN_CHECK(chain(instruction));
      const Signature expected = signature(instruction);
      CAIRN_CHECK(match(instruction.reads, expected.reads));
      CAIRN_CHECK(match(instruction.writes, expected.writes));
      for (BufferId b : instruction.reads) last_read_[b] = index_ + 1;
    }
    for (BufferId b = 0; b < program_.buffers.size(); ++b) {
      const Buffer& buffer = program_.buffers[b];
      if (buffer.kept || buffer.given) last_read_[b] = program_.instructions.size() + 1;
    }
    return {};
  }

  // Each part fits its operands. What an earlier part wrote is taken block by block, and all else the chain
  // reads itself; what is written is written once; the end writes what the chain does.
  Status chain(const Instruction& chain) {
    if (chain.parts.empty() || chain.parts.size() > kMaxChain || !is_chain_step(chain.parts[0].op))
      return problem("no chain");
    std::set<BufferId> read, written;
    BufferId last = 0;  // what the last step gives
    for (const Instruction& part : chain.parts) {
      const bool end = &part == &chain.parts.back() && is_chain_end(part);
      if (!end && !is_chain_step(part.op) && part.op != Opcode::check_finite) return problem("no chain");
      const Signature expected = signature(part);
      CAIRN_CHECK(match(part.reads, expected.reads));
      CAIRN_CHECK(match(part.writes, expected.writes));
      if (end && part.reads[end_operand(part.op)] != last)
        return problem("the end takes another than the last step's result");
      if (is_chain_step(part.op)) last = part.writes[0];
      if (chain_elements(part) != chain_elements(chain.parts[0])) return problem("parts of different sizes");
      CAIRN_CHECK(links(part, end, written, read));
      for (BufferId b : part.writes) {
        if (!written.insert(b).second) return problem("buffer " + std::to_string(b) + " is written twice");
        if (end && std::ranges::count(chain.writes, b) == 0) return problem("a result of the chain is lost");
      }
    }
    const auto same = [](const std::vector<BufferId>& operands, const std::set<BufferId>& all) {
      return std::set<BufferId>(operands.begin(), operands.end()) == all && operands.size() == all.size();
    };
    if (!same(chain.reads, read)) return problem("the chain reads other buffers than its parts");
    for (BufferId b : chain.writes) {
      if (written.count(b) == 0) return problem("the chain writes what no part writes");
    }
    return {};
  }

  // What the part takes from earlier ones, and what is left for the chain to read.
  Status links(const Instruction& part, bool end, const std::set<BufferId>& written,
               std::set<BufferId>& read) const {
    for (size_t r = 0; r < part.reads.size(); ++r) {
      const bool inside = written.count(part.reads[r]) != 0, blocks = takes_blocks(part.op, r);
      if (inside && !blocks) return problem("a part needs all of what an earlier one gives by blocks");
      // An end and a check look at what a step gives.
      if (!inside && blocks && (end || part.op == Opcode::check_finite)) return problem("no chain");
      if (!inside) read.insert(part.reads[r]);
    }
    return {};
  }

  Status match(const std::vector<BufferId>& ids, const std::vector<Slot>& slots) const {
    if (ids.size() != slots.size()) return problem("wrong number of operands");
    for (size_t i = 0; i < ids.size(); ++i) {
      if (ids[i] >= program_.buffers.size()) return problem("no such buffer");
      const Buffer& buffer = program_.buffers[ids[i]];
      const exact::Groups& a = buffer.groups;
      const exact::Groups& b = slots[i].groups;
      const bool same_groups =
          a.outer == b.outer && a.repeat == b.repeat && a.groups == b.groups && a.inner == b.inner;
      if (buffer.type != slots[i].type || buffer.elements != slots[i].elements || !same_groups) {
        return problem("buffer " + std::to_string(ids[i]) + " does not fit operand " + std::to_string(i));
      }
    }
    return {};
  }

  Status step() {
    const Instruction& instruction = program_.instructions[index_];
    for (BufferId b : instruction.reads) {
      if (!written_[b]) return problem("buffer " + std::to_string(b) + " is read before it is written");
    }
    for (size_t r = 0; r < instruction.reads.size(); ++r) release_overwritten(instruction, r);
    for (BufferId b : instruction.writes) {
      if (written_[b]) return problem("buffer " + std::to_string(b) + " is written twice");
      CAIRN_CHECK(hold(b));
    }
    for (BufferId b : instruction.reads) release(b);
    for (BufferId b : instruction.writes) release(b);
    return {};
  }

  // The one legal overlap: an element-wise output on an input that dies here, at the very same place.
  void release_overwritten(const Instruction& instruction, size_t r) {
    const BufferId in = instruction.reads[r];
    if (instruction.writes.empty() || !may_overwrite(instruction, r)) return;
    const BufferId out = instruction.writes[overwriting_output(instruction)];
    if (program_.buffers[in].offset == program_.buffers[out].offset) release(in);
  }

  Status hold(BufferId b) {
    const Buffer& buffer = program_.buffers[b];
    const uint64_t begin = buffer.offset;
    const uint64_t end = begin + size_in_bytes(buffer);
    if (end > program_.memory_bytes || end < begin || begin % 4 != 0)
      return problem("buffer " + std::to_string(b) + " lies outside of memory");
    const auto next = live_.lower_bound(begin);
    const bool meets_next = next != live_.end() && next->first < end;
    const bool meets_previous = next != live_.begin() && std::prev(next)->second.first > begin;
    if (meets_next || meets_previous)
      return problem("buffer " + std::to_string(b) + " overlaps what is still to be read");
    live_[begin] = {end, b};
    written_[b] = true;
    return {};
  }

  void release(BufferId b) {
    if (last_read_[b] > index_ + 1) return;
    const auto place = live_.find(program_.buffers[b].offset);
    if (place != live_.end() && place->second.second == b) live_.erase(place);
  }

  const Program& program_;
  std::vector<size_t> last_read_;  // index of the last reading instruction plus one
  std::vector<bool> written_;
  std::map<uint64_t, std::pair<uint64_t, BufferId>> live_;  // begin -> end, buffer
  size_t index_ = 0;
};

}  // namespace

Status verify_program(const Program& program) {
  return ProgramVerifier(program).run();
}

}  // namespace cairn::model
