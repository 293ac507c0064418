#include "work/settings.h"

#include <algorithm>
#include <charconv>
#include <numeric>

namespace cairn::work {
namespace {

std::string shortest(double value) {
  char text[32];
  const auto end = std::to_chars(text, text + sizeof text, value);
  return {text, end.ptr};
}

std::string range(const std::string& low, const std::string& high) {
  return "is not between " + low + " and " + high;
}

// Levenshtein's distance.
size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 0; i < a.size(); ++i) {
    size_t diagonal = std::exchange(row[0], i + 1);
    for (size_t j = 0; j < b.size(); ++j) {
      const size_t replaced = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({replaced, row[j] + 1, row[j + 1] + 1});
    }
  }
  return row[b.size()];
}

}  // namespace

const Setting* SettingsReader::find(std::string_view key) {
  known_.emplace(key);
  const auto entry = std::ranges::find(table_, key, &SettingsEntry::key);
  return entry == table_.end() ? nullptr : &entry->setting;
}

uint64_t SettingsReader::integer(std::string_view key, uint64_t fallback, uint64_t low, uint64_t high) {
  const Setting* setting = find(key);
  if (setting == nullptr) return fallback;
  const int64_t* value = std::get_if<int64_t>(&setting->value);
  if (value == nullptr) {
    fail(key, "must be a whole number");
  } else if (*value < 0 || static_cast<uint64_t>(*value) < low || static_cast<uint64_t>(*value) > high) {
    fail(key, std::to_string(*value) + " " + range(std::to_string(low), std::to_string(high)));
  } else {
    return static_cast<uint64_t>(*value);
  }
  return fallback;
}

double SettingsReader::in_range(std::string_view key, const Setting& setting, double low, double high) {
  double value = low;
  if (const int64_t* whole = std::get_if<int64_t>(&setting.value)) {
    value = static_cast<double>(*whole);
  } else if (const double* real = std::get_if<double>(&setting.value)) {
    value = *real;
  } else {
    fail(key, "must be a number");
  }
  if (value >= low && value <= high) return value;
  fail(key, shortest(value) + " " + range(shortest(low), shortest(high)));
  return low;
}

double SettingsReader::number(std::string_view key, double fallback, double low, double high) {
  const Setting* setting = find(key);
  return setting == nullptr ? fallback : in_range(key, *setting, low, high);
}

bool SettingsReader::boolean(std::string_view key, bool fallback) {
  const Setting* setting = find(key);
  if (setting == nullptr) return fallback;
  if (const bool* value = std::get_if<bool>(&setting->value)) return *value;
  fail(key, "must be true or false");
  return fallback;
}

std::string SettingsReader::choice(std::string_view key, std::string_view fallback,
                                   std::initializer_list<std::string_view> choices) {
  const Setting* setting = find(key);
  if (setting == nullptr) return std::string(fallback);
  const std::string* value = std::get_if<std::string>(&setting->value);
  if (value != nullptr && std::ranges::find(choices, *value) != choices.end()) return *value;
  std::string list;
  for (const std::string_view one : choices) {
    list += (list.empty() ? "\"" : " or \"") + std::string(one) + "\"";
  }
  fail(key, "must be " + list);
  return std::string(fallback);
}

std::vector<double> SettingsReader::numbers(std::string_view key, std::vector<double> fallback, double low,
                                            double high) {
  const Setting* setting = find(key);
  if (setting == nullptr) return fallback;
  const auto* list = std::get_if<std::vector<Setting>>(&setting->value);
  if (list == nullptr || list->empty()) {
    fail(key, "must be a list of numbers");
    return fallback;
  }
  std::vector<double> values;
  for (const Setting& item : *list) values.push_back(in_range(key, item, low, high));
  return values;
}

SettingsReader SettingsReader::table(std::string_view key) {
  static const SettingsTable kNothing;
  const Setting* setting = find(key);
  const auto* inner = setting == nullptr ? &kNothing : std::get_if<SettingsTable>(&setting->value);
  if (inner == nullptr) fail(key, "must be a table, written [" + path(key) + "]");
  return SettingsReader(inner == nullptr ? kNothing : *inner, path(key));
}

std::string SettingsReader::path(std::string_view key) const {
  return (name_.empty() ? "" : name_ + ".") + std::string(key);
}

void SettingsReader::fail(std::string_view key, const std::string& reason) {
  if (error_.empty()) error_ = path(key) + ": " + reason;
}

Status SettingsReader::finish() {
  for (const SettingsEntry& entry : table_) {
    if (known_.contains(entry.key)) continue;
    const auto closest = std::ranges::min_element(
        known_, {}, [&](const std::string& known) { return edit_distance(known, entry.key); });
    const bool close = closest != known_.end() && edit_distance(*closest, entry.key) <= 2;
    fail(entry.key, "unknown key" + (close ? "; did you mean " + *closest + "?" : std::string()));
  }
  if (!error_.empty()) return Error{error_};
  return {};
}

}  // namespace cairn::work
