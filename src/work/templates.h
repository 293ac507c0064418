// Recipes to start from, written to be read: `cairn new --template NAME`.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace cairn::work {

struct Template {
  std::string_view name;
  std::string_view summary;
  std::string_view recipe;  // TOML, without the tables of the policy
  bool own_pixels = false;  // [input] is to be as the data are, by with_pixels()
};

// The first is what a project gets that names none.
std::span<const Template> templates();
// The recipe with these numbers for each channel as `mean` and `deviation`, to three digits.
std::string with_pixels(std::string_view recipe, std::span<const double> mean,
                        std::span<const double> deviation);

// Null where there is none of that name.
const Template* find_template(std::string_view name);

}  // namespace cairn::work
