#include "model/precision.h"

#include <array>

namespace cairn::model {
namespace {

struct Entry {
  Precision precision;
  std::string_view name;
  ProductBits bits;
};

// `fast` keeps the weight gradient at 13 bits: it sums over the whole batch and is what a step consists of.
constexpr std::array<Entry, 3> kEntries = {{
    {Precision::fast, "fast", {8, 8, 13}},
    {Precision::standard, "standard", {13, 13, 13}},
    {Precision::high, "high", {14, 14, 14}},
}};

const Entry& entry(Precision precision) {
  for (const Entry& one : kEntries) {
    if (one.precision == precision) return one;
  }
  return kEntries[1];  // every value of the type has an entry
}

}  // namespace

std::string_view precision_name(Precision precision) {
  return entry(precision).name;
}

std::optional<Precision> precision_from_name(std::string_view name) {
  for (const Entry& one : kEntries) {
    if (one.name == name) return one.precision;
  }
  return std::nullopt;
}

std::optional<Precision> precision_from_byte(uint8_t byte) {
  for (const Entry& one : kEntries) {
    if (static_cast<uint8_t>(one.precision) == byte) return one.precision;
  }
  return std::nullopt;
}

ProductBits product_bits(Precision precision) {
  return entry(precision).bits;
}

int ProductBits::of(Product product) const {
  switch (product) {
    case Product::forward:
      return forward;
    case Product::input_gradient:
      return input_gradient;
    case Product::weight_gradient:
      return weight_gradient;
  }
  return weight_gradient;
}

}  // namespace cairn::model
