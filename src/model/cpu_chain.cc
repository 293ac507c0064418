#include "model/cpu_chain.h"

#include <algorithm>

namespace cairn::model {
namespace {

exact::ChainStep::Kind step_kind(Opcode op) {
  using Kind = exact::ChainStep::Kind;
  switch (op) {
    case Opcode::add:
      return Kind::add;
    case Opcode::multiply:
      return Kind::multiply;
    case Opcode::relu:
      return Kind::relu;
    case Opcode::relu_gradient:
      return Kind::relu_gradient;
    case Opcode::activate:
      return Kind::activate;
    case Opcode::activation_gradient:
      return Kind::activation_gradient;
    case Opcode::add_channels:
      return Kind::add_channels;
    case Opcode::multiply_channels:
      return Kind::multiply_channels;
    default:
      return Kind::normalize;
  }
}

void set_end(const Instruction& part, const CpuChain::Memory& memory, const DitherKey& key,
             exact::Chain& chain) {
  if (part.op == Opcode::normalize_gradient) {
    const auto read = [&](size_t i) { return memory.floats(part.reads[i]); };
    const auto write = [&](size_t i) { return memory.floats(part.writes[i]); };
    chain.end = exact::ChainNormalizeGradient{
        read(0), std::get<exact::Channels>(part.geometry), read(2), read(3), read(4), write(0), write(1),
        write(2)};
    return;
  }
  const bool dithered = part.op == Opcode::quantize_dithered;
  chain.end =
      exact::ChainQuantization{std::get<exact::Groups>(part.geometry), part.bits, dithered,
                               dithered ? dither_key(key, part.tensor) : 0, memory.integers(part.writes[0])};
}

}  // namespace

exact::Chain CpuChain::make(const Instruction& chain, const Memory& memory, const DitherKey& key) {
  instruction_ = &chain;
  memory_ = &memory;
  count_ = 0;
  exact::Chain result{.count = chain_elements(chain.parts[0])};
  for (const Instruction& part : chain.parts) {
    if (is_chain_step(part.op)) {
      steps_[count_] = step(part);
      results_[count_++] = part.writes[0];
    } else if (part.op == Opcode::check_finite) {
      steps_[static_cast<size_t>(input(part.reads[0]).step)].checked = true;
    } else {
      set_end(part, memory, key, result);
    }
  }
  result.steps = std::span(steps_).first(count_);
  return result;
}

BufferId CpuChain::blamed(size_t diverged) const {
  return diverged < count_ ? results_[diverged] : instruction_->parts.back().reads[0];
}

exact::ChainInput CpuChain::input(BufferId id) const {
  for (size_t i = 0; i < count_; ++i) {
    if (results_[i] == id) return {nullptr, static_cast<int>(i)};
  }
  return {memory_->floats(id), -1};
}

exact::ChainStep CpuChain::step(const Instruction& part) const {
  exact::ChainStep step{.kind = step_kind(part.op)};
  size_t vectors = 0;
  for (size_t r = 0; r < part.reads.size(); ++r) {
    if (takes_blocks(part.op, r)) {
      step.inputs[r] = input(part.reads[r]);
    } else {
      step.per_channel[vectors++] = memory_->floats(part.reads[r]);
    }
  }
  if (const auto* channels = std::get_if<exact::Channels>(&part.geometry)) step.shape = *channels;
  if (const auto* mapping = std::get_if<Mapping>(&part.geometry)) {
    step.function = mapping->function;
    step.a = mapping->a;
    step.b = mapping->b;
  }
  const bool stored = std::ranges::count(instruction_->writes, part.writes[0]) != 0;
  if (stored) step.store = memory_->floats(part.writes[0]);
  return step;
}

}  // namespace cairn::model
