// JSON as Cairn writes it; fields keep the order in which they were added. The library that writes the text
// stays inside json.cc, because every file that sees its headers takes twice as long to compile. What reads
// JSON includes it.
//
// A value like any other: copies are deep, one thread at a time.
#pragma once

#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace cairn {

class Json {
 public:
  using Field = std::pair<std::string, Json>;

  Json(std::nullptr_t = nullptr);  // NOLINT(google-explicit-constructor): a value is JSON, here and below
  Json(bool value);                // NOLINT
  Json(double value);              // NOLINT: null where it is not finite
  Json(std::string text);          // NOLINT: UTF-8; what is not becomes U+FFFD when written
  Json(std::string_view text) : Json(std::string(text)) {}  // NOLINT
  Json(const char* text) : Json(std::string(text)) {}       // NOLINT
  template <std::signed_integral T>
  Json(T value) : Json(Signed{value}) {}  // NOLINT
  template <std::unsigned_integral T>
  Json(T value) : Json(Unsigned{value}) {}  // NOLINT
  template <typename T>
  Json(const std::vector<T>& items) : Json(array()) {  // NOLINT
    for (const T& item : items) push_back(item);
  }
  Json(std::initializer_list<Field> fields);  // an object
  static Json array();
  static Json literal(std::string text);  // JSON already. Precondition: it is valid.

  Json(const Json& other);
  Json(Json&& other) noexcept;
  Json& operator=(Json other) noexcept;
  ~Json();

  // Of an object; null becomes an empty one. Adds the field where there is none.
  Json& operator[](std::string_view name);
  // To an array; null becomes an empty one.
  void push_back(Json item);
  size_t size() const;  // of an array or object, 0 of anything else

  std::string dump() const;                  // in one line
  std::string pretty(int indent = 2) const;  // with line breaks

 private:
  struct Signed {
    int64_t value;
  };
  struct Unsigned {
    uint64_t value;
  };
  struct Value;
  explicit Json(Signed value);
  explicit Json(Unsigned value);

  std::unique_ptr<Value> value_;  // never null but in what was moved from
};

}  // namespace cairn
