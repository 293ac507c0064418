#include "model/traffic.h"

#include <set>

namespace cairn::model {

Traffic traffic(const Program& program) {
  Traffic result;
  for (const Instruction& instruction : program.instructions) {
    std::set<BufferId> operands(instruction.reads.begin(), instruction.reads.end());
    operands.insert(instruction.writes.begin(), instruction.writes.end());
    for (BufferId b : operands) result.bytes += size_in_bytes(program.buffers[b]);
    if (instruction.op == Opcode::convolve || instruction.op == Opcode::depthwise_convolve)
      result.convolution_outputs += static_cast<uint64_t>(program.buffers[instruction.writes[0]].elements);
  }
  return result;
}

}  // namespace cairn::model
