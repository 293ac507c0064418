#include "model/lowering.h"

#include "model/fusion.h"
#include "model/operators.h"
#include "model/recomputation.h"

namespace cairn::model {
namespace {

constexpr int64_t kMaxBatchElements = int64_t{1} << 32;  // of one value: what an exact sum holds

auto group_key(BufferId buffer, const exact::Groups& g, int bits) {
  return std::tuple(buffer, g.outer, g.repeat, g.groups, g.inner, bits);
}

// Which float buffers need a check of their own, decided from the last instruction to the first.
std::vector<bool> unchecked_buffers(const Program& program) {
  std::vector<bool> covered(program.buffers.size());
  std::vector<bool> unchecked(program.buffers.size());
  for (size_t i = program.instructions.size(); i-- > 0;) {
    const Instruction& instruction = program.instructions[i];
    for (BufferId out : instruction.writes) {
      const bool checkable = program.buffers[out].type == ElementType::float32;
      if (checkable && may_diverge(instruction.op) && !covered[out]) unchecked[out] = covered[out] = true;
    }
    for (size_t r = 0; r < instruction.reads.size(); ++r) {
      const bool passes_on = transmits(instruction.op, r) && covered[instruction.writes[0]];
      if (checks_finite(instruction.op, r) || passes_on) covered[instruction.reads[r]] = true;
    }
  }
  for (BufferId b = 0; b < program.buffers.size(); ++b) {
    const bool outside = program.buffers[b].given && program.buffers[b].origin.kind == Origin::Kind::input;
    if (outside && program.buffers[b].type == ElementType::float32 && !covered[b]) unchecked[b] = true;
  }
  return unchecked;
}

}  // namespace

Layout::Layout(const Graph& graph, int64_t batch) {
  for (const Parameter& parameter : graph.parameters) {
    parameter_offsets.push_back(parameter_count);
    parameter_count += static_cast<uint64_t>(elements(graph.shapes[parameter.value]));
  }
  for (const Statistics& entry : graph.statistics) {
    statistics_offsets.push_back(statistics_count);
    const ValueId scale = graph.nodes[entry.node].inputs[1];
    statistics_count += 2 * static_cast<uint64_t>(elements(graph.shapes[scale]));
  }
  input_count = static_cast<uint64_t>(elements(graph.shapes[graph.input]) * batch);
  gradient = align(parameters + 4 * parameter_count);
  statistics = align(gradient + 4 * parameter_count);
  input = align(statistics + 4 * statistics_count);
  targets = align(input + 4 * input_count);
  label_count = static_cast<uint64_t>(batch * rows_per_sample(graph));
  end = align(targets + 4 * target_count());
}

Lowering::Lowering(const Graph& graph, const Layout& layout, const CompileOptions& options, Mode mode)
    : graph_(graph), layout_(layout), options_(options), mode_(mode) {
  program_.values.resize(graph.shapes.size());
  parameter_of_.assign(graph.shapes.size(), -1);
  parts_left_.assign(graph.shapes.size(), 0);
  needs_gradient_.assign(graph.shapes.size(), false);
  is_constant_.assign(graph.shapes.size(), false);
  gradients_.resize(graph.shapes.size());
}

Result<Program> Lowering::run() {
  place_outside_data();
  find_needs();
  CAIRN_CHECK(forward());
  program_.forward_end = program_.instructions.size();
  if (mode_ == Mode::training) {
    loss();
    backward();
  }
  insert_checks();
  if (!options_.keep_tensors) fuse(program_);
  plan_within(program_, layout_.end, options_.memory_limit);
  CAIRN_CHECK(verify_program(program_));
  return std::move(program_);
}

Shape Lowering::shape(ValueId value) const {
  Shape result = graph_.shapes[value];
  if (!operand(value).parameter) result[0] = options_.batch;
  return result;
}

BufferId Lowering::add_buffer(Buffer buffer) {
  program_.buffers.push_back(buffer);
  return static_cast<BufferId>(program_.buffers.size() - 1);
}

BufferId Lowering::fixed(ElementType type, int64_t count, uint64_t offset, bool given, Origin origin) {
  return add_buffer({.type = type,
                     .elements = count,
                     .origin = origin,
                     .given = given,
                     .fixed = true,
                     .kept = !given,
                     .offset = offset});
}

BufferId Lowering::floats(int64_t count) {
  return add_buffer({.type = ElementType::float32, .elements = count, .origin = origin_});
}

BufferId Lowering::integers(int64_t count) {
  return add_buffer({.type = ElementType::int32, .elements = count, .origin = origin_});
}

BufferId Lowering::quantized_buffer(const exact::Groups& groups, int bits) {
  return add_buffer({.type = ElementType::quantized,
                     .elements = groups.elements(),
                     .groups = groups,
                     .bits = bits,
                     .origin = origin_});
}

BufferId Lowering::output(const Node& node) {
  const ValueId value = node.outputs[0];
  const BufferId id = floats(count(value));
  program_.values[value] = id;
  return id;
}

void Lowering::emit(Opcode op, std::vector<BufferId> reads, std::vector<BufferId> writes, Geometry geometry) {
  program_.instructions.push_back(
      {.op = op, .reads = std::move(reads), .writes = std::move(writes), .geometry = geometry});
}

BufferId Lowering::inverse_deviation(BufferId variance, float epsilon) {
  const int64_t channels = program_.buffers[variance].elements;
  const BufferId inverse = floats(channels);
  emit(Opcode::inverse_deviation, {variance}, {inverse}, Elements{channels});
  program_.instructions.back().epsilon = epsilon;
  return inverse;
}

void Lowering::emit_dropout(BufferId x, BufferId y, const Dropping& geometry) {
  emit(Opcode::dropout, {x}, {y}, geometry);
  program_.instructions.back().tensor = origin_.index;
}

BufferId Lowering::quantized_copy(BufferId source, const exact::Groups& groups, Product product) {
  const int bits = options_.bits.of(product);
  const auto [place, is_new] = quantized_.try_emplace(group_key(source, groups, bits));
  if (is_new) {
    place->second = quantized_buffer(groups, bits);
    emit(Opcode::quantize, {source}, {place->second}, groups);
    program_.instructions.back().bits = bits;
  }
  return place->second;
}

BufferId Lowering::quantized_output_gradient(const Node& node, const exact::Groups& groups, Product product) {
  const int bits = options_.bits.of(product);
  // By the output's own buffer: two nodes can share a gradient, but never a key.
  const auto [place, is_new] =
      quantized_gradients_.try_emplace(group_key(buffer(node.outputs[0]), groups, bits));
  if (is_new) {
    place->second = quantized_buffer(groups, bits);
    emit(Opcode::quantize_dithered, {output_gradient(node)}, {place->second}, groups);
    program_.instructions.back().bits = bits;
    program_.instructions.back().tensor = origin_.index;
  }
  return place->second;
}

std::pair<BufferId, BufferId> Lowering::statistics(const Node& node) {
  const int64_t channels = elements(graph_.shapes[node.inputs[1]]);
  const uint64_t offset = layout_.statistics + 4 * layout_.statistics_offsets[next_statistics_++];
  const bool given = mode_ == Mode::evaluation;
  const BufferId mean = fixed(ElementType::float32, channels, offset, given, origin_);
  const uint64_t variance_offset = offset + 4 * static_cast<uint64_t>(channels);
  return {mean, fixed(ElementType::float32, channels, variance_offset, given, origin_)};
}

BufferId Lowering::part(ValueId value) {
  if (is_parameter(value) && parts_left_[value] == 1 && !gradients_[value]) {
    return parameter_gradients_[static_cast<size_t>(parameter_of_[value])];
  }
  return floats(count(value));
}

void Lowering::contribute(ValueId value, BufferId part) {
  const bool last = --parts_left_[value] == 0;
  if (!gradients_[value]) {
    gradients_[value] = part;
    return;
  }
  const BufferId total = is_parameter(value) && last
                             ? parameter_gradients_[static_cast<size_t>(parameter_of_[value])]
                             : floats(count(value));
  emit(Opcode::add, {*gradients_[value], part}, {total}, Elements{count(value)});
  gradients_[value] = total;
}

void Lowering::place_outside_data() {
  const auto input_count = static_cast<int64_t>(layout_.input_count);
  program_.values[graph_.input] = fixed(ElementType::float32, input_count, layout_.input, true, {});
  for (uint32_t p = 0; p < graph_.parameters.size(); ++p) {
    const ValueId value = graph_.parameters[p].value;
    const Origin origin{Origin::Kind::parameter, p};
    parameter_of_[value] = p;
    const int64_t size = elements(graph_.shapes[value]);
    const uint64_t offset = 4 * layout_.parameter_offsets[p];
    program_.values[value] = fixed(ElementType::float32, size, layout_.parameters + offset, true, origin);
    if (mode_ == Mode::training) {
      parameter_gradients_.push_back(
          fixed(ElementType::float32, size, layout_.gradient + offset, false, origin));
    }
  }
  if (mode_ == Mode::training) {
    const auto targets = static_cast<int64_t>(layout_.target_count());
    targets_ = fixed(ElementType::int32, targets, layout_.targets, true, {});
  }
}

void Lowering::find_needs() {
  for (const Parameter& parameter : graph_.parameters) needs_gradient_[parameter.value] = true;
  for (const Node& node : graph_.nodes) {
    is_constant_[node.outputs[0]] = node.op == Operator::constant;
    for (ValueId input : node.inputs) {
      if (needs_gradient_[input]) needs_gradient_[node.outputs[0]] = true;
      ++parts_left_[input];
    }
  }
}

Status Lowering::forward() {
  for (uint32_t n = 0; n < graph_.nodes.size(); ++n) {
    const Node& node = graph_.nodes[n];
    const std::string place = "node '" + node.name + "'";
    origin_ = {Origin::Kind::node, n};
    if (count(node.outputs[0]) > kMaxBatchElements) return Error{place + ": too large for this batch size"};
    auto status = find_rule(node.op)->forward(*this, node);
    if (!status) return status.error().within(place);
    if (options_.keep_tensors) program_.buffers[buffer(node.outputs[0])].kept = true;
  }
  program_.buffers[buffer(graph_.output)].kept |= mode_ == Mode::evaluation;
  return {};
}

void Lowering::loss() {
  const int64_t classes = shape(graph_.output).back();
  const auto rows = static_cast<int64_t>(layout_.label_count);
  const BufferId losses = floats(rows);
  const BufferId gradient = floats(rows * classes);
  emit(Opcode::softmax_cross_entropy, {buffer(graph_.output), targets_}, {losses, gradient},
       Matrix{rows, classes, 0});
  program_.loss = floats(1);
  program_.buffers[program_.loss].kept = true;
  emit(Opcode::sum, {losses}, {program_.loss}, exact::Channels{1, 1, rows});
  parts_left_[graph_.output] = 1;
  contribute(graph_.output, gradient);
}

void Lowering::backward() {
  for (auto n = static_cast<uint32_t>(graph_.nodes.size()); n-- > 0;) {
    const Node& node = graph_.nodes[n];
    if (!needs_gradient_[node.outputs[0]]) continue;
    origin_ = {Origin::Kind::node, n};
    find_rule(node.op)->backward(*this, node);
  }
}

void Lowering::insert_checks() {
  const std::vector<bool> unchecked = unchecked_buffers(program_);
  std::vector<Instruction> instructions;
  size_t forward_end = 0;
  const auto check = [&](BufferId b) {
    if (!unchecked[b]) return;
    instructions.push_back({.op = Opcode::check_finite,
                            .reads = {b},
                            .writes = {},
                            .geometry = Elements{program_.buffers[b].elements}});
  };
  check(buffer(graph_.input));
  for (size_t i = 0; i < program_.instructions.size(); ++i) {
    instructions.push_back(std::move(program_.instructions[i]));
    const std::vector<BufferId> writes = instructions.back().writes;
    for (BufferId out : writes) check(out);
    if (i + 1 == program_.forward_end) forward_end = instructions.size();
  }
  program_.instructions = std::move(instructions);
  program_.forward_end = forward_end;
}

Result<Program> lower(const Graph& graph, const Layout& layout, const CompileOptions& options, Mode mode) {
  return Lowering(graph, layout, options, mode).run();
}

}  // namespace cairn::model
