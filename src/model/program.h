// A compiled model: a list of instructions over buffers, with every buffer's place in memory.
//
// Instructions are the calls of exact::Backend, written down ahead of time. Every buffer is written by one
// instruction (or given from outside), so that the order of the list is the only order there is; flattening
// and reshaping make no instruction, their values share a buffer. Two buffers may share memory only while at
// most one of them holds something still to be read, and verify_program() checks it.
#pragma once

#include <memory>
#include <variant>

#include "exact/backend.h"
#include "model/graph.h"

namespace cairn::model {

enum class ElementType : uint8_t { float32, int32, quantized };

using BufferId = uint32_t;

// Whom an error about a buffer's values names.
struct Origin {
  enum class Kind : uint8_t { input, parameter, node };
  Kind kind = Kind::input;
  uint32_t index = 0;  // in Graph::parameters or Graph::nodes
};

struct Buffer {
  ElementType type = ElementType::float32;
  int64_t elements = 0;
  exact::Groups groups = {};  // of a quantized buffer
  int bits = 15;              // of its integers
  Origin origin = {};
  bool given = false;   // filled from outside before the program starts
  bool fixed = false;   // its offset is not the planner's to choose
  bool kept = false;    // read from outside after the program has ended
  uint64_t offset = 0;  // in the device's memory, in bytes
};

inline constexpr uint64_t kAlignment = 64;
inline uint64_t align(uint64_t bytes) {
  return (bytes + kAlignment - 1) / kAlignment * kAlignment;
}

// A quantized buffer holds its int16 values, then, aligned, its int32 exponents.
uint64_t exponents_offset(const Buffer& buffer);
uint64_t size_in_bytes(const Buffer& buffer);

enum class Opcode : uint8_t {
  quantize,
  quantize_dithered,
  product_nt,
  product_nn,
  product_tn,
  convolve,
  convolve_input_gradient,
  convolve_weight_gradient,
  depthwise_convolve,
  depthwise_input_gradient,
  sum,
  sum_products,
  moments,
  add,
  multiply,
  add_channels,
  multiply_channels,
  relu,
  relu_gradient,
  activate,
  activation_gradient,
  normalize,
  normalize_gradient,
  max_pool,
  max_pool_gradient,
  average_pool,
  average_pool_gradient,
  softmax,
  softmax_cross_entropy,
  batch_product_nt,
  batch_product_nn,
  concatenate,
  cut,
  surround,
  permute,
  repeat,
  constant,
  embed,
  embedding_gradient,
  dropout,
  check_finite,
  inverse_deviation,
  chain,
};

std::string_view opcode_name(Opcode op);  // as it stands above

struct Matrix {
  int64_t m = 0, n = 0, k = 0;
};
struct Elements {
  int64_t count = 0;
};
// A function of one variable, of each element.
struct Mapping {
  exact::Activation function;
  float a = 0, b = 0;
  int64_t count = 0;
};
// So many products of matrices that lie one behind the other.
struct Batched {
  int64_t batch = 0;
  Matrix each = {};
};
// concatenate: [outer][inner of each input].
struct Blocks {
  int64_t outer = 0;
  std::vector<int64_t> inner = {};
};
// cut takes [outer][start, start + length)[inner] out of [outer][whole][inner], surround lays zeros around
// it.
struct Range {
  int64_t outer = 0, whole = 0, inner = 0;
  int64_t start = 0, length = 0;
};
// permute: dimension d of the result is dimension order[d] of `shape`.
struct Permutation {
  Shape shape = {};
  std::vector<int64_t> order = {};
};
// repeat: [outer][inner] becomes [outer][count][inner].
struct Repetition {
  int64_t outer = 0, count = 0, inner = 0;
};
// constant: these numbers.
struct Numbers {
  std::shared_ptr<const std::vector<float>> values = {};
};
// embed: `count` rows of a table of rows; embedding_gradient: back to the table.
struct Lookup {
  int64_t count = 0, rows = 0, width = 0;
};
// dropout: each element with the probability `ratio`.
struct Dropping {
  float ratio = 0;
  int64_t count = 0;
};
using Geometry =
    std::variant<Elements, Matrix, exact::Groups, exact::Channels, exact::Convolution, exact::Pooling,
                 Mapping, Batched, Blocks, Range, Permutation, Repetition, Numbers, Lookup, Dropping>;

// Operands stand in the order of the Backend function's parameters; those of a chain in the order in which
// its parts read them, and what its last step gives before all else that it writes.
struct Instruction {
  Opcode op;
  std::vector<BufferId> reads;
  std::vector<BufferId> writes;
  Geometry geometry;
  int bits = 0;         // quantize, quantize_dithered
  uint32_t tensor = 0;  // quantize_dithered, dropout: which key
  float epsilon = 0;    // inverse_deviation
  // chain: what it does, one after the other. A buffer that a part writes and the chain does not is never
  // more than a block in the cache.
  std::vector<Instruction> parts = {};
};

// What an instruction expects of an operand.
struct Slot {
  ElementType type;
  int64_t elements;
  exact::Groups groups = {};
};
struct Signature {
  std::vector<Slot> reads;
  std::vector<Slot> writes;
};
Signature signature(const Instruction& instruction);

// Groups of the operands of matrix products: one exponent for each row, or for each column.
inline exact::Groups row_groups(int64_t rows, int64_t columns) {
  return {1, 1, rows, columns};
}
inline exact::Groups column_groups(int64_t rows, int64_t columns) {
  return {1, rows, columns, 1};
}
// Groups of a convolution's images, of its weights in the forward product and in the input gradient.
exact::Groups input_groups(const exact::Convolution& c);
exact::Groups output_groups(const exact::Convolution& c);
exact::Groups weight_groups_by_output(const exact::Convolution& c);
exact::Groups weight_groups_by_input(const exact::Convolution& c);

// -- Chains: element-wise steps, checks of what they give, and perhaps a quantization or a
// -- normalize_gradient of the last step's result.
inline constexpr size_t kMaxChain = 12;  // parts
bool is_chain_step(Opcode op);
bool is_chain_end(const Instruction& instruction);  // its groups must be contiguous
// Which of its operands an end takes from the last step.
inline size_t end_operand(Opcode op) {
  return op == Opcode::normalize_gradient ? 1 : 0;
}
// Whether a step or end takes input `read` from an earlier part, block by block.
bool takes_blocks(Opcode op, size_t read);
int64_t chain_elements(const Instruction& part);  // of what it reads block by block

// "normalize+relu+quantize": the parts but checks.
std::string instruction_name(const Instruction& instruction);

// Which of the outputs may overwrite an input: the first, or the dx of a normalize_gradient.
size_t overwriting_output(const Instruction& instruction);
// Whether that output may overwrite input `read` of the same size: both are read and written element by
// element.
bool may_overwrite(const Instruction& instruction, size_t read);
// Whether a NaN or infinity in input `read` makes the instruction report divergence.
bool checks_finite(Opcode op, size_t read);
// Whether a NaN or infinity in input `read` shows as one in the first output.
bool transmits(Opcode op, size_t read);
// Whether finite inputs can give a NaN or infinity in a float32 output without the instruction reporting it.
bool may_diverge(Opcode op);

struct Program {
  std::vector<Buffer> buffers;
  std::vector<Instruction> instructions;
  size_t forward_end = 0;        // instructions before it make the logits and the statistics
  std::vector<BufferId> values;  // the buffer of each value of the graph
  BufferId loss = 0;             // training: the sum of the rows' losses
  uint64_t memory_bytes = 0;     // of the device's memory: fixed regions and planned buffers
  uint64_t roomy_bytes = 0;      // what that would be if nothing were computed a second time
  uint64_t effort_again = 0;     // of the instructions that compute something a second time (effort.h)
};

// Checks that operands match their signatures, that each buffer is written once and before it is read, that
// what is kept is written, that everything lies within memory_bytes and that nothing overlaps what is still
// to be read.
Status verify_program(const Program& program);

}  // namespace cairn::model
