// Recipes to start from, written to be read: `cairn new --template NAME`.
#pragma once

#include <span>
#include <string_view>

namespace cairn::work {

struct Template {
  std::string_view name;
  std::string_view summary;
  std::string_view recipe;  // TOML, without the tables of the policy
};

// The first is what a project gets that names none.
std::span<const Template> templates();
// Null where there is none of that name.
const Template* find_template(std::string_view name);

}  // namespace cairn::work
