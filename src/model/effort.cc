#include "model/effort.h"

#include <set>

namespace cairn::model {
namespace {

struct ProductsOf {
  int64_t operator()(const Matrix& g) const { return g.m * g.n * g.k; }
  int64_t operator()(const Batched& g) const { return g.batch * (*this)(g.each); }
  int64_t operator()(const exact::Convolution& c) const {
    return c.batch * c.out_channels * c.out_height * c.out_width * (c.in_channels / c.channel_groups) *
           c.kernel_height * c.kernel_width;
  }
  template <typename Other>
  int64_t operator()(const Other&) const {
    return 0;
  }
};

}  // namespace

// (The matrix of a softmax has no k.)
uint64_t products(const Instruction& instruction) {
  return static_cast<uint64_t>(std::visit(ProductsOf{}, instruction.geometry));
}

uint64_t operand_bytes(const Program& program, const Instruction& instruction) {
  std::set<BufferId> operands(instruction.reads.begin(), instruction.reads.end());
  operands.insert(instruction.writes.begin(), instruction.writes.end());
  uint64_t bytes = 0;
  for (BufferId b : operands) bytes += size_in_bytes(program.buffers[b]);
  return bytes;
}

uint64_t effort(const Program& program, const Instruction& instruction) {
  return products(instruction) + kEffortPerByte * operand_bytes(program, instruction);
}

uint64_t effort(const Program& program) {
  uint64_t total = 0;
  for (const Instruction& instruction : program.instructions) total += effort(program, instruction);
  return total;
}

}  // namespace cairn::model
