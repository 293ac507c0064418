// How many bits the integers in products have. Part of the recipe, and so of what a gradient is.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace cairn::model {

// What recipes choose from. The numbers are their bytes there.
enum class Precision : uint8_t { fast = 8, standard = 13, high = 14 };

std::string_view precision_name(Precision precision);  // as it stands above
std::optional<Precision> precision_from_name(std::string_view name);
// The byte of a recipe.
std::optional<Precision> precision_from_byte(uint8_t byte);

// What a product is for.
enum class Product : uint8_t { forward, input_gradient, weight_gradient };

// Bits of both operands of each kind of product, 2 to 15. A tensor that stands in products of different bits
// is quantized once for each.
struct ProductBits {
  int forward = 13;
  int input_gradient = 13;
  int weight_gradient = 13;

  int of(Product product) const;
};

ProductBits product_bits(Precision precision);

}  // namespace cairn::model
