#include "model/program.h"

#include <algorithm>
#include <map>

namespace cairn::model {
namespace {

using exact::Channels;
using exact::Convolution;
using exact::Groups;
using exact::Pooling;

Slot floats(int64_t elements) {
  return {ElementType::float32, elements};
}

Slot integers(int64_t elements) {
  return {ElementType::int32, elements};
}

Slot quantized(const Groups& groups) {
  return {ElementType::quantized, groups.elements(), groups};
}

Signature product_signature(Opcode op, const Matrix& g) {
  const Slot c = floats(g.m * g.n);
  if (op == Opcode::product_nt) {
    return {{quantized(row_groups(g.m, g.k)), quantized(row_groups(g.n, g.k))}, {c}};
  }
  if (op == Opcode::product_nn) {
    return {{quantized(row_groups(g.m, g.k)), quantized(column_groups(g.k, g.n))}, {c}};
  }
  return {{quantized(row_groups(g.k, g.m)), quantized(row_groups(g.k, g.n))}, {c}};
}

Signature convolution_signature(Opcode op, const Convolution& c) {
  const Slot x = quantized(input_groups(c));
  const Slot y = quantized(output_groups(c));
  const Slot w = quantized(weight_groups_by_output(c));
  const Slot w_by_input = quantized(weight_groups_by_input(c));
  if (op == Opcode::convolve) return {{x, w}, {floats(y.elements)}};
  if (op == Opcode::convolve_input_gradient) return {{y, w_by_input}, {floats(x.elements)}};
  if (op == Opcode::depthwise_convolve) {
    return {{floats(x.elements), floats(w.elements)}, {floats(y.elements)}};
  }
  if (op == Opcode::depthwise_input_gradient) {
    return {{floats(y.elements), floats(w.elements)}, {floats(x.elements)}};
  }
  return {{y, x}, {floats(w.elements)}};
}

Signature channels_signature(Opcode op, const Channels& c) {
  const Slot x = floats(c.samples * c.channels * c.inner);
  const Slot s = floats(c.channels);
  switch (op) {
    case Opcode::sum:
      return {{x}, {s}};
    case Opcode::sum_products:
      return {{x, x}, {s}};
    case Opcode::moments:
      return {{x}, {s, s}};
    case Opcode::normalize:  // x, mean, inverse, gamma, beta -> y
      return {{x, s, s, s, s}, {x}};
    case Opcode::normalize_gradient:  // x, dy, mean, inverse, gamma -> dgamma, dbeta, dx
      return {{x, x, s, s, s}, {s, s, x}};
    default:  // add_channels, multiply_channels
      return {{x, s}, {x}};
  }
}

Signature pooling_signature(Opcode op, const Pooling& p) {
  const Slot x = floats(p.planes * p.in_height * p.in_width);
  const Slot y = floats(p.planes * p.out_height * p.out_width);
  const Slot chosen = integers(y.elements);
  switch (op) {
    case Opcode::max_pool:
      return {{x}, {y, chosen}};
    case Opcode::max_pool_gradient:
      return {{y, chosen}, {x}};
    case Opcode::average_pool:
      return {{x}, {y}};
    default:
      return {{y}, {x}};
  }
}

Signature elements_signature(Opcode op, int64_t count) {
  const Slot x = floats(count);
  if (op == Opcode::relu || op == Opcode::inverse_deviation) return {{x}, {x}};
  if (op == Opcode::check_finite) return {{x}, {}};
  return {{x, x}, {x}};
}

struct SignatureOf {
  Opcode op;

  Signature operator()(const Elements& g) const { return elements_signature(op, g.count); }
  Signature operator()(const Groups& g) const { return {{floats(g.elements())}, {quantized(g)}}; }
  Signature operator()(const Channels& g) const { return channels_signature(op, g); }
  Signature operator()(const Convolution& g) const { return convolution_signature(op, g); }
  Signature operator()(const Batched& g) const {
    const auto [m, n, k] = g.each;
    const Groups columns{g.batch, k, n, 1};
    const Slot a = quantized(row_groups(g.batch * m, k));
    const Slot b = quantized(op == Opcode::batch_product_nt ? row_groups(g.batch * n, k) : columns);
    return {{a, b}, {floats(g.batch * m * n)}};
  }
  Signature operator()(const Blocks& g) const {
    Signature result{{}, {floats(0)}};
    for (int64_t inner : g.inner) {
      result.reads.push_back(floats(g.outer * inner));
      result.writes[0].elements += g.outer * inner;
    }
    return result;
  }
  Signature operator()(const Range& g) const {
    const Slot whole = floats(g.outer * g.whole * g.inner), part = floats(g.outer * g.length * g.inner);
    if (op == Opcode::cut) return {{whole}, {part}};
    return {{part}, {whole}};
  }
  Signature operator()(const Permutation& g) const {
    return {{floats(elements(g.shape))}, {floats(elements(g.shape))}};
  }
  Signature operator()(const Repetition& g) const {
    return {{floats(g.outer * g.inner)}, {floats(g.outer * g.count * g.inner)}};
  }
  Signature operator()(const Numbers& g) const {
    return {{}, {floats(static_cast<int64_t>(g.values->size()))}};
  }
  Signature operator()(const Lookup& g) const {
    const Slot indices = floats(g.count), table = floats(g.rows * g.width), rows = floats(g.count * g.width);
    if (op == Opcode::embed) return {{indices, table}, {rows}};
    return {{indices, rows}, {table}};
  }
  Signature operator()(const Dropping& g) const { return {{floats(g.count)}, {floats(g.count)}}; }
  Signature operator()(const Mapping& g) const {
    const Slot x = floats(g.count);
    if (op == Opcode::activate) return {{x}, {x}};
    return {{x, x}, {x}};
  }
  Signature operator()(const Pooling& g) const { return pooling_signature(op, g); }
  Signature operator()(const Matrix& g) const {
    if (op == Opcode::softmax) return {{floats(g.m * g.n)}, {floats(g.m * g.n)}};
    if (op != Opcode::softmax_cross_entropy) return product_signature(op, g);
    return {{floats(g.m * g.n), integers(2 * g.m + 2)}, {floats(g.m), floats(g.m * g.n)}};
  }
};

bool is_channelwise(Opcode op) {
  return op == Opcode::add_channels || op == Opcode::multiply_channels;
}

bool is_pairwise(Opcode op) {
  return op == Opcode::add || op == Opcode::multiply;
}

// Each operand as the part that has it sees it.
Signature chain_signature(const Instruction& chain) {
  std::map<BufferId, Slot> reads, writes;
  for (const Instruction& part : chain.parts) {
    const Signature slots = signature(part);
    for (size_t i = 0; i < part.reads.size(); ++i) reads.emplace(part.reads[i], slots.reads[i]);
    for (size_t i = 0; i < part.writes.size(); ++i) writes.emplace(part.writes[i], slots.writes[i]);
  }
  Signature result;
  for (BufferId b : chain.reads) result.reads.push_back(reads.at(b));
  for (BufferId b : chain.writes) result.writes.push_back(writes.at(b));
  return result;
}

BufferId last_step_result(const Instruction& chain) {
  BufferId last = 0;
  for (const Instruction& part : chain.parts) {
    if (is_chain_step(part.op)) last = part.writes[0];
  }
  return last;
}

// Whether the chain makes the dy of a normalize_gradient and stores it nowhere: it waits where dx will be.
bool makes_gradient_in_place(const Instruction& chain) {
  return chain.op == Opcode::chain && chain.parts.back().op == Opcode::normalize_gradient &&
         chain.writes[0] != last_step_result(chain);
}

// If the last step stores the output (or leaves it there for the end), all steps have read their blocks by
// then, and what comes after reads what it stored.
bool chain_may_overwrite(const Instruction& chain, BufferId read) {
  for (const Instruction& part : chain.parts) {
    for (size_t r = 0; r < part.reads.size(); ++r) {
      if (part.reads[r] == read && !(is_chain_step(part.op) && takes_blocks(part.op, r))) return false;
    }
  }
  return chain.writes[0] == last_step_result(chain) || makes_gradient_in_place(chain);
}

}  // namespace

std::string_view opcode_name(Opcode op) {
  switch (op) {
    case Opcode::quantize:
      return "quantize";
    case Opcode::quantize_dithered:
      return "quantize_dithered";
    case Opcode::product_nt:
      return "product_nt";
    case Opcode::product_nn:
      return "product_nn";
    case Opcode::product_tn:
      return "product_tn";
    case Opcode::convolve:
      return "convolve";
    case Opcode::convolve_input_gradient:
      return "convolve_input_gradient";
    case Opcode::convolve_weight_gradient:
      return "convolve_weight_gradient";
    case Opcode::sum:
      return "sum";
    case Opcode::sum_products:
      return "sum_products";
    case Opcode::moments:
      return "moments";
    case Opcode::add:
      return "add";
    case Opcode::multiply:
      return "multiply";
    case Opcode::add_channels:
      return "add_channels";
    case Opcode::multiply_channels:
      return "multiply_channels";
    case Opcode::relu:
      return "relu";
    case Opcode::relu_gradient:
      return "relu_gradient";
    case Opcode::normalize:
      return "normalize";
    case Opcode::normalize_gradient:
      return "normalize_gradient";
    case Opcode::max_pool:
      return "max_pool";
    case Opcode::max_pool_gradient:
      return "max_pool_gradient";
    case Opcode::average_pool:
      return "average_pool";
    case Opcode::average_pool_gradient:
      return "average_pool_gradient";
    case Opcode::softmax_cross_entropy:
      return "softmax_cross_entropy";
    case Opcode::depthwise_convolve:
      return "depthwise_convolve";
    case Opcode::depthwise_input_gradient:
      return "depthwise_input_gradient";
    case Opcode::activate:
      return "activate";
    case Opcode::activation_gradient:
      return "activation_gradient";
    case Opcode::softmax:
      return "softmax";
    case Opcode::batch_product_nt:
      return "batch_product_nt";
    case Opcode::batch_product_nn:
      return "batch_product_nn";
    case Opcode::concatenate:
      return "concatenate";
    case Opcode::cut:
      return "cut";
    case Opcode::surround:
      return "surround";
    case Opcode::permute:
      return "permute";
    case Opcode::repeat:
      return "repeat";
    case Opcode::constant:
      return "constant";
    case Opcode::embed:
      return "embed";
    case Opcode::embedding_gradient:
      return "embedding_gradient";
    case Opcode::dropout:
      return "dropout";
    case Opcode::check_finite:
      return "check_finite";
    case Opcode::inverse_deviation:
      return "inverse_deviation";
    case Opcode::chain:
      return "chain";
  }
  return "?";
}

uint64_t exponents_offset(const Buffer& buffer) {
  return align(static_cast<uint64_t>(buffer.elements) * sizeof(int16_t));
}

uint64_t size_in_bytes(const Buffer& buffer) {
  if (buffer.type != ElementType::quantized) return static_cast<uint64_t>(buffer.elements) * 4;
  return exponents_offset(buffer) + static_cast<uint64_t>(buffer.groups.count()) * sizeof(int32_t);
}

Groups input_groups(const Convolution& c) {
  return {1, 1, c.batch * c.channel_groups, c.in_channels / c.channel_groups * c.in_height * c.in_width};
}

Groups output_groups(const Convolution& c) {
  return {1, 1, c.batch * c.channel_groups, c.out_channels / c.channel_groups * c.out_height * c.out_width};
}

Groups weight_groups_by_output(const Convolution& c) {
  return {1, 1, c.out_channels, c.in_channels / c.channel_groups * c.kernel_height * c.kernel_width};
}

Groups weight_groups_by_input(const Convolution& c) {
  return {c.channel_groups, c.out_channels / c.channel_groups, c.in_channels / c.channel_groups,
          c.kernel_height * c.kernel_width};
}

Signature signature(const Instruction& instruction) {
  if (instruction.op == Opcode::chain) return chain_signature(instruction);
  return std::visit(SignatureOf{instruction.op}, instruction.geometry);
}

bool is_chain_step(Opcode op) {
  switch (op) {
    case Opcode::relu:
    case Opcode::relu_gradient:
    case Opcode::activate:
    case Opcode::activation_gradient:
    case Opcode::normalize:
      return true;
    default:
      return is_pairwise(op) || is_channelwise(op);
  }
}

bool is_chain_end(const Instruction& instruction) {
  if (instruction.op == Opcode::quantize || instruction.op == Opcode::quantize_dithered) {
    const auto* groups = std::get_if<Groups>(&instruction.geometry);
    return groups != nullptr && (groups->groups == 1 || groups->repeat == 1);
  }
  const auto* channels = std::get_if<Channels>(&instruction.geometry);
  return instruction.op == Opcode::normalize_gradient && channels != nullptr && channels->inner > 1;
}

bool takes_blocks(Opcode op, size_t read) {
  if (op == Opcode::normalize_gradient) return read == end_operand(op);
  const bool of_two = is_pairwise(op) || op == Opcode::relu_gradient || op == Opcode::activation_gradient;
  return read == 0 || of_two;
}

int64_t chain_elements(const Instruction& part) {
  return signature(part).reads[0].elements;
}

std::string instruction_name(const Instruction& instruction) {
  if (instruction.op != Opcode::chain) return std::string(opcode_name(instruction.op));
  std::string name;
  for (const Instruction& part : instruction.parts) {
    if (part.op == Opcode::check_finite) continue;
    if (!name.empty()) name += '+';
    name += opcode_name(part.op);
  }
  return name;
}

size_t overwriting_output(const Instruction& instruction) {
  if (instruction.op == Opcode::normalize_gradient) return 2;
  if (!makes_gradient_in_place(instruction)) return 0;
  const BufferId dx = instruction.parts.back().writes[2];
  return static_cast<size_t>(std::ranges::find(instruction.writes, dx) - instruction.writes.begin());
}

bool may_overwrite(const Instruction& instruction, size_t read) {
  const Opcode op = instruction.op;
  if (op == Opcode::chain) return chain_may_overwrite(instruction, instruction.reads[read]);
  if (op == Opcode::normalize_gradient) return read < 2;  // x and dy: the second sweep reads what it writes
  return (is_chain_step(op) && takes_blocks(op, read)) || (op == Opcode::dropout && read == 0);
}

bool checks_finite(Opcode op, size_t read) {
  switch (op) {
    case Opcode::quantize:
    case Opcode::quantize_dithered:
    case Opcode::sum:
    case Opcode::sum_products:
    case Opcode::moments:
    case Opcode::check_finite:
      return true;
    case Opcode::softmax:
    case Opcode::softmax_cross_entropy:
    case Opcode::embed:  // the indices
      return read == 0;
    case Opcode::normalize_gradient:
      return read == 1;  // dy, through its sum
    default:
      return false;
  }
}

bool transmits(Opcode op, size_t read) {
  if (op == Opcode::concatenate || op == Opcode::surround || op == Opcode::permute) return true;
  if (op == Opcode::repeat) return true;
  // Every weight is a factor of every output's sum, and dy of every dx.
  if (op == Opcode::depthwise_convolve || op == Opcode::activation_gradient) return read == 1;
  if (op == Opcode::embedding_gradient) return read == 1;
  return is_pairwise(op) || (is_channelwise(op) && read == 0);
}

bool may_diverge(Opcode op) {
  switch (op) {
    case Opcode::depthwise_convolve:
    case Opcode::depthwise_input_gradient:
    case Opcode::activate:
    case Opcode::activation_gradient:
    case Opcode::normalize:
    case Opcode::normalize_gradient:
    case Opcode::max_pool_gradient:
    case Opcode::average_pool_gradient:
    case Opcode::repeat:  // of a parameter that is not finite, as in embed
    case Opcode::embed:
    case Opcode::embedding_gradient:
    case Opcode::dropout:
    case Opcode::inverse_deviation:
      return true;
    default:
      return is_pairwise(op) || is_channelwise(op);
  }
}

}  // namespace cairn::model
