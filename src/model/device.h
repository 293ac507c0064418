// What runs a program: a processor with its memory. The processor of this machine is one; a GPU or a browser
// is another behind the same few functions.
#pragma once

#include <memory>
#include <optional>
#include <span>

#include "model/program.h"

namespace cairn::model {

// Names the random numbers of one batch's gradient: which seed, round, unit and step of the unit it belongs
// to.
struct DitherKey {
  uint64_t seed = 0;
  uint32_t round = 0;
  uint32_t unit = 0;
  uint32_t step = 0;
};

// The key of one tensor's dither. With P(s, c0, c1, c2) the four words that Philox gives under seed s at
// index c0, minor c1 and major c2 of the stream `dither`: (a, b, ...) = P(seed, step, unit, round); the key
// is the first word of P(a + 2^32 b, tensor, 0, 0). The tensor is the number of the node whose output
// gradient is quantized.
uint32_t dither_key(const DitherKey& key, uint32_t tensor);
// The same with the stream `dropout`, for the node whose values are dropped.
uint32_t dropout_key(const DitherKey& key, uint32_t node);

// One thread at a time. Offsets and sizes are in bytes, within what reserve() was given.
class Device {
 public:
  virtual ~Device() = default;

  // Gets memory for all programs; what it held before is lost. Fails where there is not enough.
  virtual Status reserve(uint64_t bytes) = 0;
  virtual void upload(uint64_t offset, std::span<const std::byte> from) = 0;
  virtual void download(uint64_t offset, std::span<std::byte> to) const = 0;
  // From `offset` on, programs use the caller's memory, until it is taken back. What they write is there
  // then.
  virtual void lend(uint64_t offset, std::span<std::byte> memory) = 0;
  virtual void take_back(uint64_t offset) = 0;
  // Precondition: verify_program(program). Gives a buffer whose values have diverged, if any has.
  [[nodiscard]] virtual std::optional<BufferId> run(const Program& program, const Instruction& instruction,
                                                    const DitherKey& key) = 0;
};

// Runs each instruction as one call of the backend, which outlives the device. Allocates only in reserve().
std::unique_ptr<Device> make_cpu_device(exact::Backend& backend);

}  // namespace cairn::model
