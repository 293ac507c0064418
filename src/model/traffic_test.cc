#include "model/traffic.h"

#include <gtest/gtest.h>

namespace cairn::model {
namespace {

Buffer floats(int64_t count) {
  return {.type = ElementType::float32, .elements = count};
}

Buffer integers(const exact::Groups& groups) {
  return {.type = ElementType::quantized, .elements = groups.elements(), .groups = groups};
}

TEST(Traffic, CountsEachOperandOfAnInstructionOnce) {
  Program program;
  program.buffers = {floats(100), floats(100), floats(100)};
  program.instructions.push_back(
      {.op = Opcode::add, .reads = {0, 0}, .writes = {1}, .geometry = Elements{100}});
  program.instructions.push_back(
      {.op = Opcode::add, .reads = {0, 1}, .writes = {2}, .geometry = Elements{100}});
  EXPECT_EQ(traffic(program).bytes, 800 + 1200);
  EXPECT_EQ(traffic(program).convolution_outputs, 0);
}

TEST(Traffic, OfAConvolutionIsItsIntegersItsExponentsAndItsResult) {
  const exact::Convolution c{.batch = 2,
                             .channel_groups = 1,
                             .in_channels = 3,
                             .in_height = 8,
                             .in_width = 8,
                             .out_channels = 4,
                             .out_height = 8,
                             .out_width = 8,
                             .kernel_height = 1,
                             .kernel_width = 1};
  Program program;
  program.buffers = {integers(input_groups(c)), integers(weight_groups_by_output(c)), floats(512)};
  program.instructions.push_back({.op = Opcode::convolve, .reads = {0, 1}, .writes = {2}, .geometry = c});
  // Exponents begin at a multiple of 64 bytes: of x at 768, of w at 64.
  EXPECT_EQ(traffic(program).bytes, (768 + 2 * 4) + (64 + 4 * 4) + 4 * 512);
  EXPECT_EQ(traffic(program).convolution_outputs, 512);
}

}  // namespace
}  // namespace cairn::model
