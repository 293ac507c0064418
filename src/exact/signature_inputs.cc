#include "exact/signature_inputs.h"

#include <cstring>

#include "exact/functions.h"

namespace cairn::exact {
namespace {

template <typename T>
BytesView bytes_of(const std::vector<T>& values) {
  return {reinterpret_cast<const uint8_t*>(values.data()), values.size() * sizeof(T)};
}

// A value in [-1, 1) with 24 bits.
float unit(uint32_t word) {
  return static_cast<float>(static_cast<int32_t>(word) >> 8) * 0x1p-23f;
}

float draw(uint32_t word, uint32_t power, Kind kind) {
  switch (kind) {
    case Kind::wide:
      return unit(word) * power_of_two(static_cast<int32_t>(power % 120) - 65);
    case Kind::tiny:
      return power % 4 == 0 ? float_of(word & 0x807fffffu)
                            : unit(word) * power_of_two(-20 - static_cast<int32_t>(power % 106));
    case Kind::all_equal:
      return (word & 1) != 0 ? 0x1.fffffep+3f : -0x1.fffffep+3f;
    case Kind::zeros:
      return float_of(word & 0x80000000u);
    case Kind::any_bits:
      return float_of((word & kInfinityBits) == kInfinityBits ? word ^ 0x40000000u : word);
    default:
      return unit(word);
  }
}

}  // namespace

uint32_t Section::word() {
  if (drawn_ % 4 == 0) words_ = random_.at(drawn_ / 4);
  return words_[drawn_++ % 4];
}

std::vector<float> Section::floats(int64_t n, Kind kind) {
  std::vector<float> result(static_cast<size_t>(n));
  for (float& x : result) {
    const uint32_t bits = word();
    x = draw(bits, mix(bits) >> 16, kind);
  }
  if (kind == Kind::one_huge) result[word() % result.size()] = 0x1.234568p+40f;
  return result;
}

Operand Section::operand(const Groups& shape, int limit, int32_t least, int32_t most) {
  Operand result;
  for (int64_t group = 0; group < shape.count(); ++group) {
    const uint32_t random = word();
    const uint32_t range = static_cast<uint32_t>(most - least + 1);
    result.exponents.push_back(random % 16 == 0 ? kEmptyGroup
                                                : least + static_cast<int32_t>((random >> 4) % range));
  }
  const bool extreme = word() % 10 == 0;
  const uint32_t range = 2 * static_cast<uint32_t>(limit) + 1;
  const int64_t width = shape.groups * shape.inner;
  for (int64_t i = 0; i < shape.elements(); ++i) {
    const uint32_t random = word();
    const int value = static_cast<int>((uint64_t{random} * range) >> 32) - limit;
    const int64_t group = i / (shape.repeat * width) * shape.groups + i % width / shape.inner;
    const bool empty = result.exponents[static_cast<size_t>(group)] == kEmptyGroup;
    result.values.push_back(static_cast<int16_t>(empty     ? 0
                                                 : extreme ? ((random & 1) != 0 ? limit : -limit)
                                                           : value));
  }
  return result;
}

void Section::record(std::vector<float> values) {
  for (float& x : values) x = x != x ? float_of(kNanBits) : x;
  hasher_.update(bytes_of(values));
}

void Section::record(const std::vector<int16_t>& values) {
  hasher_.update(bytes_of(values));
}
void Section::record(const std::vector<int32_t>& values) {
  hasher_.update(bytes_of(values));
}

void Section::record(bool finite) {
  const uint8_t byte = finite ? 1 : 0;
  hasher_.update({&byte, 1});
}

}  // namespace cairn::exact
