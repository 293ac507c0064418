// Settings files: plain TOML 1.0, read strictly. A key that nobody knows, a wrong type or a value out of
// range is refused by name: "recipe.toml: training.bacth: unknown key; did you mean batch?".
#pragma once

#include <cstdint>
#include <initializer_list>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/result.h"
#include "base/schedule.h"

namespace cairn::work {

struct SettingsEntry;
using SettingsTable = std::vector<SettingsEntry>;

struct Setting {
  std::variant<std::monostate, bool, int64_t, double, std::string, std::vector<Setting>, SettingsTable> value;
};
struct SettingsEntry {
  std::string key;
  Setting setting;
};

inline constexpr size_t kMaxSettingsSize = 64 << 10;

// Takes comments, [table] headers, and bare keys with numbers (decimal), true, false, one-line strings and
// lists. Other TOML (dates, dotted or quoted keys, inline tables, tables in tables) is refused. Errors name
// `file_name` and the line.
Result<SettingsTable> parse_settings(std::string_view toml, std::string_view file_name);

// Reads one table. The first failure sticks: later reads give the default, and finish() reports it. Every
// read marks its key as known. The table outlives the reader.
class SettingsReader {
 public:
  // `name` comes before the keys in messages: "training", or nothing for the file itself.
  SettingsReader(const SettingsTable& table, std::string name) : table_(table), name_(std::move(name)) {}

  bool has(std::string_view key) { return find(key) != nullptr; }
  uint64_t integer(std::string_view key, uint64_t fallback, uint64_t low, uint64_t high);
  double number(std::string_view key, double fallback, double low, double high);
  bool boolean(std::string_view key, bool fallback);
  std::string choice(std::string_view key, std::string_view fallback,
                     std::initializer_list<std::string_view> choices);
  std::vector<double> numbers(std::string_view key, std::vector<double> fallback, double low, double high);
  // A number, or knots [[round, rate], …] with ascending rounds; or a number that the keys `schedule`,
  // `rounds`, `warmup_rounds`, `final_rate`, `milestones` and `factor` beside it turn into knots, as
  // docs/formats/recipe.md says. Rates are rounded to multiples of 2^-40.
  std::vector<RateKnot> schedule(std::string_view key, double fallback, double low, double high);
  // A reader of an inner table; of an empty one where the key is absent. Its failures are its own.
  SettingsReader table(std::string_view key);
  void ignore(std::string_view key) { known_.emplace(key); }

  void fail(std::string_view key, const std::string& reason);
  Status finish();  // The first failure, or the first unknown key.

 private:
  const Setting* find(std::string_view key);
  std::vector<RateKnot> knots(std::string_view key, const std::vector<Setting>& list, double low,
                              double high);
  double in_range(std::string_view key, const Setting& setting, double low, double high);
  std::string path(std::string_view key) const;

  const SettingsTable& table_;
  std::string name_;
  std::string error_;
  std::set<std::string, std::less<>> known_;
};

}  // namespace cairn::work
