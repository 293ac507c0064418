#include <algorithm>

#include "exact/arithmetic.h"
#include "exact/reference.h"

namespace cairn::exact {
namespace {

// Calls visit(element, group) for every element, in row-major order.
template <typename Visit>
void for_each_element(const Groups& g, Visit visit) {
  int64_t element = 0;
  for (int64_t o = 0; o < g.outer; ++o)
    for (int64_t a = 0; a < g.repeat; ++a)
      for (int64_t group = o * g.groups; group < (o + 1) * g.groups; ++group)
        for (int64_t i = 0; i < g.inner; ++i) visit(element++, group);
}

bool find_exponents(const float* x, const Groups& groups, int bits, int32_t* exponents) {
  std::vector<uint32_t> largest(static_cast<size_t>(groups.count()), 0);
  for_each_element(groups, [&](int64_t element, int64_t group) {
    largest[group] = std::max(largest[group], magnitude(x[element]));
  });
  bool finite = true;
  for (int64_t group = 0; group < groups.count(); ++group)
    finite &= group_exponent(largest[group], bits, &exponents[group]);
  return finite;
}

}  // namespace

bool Reference::quantize(const float* x, const Groups& groups, int bits, Quantized out) {
  if (!find_exponents(x, groups, bits, out.exponents)) return false;
  for_each_element(groups, [&](int64_t element, int64_t group) {
    const int32_t e = out.exponents[group];
    const float scaled = e == kEmptyGroup ? 0.0f : x[element] * power_of_two(-e);
    out.values[element] = static_cast<int16_t>(round_to_integer(scaled));
  });
  return true;
}

bool Reference::quantize_dithered(const float* x, const Groups& groups, int bits, uint32_t key,
                                  Quantized out) {
  if (!find_exponents(x, groups, bits, out.exponents)) return false;
  for_each_element(groups, [&](int64_t element, int64_t group) {
    const int32_t e = out.exponents[group];
    const float scaled = e == kEmptyGroup ? 0.0f : x[element] * power_of_two(16 - e);
    out.values[element] = dithered(round_to_integer(scaled), key + static_cast<uint32_t>(element));
  });
  return true;
}

bool Reference::finite(const float* x, int64_t n) {
  return std::all_of(x, x + n, [](float value) { return magnitude(value) < 0x7f800000; });
}

}  // namespace cairn::exact
