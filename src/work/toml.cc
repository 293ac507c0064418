// The part of TOML 1.0 that settings are written in: every file that is accepted is TOML and means the same.
//
// It is our own because toml++ 3.3, Debian's, meets some malformed files with failed assertions and undefined
// behaviour (its issues 190, 294, 295).
#include <algorithm>
#include <charconv>
#include <limits>
#include <optional>

#include "base/text.h"
#include "work/settings.h"

namespace cairn::work {
namespace {

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

bool is_key_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || is_digit(c) || c == '_' || c == '-';
}

// Checks the digits of a TOML number from `at` on and copies them without underscores.
bool take_digits(std::string_view token, size_t& at, std::string& plain) {
  const size_t start = at;
  while (at < token.size()) {
    const bool separator = token[at] == '_' && at > start && at + 1 < token.size() && is_digit(token[at + 1]);
    if (is_digit(token[at])) {
      plain += token[at];
    } else if (!separator) {
      break;
    }
    ++at;
  }
  return at > start;
}

// A decimal integer or float in the form that std::from_chars reads, or nothing.
std::optional<std::string> plain_number(std::string_view token) {
  std::string plain;
  size_t at = 0;
  if (token.starts_with('-')) plain += '-';
  if (token.starts_with('-') || token.starts_with('+')) ++at;
  const bool zero = at < token.size() && token[at] == '0';
  const size_t first = plain.size();
  if (!take_digits(token, at, plain) || (zero && plain.size() > first + 1)) return std::nullopt;
  if (at < token.size() && token[at] == '.') {
    plain += token[at++];
    if (!take_digits(token, at, plain)) return std::nullopt;
  }
  if (at < token.size() && (token[at] == 'e' || token[at] == 'E')) {
    plain += token[at++];
    if (at < token.size() && (token[at] == '-' || token[at] == '+')) plain += token[at++];
    if (!take_digits(token, at, plain)) return std::nullopt;
  }
  return at == token.size() ? std::optional(plain) : std::nullopt;
}

template <typename T>
std::optional<Setting> number(const std::string& plain) {
  T value{};
  const auto read = std::from_chars(plain.data(), plain.data() + plain.size(), value);
  return read.ec == std::errc() ? std::optional(Setting{value}) : std::nullopt;
}

std::optional<Setting> word(std::string_view token) {
  if (token == "true") return Setting{true};
  if (token == "false") return Setting{false};
  if (token == "inf" || token == "+inf") return Setting{std::numeric_limits<double>::infinity()};
  if (token == "-inf") return Setting{-std::numeric_limits<double>::infinity()};
  if (token == "nan" || token == "+nan" || token == "-nan") {
    return Setting{std::numeric_limits<double>::quiet_NaN()};
  }
  const std::optional<std::string> plain = plain_number(token);
  if (!plain) return std::nullopt;
  return plain->find_first_of(".eE") == std::string::npos ? number<int64_t>(*plain) : number<double>(*plain);
}

// Reads from start to end. The first failure sticks and moves to the end of the text.
class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  Result<SettingsTable> parse() {
    SettingsTable file = entries();
    while (!at_end()) {
      std::string name = header();
      refuse_twice(file, name);
      SettingsTable table = entries();
      file.push_back({std::move(name), {std::move(table)}});
    }
    if (!error_.empty()) return Error{error_};
    return file;
  }

 private:
  bool at_end() const { return at_ == text_.size(); }
  char peek() const { return at_end() ? '\0' : text_[at_]; }
  bool accept(char c) {
    if (at_end() || peek() != c) return false;
    ++at_;
    return true;
  }

  void fail(const std::string& reason) {
    if (error_.empty()) error_ = "line " + std::to_string(line_) + ": " + reason;
    at_ = text_.size();
  }

  void skip_spaces() {
    while (peek() == ' ' || peek() == '\t') ++at_;
  }

  // A comment, if there is one, and the end of the line. False where something else stands.
  bool end_line() {
    skip_spaces();
    if (peek() == '#') at_ = std::min(text_.find('\n', at_), text_.size());
    if (text_.substr(at_, 2) == "\r\n") ++at_;
    if (at_end()) return true;
    if (!accept('\n')) return false;
    ++line_;
    return true;
  }

  void skip_empty_lines() {
    while (!at_end() && end_line()) {
    }
  }

  std::string key() {
    const size_t start = at_;
    while (is_key_character(peek())) ++at_;
    if (at_ == start) fail("a key of letters, digits, - and _ is expected");
    return std::string(text_.substr(start, at_ - start));
  }

  void refuse_twice(const SettingsTable& table, const std::string& name) {
    const bool there = std::ranges::find(table, name, &SettingsEntry::key) != table.end();
    if (there) fail(name + " is given twice");
  }

  std::string header() {
    if (!accept('[')) fail("[table] is expected");
    skip_spaces();
    std::string name = key();
    skip_spaces();
    if (!accept(']')) fail("] is expected after the table's name");
    if (!end_line()) fail("the line goes on after [" + name + "]");
    return name;
  }

  // Up to the next header.
  SettingsTable entries() {
    SettingsTable table;
    for (skip_empty_lines(); !at_end() && peek() != '['; skip_empty_lines()) {
      std::string name = key();
      refuse_twice(table, name);
      skip_spaces();
      if (!accept('=')) fail("= is expected after the key");
      skip_spaces();
      Setting setting = value(0);
      if (!end_line()) fail("the line goes on after the value of " + name);
      table.push_back({std::move(name), std::move(setting)});
    }
    return table;
  }

  Setting value(int depth) {
    if (peek() == '"' || peek() == '\'') return string();
    if (peek() == '[') return array(depth + 1);
    const size_t start = at_;
    while (is_key_character(peek()) || peek() == '+' || peek() == '.' || peek() == ':') ++at_;
    std::optional<Setting> setting = word(text_.substr(start, at_ - start));
    if (!setting) fail("a number, true, false, a string or a list is expected");
    return setting ? *std::move(setting) : Setting();
  }

  Setting string() {
    const char quote = text_[at_++];
    std::string text;
    while (!at_end() && peek() != quote && peek() != '\n') {
      const bool escape = quote == '"' && accept('\\');
      if (escape && peek() != '"' && peek() != '\\') fail("in strings \\ stands before \" and \\ only");
      if (!at_end()) text += text_[at_++];
    }
    if (!accept(quote)) fail("the string has no end on its line");
    return {text};
  }

  Setting array(int depth) {
    constexpr int kMaxDepth = 8;
    if (depth > kMaxDepth) fail("lists are too deep");
    accept('[');
    std::vector<Setting> items;
    for (skip_empty_lines(); !at_end() && peek() != ']'; skip_empty_lines()) {
      items.push_back(value(depth));
      skip_empty_lines();
      if (!accept(',') && peek() != ']') fail(", or ] is expected");
    }
    if (!accept(']')) fail("the list has no end");
    return {std::move(items)};
  }

  std::string_view text_;
  size_t at_ = 0;
  size_t line_ = 1;
  std::string error_;
};

// What TOML allows nowhere, not even in comments.
Status check_characters(std::string_view toml) {
  size_t line = 1;
  for (size_t i = 0; i < toml.size();) {
    const auto byte = static_cast<unsigned char>(toml[i]);
    if (byte == '\n') ++line;
    const std::string place = "line " + std::to_string(line) + ": ";
    const bool line_end = byte == '\n' || (byte == '\r' && toml.substr(i + 1, 1) == "\n");
    if (byte != '\t' && !line_end && (byte < 0x20 || byte == 0x7f))
      return Error{place + "there is a control character"};
    const size_t length = utf8_length(toml.substr(i));
    if (length == 0) return Error{place + "the text is not UTF-8"};
    i += length;
  }
  return {};
}

Result<SettingsTable> parse(std::string_view toml) {
  if (toml.size() > kMaxSettingsSize) {
    return Error{"is larger than " + std::to_string(kMaxSettingsSize) + " bytes"};
  }
  CAIRN_CHECK(check_characters(toml));
  return Parser(toml).parse();
}

}  // namespace

Result<SettingsTable> parse_settings(std::string_view toml, std::string_view file_name) {
  Result<SettingsTable> table = parse(toml);
  if (!table) return table.error().within(std::string(file_name));
  return table;
}

}  // namespace cairn::work
