#include "model/traffic.h"

#include "model/effort.h"

namespace cairn::model {

Traffic traffic(const Program& program) {
  Traffic result;
  for (const Instruction& instruction : program.instructions) {
    result.bytes += operand_bytes(program, instruction);
    if (instruction.op == Opcode::convolve || instruction.op == Opcode::depthwise_convolve)
      result.convolution_outputs += static_cast<uint64_t>(program.buffers[instruction.writes[0]].elements);
  }
  return result;
}

}  // namespace cairn::model
