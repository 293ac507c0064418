// Fixed inputs of the self-test, and the digest of what operators make of them.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "base/digest.h"
#include "base/philox.h"
#include "exact/backend.h"

namespace cairn::exact {

// How the values of an input are drawn.
enum class Kind {
  plain,      // between -1 and 1
  wide,       // exponents from 2^-65 to 2^55
  tiny,       // around the least exponent of a group, and subnormal
  one_huge,   // one value 2^40 times the rest
  all_equal,  // up to the sign
  zeros,      // of both signs
  any_bits,   // any finite value
};
inline constexpr std::array kKinds = {Kind::plain,     Kind::wide,  Kind::tiny,    Kind::one_huge,
                                      Kind::all_equal, Kind::zeros, Kind::any_bits};

struct Operand {
  std::vector<int16_t> values;
  std::vector<int32_t> exponents;

  ConstQuantized view() const { return {values.data(), exponents.data()}; }
};

// A section of the self-test: draws inputs from its own random sequence and digests outputs.
class Section {
 public:
  explicit Section(uint32_t number) : random_(0, RandomStream::self_test, number) {}

  std::vector<float> floats(int64_t n, Kind kind);
  // Integers with |q| <= limit, in one of ten operands all of them +-limit; exponents in [least, most]. One
  // group in sixteen is empty.
  Operand operand(const Groups& shape, int limit, int32_t least, int32_t most);
  uint32_t word();

  // Takes outputs into the digest. The bits of a NaN differ between processors, so all NaNs count alike.
  void record(std::vector<float> values);
  void record(const std::vector<int16_t>& values);
  void record(const std::vector<int32_t>& values);
  void record(bool finite);
  Digest finish() { return hasher_.finish(); }

 private:
  RandomSequence random_;
  std::array<uint32_t, 4> words_{};
  uint32_t drawn_ = 0;
  Hasher hasher_{"cairn self-test section"};
};

}  // namespace cairn::exact
