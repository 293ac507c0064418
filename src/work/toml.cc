// The only file that includes the TOML parser: it is slow to compile.
#define TOML_EXCEPTIONS 0
#define TOML_ENABLE_FORMATTERS 0
#include <toml++/toml.h>

#include "work/settings.h"

namespace cairn::work {
namespace {

Setting convert(const toml::node& node);

Setting convert(const toml::table& table) {
  SettingsTable entries;
  for (const auto& [key, node] : table) entries.push_back({std::string(key.str()), convert(node)});
  return {std::move(entries)};
}

Setting convert(const toml::array& array) {
  std::vector<Setting> items;
  for (const toml::node& node : array) items.push_back(convert(node));
  return {std::move(items)};
}

Setting convert(const toml::node& node) {
  if (const auto* table = node.as_table()) return convert(*table);
  if (const auto* array = node.as_array()) return convert(*array);
  if (const auto* text = node.as_string()) return {text->get()};
  if (const auto* whole = node.as_integer()) return {whole->get()};
  if (const auto* real = node.as_floating_point()) return {real->get()};
  if (const auto* truth = node.as_boolean()) return {truth->get()};
  return {};
}

}  // namespace

Result<SettingsTable> parse_settings(std::string_view toml, std::string_view file_name) {
  const std::string place(file_name);
  if (toml.size() > kMaxSettingsSize) {
    return Error{place + ": is larger than " + std::to_string(kMaxSettingsSize) + " bytes"};
  }
  const toml::parse_result parsed = toml::parse(toml);
  if (!parsed) {
    const toml::parse_error& error = parsed.error();
    return Error{place + ": line " + std::to_string(error.source().begin.line) + ": " +
                 std::string(error.description())};
  }
  return std::get<SettingsTable>(convert(parsed.table()).value);
}

}  // namespace cairn::work
